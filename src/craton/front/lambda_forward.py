"""Lambda elsewhere: the operations are passed on to the endpoint that `[lambda]` names, signed with its keys.

Owns who may pass: the caller's own policies decide here, what the function's policy says is decided there. Bodies and
answers go through as they are. It must not know what an operation does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from craton.aws.wire.faults import Fault
from craton.aws.wire.model import Service
from craton.aws.wire.route import Match
from craton.aws.wire.sign import Keys, Signer
from craton.config import secret
from craton.context import App, Call
from craton.front import body as http
from craton.front.authenticate import Authenticated
from craton.front.lambda_request import LambdaDoor, LambdaRequest
from craton.front.pipeline import new_request_id
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

    def __call__(self, scope: dict[str, Any], receive: http.Receive, send: http.Send) -> Coroutine[Any, Any, None]:
        return ForwardedRequest(self, scope, receive, send, self.app.clock.monotonic(), new_request_id()).serve()

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


class ForwardedRequest(LambdaRequest):
    """One request on its way through."""

    async def served(self) -> None:
        found, body, who = await self.received()
        self.operation = found.operation
        call = self.call = self._call(found, who)
        door = self.door
        assert isinstance(door, LambdaForward)  # noqa: S101 - nobody else makes one
        _authorize(call, found, door.named)
        if call.app.audit is not None:
            call.app.audit.passed(call)
        transport, signer = door.way(call.app.settings.file.lambda_.region or call.region)
        try:
            answer = await self._asked(transport, signer, body)
            await self._passed_back(answer)
        except TransportError as error:
            raise Fault("ServiceException", "The Lambda endpoint could not be reached.", status=502) from error

    def _call(self, found: Match, who: Authenticated) -> Call:
        door = self.door
        return Call(
            door.app, found.operation, who.caller, who.region, self.request_id, self.scope["headers"], self.started_at,
            door.report, self.scope,
        )  # fmt: skip

    async def _asked(self, transport: Transport, signer: Signer, body: bytes) -> Response:
        scope = self.scope
        path, query = scope["raw_path"], scope["query_string"]
        sent = tuple(
            (name, value) for name, value in scope["headers"].items() if name.startswith(_SENT) and name not in _SIGNED
        )
        method = scope["method"].encode()
        signed = signer.sign(method, path, body, self.door.app.clock.now(), query=query, headers=sent)
        deadline = asyncio.get_running_loop().time() + _DEADLINE_S
        target = path + b"?" + query if query else path
        return await transport.request(method, target, (*sent, *signed), body, deadline=deadline)

    async def _passed_back(self, answer: Response) -> None:
        try:
            headers = [(name, value) for name, value in answer.headers.items() if name.startswith(_BACK)]
            await self.send({"type": "http.response.start", "status": answer.status, "headers": headers})
            answer.idle_after(_DEADLINE_S)
            while piece := await answer.next_chunk():
                await self.send({"type": "http.response.body", "body": piece, "more_body": True})
            await self.send({"type": "http.response.body", "body": b"", "more_body": False})
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
