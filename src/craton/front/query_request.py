"""Requests in the query protocol, whose operations all stand at `/` and are named by a form: IAM, STS.

Owns how a form is read, and which operations may be asked without a signature. What all such services have in common is
`root_request`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from craton.aws.wire.faults import Fault
from craton.aws.wire.model import Operation, Service
from craton.aws.wire.query import Decoder, Form, read_form
from craton.aws.wire.query_answer import Encoder
from craton.aws.wire.restjson import Encoded
from craton.context import App, Handler
from craton.front.root_request import RootDoor, RootRequest

# Operations that prove who calls by what they carry (botocore's models: `authtype: none`).
UNSIGNED = frozenset({("sts", "AssumeRoleWithWebIdentity")})


class QueryDoor(RootDoor):
    """Serves one service. `handlers` are by operation name."""

    not_built = "InvalidAction"

    def __init__(
        self, app: App, service: Service, handlers: Mapping[str, Handler], report: Callable[[BaseException], None]
    ) -> None:
        super().__init__(app, service, handlers, report, most_bytes=app.settings.file.server.max_body_bytes)
        self.decoder = Decoder(service)
        self.encoder = Encoder(service)

    def read(self, scope: dict[str, Any], headers: dict[bytes, bytes], body: bytes) -> Form:
        """What a request's query and body say. Raises Fault."""
        return read_form(scope["method"], scope["query_string"], headers.get(b"content-type", b""), body)

    async def serve(self, request: RootRequest) -> None:
        body = await request.body(self.most_bytes)
        form = self.form(request.scope, request.scope["headers"], body)
        open_to_all = isinstance(form, Form) and (self.service.name, form.action) in UNSIGNED
        who = request.authenticate(body, unsigned=open_to_all)
        if isinstance(form, Fault):
            raise form
        operation = self.decoder.operation(form)
        call, handler = request.begin(operation, who)
        value = await handler(call, self.decoder.request(operation, form))
        await request.answer(self.encoder.response(operation, value, request.request_id))

    def form(self, scope: dict[str, Any], headers: dict[bytes, bytes], body: bytes) -> Form | Fault:
        """The form, or why there is none: nobody is told that before saying who asks."""
        try:
            return self.read(scope, headers, body)
        except Fault as fault:
            return fault

    def encode_error(self, operation: Operation | None, fault: Fault, request_id: str) -> Encoded:
        return self.encoder.error(operation, fault, request_id)
