"""Provider `replay`: answers from a cassette, offline and always alike. It never asks anybody.

A target names the file (`cassette`), what must be equal (`match_on`), how fast (`speed`) and whether a recording may be
played again (`repeats`). `model` is the id under which the calls were recorded: by default the id that is called.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from craton.config import ConfigError
from craton.models.canon.embedding import EmbedReply, EmbedRequest
from craton.models.canon.events import StreamEvent
from craton.models.canon.image import ImageReply, ImageRequest
from craton.models.canon.reply import ConverseReply
from craton.models.canon.request import ConverseRequest
from craton.models.canon.rerank import RerankReply, RerankRequest
from craton.models.dialects.all import dialect_named
from craton.models.dialects.dialect import Dialect
from craton.models.dialects.openai_chat.dialect import OpenAIChat
from craton.models.providers.cassettes import episode as tell
from craton.models.providers.cassettes.cassette import Cassette
from craton.models.providers.cassettes.player import Player
from craton.models.providers.cassettes.request import Asked, asked, asked_of_kind
from craton.models.providers.provider import Attempt, Upstream


class ReplayProvider:
    """One cassette. Raises ConfigError if it cannot be played."""

    name = "replay"

    def __init__(self, upstream: Upstream) -> None:
        if upstream.taping is None:
            raise ConfigError("provider 'replay': cassette is missing")
        self.cassette = Cassette(msgspec.structs.replace(upstream.taping, mode="none"))
        # The caller's schema, so that native bodies come here as they are and recorded ones go back as they were.
        self.dialect: Dialect = dialect_named(upstream.native) or OpenAIChat()

    async def converse(self, request: ConverseRequest, attempt: Attempt) -> ConverseReply:
        """The recorded reply. Raises the recorded Fault, or ResourceNotFoundException if there is no recording."""
        return await self._player(tell.CONVERSE, request, attempt).reply()

    async def converse_stream(self, request: ConverseRequest, attempt: Attempt) -> AsyncGenerator[list[StreamEvent]]:
        """The recorded events, as `converse`."""
        async with aclosing(self._player(tell.STREAM, request, attempt).events()) as pieces:
            async for events in pieces:
                yield events

    async def invoke(self, body: bytes, attempt: Attempt) -> bytes:
        """The recorded native reply, or the recorded reply in the caller's schema."""
        request = self.dialect.read_request(body)
        return await self._player(tell.INVOKE, request, attempt).native(self.dialect, request, body)

    async def invoke_stream(self, body: bytes, attempt: Attempt) -> AsyncGenerator[list[bytes]]:
        """The recorded native chunks, or the recorded events in the caller's schema."""
        request = self.dialect.read_request(body, streaming=True)
        player = self._player(tell.INVOKE_STREAM, request, attempt)
        async with aclosing(player.chunks(self.dialect, request, body)) as pieces:
            async for chunks in pieces:
                yield chunks

    async def count_tokens(self, request: ConverseRequest, attempt: Attempt) -> int:
        """The recorded count, or the input tokens of a recorded answer to the same request."""
        return await self._player(tell.COUNT, request, attempt).tokens()

    async def embed(self, request: EmbedRequest, attempt: Attempt) -> EmbedReply:
        """The recorded vectors."""
        return await self._found(asked_of_kind("Embed", attempt.model, request), attempt).other(EmbedReply)

    async def rerank(self, request: RerankRequest, attempt: Attempt) -> RerankReply:
        """The recorded ranking."""
        return await self._found(asked_of_kind("Rerank", attempt.model, request), attempt).other(RerankReply)

    async def paint(self, request: ImageRequest, attempt: Attempt) -> ImageReply:
        """The recorded pictures."""
        return await self._found(asked_of_kind("Paint", attempt.model, request), attempt).other(ImageReply)

    async def close(self) -> None:
        """Nothing is open between requests."""

    def _player(self, call: str, request: ConverseRequest, attempt: Attempt) -> Player:
        return self._found(asked(call, attempt.model, request), attempt)

    def _found(self, what: Asked, attempt: Attempt) -> Player:
        found = self.cassette.find(what)
        if found is None:
            raise self.cassette.miss(what)
        return Player(found, attempt, self.cassette.taping.speed, attempt.model)
