"""Provider `local`: models that Craton runs, OpenAI-shaped; each request goes to one of its deployment's replicas.

Owns what the engine does that other servers of this shape do not: it counts tokens, shortens texts, and what it has in
its prefix cache is no business of the caller's. How a replica is reached is `deployed`'s.
"""

from __future__ import annotations

import msgspec

from craton.aws.wire.faults import Fault, validation
from craton.models.canon.embedding import EmbedReply, EmbedRequest
from craton.models.canon.events import StreamEvent, StreamMetadata
from craton.models.canon.image import ImageReply, ImageRequest
from craton.models.canon.reply import ConverseReply, Usage, usage
from craton.models.canon.request import ConverseRequest
from craton.models.dialects.dialect import Dialect
from craton.models.dialects.openai_chat.dialect import OpenAIChat
from craton.models.dialects.openai_chat.reader import Reader
from craton.models.providers import faults
from craton.models.providers.deployed import Deployed, named
from craton.models.providers.exchange import Exchange, json_headers
from craton.models.providers.native import read_members
from craton.models.providers.openai import CANNOT_COUNT, OpenAIProvider
from craton.models.providers.provider import Attempt, Upstream
from craton.models.providers.ranks import RANKS, rank_of
from craton.models.providers.seats import Replicas, SeatedTransport

_TOKENIZE_PATH = b"/tokenize"
_COUNTED = ("messages", "tools")
_NO_SUCH_PATH = 404


class _Tokens(msgspec.Struct):
    count: int


_TOKENS = msgspec.json.Decoder(_Tokens)


def whole_input(used: Usage) -> Usage:
    """Usage with what the engine had in its prefix cache as input again: on Bedrock only cache points are counted so."""
    cached = used.cache_read_input_tokens
    return usage(used.input_tokens + cached, used.output_tokens) if cached is not None else used


class EngineReader(Reader):
    """Streams whose usage is whole."""

    __slots__ = ()

    def _metadata(self) -> list[StreamEvent]:
        events = super()._metadata()
        for event in events:
            if isinstance(event, StreamMetadata):
                event.usage = whole_input(event.usage)
        return events


class EngineChat(OpenAIChat):
    """OpenAI's chat completions with usage as Bedrock counts it."""

    __slots__ = ()

    def read_reply(self, body: bytes) -> ConverseReply:
        """A whole reply."""
        reply = super().read_reply(body)
        reply.usage = whole_input(reply.usage)
        return reply

    def reader(self) -> Reader:
        """A stream's."""
        return EngineReader()


class Engine(OpenAIProvider):
    """A deployment's engine, with the transport to it."""

    def __init__(self, upstream: Upstream, transport: SeatedTransport, dialect: Dialect) -> None:
        super().__init__(upstream, transport, prefix=b"/v1")
        self.dialect = dialect
        self.exchange = Exchange(transport, upstream)


class LocalProvider(Deployed[Engine]):
    """Models of our own."""

    name = "local"

    def __init__(self, upstream: Upstream, replicas: Replicas) -> None:
        super().__init__(replicas)
        self.dialect: Dialect = EngineChat()
        self._upstream = upstream

    async def embed(self, request: EmbedRequest, attempt: Attempt) -> EmbedReply:
        """Vectors of the engine's. Raises Fault.

        Local models read less than those that they stand in for. A text that is too long is shortened at its end where
        the caller said nothing of that, and his ledger told so; a strict one refuses.
        """
        provider = self._reached(attempt)
        unhurried = rank_of(attempt.headers, None) == RANKS["flex"]
        quirks = {"engine": True, "packs": True, "unhurried": unhurried, **attempt.quirks}
        told = msgspec.structs.replace(named(attempt), quirks=quirks)
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

    async def paint(self, request: ImageRequest, attempt: Attempt) -> ImageReply:
        """Pictures of the engine's. Raises Fault."""
        from craton.models.providers import local_images

        return await local_images.paint(self._reached(attempt).exchange, request, named(attempt))

    async def count_tokens(self, request: ConverseRequest, attempt: Attempt) -> int:
        """Tokens of the prompt as the model's own template and tokenizer make it.

        Raises:
            Fault: ValidationException where the server of a container has no call for it.
        """
        exchange, told = self._reached(attempt).exchange, named(attempt)
        written = read_members(self.dialect.write_request(request, exchange.outgoing(told, stream=False)))
        body = msgspec.json.encode({name: written[name] for name in _COUNTED if name in written})
        try:
            answer = await exchange.post(_TOKENIZE_PATH, json_headers(), body, told)
        except Fault as fault:
            if fault.fields.get("originalStatusCode") == _NO_SUCH_PATH:  # a server that only speaks like the engine
                raise validation(CANNOT_COUNT) from fault
            raise
        try:
            return _TOKENS.decode(answer).count
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise faults.unreadable(attempt.model) from error

    def _asking(self, transport: SeatedTransport, attempt: Attempt) -> Engine:
        return Engine(self._upstream, transport, self.dialect)
