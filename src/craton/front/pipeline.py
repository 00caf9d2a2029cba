"""The steps of an AWS request, in order, on one screen.

read → authenticate → route → bind → handle → encode. Each step is a function elsewhere; this file joins them, turns
every failure into AWS's own and lets nothing else out. It knows HTTP and the wire, no operation.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from craton.aws.wire.faults import Fault, internal, not_built, serialization
from craton.aws.wire.model import Operation
from craton.aws.wire.restjson import Binding, RestJson, encode_error
from craton.aws.wire.route import Router
from craton.aws.wire.sigv4 import SignedRequest
from craton.context import App, Call, EventStream, Handler
from craton.front import body as http
from craton.front.authenticate import authenticate
from craton.front.watch import Stall, Watch

# Above this a body is hashed and decoded in a thread, so that one big document does not hold up every stream.
THREAD_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Served:
    """An operation that has a handler."""

    binding: Binding
    handler: Handler


class Pipeline:
    """Serves one ASGI request of an AWS operation."""

    def __init__(
        self,
        app: App,
        router: Router,
        protocol: RestJson,
        served: dict[tuple[str, str], Served],
        report: Callable[[BaseException], None],
    ) -> None:
        self.app = app
        self.limits = app.settings.file.server
        self.protocol = protocol
        self.router = router
        self.served = served
        self.report = report

    async def __call__(self, scope: dict[str, Any], receive: http.Receive, send: http.Send) -> None:
        request = Request(self, scope, receive, send)
        try:
            await request.serve()
        except http.ClientGone:
            # Most often nobody is there to read it; a body with broken framing looks the same from here.
            await request.refuse(serialization("The request body ended before it was complete."))
        except Fault as fault:
            await request.refuse(fault)
        except Exception as error:
            self.report(error)
            await request.refuse(internal())


class Request:
    """One request on its way through the steps."""

    __slots__ = ("operation", "pipeline", "receive", "request_id", "scope", "send", "started_at")

    def __init__(self, pipeline: Pipeline, scope: dict[str, Any], receive: http.Receive, send: http.Send) -> None:
        self.pipeline = pipeline
        self.scope = scope
        self.receive = receive
        self.send = send
        self.started_at = pipeline.app.clock.monotonic()
        self.request_id = new_request_id()
        self.operation: Operation | None = None

    async def serve(self) -> None:
        headers: dict[bytes, bytes] = dict(self.scope["headers"])
        limits = self.pipeline.limits
        watch = Watch(self.receive, limits.body_timeout_s)
        try:
            body = await http.read(self.receive, headers.get(b"content-length"), limits.max_body_bytes)
            watch.body_is_here()
            await self.answer(await self.handle(headers, body))
        except asyncio.CancelledError:
            if watch.late:
                raise Fault("RequestTimeoutException", "The request body was not received in time.") from None
            if not watch.gone:
                raise
        finally:
            watch.close()

    async def handle(self, headers: dict[bytes, bytes], body: bytes) -> tuple[Call, Any]:
        """Steps two to five: the call and what its handler answers."""
        scope, pipeline = self.scope, self.pipeline
        app, query = pipeline.app, scope["query_string"]
        large = len(body) > THREAD_BYTES
        digest = await asyncio.to_thread(body_digest, body) if large else body_digest(body)
        signed = SignedRequest(scope["method"], scope["raw_path"], query, scope["headers"], body_sha256=digest)
        who = authenticate(signed, app.live.credentials, app.clock.now(), app.settings.region)
        match = pipeline.router.match(scope["method"], scope["raw_path"], query)
        self.operation = operation = match.operation
        who.check_service(operation)
        served = pipeline.served.get((operation.service, operation.name))
        if served is None:
            raise not_built(operation.name, operation.errors)
        decode = served.binding.decode
        if large:
            request = await asyncio.to_thread(decode, match.labels, query, headers, body)
        else:
            request = decode(match.labels, query, headers, body)
        call = Call(app, operation, who.caller, who.region, self.request_id, headers, self.started_at, pipeline.report)
        return call, await served.handler(call, request)

    async def answer(self, answered: tuple[Call, Any]) -> None:
        call, result = answered
        if isinstance(result, EventStream):
            await self.answer_stream(call, result)
            return
        encoded = self.pipeline.protocol.encode_response(call.operation, result)
        await http.answer(self.send, encoded.status, [*encoded.headers, *self.common(call)], encoded.body)

    async def answer_stream(self, call: Call, stream: EventStream) -> None:
        """Frames as they come; a reader that stops or leaves ends the upstream through `aclose`."""
        stall = Stall(self.pipeline.limits.write_stall_s)
        try:
            async with aclosing(stream.frames) as frames:
                encoded = self.pipeline.protocol.encode_response(call.operation, stream.value)
                headers = [*encoded.headers, *self.common(call)]
                await self.send({"type": "http.response.start", "status": encoded.status, "headers": headers})
                await stall.send_all(frames, self.send)
                await self.send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            stall.close()

    def common(self, call: Call) -> list[tuple[bytes, bytes]]:
        return [(b"x-amzn-requestid", self.request_id.encode()), *call.response_headers]

    async def refuse(self, fault: Fault) -> None:
        encoded = encode_error(self.operation, fault, self.request_id)
        await http.answer(self.send, encoded.status, list(encoded.headers), encoded.body)


def body_digest(body: bytes) -> str:
    """SHA-256 in hex, as signatures have it."""
    return hashlib.sha256(body).hexdigest()


def new_request_id() -> str:
    """A random UUID (version 4), without the cost of the uuid module's object."""
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
