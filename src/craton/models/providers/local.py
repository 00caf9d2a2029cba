"""Provider `local`: Craton's own model processes, OpenAI-shaped over a Unix socket (or wherever `ensure` says).

Owns the cold start: `ensure(model)` starts the model's process if need be and tells where it answers; the place is
remembered until a connection to it fails, then asked for again, and the request sent once more if no byte of an
answer had come. Knows nothing of processes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TypeVar

import msgspec

from craton.aws.wire.faults import Fault, model_not_ready
from craton.models.canon.embedding import EmbedReply, EmbedRequest
from craton.models.canon.events import StreamEvent, StreamMetadata
from craton.models.canon.image import ImageReply, ImageRequest
from craton.models.canon.reply import ConverseReply, Usage, usage
from craton.models.canon.request import ConverseRequest
from craton.models.canon.rerank import RerankReply, RerankRequest
from craton.models.dialects.dialect import Dialect
from craton.models.dialects.openai_chat.dialect import OpenAIChat
from craton.models.providers import faults
from craton.models.providers.dial import open_transport
from craton.models.providers.exchange import Exchange, json_headers
from craton.models.providers.native import read_members
from craton.models.providers.openai import OpenAIProvider
from craton.models.providers.provider import Attempt, Upstream
from craton.models.providers.transport import ConnectError, ConnectionLost, Headers, Limits, Response, Transport, Whole

Ensure = Callable[[str], Awaitable[str]]
Got = TypeVar("Got")

_TOKENIZE_PATH = b"/tokenize"
_COUNTED = ("messages", "tools")

# What the engine answers while it loads.
_LOADING = 503

# How long a caller should wait for a model that is starting, in seconds.
_WAIT_S = 1.0


class _Tokens(msgspec.Struct):
    count: int


_TOKENS = msgspec.json.Decoder(_Tokens)


class EnsuredTransport:
    """The transport to one model's process, wherever it is now. What `Transport` raises, and ModelNotReadyException.

    Args:
        ensure: gives the base URL of the process once it serves. Raises Fault, OSError or TimeoutError if it cannot.
    """

    def __init__(self, model: str, ensure: Ensure, limits: Limits) -> None:
        self._model = model
        self._ensure = ensure
        self._limits = limits
        self._base_url = ""
        self._transport: Transport | None = None

    async def request(
        self, method: bytes, path: bytes, headers: Headers = (), body: bytes = b"", *, deadline: float
    ) -> Response:
        """Send, starting the process if need be, and wait for the answer's head."""
        response = await self._twice(
            lambda transport: transport.request(method, path, headers, body, deadline=deadline), deadline
        )
        if response.status == _LOADING:
            response.abort()
            raise model_not_ready(retry_after_s=_WAIT_S)
        return response

    async def fetch(
        self,
        method: bytes,
        path: bytes,
        headers: Headers = (),
        body: bytes = b"",
        *,
        deadline: float,
        limit: int | None = None,
    ) -> Whole:
        """Send, starting the process if need be, and wait for the whole answer."""
        whole = await self._twice(
            lambda transport: transport.fetch(method, path, headers, body, deadline=deadline, limit=limit), deadline
        )
        if whole.status == _LOADING:
            raise model_not_ready(retry_after_s=_WAIT_S)
        return whole

    async def close(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.close()

    async def _twice(self, send: Callable[[Transport], Awaitable[Got]], deadline: float) -> Got:
        """Send; if the process was not there any more, send once again to the one that is there now."""
        transport = self._transport or await self._find(deadline)
        try:
            return await send(transport)
        except ConnectError:
            pass
        except ConnectionLost as lost:
            if lost.received:
                raise
        transport = await self._find(deadline)
        try:
            return await send(transport)
        except ConnectError as error:
            raise model_not_ready(retry_after_s=_WAIT_S) from error

    async def _find(self, deadline: float) -> Transport:
        """Where the model is now. Requests under way on the former pool keep it; what idles there ends by itself."""
        try:
            async with asyncio.timeout_at(deadline):
                base_url = await self._ensure(self._model)
        except (TimeoutError, OSError) as error:
            raise model_not_ready(retry_after_s=_WAIT_S) from error
        transport = self._transport
        if transport is None or base_url != self._base_url:
            self._base_url = base_url
            transport = self._transport = open_transport(base_url, self._limits)
        return transport


def whole_input(used: Usage) -> Usage:
    """Usage with what the engine had in its prefix cache as input again: on Bedrock only cache points are counted so."""
    return usage(used.input_tokens + (used.cache_read_input_tokens or 0), used.output_tokens)


class LocalProvider:
    """Model processes by id: `attempt.model` is the id that `ensure` gets."""

    name = "local"

    def __init__(self, upstream: Upstream, ensure: Ensure, used: Callable[[str], None] = lambda _: None) -> None:
        """`used` hears of each use of a model, so that whoever runs it knows that it is not idle."""
        self.dialect: Dialect = OpenAIChat()
        self._upstream = upstream
        self._ensure = ensure
        self._used = used
        self._models: dict[str, tuple[EnsuredTransport, OpenAIProvider]] = {}

    async def converse(self, request: ConverseRequest, attempt: Attempt) -> ConverseReply:
        """A whole reply. Raises Fault."""
        reply = await self._model(attempt.model)[1].converse(request, attempt)
        reply.usage = whole_input(reply.usage)
        return reply

    async def converse_stream(self, request: ConverseRequest, attempt: Attempt) -> AsyncGenerator[list[StreamEvent]]:
        """Canonical events, one list per read of the socket. Raises Fault."""
        async with aclosing(self._model(attempt.model)[1].converse_stream(request, attempt)) as pieces:
            async for events in pieces:
                if isinstance(events[-1], StreamMetadata):
                    events[-1].usage = whole_input(events[-1].usage)
                yield events

    async def invoke(self, body: bytes, attempt: Attempt) -> bytes:
        """A native body to a native reply."""
        return await self._model(attempt.model)[1].invoke(body, attempt)

    def invoke_stream(self, body: bytes, attempt: Attempt) -> AsyncGenerator[list[bytes]]:
        """A native body to native chunks."""
        return self._model(attempt.model)[1].invoke_stream(body, attempt)

    async def embed(self, request: EmbedRequest, attempt: Attempt) -> EmbedReply:
        """Vectors of the engine's. Raises Fault.

        Local models read less than those that they stand in for. A text that is too long is shortened at its end where
        the caller said nothing of that, and his ledger told so; a strict one refuses.
        """
        provider = self._model(attempt.model)[1]
        told = msgspec.structs.replace(attempt, quirks={"engine": True, **attempt.quirks})
        if request.truncate is not None:
            return await provider.embed(request, told)
        try:
            return await provider.embed(msgspec.structs.replace(request, truncate="none"), told)
        except Fault as fault:
            if fault.name != "ValidationException" or attempt.ledger.strict:
                raise
        reply = await provider.embed(msgspec.structs.replace(request, truncate="end"), told)
        attempt.ledger.drop(request.names.text)
        return reply

    async def rerank(self, request: RerankRequest, attempt: Attempt) -> RerankReply:
        """A ranking of the engine's. Raises Fault."""
        return await self._model(attempt.model)[1].rerank(request, attempt)

    async def paint(self, request: ImageRequest, attempt: Attempt) -> ImageReply:
        """Pictures of the engine's. Raises Fault."""
        from craton.models.providers import local_images

        transport, _ = self._model(attempt.model)
        return await local_images.paint(Exchange(transport, self._upstream), request, attempt)

    async def count_tokens(self, request: ConverseRequest, attempt: Attempt) -> int:
        """Tokens of the prompt as the model's own template and tokenizer make it."""
        transport, _ = self._model(attempt.model)
        exchange = Exchange(transport, self._upstream)
        written = read_members(self.dialect.write_request(request, exchange.outgoing(attempt, stream=False)))
        body = msgspec.json.encode({name: written[name] for name in _COUNTED if name in written})
        answer = await exchange.post(_TOKENIZE_PATH, json_headers(), body, attempt)
        try:
            return _TOKENS.decode(answer).count
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise faults.unreadable(attempt.model) from error

    async def close(self) -> None:
        models, self._models = self._models, {}
        for transport, _ in models.values():
            await transport.close()

    def _model(self, model: str) -> tuple[EnsuredTransport, OpenAIProvider]:
        self._used(model)
        found = self._models.get(model)
        if found is None:
            transport = EnsuredTransport(
                model, self._ensure, Limits(connect_timeout_s=self._upstream.connect_timeout_s)
            )
            found = self._models[model] = transport, OpenAIProvider(self._upstream, transport, prefix=b"/v1")
        return found
