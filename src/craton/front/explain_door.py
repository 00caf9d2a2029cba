"""POST /craton/explain: why the caller, or whom it may ask about, is allowed something or not.

Always signed. Everybody may ask about itself; about somebody else whoever may do `craton:Explain` on that ARN, which
root may in its account. Owns HTTP; the answer is `features.access.why`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from craton.aws.wire.faults import Fault, internal, serialization, validation
from craton.aws.wire.model import Operation, Service
from craton.aws.wire.sigv4 import SignedRequest
from craton.context import App, Call
from craton.features.access import why
from craton.front import body as http
from craton.front.admit import authorize_key
from craton.front.authenticate import authenticate
from craton.front.pipeline import body_digest, new_request_id

PATH = "/craton/explain"
_JSON = (b"content-type", b"application/json")
_LARGEST = 64 * 1024


# What a call of this path is, for whoever accounts: an operation of a service of our own.
_SERVICE = Service("craton", "rest-json", "bedrock", "", {}, {})
_OPERATION = Operation(
    "craton", "Explain", "POST", PATH, 200, None, None, {}, {}, None, None, None, None, _SERVICE
)  # fmt: skip


class ExplainDoor:
    """Serves the path. `report` takes an error that no caller may see."""

    def __init__(self, app: App, report: Callable[[BaseException], None]) -> None:
        self.app = app
        self.report = report

    async def __call__(self, scope: dict[str, Any], receive: http.Receive, send: http.Send) -> None:
        request_id = new_request_id()
        try:
            headers = scope["headers"]
            body = await http.read(receive, headers.get(b"content-length"), _LARGEST)
            told = await self.answer(self.call(scope, headers, body, request_id), body)
            await self.send(send, 200, msgspec.json.encode(told), request_id)
        except Fault as fault:
            await self.refuse(send, fault, request_id)
        except Exception as error:
            self.report(error)
            await self.refuse(send, internal(), request_id)

    def call(self, scope: dict[str, Any], headers: dict[bytes, bytes], body: bytes, request_id: str) -> Call:
        """Who asks. Raises AuthFault."""
        app = self.app
        signed = SignedRequest(
            scope["method"], scope["raw_path"], scope["query_string"], headers, body_sha256=body_digest(body)
        )
        who = authenticate(signed, app.live.credentials, app.clock.now(), app.settings.region)
        started_at = app.clock.monotonic()
        call = Call(app, _OPERATION, who.caller, who.region, request_id, headers, started_at, self.report, scope)
        if who.caller.auth != "sigv4":
            authorize_key(call)
        return call

    async def answer(self, call: Call, body: bytes) -> dict[str, Any]:
        try:
            asked = msgspec.json.decode(body or b"{}", type=why.Asked)
        except msgspec.ValidationError as error:
            raise validation(str(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise serialization("The body is not JSON.") from None
        if not why.is_oneself(call.caller, asked.who):
            call.authorize(why.ACTION, asked.who)
        authority = call.app.live.authority
        whom = why.whom_of(authority, call, asked)
        if asked.draft and self.app.settings.file.server.workers > 1:
            # What other workers saw joins this one's record.
            heard = await self.app.supervisor.calls(why.recorded_as(whom))
            authority.record.hear(() if heard is None else (heard,))
        return why.answer(authority, call, asked, whom)

    async def refuse(self, send: http.Send, fault: Fault, request_id: str) -> None:
        body = msgspec.json.encode({fault.message_key: fault.message})
        await self.send(send, fault.http_status(), body, request_id, (b"x-amzn-errortype", fault.name.encode()))

    async def send(
        self, send: http.Send, status: int, body: bytes, request_id: str, *more: tuple[bytes, bytes]
    ) -> None:
        await http.answer(send, status, [_JSON, (b"x-amzn-requestid", request_id.encode()), *more], body)
