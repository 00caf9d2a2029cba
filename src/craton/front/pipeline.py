"""The steps of an AWS request, in order, on one screen.

read → authenticate → route → bind → handle → encode. Each step is a function elsewhere; this file joins them, turns
every failure into AWS's own and lets nothing else out. It knows HTTP and the wire, no operation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from functools import lru_cache
from hashlib import sha256
from random import getrandbits
from typing import Any

import msgspec

from craton.aws.wire.faults import Fault, internal
from craton.aws.wire.model import Operation
from craton.aws.wire.restjson import Binding, RestJson, encode_error
from craton.aws.wire.route import Router
from craton.aws.wire.sigv4 import SignedRequest
from craton.context import App, Call, EventStream, Handler
from craton.front import body as http
from craton.front.admit import authorize_key, unbuilt
from craton.front.authenticate import authenticate

# Above this a body is hashed and decoded in a thread, so that one big document does not hold up every stream.
THREAD_BYTES = 256 * 1024
# A request line up to this long is remembered with where it leads.
_LINE_BYTES = 512


class Served(msgspec.Struct, frozen=True):
    """An operation that has a handler. `body`: the Struct that its request becomes, None for the model's own."""

    handler: Handler
    body: type[msgspec.Struct] | None


class Place(msgspec.Struct, frozen=True):
    """Where a request line leads. `binding` and `handler` are None for an operation that is not built."""

    operation: Operation
    labels: dict[str, str]
    binding: Binding | None
    handler: Handler | None


class Pipeline:
    """Serves one ASGI request of an AWS operation."""

    def __init__(
        self,
        app: App,
        router: Router,
        protocol: RestJson,
        served: Callable[[Operation], Served | None],
        report: Callable[[BaseException], None],
    ) -> None:
        self.app = app
        self.limits = app.settings.file.server
        self.protocol = protocol
        self.router = router
        self.served = served
        self.report = report
        self.request: Callable[..., Request] = Request  # or one that is logged (`front.logged`)
        self._kept = lru_cache(maxsize=1024)(self._find)

    def __call__(self, scope: dict[str, Any], receive: http.Receive, send: http.Send) -> Coroutine[Any, Any, None]:
        return self.request(self, scope, receive, send, self.app.clock.monotonic(), new_request_id()).serve()

    def find(self, method: str, raw_path: bytes, query: bytes) -> Place:
        """Where a request line leads; raises Fault where it leads nowhere."""
        keeps = len(raw_path) + len(query) <= _LINE_BYTES
        return self._kept(method, raw_path, query) if keeps else self._find(method, raw_path, query)

    def _find(self, method: str, raw_path: bytes, query: bytes) -> Place:
        operation, labels = self.router.match(method, raw_path, query)
        served = self.served(operation)
        if served is None:
            return Place(operation, labels, None, None)
        return Place(operation, labels, self.protocol.bind(operation, served.body), served.handler)


class Request(msgspec.Struct, eq=False):
    """One request on its way through the steps."""

    pipeline: Pipeline
    scope: dict[str, Any]
    receive: http.Receive
    send: http.Send
    started_at: float
    request_id: str
    call: Call | None = None

    async def serve(self) -> None:
        """The whole way; every failure leaves as AWS's own."""
        try:
            headers = self.scope["headers"]
            body = await http.read(self.receive, headers.get(b"content-length"), self.pipeline.limits.max_body_bytes)
            await self.answer(*await self.handle(headers, body))
        except Fault as fault:
            await self.refuse(fault)
        except Exception as error:
            self.pipeline.report(error)
            await self.refuse(internal())

    async def handle(self, headers: dict[bytes, bytes], body: bytes) -> tuple[Call, Any]:
        """Steps two to five: the call and what its handler answers."""
        scope, pipeline = self.scope, self.pipeline
        app, query = pipeline.app, scope["query_string"]
        method, raw_path = scope["method"], scope["raw_path"]
        large = len(body) > THREAD_BYTES
        digest = await asyncio.to_thread(body_digest, body) if large else body_digest(body)
        signed = SignedRequest(method, raw_path, query, headers, body_sha256=digest)
        who = authenticate(signed, app.live.credentials, app.clock.now(), app.settings.region)
        place = pipeline.find(method, raw_path, query)
        operation = place.operation
        self.call = call = Call(
            app, operation, who.caller, who.region, self.request_id, headers, self.started_at, pipeline.report, scope
        )
        if who.caller.auth != "sigv4":
            who.check_service(operation)
            authorize_key(call)
        binding, handler = place.binding, place.handler
        if binding is None or handler is None:
            raise unbuilt(call, place.labels, body)
        decode = binding.decode
        if large:
            request = await asyncio.to_thread(decode, place.labels, query, headers, body)
        else:
            request = decode(place.labels, query, headers, body)
        return call, await handler(call, request)

    async def answer(self, call: Call, result: Any) -> None:
        """Step six."""
        if isinstance(result, EventStream):
            await self.answer_stream(call, result)
            return
        encoded, send = self.pipeline.protocol.encode_response(call.operation, result), self.send
        if call.app.meter is not None:
            call.app.meter.served(call)
        headers = [*encoded.headers, *self.common(call), (b"content-length", b"%d" % len(encoded.body))]
        await send({"type": "http.response.start", "status": encoded.status, "headers": headers})
        await send({"type": "http.response.body", "body": encoded.body})

    async def answer_stream(self, call: Call, stream: EventStream) -> None:
        """Frames as they come; a reader that stops or leaves ends the upstream through `aclose`."""
        meter = call.app.meter
        begun_at = call.app.clock.monotonic() if meter is not None else 0.0
        try:
            async with aclosing(stream.frames) as frames:
                encoded, send = self.pipeline.protocol.encode_response(call.operation, stream.value), self.send
                headers = [*encoded.headers, *self.common(call)]
                await send({"type": "http.response.start", "status": encoded.status, "headers": headers})
                async for frame in frames:
                    await send({"type": "http.response.body", "body": frame, "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            if meter is not None:
                meter.served(call, begun_at)

    def common(self, call: Call) -> list[tuple[bytes, bytes]]:
        return [(b"x-amzn-requestid", self.request_id.encode()), *call.response_headers]

    async def refuse(self, fault: Fault) -> None:
        call = self.call
        if call is not None and call.app.audit is not None:
            call.app.audit.refused(call, fault)
        if call is not None and call.app.meter is not None:
            call.app.meter.failed(call, fault)
        encoded = encode_error(None if call is None else call.operation, fault, self.request_id)
        await http.answer(self.send, encoded.status, list(encoded.headers), encoded.body)


def body_digest(body: bytes) -> str:
    """SHA-256 in hex, as signatures have it."""
    return sha256(body).hexdigest()


def new_request_id() -> str:
    """A random UUID (version 4), without the cost of the uuid module's object. It is a name, not a secret."""
    digits = f"{getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
