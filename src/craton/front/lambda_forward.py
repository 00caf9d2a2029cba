"""Lambda elsewhere: the operations are passed on to the endpoint that `[lambda]` names, signed with its keys.

Owns who may pass: the caller's own policies decide here, what the function's policy says is decided there. Bodies and
answers go through as they are. It must not know what an operation does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from craton.aws.wire.faults import Fault
from craton.aws.wire.model import Service
from craton.aws.wire.route import Match
from craton.aws.wire.sign import Keys, Signer
from craton.config import secret
from craton.context import App, Call
from craton.front import body as http
from craton.front.lambda_request import LambdaDoor
from craton.front.root_request import RootRequest
from craton.models.providers.dial import open_transport
from craton.models.providers.transport import Response, Transport, TransportError, parse_address

AWS: Final = "aws"
_HOST: Final = "https://lambda.{region}.amazonaws.com"
_DEADLINE_S: Final = 960.0
_INVOKES: Final = frozenset({"Invoke", "InvokeWithResponseStream"})
_SENT: Final = (b"content-type", b"x-amz-", b"x-amzn-trace-id")
_SIGNED: Final = (b"x-amz-date", b"x-amz-security-token", b"x-amz-content-sha256")
_BACK: Final = (b"content-type", b"x-amz", b"retry-after")


class LambdaForward(LambdaDoor):
    """Serves the operations by asking another endpoint. `named` gives the ARN of a function that a request names."""

    def __init__(
        self, app: App, service: Service, report: Callable[[BaseException], None], named: Callable[[Call, str], str]
    ) -> None:
        super().__init__(app, service, {}, report)
        self.named = named
        self.ways: dict[str, tuple[Transport, Signer]] = {}  # by region

    async def serve(self, request: RootRequest) -> None:
        found, body, who = await self.received(request)
        call = request.calls(found.operation, who)
        _authorize(call, found, self.named)
        if self.app.audit is not None:
            self.app.audit.passed(call)
        transport, signer = self.way(self.app.settings.file.lambda_.region or call.region)
        try:
            await _passed_back(request.send, await self._asked(request.scope, transport, signer, body))
        except TransportError as error:
            raise Fault("ServiceException", "The Lambda endpoint could not be reached.", status=502) from error

    def way(self, region: str) -> tuple[Transport, Signer]:
        """The pool of a region's endpoint, and what signs for it."""
        known = self.ways.get(region)
        if known is None:
            table = self.app.settings.file.lambda_
            url = _HOST.format(region=region) if table.endpoint_url == AWS else table.endpoint_url
            keys = Keys(secret(table.access_key), secret(table.secret_key), secret(table.session_token))
            signer = Signer(keys, service="lambda", region=region, authority=parse_address(url).authority)
            known = self.ways[region] = (open_transport(url), signer)
        return known

    async def _asked(self, scope: dict[str, Any], transport: Transport, signer: Signer, body: bytes) -> Response:
        path, query = scope["raw_path"], scope["query_string"]
        sent = tuple(
            (name, value) for name, value in scope["headers"].items() if name.startswith(_SENT) and name not in _SIGNED
        )
        method = scope["method"].encode()
        signed = signer.sign(method, path, body, self.app.clock.now(), query=query, headers=sent)
        deadline = asyncio.get_running_loop().time() + _DEADLINE_S
        target = path + b"?" + query if query else path
        return await transport.request(method, target, (*sent, *signed), body, deadline=deadline)


async def _passed_back(send: http.Send, answer: Response) -> None:
    try:
        headers = [(name, value) for name, value in answer.headers.items() if name.startswith(_BACK)]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        answer.idle_after(_DEADLINE_S)
        while piece := await answer.next_chunk():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        answer.release()


def _authorize(call: Call, found: Match, named: Callable[[Call, str], str]) -> None:
    """Raise AccessDeniedException unless the caller's policies let it. A service of AWS's is let in by the function's own
    policy, which lies there.
    """
    if call.caller.kind == "service":
        return
    name = found.operation.name
    action = "lambda:InvokeFunction" if name in _INVOKES else f"lambda:{name}"
    function = found.labels.get("FunctionName")
    call.authorize(action, "*" if function is None else named(call, function))
