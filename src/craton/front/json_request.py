"""Requests in the AWS JSON protocol, whose operations all stand at `/` and are named by a header: KMS, Logs.

Owns how an operation is found and a body is read. What all such services have in common is `root_request`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from craton.aws.wire.awsjson import TARGET, AwsJson
from craton.aws.wire.faults import Fault
from craton.aws.wire.model import Operation, Service
from craton.aws.wire.restjson import Encoded
from craton.context import App, Handler
from craton.front.root_request import RootDoor, RootRequest


class JsonDoor(RootDoor):
    """Serves one service. `handlers` are by operation name; no body is larger than `most_bytes`."""

    not_built = "UnsupportedOperationException"

    def __init__(
        self, app: App, service: Service, handlers: Mapping[str, Handler], report: Callable[[BaseException], None],
        *, most_bytes: int,
    ) -> None:  # fmt: skip
        super().__init__(app, service, handlers, report, most_bytes=most_bytes)
        self.protocol = AwsJson(service)

    def operation(self, scope: dict[str, Any]) -> Operation:
        """What a request asks for. Raises UnknownOperationException."""
        return self.protocol.route(scope["headers"].get(TARGET))

    def opened(self, headers: dict[bytes, bytes], body: bytes) -> bytes:
        """A body as the protocol reads it, which is as it was sent and signed."""
        return body

    async def serve(self, request: RootRequest) -> None:
        headers = request.scope["headers"]
        body = await request.body(self.most_bytes)
        who = request.authenticate(body)
        operation = self.operation(request.scope)
        call, handler = request.begin(operation, who)
        value = await handler(call, self.protocol.decode(operation, self.opened(headers, body)))
        await request.answer(self.protocol.encode(operation, value, request.request_id))

    def encode_error(self, operation: Operation | None, fault: Fault, request_id: str) -> Encoded:
        return self.protocol.encode_error(operation, fault, request_id)
