"""One request in the AWS JSON protocol on its way: read, authenticate, find, decode, handle, encode.

The counterpart of `pipeline` for services such as KMS, whose operations all stand at `/` and are named by a header. Owns
the order of the steps. It knows the protocol and no operation's meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import msgspec

from craton.aws.wire.awsjson import TARGET, AwsJson
from craton.aws.wire.faults import Fault, internal, missing_token
from craton.aws.wire.model import Operation, Service
from craton.aws.wire.sigv4 import SignedRequest, Verifier
from craton.context import App, Call, Handler
from craton.front import body as http
from craton.front.authenticate import authenticate
from craton.front.pipeline import body_digest, new_request_id


class JsonDoor:
    """Serves one service. `handlers` are by operation name; no body is larger than `most_bytes`."""

    def __init__(
        self, app: App, service: Service, handlers: Mapping[str, Handler], report: Callable[[BaseException], None],
        *, most_bytes: int,
    ) -> None:  # fmt: skip
        self.app = app
        self.protocol = AwsJson(service)
        self.handlers = handlers
        self.report = report
        self.most_bytes = most_bytes
        self.verifier = Verifier({service.signing_name})

    def __call__(self, scope: dict[str, Any], receive: http.Receive, send: http.Send) -> Coroutine[Any, Any, None]:
        return JsonRequest(self, scope, receive, send, self.app.clock.monotonic(), new_request_id()).serve()

    def operation(self, scope: dict[str, Any]) -> Operation:
        """What a request asks for. Raises UnknownOperationException."""
        return self.protocol.route(scope["headers"].get(TARGET))

    def opened(self, headers: dict[bytes, bytes], body: bytes) -> bytes:
        """A body as the protocol reads it, which is as it was sent and signed."""
        return body


class JsonRequest(msgspec.Struct, eq=False):
    """One request on its way through the steps."""

    door: JsonDoor
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
            body = await http.read(self.receive, headers.get(b"content-length"), self.door.most_bytes)
            await self.answer(await self.handle(headers, body))
        except Fault as fault:
            if fault.__cause__ is not None and not fault.client_fault:
                self.door.report(fault.__cause__)
            await self.refuse(fault)
        except Exception as error:
            self.door.report(error)
            await self.refuse(internal())

    async def handle(self, headers: dict[bytes, bytes], body: bytes) -> Any:
        scope, door = self.scope, self.door
        app = door.app
        signed = SignedRequest(
            scope["method"], scope["raw_path"], scope["query_string"], headers, body_sha256=body_digest(body)
        )
        who = authenticate(signed, app.live.credentials, app.clock.now(), app.settings.region, door.verifier)
        if who.caller.auth != "sigv4":  # an API key of Bedrock's opens nothing here
            raise missing_token()
        self.operation = operation = door.operation(scope)
        self.call = call = Call(
            app, operation, who.caller, who.region, self.request_id, headers, self.started_at, door.report, scope
        )
        handler = door.handlers.get(operation.name)
        if handler is None:
            call.authorize(f"{operation.service}:{operation.name}", "*")
            raise not_built(operation)
        return await handler(call, door.protocol.decode(operation, door.opened(headers, body)))

    async def answer(self, value: Any) -> None:
        assert self.operation is not None  # noqa: S101 - a handler answered
        encoded = self.door.protocol.encode(self.operation, value, self.request_id)
        await http.answer(self.send, encoded.status, list(encoded.headers), encoded.body)

    async def refuse(self, fault: Fault) -> None:
        if self.call is not None and self.call.app.audit is not None:
            self.call.app.audit.refused(self.call, fault)
        encoded = self.door.protocol.encode_error(self.operation, fault, self.request_id)
        await http.answer(self.send, encoded.status, list(encoded.headers), encoded.body)


def not_built(operation: Operation) -> Fault:
    """The error of an operation that this server does not have; a client error, so that no SDK retries it."""
    return Fault("UnsupportedOperationException", f"The operation {operation.name} is not implemented by this server.")
