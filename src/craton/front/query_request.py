"""One request in the query protocol on its way: read, authenticate, find, decode, handle, encode.

The counterpart of `pipeline` for IAM and STS. Owns the order of the steps, and which operations may be asked without a
signature. It knows the protocol and no operation's meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import msgspec

from craton.aws.access.credentials import ANONYMOUS
from craton.aws.wire.faults import AuthFault, Fault, internal, missing_token
from craton.aws.wire.model import Operation, Service
from craton.aws.wire.query import Decoder, Form, read_form
from craton.aws.wire.query_answer import Encoder
from craton.aws.wire.sigv4 import SignedRequest, Verifier
from craton.context import App, Call, Handler
from craton.front import body as http
from craton.front.authenticate import Authenticated, authenticate
from craton.front.pipeline import body_digest, new_request_id

# Operations that prove who calls by what they carry (botocore's models: `authtype: none`).
UNSIGNED = frozenset({("sts", "AssumeRoleWithWebIdentity")})


class QueryDoor:
    """Serves one service. `handlers` are by operation name."""

    def __init__(
        self, app: App, service: Service, handlers: Mapping[str, Handler], report: Callable[[BaseException], None]
    ) -> None:
        self.app = app
        self.service = service
        self.handlers = handlers
        self.report = report
        self.decoder = Decoder(service)
        self.encoder = Encoder(service)
        self.verifier = Verifier({service.signing_name})

    def __call__(self, scope: dict[str, Any], receive: http.Receive, send: http.Send) -> Coroutine[Any, Any, None]:
        return QueryRequest(self, scope, receive, send, self.app.clock.monotonic(), new_request_id()).serve()

    def read(self, scope: dict[str, Any], headers: dict[bytes, bytes], body: bytes) -> Form:
        """What a request's query and body say. Raises Fault."""
        return read_form(scope["method"], scope["query_string"], headers.get(b"content-type", b""), body)


class QueryRequest(msgspec.Struct, eq=False):
    """One request on its way through the steps."""

    door: QueryDoor
    scope: dict[str, Any]
    receive: http.Receive
    send: http.Send
    started_at: float
    request_id: str
    operation: Operation | None = None
    call: Call | None = None

    async def serve(self) -> None:
        """The whole way; every failure leaves as the protocol's own."""
        try:
            headers = self.scope["headers"]
            limit = self.door.app.settings.file.server.max_body_bytes
            body = await http.read(self.receive, headers.get(b"content-length"), limit)
            await self.answer(await self.handle(headers, body))
        except Fault as fault:
            if fault.__cause__ is not None and fault.name == "InternalServerException":
                self.door.report(fault.__cause__)
            await self.refuse(fault)
        except Exception as error:
            self.door.report(error)
            await self.refuse(internal())

    async def handle(self, headers: dict[bytes, bytes], body: bytes) -> dict[str, Any] | None:
        scope, door = self.scope, self.door
        form = self.form(headers, body)
        who = self.authenticate(form, headers, body)
        if isinstance(form, Fault):
            raise form
        self.operation = operation = door.decoder.operation(form)
        handler = door.handlers.get(operation.name)
        self.call = call = Call(
            door.app, operation, who.caller, who.region, self.request_id, headers, self.started_at, door.report, scope
        )
        if handler is None:
            call.authorize(f"{operation.service}:{operation.name}", "*")
            raise not_built(operation)
        value: dict[str, Any] | None = await handler(call, door.decoder.request(operation, form))
        return value

    def form(self, headers: dict[bytes, bytes], body: bytes) -> Form | Fault:
        """The form, or why there is none: nobody is told that before saying who asks."""
        scope = self.scope
        try:
            return self.door.read(scope, headers, body)
        except Fault as fault:
            return fault

    def authenticate(self, form: Form | Fault, headers: dict[bytes, bytes], body: bytes) -> Authenticated:
        """Who asks. What is unsigned is anonymous, if its operation lets anybody ask."""
        scope, app = self.scope, self.door.app
        signed = SignedRequest(
            scope["method"], scope["raw_path"], scope["query_string"], headers, body_sha256=body_digest(body)
        )
        try:
            who = authenticate(signed, app.live.credentials, app.clock.now(), app.settings.region, self.door.verifier)
        except AuthFault as fault:
            asked = (self.door.service.name, form.action) if isinstance(form, Form) else None
            if fault.name == "MissingAuthenticationTokenException" and asked in UNSIGNED:
                return Authenticated(ANONYMOUS, app.settings.region)
            raise
        if who.caller.auth != "sigv4":  # an API key of Bedrock's opens nothing here
            raise missing_token()
        return who

    async def answer(self, value: dict[str, Any] | None) -> None:
        assert self.operation is not None  # noqa: S101 - a handler answered
        encoded = self.door.encoder.response(self.operation, value, self.request_id)
        await http.answer(self.send, encoded.status, list(encoded.headers), encoded.body)

    async def refuse(self, fault: Fault) -> None:
        if self.call is not None and self.call.app.audit is not None:
            self.call.app.audit.refused(self.call, fault)
        encoded = self.door.encoder.error(self.operation, fault, self.request_id)
        await http.answer(self.send, encoded.status, list(encoded.headers), encoded.body)


def not_built(operation: Operation) -> Fault:
    """The error of an operation that this server does not have; a client error, so that no SDK retries it."""
    return Fault("InvalidAction", f"The operation {operation.name} is not implemented by this server.")
