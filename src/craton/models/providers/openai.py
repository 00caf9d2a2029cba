"""Provider `openai`: any server that speaks OpenAI's chat completions (vLLM, Ollama, llama.cpp, OpenAI itself).

`base_url` ends in `/v1`; the key is optional. Owns the paths, the headers and what a native body needs on its way
through. Source: OpenAI's API reference, chat completions, responses and embeddings. Quirks are the dialect's (see
there), `head_tag`: the tag at the head of the text in which the server leaves reasoning (`think`, `reasoning`), and
`api`: `chat`, or `responses` for a server that is to be asked by OpenAI's newer API.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine
from functools import partial
from typing import Any

from craton.aws.wire.faults import validation
from craton.models.canon.embedding import EmbedReply, EmbedRequest
from craton.models.canon.events import StreamEvent
from craton.models.canon.image import ImageReply, ImageRequest
from craton.models.canon.reply import ConverseReply
from craton.models.canon.request import ConverseRequest
from craton.models.canon.rerank import RerankReply, RerankRequest
from craton.models.dialects.dialect import Dialect
from craton.models.dialects.openai_chat.dialect import OpenAIChat
from craton.models.providers.dial import open_transport
from craton.models.providers.exchange import Exchange, json_headers
from craton.models.providers.native import OpenAIChunks, read_members, write_members
from craton.models.providers.provider import Attempt, Upstream
from craton.models.providers.transport import Limits, Transport, Whole

CANNOT_COUNT = "The provided model doesn't support counting tokens."


class OpenAIProvider:
    """One upstream. `transport` is opened by its address unless one is given; `prefix` goes before the path."""

    name = "openai"

    def __init__(self, upstream: Upstream, transport: Transport | None = None, *, prefix: bytes = b"") -> None:
        self._is_chat = upstream.quirks.get("api", "chat") != "responses"
        self.dialect: Dialect = (
            OpenAIChat(head_tag=str(upstream.quirks.get("head_tag", ""))) if self._is_chat else responses_dialect()
        )
        self._prefix = prefix
        self._path = prefix + (b"/chat/completions" if self._is_chat else b"/responses")
        self._secret = upstream.api_key
        limits = Limits(connect_timeout_s=upstream.connect_timeout_s)
        self._transport = transport or open_transport(upstream.base_url, limits)
        self._exchange = Exchange(self._transport, upstream)
        self._headers = json_headers(*bearer(upstream.api_key))

    def converse(self, request: ConverseRequest, attempt: Attempt) -> Coroutine[Any, Any, ConverseReply]:
        """A whole reply. Raises Fault."""
        body = self.dialect.write_request(request, self._exchange.outgoing(attempt, stream=False))
        return self._exchange.converse(self.dialect, self._path, self._headers, body, attempt)

    def converse_stream(self, request: ConverseRequest, attempt: Attempt) -> AsyncGenerator[list[StreamEvent]]:
        """Canonical events, one list per read of the socket. Raises Fault."""
        body = self.dialect.write_request(request, self._exchange.outgoing(attempt, stream=True))
        return self._exchange.stream(self._path, self._headers, body, attempt, self.dialect.reader())

    async def invoke(self, body: bytes, attempt: Attempt) -> bytes:
        """A native body to a native reply."""
        sent = write_members(
            read_members(body), change={"model": attempt.model}, leave_out=("stream", "stream_options")
        )
        return await self._exchange.post(self._path, self._headers, sent, attempt)

    def invoke_stream(self, body: bytes, attempt: Attempt) -> AsyncGenerator[list[bytes]]:
        """A native body to native chunks; the usage comes in the last of them."""
        change: dict[str, object] = {"model": attempt.model, "stream": True}
        if not self._is_chat:
            from craton.models.providers.responses import ResponsesChunks

            sent = write_members(read_members(body), change=change)
            native = ResponsesChunks(attempt.model, self._secret)
            return self._exchange.stream(self._path, self._headers, sent, attempt, native)
        if self._exchange.outgoing(attempt, stream=True).quirks.get("usage", True):
            change["stream_options"] = {"include_usage": True}
        sent = write_members(read_members(body), change=change)
        sink = OpenAIChunks(attempt.model, self._secret)
        return self._exchange.stream(self._path, self._headers, sent, attempt, sink)

    def embed(self, request: EmbedRequest, attempt: Attempt) -> Coroutine[Any, Any, EmbedReply]:
        """Vectors by `/embeddings`. Raises Fault."""
        from craton.models.providers import special  # a server of chat models alone does not pay for it

        send = partial(self._post, b"/embeddings", attempt)
        return special.embed("openai.embeddings", send, request, self._exchange.outgoing(attempt, stream=False))

    def rerank(self, request: RerankRequest, attempt: Attempt) -> Coroutine[Any, Any, RerankReply]:
        """A ranking by `/rerank`, which OpenAI does not have but several that speak like it. Raises Fault."""
        from craton.models.providers import special

        send = partial(self._post, b"/rerank", attempt)
        return special.rerank("jina.rerank", send, request, self._exchange.outgoing(attempt, stream=False))

    def paint(self, request: ImageRequest, attempt: Attempt) -> Coroutine[Any, Any, ImageReply]:
        """Pictures by `/images/generations` or `/images/edits`. Raises Fault."""
        from craton.models.providers import openai_images

        return openai_images.paint(self._exchange, self._prefix, bearer(self._secret), request, attempt)

    def _post(self, path: bytes, attempt: Attempt, body: bytes) -> Coroutine[Any, Any, Whole]:
        return self._exchange.whole(self._prefix + path, self._headers, body, attempt)

    async def count_tokens(self, request: ConverseRequest, attempt: Attempt) -> int:
        """Raises ValidationException: chat has no call for it, and a guess would be no count. Responses has one."""
        if self._is_chat:
            raise validation(CANNOT_COUNT)
        from craton.models.providers import responses

        body = self.dialect.write_request(request, self._exchange.outgoing(attempt, stream=False))
        path = self._prefix + responses.COUNT_PATH
        answer = await self._exchange.post(path, self._headers, responses.counted_body(body), attempt)
        return responses.read_count(answer)

    async def close(self) -> None:
        await self._transport.close()


def responses_dialect() -> Dialect:
    """OpenAI's newer API, which most servers that speak like OpenAI do not have."""
    from craton.models.dialects.openai_responses.dialect import OpenAIResponses

    return OpenAIResponses()


def bearer(api_key: str) -> list[tuple[bytes, bytes]]:
    """The header of a key, if there is one."""
    return [(b"authorization", b"Bearer " + api_key.encode("utf-8"))] if api_key else []
