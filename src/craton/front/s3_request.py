"""One request of S3 on its way: address, authenticate, route, decode, handle, encode; bodies stream both ways.

The counterpart of `pipeline` for S3, whose paths are its users'. Owns the order of the steps and how answers leave. It
knows the protocol and no operation's meaning: what a bucket lets other origins do is asked of who composes it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from typing import Any, Final

import msgspec

from craton.aws.access import s3_actions
from craton.aws.wire import s3_faults
from craton.aws.wire.bind import parse_query
from craton.aws.wire.faults import Fault, internal
from craton.aws.wire.model import Operation, Service
from craton.aws.wire.payload import Incoming
from craton.aws.wire.restxml import RestXml
from craton.aws.wire.restxml_answer import Answer, Encoder
from craton.aws.wire.s3_auth import S3Verifier
from craton.aws.wire.s3_route import S3Router
from craton.aws.wire.sigv4 import SignedRequest
from craton.context import App, Call, Handler
from craton.front import body as http
from craton.front import s3_cors, s3_form
from craton.front.pipeline import new_request_id
from craton.front.s3_address import Address, Hosts
from craton.front.s3_body import MOST_DOCUMENT_BYTES, incoming
from craton.front.s3_caller import Sender, sender

_NO_BODY: Final = frozenset({204, 304})
# Its checksum headers speak of the object that becomes whole, not of the document that is sent.
_OF_THE_OBJECT: Final = frozenset({"CompleteMultipartUpload"})
# What cannot be undone, or was always asked for it: the document comes with a digest.
_DIGESTED: Final = frozenset({"DeleteObjects", "PutBucketCors", "PutBucketLifecycleConfiguration", "PutBucketTagging"})
NO_DIGEST = "Missing required header for this request: Content-MD5 OR x-amz-checksum-*"

CorsOf = Callable[[str], Awaitable[list[dict[str, Any]]]]
"""The CORS rules of a bucket, none for one that has none or is not there."""


class S3Door:
    """Serves S3. `handlers` are by operation name; `cors_of` gives a bucket's rules."""

    def __init__(
        self,
        app: App,
        service: Service,
        handlers: Mapping[str, Handler],
        report: Callable[[BaseException], None],
        hosts: Hosts,
        cors_of: CorsOf,
    ) -> None:
        self.app = app
        self.service = service
        self.handlers = handlers
        self.report = report
        self.hosts = hosts
        self.cors_of = cors_of
        self.router = S3Router(service)
        self.protocol = RestXml(service)
        self.encoder = Encoder(service)
        self.verifier = S3Verifier()

    def __call__(self, scope: dict[str, Any], receive: http.Receive, send: http.Send) -> Coroutine[Any, Any, None]:
        return S3Request(self, scope, receive, send, self.app.clock.monotonic(), new_request_id()).serve()


class S3Request(msgspec.Struct, eq=False):
    """One request on its way through the steps."""

    door: S3Door
    scope: dict[str, Any]
    receive: http.Receive
    send: http.Send
    started_at: float
    request_id: str
    call: Call | None = None
    address: Address = Address(None, None)
    begun: bool = False

    async def serve(self) -> None:
        """The whole way; every failure leaves as S3's own, but after the first byte, when only the end can tell."""
        try:
            if self.scope["method"] == "OPTIONS":
                await self.preflight()
            else:
                await self.answer(await self.handle())
        except Fault as fault:
            if fault.__cause__ is not None and not fault.client_fault:
                self.door.report(fault.__cause__)
            await self.refuse(fault)
        except Exception as error:
            self.door.report(error)
            await self.refuse(internal())

    async def handle(self) -> Answer:
        """All steps up to the answer's head."""
        scope, door = self.scope, self.door
        headers: dict[bytes, bytes] = scope["headers"]
        self.address = address = door.hosts.address(headers.get(b"host", b""), scope["raw_path"])
        if s3_form.is_form(scope["method"], headers):
            return await self.handle_form(headers)
        signed = SignedRequest(scope["method"], scope["raw_path"], scope["query_string"], headers)
        app = door.app
        hosted = address.bucket if address.hosted else None
        who = sender(door.verifier, signed, app.live.credentials, app.clock.now(), app.settings.region, hosted)
        query = {name: values[0] for name, values in parse_query(scope["query_string"]).items()}
        operation = door.router.match(scope["method"], address.place, query, who.headers)
        body = incoming(self.receive, headers, who.content, who.chunks, whole_object=operation.name in _OF_THE_OBJECT)
        return await self.run(operation, who, address.labels, body)

    async def handle_form(self, headers: dict[bytes, bytes]) -> Answer:
        """An upload by a form: its fields take the place of the head."""
        app, address = self.door.app, self.address
        form = await s3_form.read(self.receive, headers, address)
        who = s3_form.sender(form, app.live.credentials, app.clock.now(), app.settings.region)
        operation = self.door.service.operations["PutObject"]
        labels = {"Bucket": address.bucket or "", "Key": form.key}
        self.address = Address(address.bucket, form.key)
        answer = await self.run(operation, who, labels, form.content)
        return s3_form.answer(form, answer, self.location())

    async def run(self, operation: Operation, who: Sender, labels: Mapping[str, str], body: Incoming) -> Answer:
        """Decode, handle, encode."""
        door, scope = self.door, self.scope
        self.call = call = Call(
            door.app,
            operation,
            who.caller,
            who.region,
            self.request_id,
            who.headers,
            self.started_at,
            door.report,
            scope,
        )
        handler = door.handlers.get(operation.name)
        if handler is None:
            call.authorize(s3_actions.action_of(operation.name), s3_actions.resource_of(operation.name, labels))
            raise s3_faults.not_implemented(operation.name)
        binding = door.protocol.bind(operation)
        given: bytes | Incoming = body
        if not binding.streams:
            if operation.name in _DIGESTED and not body.is_digested:
                raise s3_faults.fault("InvalidRequest", NO_DIGEST)
            given = await body.whole(MOST_DOCUMENT_BYTES) if binding.takes_body else b""
        request = binding.decode(labels, scope["query_string"], who.headers, given)
        return door.encoder.response(operation, await handler(call, request))

    async def answer(self, answer: Answer) -> None:
        headers = [*answer.headers, *await self.common()]
        body = answer.body
        if isinstance(body, AsyncIterable):
            await self.stream(answer.status, headers, body)
            return
        has_length = any(name == b"content-length" for name, _ in headers)
        if not has_length and answer.status not in _NO_BODY:
            headers.append((b"content-length", b"%d" % len(body)))
        self.begun = True
        await self.send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await self.send({"type": "http.response.body", "body": b"" if self.is_head else body})

    async def stream(self, status: int, headers: list[tuple[bytes, bytes]], body: AsyncIterable[bytes]) -> None:
        """Pieces as they come. The head waits for the first: until then, a failure can still be told."""
        pieces: AsyncIterator[bytes] = aiter(body)
        try:
            piece = await anext(pieces, b"")
            declared = next((int(value) for name, value in headers if name == b"content-length"), None)
            sent = 0
            await self.send({"type": "http.response.start", "status": status, "headers": headers})
            self.begun = True
            while piece:
                sent += len(piece)
                await self.send({"type": "http.response.body", "body": piece, "more_body": sent != declared})
                piece = await anext(pieces, b"")
            if declared is None or not sent:
                await self.send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            close = getattr(pieces, "aclose", None)
            if close is not None:
                await close()

    async def refuse(self, fault: Fault) -> None:
        if self.begun:  # the answer stays incomplete, and its connection ends
            return
        call = self.call
        if call is not None and call.app.audit is not None:
            call.app.audit.refused(call, fault)
        encoded = self.door.encoder.error(fault, self.request_id, host_id(self.request_id))
        headers = [*encoded.headers, *await self.common()]
        bare = self.is_head or encoded.status in _NO_BODY
        if not bare:
            headers.append((b"content-length", b"%d" % len(encoded.body)))
        await self.send({"type": "http.response.start", "status": encoded.status, "headers": headers})
        await self.send({"type": "http.response.body", "body": b"" if bare else encoded.body})

    async def preflight(self) -> None:
        """What a browser asks before it sends a request of a page from elsewhere."""
        headers: dict[bytes, bytes] = self.scope["headers"]
        self.address = self.door.hosts.address(headers.get(b"host", b""), self.scope["raw_path"])
        rules = await self.door.cors_of(self.address.bucket or "")
        allowed = s3_cors.preflight(rules, headers)
        await http.answer(self.send, 200, [*allowed, *self.named()], b"")

    async def common(self) -> list[tuple[bytes, bytes]]:
        """The headers of every answer."""
        found = self.named()
        if self.call is not None:
            found += self.call.response_headers
        headers: dict[bytes, bytes] = self.scope["headers"]
        if b"origin" in headers and self.address.bucket:
            found += s3_cors.simple(await self.door.cors_of(self.address.bucket), self.scope["method"], headers)
        return found

    def named(self) -> list[tuple[bytes, bytes]]:
        return [(b"x-amz-request-id", self.request_id.encode()), (b"x-amz-id-2", host_id(self.request_id).encode())]

    def location(self) -> str:
        """The URL of the object that a form has made."""
        headers: dict[bytes, bytes] = self.scope["headers"]
        scheme = self.scope.get("scheme", "http")
        host = headers.get(b"host", b"").decode("latin-1")
        path = self.scope["raw_path"].decode("latin-1").rstrip("/")
        return f"{scheme}://{host}{path}/{s3_form.quoted(self.address.key or '')}"

    @property
    def is_head(self) -> bool:
        return bool(self.scope["method"] == "HEAD")


def host_id(request_id: str) -> str:
    """The second name that S3 gives a request; it says nothing here that the first does not."""
    return base64.b64encode(hashlib.sha256(request_id.encode()).digest()).decode()
