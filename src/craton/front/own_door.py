"""A path of Craton's own that is always signed, as Bedrock's operations are: what those of them share.

Owns reading, the caller, and how answers and refusals leave. It must not know what any path is for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from craton.aws.wire.faults import Fault, internal
from craton.aws.wire.model import Operation, Service
from craton.aws.wire.sigv4 import SignedRequest
from craton.context import App, Call
from craton.front import body as http
from craton.front.admit import authorize_key
from craton.front.authenticate import authenticate
from craton.front.pipeline import body_digest, new_request_id

JSON = b"application/json"
# What a call of such a path is, for whoever accounts: an operation of a service of our own.
_SERVICE = Service("craton", "rest-json", "bedrock", "", {}, {})


Answering = Callable[[Call, bytes], Awaitable[bytes]]
"""What answers a body. Raises Fault."""


def own_operation(name: str, path: str) -> Operation:
    return Operation("craton", name, "POST", path, 200, None, None, {}, {}, None, None, None, None, _SERVICE)


class OwnDoor:
    """Serves a path.

    Args:
        answer: makes an answer of the media type `kind`.
        report: takes an error that no caller may see.
        largest: bytes of a body.
    """

    def __init__(
        self,
        app: App,
        operation: Operation,
        answer: Answering,
        report: Callable[[BaseException], None],
        *,
        largest: int = 64 * 1024,
        kind: bytes = JSON,
    ) -> None:
        self.app = app
        self.operation = operation
        self.answer = answer
        self.report = report
        self.largest = largest
        self.kind = kind

    async def __call__(self, scope: dict[str, Any], receive: http.Receive, send: http.Send) -> None:
        request_id = new_request_id()
        try:
            headers = scope["headers"]
            body = await http.read(receive, headers.get(b"content-length"), self.largest)
            told = await self.answer(self.call(scope, headers, body, request_id), body)
            await http.answer(send, 200, _headers(self.kind, request_id), told)
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
        call = Call(app, self.operation, who.caller, who.region, request_id, headers, started_at, self.report, scope)
        if who.caller.auth != "sigv4":
            authorize_key(call)
        return call

    async def refuse(self, send: http.Send, fault: Fault, request_id: str) -> None:
        body = msgspec.json.encode({fault.message_key: fault.message})
        headers = [*_headers(JSON, request_id), (b"x-amzn-errortype", fault.name.encode())]
        await http.answer(send, fault.http_status(), headers, body)


def _headers(kind: bytes, request_id: str) -> list[tuple[bytes, bytes]]:
    return [(b"content-type", kind), (b"x-amzn-requestid", request_id.encode())]
