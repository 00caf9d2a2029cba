"""Provider `bedrock`: the real Amazon Bedrock (or another Craton), asked with the target's own credentials.

`base_url` names the host alone, such as `https://bedrock-runtime.us-east-1.amazonaws.com`; requests are signed for
`region` with `access_key_id` and `secret_access_key` (and `session_token`), or carry `api_key` as a Bedrock API key.
Conversations go by Converse; a native body goes by InvokeModel where the target's model speaks the caller's schema
(`Upstream.native`), and extra fields of another schema are put into that one's. `model` is an id, an inference profile or an ARN. Source: botocore's model of bedrock-runtime.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import AsyncGenerator
from functools import partial
from urllib.parse import quote

import msgspec

from craton.aws.wire.faults import UNEXPECTED, model_stream_error
from craton.models.canon.embedding import EmbedReply, EmbedRequest
from craton.models.canon.events import StreamEvent
from craton.models.canon.image import ImageReply, ImageRequest
from craton.models.canon.reply import ConverseReply
from craton.models.canon.request import ConverseRequest
from craton.models.canon.rerank import RerankReply, RerankRequest
from craton.models.dialects.all import dialect_named, foreign_fields
from craton.models.dialects.amazon_converse import AmazonConverse
from craton.models.dialects.converse_fields import reworded
from craton.models.dialects.dialect import Dialect, Ledger
from craton.models.dialects.extras import ROOT, asked
from craton.models.providers import faults
from craton.models.providers.aws_answers import EventFrames, bedrock_refusal
from craton.models.providers.dial import open_transport
from craton.models.providers.exchange import Exchange
from craton.models.providers.provider import Attempt, Upstream
from craton.models.providers.signed import Signing, secret_sent
from craton.models.providers.transport import Limits, Transport, Whole

SERVICE = "bedrock"

_STREAM = (b"accept", b"application/vnd.amazon.eventstream")
_WHOLE = (b"accept", b"application/json")
_COUNTED = ("messages", "system", "toolConfig", "additionalModelRequestFields")


class _Count(msgspec.Struct, rename="camel"):
    input_tokens: int


class _Payload(msgspec.Struct):
    bytes: str


_COUNT = msgspec.json.Decoder(_Count)
_PAYLOAD = msgspec.json.Decoder(_Payload)
_MEMBERS: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])
# The members that the real Bedrock puts on a native stream's last chunk.
_METRICS = re.compile(rb'"amazon-bedrock-invocationMetrics"\s*:')


class BedrockProvider:
    """One upstream. `transport` is opened by its address unless one is given."""

    name = "bedrock"

    def __init__(self, upstream: Upstream, transport: Transport | None = None) -> None:
        self._converse = AmazonConverse()
        self._native = str(upstream.quirks.get("schema", upstream.native))
        self.dialect: Dialect = dialect_named(upstream.native) or self._converse
        self.image_schema = upstream.native
        limits = Limits(connect_timeout_s=upstream.connect_timeout_s)
        self._transport = transport or open_transport(upstream.base_url, limits)
        told = msgspec.structs.replace(upstream, api_key=secret_sent(upstream))
        # Bedrock's failures have a status; the `error` of a 200 is a picture model's own word to its caller.
        self._exchange = Exchange(
            self._transport, told, end_data=b"", framing=EventFrames, refusal=bedrock_refusal, error_within=0
        )
        self._signing = Signing(upstream, SERVICE)

    async def converse(self, request: ConverseRequest, attempt: Attempt) -> ConverseReply:
        """A whole reply. Raises Fault."""
        body = self._written(request, attempt, stream=False)
        path = _path(attempt, b"converse")
        return await self._exchange.converse(
            self._converse, path, self._signing.headers(path, body, _WHOLE), body, attempt
        )

    def converse_stream(self, request: ConverseRequest, attempt: Attempt) -> AsyncGenerator[list[StreamEvent]]:
        """Canonical events, one list per read of the socket. Raises Fault."""
        body = self._written(request, attempt, stream=True)
        path = _path(attempt, b"converse-stream")
        headers = self._signing.headers(path, body, _STREAM)
        return self._exchange.stream(path, headers, body, attempt, self._converse.reader())

    async def invoke(self, body: bytes, attempt: Attempt) -> bytes:
        """A native body, as it is, to the native reply."""
        path = _path(attempt, b"invoke")
        return await self._exchange.post(path, self._signing.headers(path, body, _WHOLE), body, attempt)

    def invoke_stream(self, body: bytes, attempt: Attempt) -> AsyncGenerator[list[bytes]]:
        """A native body, as it is, to native chunks."""
        path = _path(attempt, b"invoke-with-response-stream")
        headers = self._signing.headers(path, body, _STREAM)
        return self._exchange.stream(path, headers, body, attempt, _Chunks())

    async def embed(self, request: EmbedRequest, attempt: Attempt) -> EmbedReply:
        """Vectors by InvokeModel, in the schema of the target's model. Raises Fault."""
        from craton.models.providers import special  # a server of chat models alone does not pay for it

        send = partial(self._whole, attempt)
        return await special.embed(self._native, send, request, self._exchange.outgoing(attempt, stream=False))

    async def rerank(self, request: RerankRequest, attempt: Attempt) -> RerankReply:
        """A ranking by InvokeModel, in the schema of the target's model. Raises Fault."""
        from craton.models.providers import special

        send = partial(self._whole, attempt)
        return await special.rerank(self._native, send, request, self._exchange.outgoing(attempt, stream=False))

    async def _whole(self, attempt: Attempt, body: bytes) -> Whole:
        path = _path(attempt, b"invoke")
        return await self._exchange.whole(path, self._signing.headers(path, body, _WHOLE), body, attempt)

    async def paint(self, request: ImageRequest, attempt: Attempt) -> ImageReply:
        """Pictures in the schema of the target's model. Raises Fault."""
        from craton.models.providers.native_images import paint_by_schema

        out = self._exchange.outgoing(attempt, stream=False)
        return await paint_by_schema(self.image_schema, self.paint_native, request, attempt, out)

    async def paint_native(self, body: bytes, attempt: Attempt) -> bytes:
        """A native body, as it is, to the native reply."""
        return await self.invoke(body, attempt)

    async def count_tokens(self, request: ConverseRequest, attempt: Attempt) -> int:
        """Input tokens as Bedrock counts them. Raises ValidationException for models that it does not count."""
        written = self._written(request, attempt, stream=False)
        members = {name: raw for name, raw in _MEMBERS.decode(written).items() if name in _COUNTED}
        body = msgspec.json.encode({"input": {"converse": members}})
        path = _path(attempt, b"count-tokens")
        answer = await self._exchange.post(path, self._signing.headers(path, body, _WHOLE), body, attempt)
        try:
            return _COUNT.decode(answer).input_tokens
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise faults.unreadable(attempt.model) from error

    async def close(self) -> None:
        await self._transport.close()

    def _written(self, request: ConverseRequest, attempt: Attempt, *, stream: bool) -> bytes:
        out = self._exchange.outgoing(attempt, stream=stream)
        if request.additional_model_request_fields is not None:
            request = self._in_its_words(request, attempt, out.ledger)
        return self._converse.write_request(request, out)

    def _in_its_words(self, request: ConverseRequest, attempt: Attempt, ledger: Ledger) -> ConverseRequest:
        """The request with extra fields that the target's model knows.

        They go as they are where they are of the model's own schema, or where Converse's caller alone knows the model.
        """
        family = None if attempt.speaks else attempt.family()
        speaks = attempt.speaks or (family.name if family is not None else self._native)
        if speaks in (self._native, self._converse.name):
            return request
        schema = foreign_fields(self._native)
        if schema is not None:
            fields = reworded(request, schema, ledger)
        elif attempt.speaks:
            fields = None
            for name in asked(request.additional_model_request_fields) or ():
                ledger.drop(f"{ROOT}.{name}")
        else:
            return request
        return msgspec.structs.replace(request, additional_model_request_fields=fields)


class _Chunks:
    """Payloads of InvokeModelWithResponseStream → the native chunks in them."""

    __slots__ = ("_complete",)

    def __init__(self) -> None:
        self._complete = False

    def feed(self, data: bytes, event: str = "") -> list[bytes]:
        if event != "chunk":
            return []
        try:
            chunk = base64.b64decode(_PAYLOAD.decode(data).bytes, validate=True)
        except (msgspec.DecodeError, UnicodeDecodeError, binascii.Error) as error:
            raise model_stream_error(faults.UNREADABLE) from error
        if _METRICS.search(chunk):
            self._complete = True
        return [chunk]

    def close(self) -> list[bytes]:
        """Raises Fault if the metrics, which end every native stream of Bedrock's, have not come."""
        if not self._complete:
            raise model_stream_error(UNEXPECTED)
        return []


def _path(attempt: Attempt, operation: bytes) -> bytes:
    return b"/model/%b/%b" % (quote(attempt.model, safe="").encode(), operation)
