"""A provider in outline: one POST per inference, its body written and its answer read by one dialect.

Owns what vendors with nothing but a path, some headers and a schema have in common; each vendor's file fills in those
three and what a native body needs on its way through. Knows no vendor and no schema.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable
from functools import partial

import msgspec

from craton.aws.wire.faults import UNEXPECTED, Fault, model_stream_error, validation
from craton.models.canon.embedding import EmbedReply, EmbedRequest
from craton.models.canon.events import StreamEvent
from craton.models.canon.reply import ConverseReply
from craton.models.canon.request import ConverseRequest
from craton.models.canon.rerank import RerankReply, RerankRequest
from craton.models.dialects.dialect import Dialect
from craton.models.providers import faults, sse
from craton.models.providers.dial import open_transport
from craton.models.providers.exchange import Exchange, Framing, Sink
from craton.models.providers.native import read_members, write_members
from craton.models.providers.openai import CANNOT_COUNT
from craton.models.providers.provider import Attempt, Upstream
from craton.models.providers.transport import Headers, Limits, Transport, Whole

# Bedrock's own member, which it reads before the model does.
GUARDRAIL = "amazon-bedrock-guardrailConfig"
_OF_STREAMS = ("stream", "stream_options")


class PostingProvider:
    """One upstream. `transport` is opened by its address unless one is given. A vendor's file overrides `_path`,
    `_headers`, `_sent` and `_chunks`, and where need be `_written` and `count_tokens`.
    """

    name = ""

    def __init__(
        self,
        upstream: Upstream,
        dialect: Dialect,
        transport: Transport | None = None,
        *,
        end_data: bytes = b"[DONE]",
        end_event: str = "[none]",
        framing: Callable[[], Framing] = sse.Parser,
        refusal: Callable[..., Fault] = faults.from_status,
    ) -> None:
        self.dialect = dialect
        self._secret = upstream.api_key
        limits = Limits(connect_timeout_s=upstream.connect_timeout_s)
        self._transport = transport or open_transport(upstream.base_url, limits)
        self._exchange = Exchange(
            self._transport, upstream, end_data=end_data, end_event=end_event, framing=framing, refusal=refusal
        )

    async def converse(self, request: ConverseRequest, attempt: Attempt) -> ConverseReply:
        """A whole reply. Raises Fault."""
        body = self._written(request, attempt, stream=False)
        path = self._path(attempt, stream=False)
        return await self._exchange.converse(self.dialect, path, self._headers(path, body), body, attempt)

    def converse_stream(self, request: ConverseRequest, attempt: Attempt) -> AsyncGenerator[list[StreamEvent]]:
        """Canonical events, one list per read of the socket. Raises Fault."""
        body = self._written(request, attempt, stream=True)
        path = self._path(attempt, stream=True)
        return self._exchange.stream(path, self._headers(path, body), body, attempt, self.dialect.reader())

    async def invoke(self, body: bytes, attempt: Attempt) -> bytes:
        """A native body to a native reply."""
        sent = self._sent(body, attempt, stream=False)
        path = self._path(attempt, stream=False)
        return await self._exchange.post(path, self._headers(path, sent), sent, attempt)

    def invoke_stream(self, body: bytes, attempt: Attempt) -> AsyncGenerator[list[bytes]]:
        """A native body to native chunks."""
        sent = self._sent(body, attempt, stream=True)
        path = self._path(attempt, stream=True)
        return self._exchange.stream(path, self._headers(path, sent), sent, attempt, self._chunks(attempt))

    async def count_tokens(self, request: ConverseRequest, attempt: Attempt) -> int:
        """Raises ValidationException: the vendor has no call for it, and a guess would be no count."""
        raise validation(CANNOT_COUNT)

    async def close(self) -> None:
        await self._transport.close()

    async def _embedded(self, schema: str, path: bytes, request: EmbedRequest, attempt: Attempt) -> EmbedReply:
        """Vectors from a path of this upstream that speaks `schema`."""
        from craton.models.providers import special  # a server of chat models alone does not pay for it

        send = partial(self._whole, path, attempt)
        return await special.embed(schema, send, request, self._exchange.outgoing(attempt, stream=False))

    async def _ranked(self, schema: str, path: bytes, request: RerankRequest, attempt: Attempt) -> RerankReply:
        """A ranking from a path of this upstream that speaks `schema`."""
        from craton.models.providers import special

        send = partial(self._whole, path, attempt)
        return await special.rerank(schema, send, request, self._exchange.outgoing(attempt, stream=False))

    async def _whole(self, path: bytes, attempt: Attempt, body: bytes) -> Whole:
        return await self._exchange.whole(path, self._headers(path, body), body, attempt)

    # --- what a vendor fills in -----------------------------------------------------------------------------------

    def _path(self, attempt: Attempt, *, stream: bool) -> bytes:
        raise NotImplementedError

    def _headers(self, path: bytes, body: bytes) -> Headers:
        raise NotImplementedError

    def _chunks(self, attempt: Attempt) -> Sink[bytes]:
        raise NotImplementedError

    def _written(self, request: ConverseRequest, attempt: Attempt, *, stream: bool) -> bytes:
        return self.dialect.write_request(request, self._exchange.outgoing(attempt, stream=stream))

    def _sent(self, body: bytes, attempt: Attempt, *, stream: bool) -> bytes:
        """A native body with the model and the kind of answer in it, as OpenAI's relatives want them."""
        members = read_members(body)
        if not stream:
            return write_members(members, change={"model": attempt.model}, leave_out=(*_OF_STREAMS, GUARDRAIL))
        change: dict[str, object] = {"model": attempt.model, "stream": True}
        if self._exchange.outgoing(attempt, stream=True).quirks.get("usage", True):
            change["stream_options"] = {"include_usage": True}
        return write_members(members, change=change, leave_out=(GUARDRAIL,))


class Chunks:
    """Native chunks as they come; `finish` finds the mark that shows a stream to be complete, in its last two chunks."""

    __slots__ = ("_before", "_finish", "_last", "_model", "_secret")

    def __init__(self, finish: re.Pattern[bytes], model: str, secret: str) -> None:
        self._finish = finish
        self._model = model
        self._secret = secret
        self._last = self._before = b""

    def feed(self, data: bytes, event: str = "") -> list[bytes]:
        """Raises Fault for an error of the vendor's, or for what is no JSON object."""
        data = data.strip()
        if data[:1] != b"{" or data[-1:] != b"}":
            raise model_stream_error(faults.UNREADABLE)
        if b'"error"' in data[:16]:
            told = faults.from_error_body(data, model=self._model, secret=self._secret)
            if told is not None:
                raise told
        self._before, self._last = self._last, data
        return [data]

    def close(self) -> list[bytes]:
        """Raises Fault if the mark has not come."""
        if not any(self._finish.search(chunk) for chunk in (self._before, self._last)):
            raise model_stream_error(UNEXPECTED)
        return []


def with_quirks(upstream: Upstream, **quirks: object) -> Upstream:
    """The upstream with quirks that hold where its own say nothing."""
    return msgspec.structs.replace(upstream, quirks={**quirks, **upstream.quirks})
