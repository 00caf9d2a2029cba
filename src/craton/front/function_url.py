"""Function URLs: any HTTP request becomes an invocation, and the function's answer the response.

Owns the two ways in which a URL is reached, by path (`/lambda-url/ID/…`) and by host (`ID.lambda-url.REGION.…`), who may
come, and the links to functions' zips that stand beside them. What an event looks like is `features.functions.web`'s.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, Final, Protocol

import msgspec

from craton.aws.access.credentials import ANONYMOUS
from craton.aws.access.variables import Keys, Value
from craton.aws.wire.faults import AuthFault, Fault
from craton.aws.wire.model import Operation
from craton.aws.wire.sigv4 import SignedRequest, Verifier
from craton.context import App, Call
from craton.features.functions import code, links, web
from craton.features.functions.function import URL, FunctionUrl, Plan
from craton.features.functions.line import Invoked
from craton.front import body as http
from craton.front.authenticate import authenticate
from craton.front.lambda_request import PAYLOAD_BYTES
from craton.front.pipeline import body_digest, new_request_id
from craton.infra.store.port import Query, Resource

BY_PATH: Final = "/lambda-url/"
IN_HOST: Final = b".lambda-url."
_URL: Final = "lambda:InvokeFunctionUrl"
_JSON: Final = [(b"content-type", b"application/json")]
_UNSIGNED: Final = "MissingAuthenticationTokenException"


class Invoking(Protocol):
    """What every invocation goes through (`services.lambda_.invoke`); its functions are the module's own."""

    async def opened(
        self, call: Call, name: str, qualifier: str | None, /, *, action: str = ..., given: Keys = ...
    ) -> Any:
        """The function, for whoever may do the action on it."""
        ...

    def traced(self, call: Call, found: Any, /) -> str:
        """The trace header for it."""
        ...

    async def planned(self, call: Call, found: Any, /) -> Plan:
        """Which of its versions runs, and how."""
        ...


class FunctionUrls:
    """Serves requests at URLs of functions. `operation` is Lambda's Invoke, as which they count."""

    def __init__(
        self, app: App, operation: Operation, report: Callable[[BaseException], None], invoking: Invoking
    ) -> None:
        self.app = app
        self.invoking = invoking
        self.operation = operation
        self.report = report
        self.verifier = Verifier({"lambda"})

    async def __call__(self, scope: dict[str, Any], receive: http.Receive, send: http.Send) -> None:
        request_id = new_request_id()
        try:
            if scope["path"].startswith(links.PATH):
                await self._zip(scope, send)
            else:
                await self._serve(scope, receive, send, request_id)
        except Fault as fault:
            status, text = _refused(fault)
            headers = [*_JSON, (b"x-amzn-requestid", request_id.encode())]
            if fault.http_status(self.operation.errors) >= 500 and fault.__cause__ is not None:
                self.report(fault.__cause__)
            await http.answer(send, status, headers, msgspec.json.encode({"Message": text}))
        except Exception as error:
            self.report(error)
            await http.answer(send, 502, list(_JSON), b'{"Message":"Internal Server Error"}')

    async def _serve(self, scope: dict[str, Any], receive: http.Receive, send: http.Send, request_id: str) -> None:
        ident, path = addressed(scope)
        row = await self._found(ident)
        url = row.read(FunctionUrl)
        headers = scope["headers"]
        if url.cors and scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
            await _send(send, web.preflight(url.cors, headers), request_id)
            return
        body = await http.read(receive, headers.get(b"content-length"), PAYLOAD_BYTES)
        call = self._call(scope, row, url, body, request_id)
        found = await self._opened(call, url)
        event = web.event(_request(call, scope, path, body), ident, row.region)
        trace = self.invoking.traced(call, found)
        plan = await self.invoking.planned(call, found)
        extra = web.cors_headers(url.cors, call.header(b"origin")) if url.cors else []
        if self.app.audit is not None:
            self.app.audit.passed(call)
        if url.mode == "RESPONSE_STREAM":
            await self._stream(send, call, plan, event, trace, extra)
            return
        done = await self.app.functions.invoke(plan, event, request_id=request_id, trace=trace)
        await _send(send, _answer(done), request_id, extra)

    async def _found(self, ident: str) -> Resource:
        """The row of a URL, whoever's it is. Raises Fault (404)."""
        query = Query(kind=URL, id_prefix=ident, limit=1)
        page = await self.app.storage.read(lambda store: store.list(query)) if len(ident) == 32 else None
        if page is None or not page.items or page.items[0].id != ident:
            raise Fault("ResourceNotFoundException", "Not Found", status=404)
        return page.items[0]

    def _call(self, scope: dict[str, Any], row: Resource, url: FunctionUrl, body: bytes, request_id: str) -> Call:
        """Who calls. Raises AuthFault where the URL asks for a signature."""
        app, headers = self.app, scope["headers"]
        caller = ANONYMOUS
        signed = SignedRequest(
            scope["method"], scope["raw_path"], scope["query_string"], headers, body_sha256=body_digest(body)
        )
        if url.auth == "AWS_IAM":
            try:
                who = authenticate(signed, app.live.credentials, app.clock.now(), row.region, self.verifier)
            except AuthFault as fault:
                if fault.name == _UNSIGNED:
                    raise AuthFault("AccessDeniedException", "Forbidden") from None
                raise
            caller = who.caller
            if caller.auth != "sigv4":
                raise AuthFault("AccessDeniedException", "Forbidden")
        at = app.clock.monotonic()
        return Call(app, self.operation, caller, row.region, request_id, headers, at, self.report, scope)

    async def _opened(self, call: Call, url: FunctionUrl) -> Any:
        """The function, if the caller may come by its URL: both actions are asked for, as AWS does since 2025."""
        keys: dict[str, Value] = {"lambda:functionurlauthtype": url.auth, "lambda:invokedviafunctionurl": "true"}
        await self.invoking.opened(call, url.function, url.qualifier, action=_URL, given=keys)
        return await self.invoking.opened(call, url.function, url.qualifier, given=keys)

    async def _stream(
        self, send: http.Send, call: Call, plan: Plan, event: bytes, trace: str, extra: list[tuple[bytes, bytes]]
    ) -> None:
        """An answer as it comes; where it says so, its first piece is its head."""
        frames = self.app.functions.stream(plan, event, request_id=call.request_id, trace=trace)
        async with aclosing(frames):
            first = await anext(frames, None)
            kind = first.content_type if isinstance(first, Invoked) else ""
            head, rest = web.Answer(200, [(b"content-type", (kind or "application/octet-stream").encode())]), b""
            if kind == web.INTEGRATION:
                head, rest = await _prelude(frames)
            headers = [*head.headers, *extra, (b"x-amzn-requestid", call.request_id.encode())]
            await send({"type": "http.response.start", "status": head.status, "headers": headers})
            if rest:
                await send({"type": "http.response.body", "body": rest, "more_body": True})
            async for piece in frames:
                if isinstance(piece, bytes):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _zip(self, scope: dict[str, Any], send: http.Send) -> None:
        """A function's code, for whoever has a link to it."""
        account, _, token = scope["path"].removeprefix(links.PATH).partition("/")
        found = await links.opened(self.app, account, token) if scope["method"] in ("GET", "HEAD") else None
        if found is None:
            raise Fault("AccessDeniedException", "The link is not valid, or no longer.", status=403)
        headers = [(b"content-type", b"application/zip"), (b"content-length", b"%d" % found.size)]
        async with aclosing(code.opened(self.app.blobs, self.app.cipher, account, found)) as pieces:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            if scope["method"] == "GET":
                async for piece in pieces:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def addressed(scope: dict[str, Any]) -> tuple[str, str]:
    """The id of the URL that is asked, and the path behind it."""
    path = scope["raw_path"].decode("latin-1")
    if scope["path"].startswith(BY_PATH):
        ident, slash, rest = path.removeprefix(BY_PATH).partition("/")
        return ident, slash + rest or "/"
    host: bytes = scope["headers"].get(b"host", b"")
    return host.partition(b".")[0].decode("latin-1"), path


def _request(call: Call, scope: dict[str, Any], path: str, body: bytes) -> web.Request:
    caller = call.caller
    told = None
    if caller.account:
        told = {
            "accessKey": caller.access_key_id,
            "accountId": caller.account,
            "callerId": caller.user_id,
            "cognitoIdentity": None,
            "principalOrgId": None,
            "userArn": caller.arn,
            "userId": caller.user_id,
        }
    # The signature proves who asked, and is nobody else's business.
    headers = {name: value for name, value in call.headers.items() if name != b"authorization"}
    return web.Request(
        method=scope["method"], path=path, query=scope["query_string"].decode("latin-1"), headers=headers, body=body,
        source_ip=call.source_ip or "", request_id=call.request_id, at=call.now(), caller=told,
    )  # fmt: skip


def _answer(done: Invoked) -> web.Answer:
    if done.error:
        return web.Answer(502, list(_JSON), b'{"Message":"Internal Server Error"}')
    try:
        return web.answer(done.payload)
    except web.BadAnswer:
        return web.Answer(502, list(_JSON), b'{"Message":"Internal Server Error"}')


async def _prelude(frames: AsyncGenerator[bytes | Invoked]) -> tuple[web.Answer, bytes]:
    """The head of a streamed answer, and what of its body came with it."""
    held = b""
    async for piece in frames:
        if isinstance(piece, Invoked):
            break
        held += piece
        head, end, rest = held.partition(web.PRELUDE_END)
        if end:
            try:
                return web.head_of(msgspec.json.decode(head, type=dict[str, Any])), rest
            except (msgspec.DecodeError, web.BadAnswer):
                break
    return web.Answer(502, list(_JSON)), b'{"Message":"Internal Server Error"}'


async def _send(
    send: http.Send, answer: web.Answer, request_id: str, extra: list[tuple[bytes, bytes]] | None = None
) -> None:
    headers = [*answer.headers, *(extra or ()), (b"x-amzn-requestid", request_id.encode())]
    await http.answer(send, answer.status, headers, answer.body)


def _refused(fault: Fault) -> tuple[int, str]:
    """Status and text of a refusal: what is wrong with the server stays there."""
    status = fault.http_status({"TooManyRequestsException": 429, "RequestTooLargeException": 413})
    if isinstance(fault, AuthFault):
        return 403, "Forbidden" if fault.name == "AccessDeniedException" else fault.message
    return (502, "Internal Server Error") if status >= 500 else (status, fault.message)
