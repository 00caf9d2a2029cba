"""One request at a vendor's door: read, authenticate, answer, or refuse in the vendor's shape.

The counterpart of `pipeline` for requests that are no AWS operation. Owns the order of the steps and what every answer
of a door has in common; which exchange serves a path, and what it says, are `vendor_doors`' and the doors' own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import msgspec

from craton.aws.wire import bearer
from craton.aws.wire.faults import AuthFault, Fault, internal
from craton.aws.wire.model import Operation
from craton.aws.wire.sigv4 import SignedRequest
from craton.context import App, Call
from craton.front import body as http
from craton.front.admit import authorize_key
from craton.front.authenticate import AT_DOORS, Authenticated, authenticate, by_key
from craton.front.door_faults import DoorFault, Shape, wait_headers
from craton.front.pipeline import THREAD_BYTES, body_digest

JSON = (b"content-type", b"application/json")
EVENT_STREAM = ((b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache"))
NO_KEY = (
    "No API key was given. Send a Bedrock API key in the header Authorization (Bearer) or x-api-key; "
    "`craton keys create` makes one."
)
_LEDGER = (b"x-craton-dropped", b"x-craton-emulated")


@dataclass(frozen=True, slots=True)
class Whole:
    """An answer that is there."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Events:
    """An answer that leaves piece by piece: server-sent events, one bytes object per piece. Never raises."""

    frames: AsyncGenerator[bytes]


@dataclass(frozen=True, slots=True)
class Asked:
    """What an exchange is given. `rest` is what of the path comes after the exchange's own, percent-decoded."""

    call: Call
    shape: Shape
    rest: str
    query: bytes
    body: bytes


Exchange = Callable[[Asked], Awaitable[Whole | Events]]


@dataclass(frozen=True, slots=True)
class Found:
    """The exchange that serves a path. `operation` is the AWS operation that it is a form of, for whoever accounts.

    `shape`: how failures are shown where that is not the door's own way.
    """

    exchange: Exchange
    operation: Operation
    rest: str = ""
    shape: Shape | None = None


Find = Callable[[], Found]
"""What serves the request; raises DoorFault where there is nothing."""


class DoorRequest(msgspec.Struct, eq=False):
    """One request on its way through the steps."""

    app: App
    report: Callable[[BaseException], None]
    shape: Shape
    find: Find
    scope: dict[str, Any]
    receive: http.Receive
    send: http.Send
    request_id: str
    started_at: float
    call: Call | None = None

    async def serve(self) -> None:
        """The whole way; every failure leaves in the vendor's shape."""
        limits = self.app.settings.file.server
        try:
            headers = self.scope["headers"]
            body = await http.read(self.receive, headers.get(b"content-length"), limits.max_body_bytes)
            answer = await self.handle(headers, body)
            if isinstance(answer, Whole):
                if self.call is not None and self.app.meter is not None:
                    self.app.meter.served(self.call)
                await http.answer(self.send, 200, [JSON, *self.common()], answer.body)
            else:
                await self.stream(answer.frames)
        except Fault as fault:
            await self.refuse(fault)
        except Exception as error:
            self.report(error)
            await self.refuse(internal())

    async def handle(self, headers: dict[bytes, bytes], body: bytes) -> Whole | Events:
        try:
            who = await self.authenticate(headers, body)
        except AuthFault as fault:
            told = NO_KEY if fault.name == "MissingAuthenticationTokenException" else fault.message
            raise DoorFault("authentication", told) from None
        found = self.find()
        if found.shape is not None:
            self.shape = found.shape
        self.call = call = Call(
            self.app, found.operation, who.caller, who.region, self.request_id, headers, self.started_at, self.report,
            self.scope,
        )  # fmt: skip
        if who.caller.auth != "sigv4":
            who.check_service(found.operation)
            authorize_key(call)
        answer = await found.exchange(Asked(call, self.shape, found.rest, self.scope["query_string"], body))
        if self.app.audit is not None:
            self.app.audit.passed(call)
        return answer

    async def authenticate(self, headers: dict[bytes, bytes], body: bytes) -> Authenticated:
        """By a Bedrock API key in either vendor's header, else by a signature."""
        live, now, region = self.app.live, self.app.clock.now(), self.app.settings.region
        token = bearer.token(headers)
        if token is None and b"authorization" not in headers and b"x-api-key" in headers:
            token = headers[b"x-api-key"].strip().decode("latin-1")
        if token is not None:
            return by_key(token, live.credentials, now, region)
        digest = await asyncio.to_thread(body_digest, body) if len(body) > THREAD_BYTES else body_digest(body)
        scope = self.scope
        signed = SignedRequest(scope["method"], scope["raw_path"], scope["query_string"], headers, body_sha256=digest)
        return authenticate(signed, live.credentials, now, region, AT_DOORS)

    async def stream(self, pieces: AsyncGenerator[bytes]) -> None:
        """Pieces as they come; a reader that stops or leaves ends the upstream through `aclose`."""
        begun_at = self.app.clock.monotonic()
        try:
            async with aclosing(pieces) as frames:
                headers = [*EVENT_STREAM, *self.common()]
                await self.send({"type": "http.response.start", "status": 200, "headers": headers})
                async for frame in frames:
                    await self.send({"type": "http.response.body", "body": frame, "more_body": True})
                await self.send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            if self.call is not None and self.app.meter is not None:
                self.app.meter.served(self.call, begun_at)

    def common(self) -> list[tuple[bytes, bytes]]:
        """The request's id under the vendor's name and AWS's, and what the call has to tell."""
        given = self.request_id.encode()
        told = self.call.response_headers if self.call is not None else []
        return [
            (self.shape.request_id_header, given),
            (b"x-amzn-requestid", given),
            *((name, self.renamed(value) if name in _LEDGER else value) for name, value in told),
        ]

    def renamed(self, paths: bytes) -> bytes:
        return self.shape.rename(paths.decode("latin-1")).encode("latin-1")

    async def refuse(self, fault: Fault) -> None:
        if self.call is not None and self.app.audit is not None:
            self.app.audit.refused(self.call, fault)
        if self.call is not None and self.app.meter is not None:
            self.app.meter.failed(self.call, fault)
        status, body = self.shape.error(fault, self.request_id)
        await http.answer(self.send, status, [JSON, *wait_headers(fault), *self.common()], body)
