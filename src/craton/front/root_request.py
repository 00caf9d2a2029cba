"""One request to a service that is found by its signature's scope: who asks, who handles it, what becomes of failures.

What the protocols of such services have in common; each door says how its own is read, decoded, encoded and answered. It
knows no operation's meaning.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import msgspec

from craton.aws.access.credentials import ANONYMOUS
from craton.aws.wire.faults import AuthFault, Fault, internal, missing_token
from craton.aws.wire.model import Operation, Service
from craton.aws.wire.restjson import Encoded
from craton.aws.wire.sigv4 import SignedRequest, Verifier
from craton.context import App, Call, Handler
from craton.front import body as http
from craton.front.authenticate import Authenticated, authenticate
from craton.front.pipeline import body_digest, new_request_id


class RootDoor(ABC):
    """Serves one service. `handlers` are by operation name; no body is larger than `most_bytes`."""

    not_built: str
    """The error of an operation that this server does not have; a client error, so that no SDK retries it."""

    def __init__(
        self, app: App, service: Service, handlers: Mapping[str, Handler], report: Callable[[BaseException], None],
        *, most_bytes: int,
    ) -> None:  # fmt: skip
        self.app = app
        self.service = service
        self.handlers = handlers
        self.report = report
        self.most_bytes = most_bytes
        self.verifier = Verifier({service.signing_name})

    def __call__(self, scope: dict[str, Any], receive: http.Receive, send: http.Send) -> Coroutine[Any, Any, None]:
        return RootRequest(self, scope, receive, send, self.app.clock.monotonic(), new_request_id()).run()

    @abstractmethod
    async def serve(self, request: RootRequest) -> None:
        """Read, authenticate, find, decode; then `request.begin`, and the handler's answer sent. Raises Fault."""

    @abstractmethod
    def encode_error(self, operation: Operation | None, fault: Fault, request_id: str) -> Encoded:
        """A failure as the protocol has it."""

    def internal(self) -> Fault:
        """What a caller is told of a fault of ours."""
        return internal()


class RootRequest(msgspec.Struct, eq=False):
    """One request on its way through the steps."""

    door: RootDoor
    scope: dict[str, Any]
    receive: http.Receive
    send: http.Send
    started_at: float
    request_id: str
    operation: Operation | None = None
    call: Call | None = None

    async def run(self) -> None:
        """The whole way; every failure leaves as the protocol's own."""
        door = self.door
        try:
            await door.serve(self)
        except Fault as fault:
            if fault.__cause__ is not None and not fault.client_fault:
                door.report(fault.__cause__)
            await self.refuse(fault)
        except Exception as error:
            door.report(error)
            await self.refuse(door.internal())

    async def body(self, most_bytes: int) -> bytes:
        """What was sent, whole. Raises what `body.read` does."""
        return await http.read(self.receive, self.scope["headers"].get(b"content-length"), most_bytes)

    def authenticate(self, body: bytes, *, unsigned: bool = False, digest: str | None = None) -> Authenticated:
        """Who asks; `digest` is the body's, if it is known. Raises AuthFault, unless `unsigned` ones are let in, as anonymous."""
        scope, app = self.scope, self.door.app
        signed = SignedRequest(
            scope["method"],
            scope["raw_path"],
            scope["query_string"],
            scope["headers"],
            body_sha256=digest or body_digest(body),
        )
        try:
            who = authenticate(signed, app.live.credentials, app.clock.now(), app.settings.region, self.door.verifier)
        except AuthFault as fault:
            if unsigned and fault.name == "MissingAuthenticationTokenException":
                return Authenticated(ANONYMOUS, app.settings.region)
            raise
        if who.caller.auth != "sigv4":  # an API key of Bedrock's opens nothing here
            raise missing_token()
        return who

    def begin(self, operation: Operation, who: Authenticated) -> tuple[Call, Handler]:
        """The call and who handles it. Raises Fault where nobody does, if the caller may know that."""
        door = self.door
        call = self.calls(operation, who)
        handler = door.handlers.get(operation.name)
        if handler is None:
            call.authorize(f"{operation.service}:{operation.name}", "*")
            raise Fault(door.not_built, f"The operation {operation.name} is not implemented by this server.")
        return call, handler

    def calls(self, operation: Operation, who: Authenticated) -> Call:
        """The call: from here on it is known to the audit log if it fails."""
        door = self.door
        self.operation = operation
        self.call = Call(
            door.app, operation, who.caller, who.region, self.request_id, self.scope["headers"], self.started_at,
            door.report, self.scope,
        )  # fmt: skip
        return self.call

    async def refuse(self, fault: Fault) -> None:
        if self.call is not None and self.call.app.audit is not None:
            self.call.app.audit.refused(self.call, fault)
        await self.answer(self.door.encode_error(self.operation, fault, self.request_id))

    async def answer(self, encoded: Encoded) -> None:
        await http.answer(self.send, encoded.status, list(encoded.headers), encoded.body)
