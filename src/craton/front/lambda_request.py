"""Requests to AWS Lambda, whose paths begin with dates and belong to it under its signature's scope alone.

Owns the finding of an operation before its body is read, since what an operation may bring decides how much is read, and
the answers that leave piece by piece. What it has in common with other services is `root_request`'s. It must not know
what an operation does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import aclosing
from typing import Any, Final

from craton.aws.wire.faults import Fault, too_large
from craton.aws.wire.model import Operation, Service
from craton.aws.wire.restjson import Encoded, RestJson, encode_error
from craton.aws.wire.route import Match, Router
from craton.context import App, Call, EventStream, Handler
from craton.front import body as http
from craton.front.authenticate import Authenticated
from craton.front.pipeline import THREAD_BYTES, body_digest, new_request_id
from craton.front.root_request import RootDoor, RootRequest

# A zip of 50 MB in base64; an invocation's payload; everything else is small.
CODE_BYTES: Final = 69_905_067
PAYLOAD_BYTES: Final = 6 * 1024 * 1024
_SMALL_BYTES: Final = 1024 * 1024
_MOST: Final[Mapping[str, int]] = {
    "CreateFunction": CODE_BYTES,
    "UpdateFunctionCode": CODE_BYTES,
    "PublishLayerVersion": CODE_BYTES,
    "Invoke": PAYLOAD_BYTES,
    "InvokeAsync": PAYLOAD_BYTES,
    "InvokeWithResponseStream": PAYLOAD_BYTES,
}
_INVOKES: Final = "Invoke"


class LambdaDoor(RootDoor):
    """Serves the operations. `handlers` are by operation name."""

    not_built = "InvalidParameterValueException"

    def __init__(
        self, app: App, service: Service, handlers: Mapping[str, Handler], report: Callable[[BaseException], None]
    ) -> None:
        super().__init__(app, service, handlers, report, most_bytes=_SMALL_BYTES)
        self.protocol = RestJson()
        self.router = Router([service])

    def __call__(self, scope: dict[str, Any], receive: http.Receive, send: http.Send) -> Coroutine[Any, Any, None]:
        return LambdaRequest(self, scope, receive, send, self.app.clock.monotonic(), new_request_id()).serve()

    def find(self, scope: dict[str, Any]) -> Match:
        """Where a request leads; older SDKs end some paths in a slash. Raises UnknownOperationException."""
        method, path, query = scope["method"], scope["raw_path"], scope["query_string"]
        try:
            return self.router.match(method, path, query)
        except Fault:
            if not path.endswith(b"/"):
                raise
        return self.router.match(method, path[:-1], query)

    async def handle(self, request: RootRequest, headers: dict[bytes, bytes], body: bytes) -> Any:
        raise NotImplementedError  # `LambdaRequest` has its own order of steps

    def encode(self, operation: Operation, value: Any, request_id: str) -> Encoded:
        found = self.protocol.encode_response(operation, value)
        found.headers.append((b"x-amzn-requestid", request_id.encode()))
        return found

    def encode_error(self, operation: Operation | None, fault: Fault, request_id: str) -> Encoded:
        return encode_error(operation, fault, request_id)


class LambdaRequest(RootRequest):
    """One request on its way through the steps."""

    async def serve(self) -> None:
        """The whole way; every failure leaves as the protocol's own."""
        try:
            await self.served()
        except Fault as fault:
            if fault.__cause__ is not None and not fault.client_fault:
                self.door.report(fault.__cause__)
            await self.refuse(fault)
        except Exception as error:
            self.door.report(error)
            await self.refuse(Fault("ServiceException", "The service encountered an internal error.", status=500))

    async def served(self) -> None:
        """Read, handle, answer."""
        found, body, who = await self.received()
        call, handler = self.begin(found.operation, who)
        decode = self.lambda_door.protocol.bind(found.operation).decode
        given = found.labels, self.scope["query_string"], self.scope["headers"], body
        large = len(body) > THREAD_BYTES
        request = await asyncio.to_thread(decode, *given) if large else decode(*given)
        value = await handler(call, request)
        if isinstance(value, EventStream):
            await self._answer_stream(call, value)
            return
        encoded = self.door.encode(found.operation, value, self.request_id)
        encoded.headers.extend(call.response_headers)
        await self.answer(encoded)

    @property
    def lambda_door(self) -> LambdaDoor:
        assert isinstance(self.door, LambdaDoor)  # noqa: S101 - nobody else makes one
        return self.door

    async def received(self) -> tuple[Match, bytes, Authenticated]:
        """What is asked for, with the body, and by whom."""
        headers = self.scope["headers"]
        found = self.lambda_door.find(self.scope)
        body = await self._body(found.operation.name, headers)
        digest = await asyncio.to_thread(body_digest, body) if len(body) > THREAD_BYTES else body_digest(body)
        return found, body, self.authenticate(headers, body, digest=digest)

    async def _body(self, name: str, headers: dict[bytes, bytes]) -> bytes:
        most = _MOST.get(name, _SMALL_BYTES)
        declared = headers.get(b"content-length")
        try:
            body = await http.read(self.receive, declared, most)
            if len(body) > most:
                raise too_large()
        except Fault as fault:
            if fault.name != "RequestEntityTooLargeException":
                raise
            invokes = name.startswith(_INVOKES)
            kind = "RequestTooLargeException" if invokes else fault.name
            shown = f"{name}Function" if name == _INVOKES else name
            text = f"Request must be smaller than {most} bytes for the {shown} operation"
            raise Fault(kind, text, status=413) from None
        return body

    async def _answer_stream(self, call: Call, stream: EventStream) -> None:
        """Frames as they come; a reader that leaves ends the invocation's stream through `aclose`."""
        async with aclosing(stream.frames) as frames:
            encoded = self.door.encode(call.operation, stream.value, self.request_id)
            headers = [*encoded.headers, *call.response_headers]
            await self.send({"type": "http.response.start", "status": encoded.status, "headers": headers})
            async for frame in frames:
                await self.send({"type": "http.response.body", "body": frame, "more_body": True})
            await self.send({"type": "http.response.body", "body": b"", "more_body": False})
