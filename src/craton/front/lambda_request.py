"""Requests to AWS Lambda, whose paths begin with dates and belong to it under its signature's scope alone.

Owns the finding of an operation before its body is read, since what an operation may bring decides how much is read, and
the answers that leave piece by piece. What it has in common with other services is `root_request`'s. It must not know
what an operation does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Any, Final

from craton.aws.wire.faults import Fault, too_large
from craton.aws.wire.model import Operation, Service
from craton.aws.wire.restjson import Encoded, RestJson, encode_error
from craton.aws.wire.route import Match, Router
from craton.context import App, EventStream, Handler
from craton.front import body as http
from craton.front.authenticate import Authenticated
from craton.front.pipeline import THREAD_BYTES, body_digest
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

    def find(self, scope: dict[str, Any]) -> Match:
        """Where a request leads; older SDKs end some paths in a slash. Raises UnknownOperationException."""
        method, path, query = scope["method"], scope["raw_path"], scope["query_string"]
        try:
            return self.router.match(method, path, query)
        except Fault:
            if not path.endswith(b"/"):
                raise
        return self.router.match(method, path[:-1], query)

    async def serve(self, request: RootRequest) -> None:
        found, body, who = await self.received(request)
        call, handler = request.begin(found.operation, who)
        decode = self.protocol.bind(found.operation).decode
        given = found.labels, request.scope["query_string"], request.scope["headers"], body
        large = len(body) > THREAD_BYTES
        asked = await asyncio.to_thread(decode, *given) if large else decode(*given)
        value = await handler(call, asked)
        stream = value if isinstance(value, EventStream) else None
        encoded = self.protocol.encode_response(found.operation, value if stream is None else stream.value)
        encoded.headers.extend(((b"x-amzn-requestid", request.request_id.encode()), *call.response_headers))
        if stream is None:
            await request.answer(encoded)
        else:
            await _answer_stream(request.send, encoded, stream)

    async def received(self, request: RootRequest) -> tuple[Match, bytes, Authenticated]:
        """What is asked for, with the body, and by whom."""
        found = self.find(request.scope)
        body = await _body(request, found.operation.name)
        digest = await asyncio.to_thread(body_digest, body) if len(body) > THREAD_BYTES else body_digest(body)
        return found, body, request.authenticate(body, digest=digest)

    def encode_error(self, operation: Operation | None, fault: Fault, request_id: str) -> Encoded:
        return encode_error(operation, fault, request_id)

    def internal(self) -> Fault:
        return Fault("ServiceException", "The service encountered an internal error.", status=500)


async def _body(request: RootRequest, name: str) -> bytes:
    most = _MOST.get(name, _SMALL_BYTES)
    try:
        body = await request.body(most)
        if len(body) > most:
            raise too_large()
    except Fault as fault:
        if fault.name != "RequestEntityTooLargeException":
            raise
        kind = "RequestTooLargeException" if name.startswith(_INVOKES) else fault.name
        shown = f"{name}Function" if name == _INVOKES else name
        text = f"Request must be smaller than {most} bytes for the {shown} operation"
        raise Fault(kind, text, status=413) from None
    return body


async def _answer_stream(send: http.Send, encoded: Encoded, stream: EventStream) -> None:
    """Frames as they come; a reader that leaves ends the invocation's stream through `aclose`."""
    async with aclosing(stream.frames) as frames:
        await send({"type": "http.response.start", "status": encoded.status, "headers": encoded.headers})
        async for frame in frames:
            await send({"type": "http.response.body", "body": frame, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
