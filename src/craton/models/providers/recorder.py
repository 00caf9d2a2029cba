"""A provider behind a cassette: recordings answer, what has none goes to the target and is kept (see `cassette`).

Wraps any provider and changes nothing of what it answers. An episode is on the disk before the caller has the end of
its answer. A stream that its caller leaves is not kept, since its end is not known. Keeps requests and answers, never
headers; knows no vendor.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from functools import cache

import msgspec

from craton.aws.wire.faults import Fault
from craton.models.canon.embedding import EmbedReply
from craton.models.canon.events import StreamEvent, StreamMetadata
from craton.models.canon.image import ImageReply
from craton.models.canon.reply import ConverseReply
from craton.models.canon.request import ConverseRequest
from craton.models.canon.rerank import RerankReply
from craton.models.dialects.all import dialect_named
from craton.models.dialects.dialect import Dialect
from craton.models.providers.cassettes import episode as tell
from craton.models.providers.cassettes.cassette import Cassette
from craton.models.providers.cassettes.episode import Notes
from craton.models.providers.cassettes.player import Player
from craton.models.providers.cassettes.request import Asked, asked, asked_of_kind
from craton.models.providers.provider import Attempt, Provider

# Method of a provider → the call as it is kept, and what comes back (provider.Embeds, Reranks, Paints).
OTHER_KINDS: dict[str, tuple[str, type[msgspec.Struct]]] = {
    "embed": ("Embed", EmbedReply),
    "rerank": ("Rerank", RerankReply),
    "paint": ("Paint", ImageReply),
}
# How a strict ledger begins its refusal: it is this request's choice of mode, not the target's answer.
_LEDGER = "The target of this model cannot carry "
# A local model that is still starting says nothing of the call.
_COLD = "ModelNotReadyException"


class Recorder:
    """`inner` behind `cassette`, for the model id `model`, under which its calls are kept."""

    def __init__(self, inner: Provider, model: str, cassette: Cassette) -> None:
        self.inner = inner
        self.model = model
        self.cassette = cassette
        # The schema as InvokeModel's callers speak it; a vendor's own may want more (a `model`, say).
        self._native = dialect_named(inner.dialect.name) or inner.dialect

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def dialect(self) -> Dialect:
        return self.inner.dialect

    async def converse(self, request: ConverseRequest, attempt: Attempt) -> ConverseReply:
        what = asked(tell.CONVERSE, self.model, request)
        player = self._player(what, attempt)
        if player is not None:
            return await player.reply()
        notes = self._notes(what)
        try:
            reply = await self.inner.converse(request, attempt)
        except Fault as fault:
            await self._keep_fault(notes, fault, attempt)
            raise
        notes.reply(reply, _now())
        await self._keep(notes, attempt)
        return reply

    async def converse_stream(self, request: ConverseRequest, attempt: Attempt) -> AsyncGenerator[list[StreamEvent]]:
        what = asked(tell.STREAM, self.model, request)
        player = self._player(what, attempt)
        if player is not None:
            async with aclosing(player.events()) as pieces:
                async for events in pieces:
                    yield events
            return
        notes, held = self._notes(what), list[list[StreamEvent]]()
        try:
            async with aclosing(self.inner.converse_stream(request, attempt)) as pieces:
                async for events in pieces:
                    notes.events(events, _now())
                    # Callers take the metadata for the end, so it is let go only when all is on the disk.
                    if held or isinstance(events[-1], StreamMetadata):
                        held.append(events)
                    else:
                        yield events
        except Fault as fault:
            await self._keep_fault(notes, fault, attempt)
            raise
        await self._keep(notes, attempt)
        for events in held:
            yield events

    async def invoke(self, body: bytes, attempt: Attempt) -> bytes:
        request = self._native.read_request(body)
        what = asked(tell.INVOKE, self.model, request)
        player = self._player(what, attempt)
        if player is not None:
            return await player.native(self._native, request, body)
        notes = self._notes(what, self._native.name)
        try:
            native = await self.inner.invoke(body, attempt)
        except Fault as fault:
            await self._keep_fault(notes, fault, attempt)
            raise
        notes.native(native, _now())
        notes.usage = self._native.read_reply(native).usage
        await self._keep(notes, attempt)
        return native

    async def invoke_stream(self, body: bytes, attempt: Attempt) -> AsyncGenerator[list[bytes]]:
        request = self._native.read_request(body, streaming=True)
        what = asked(tell.INVOKE_STREAM, self.model, request)
        player = self._player(what, attempt)
        if player is not None:
            async with aclosing(player.chunks(self._native, request, body)) as pieces:
                async for chunks in pieces:
                    yield chunks
            return
        notes = self._notes(what, self._native.name)
        try:
            async with aclosing(self.inner.invoke_stream(body, attempt)) as pieces:
                async for chunks in pieces:
                    notes.chunks(chunks, _now())
                    yield chunks
        except Fault as fault:
            await self._keep_fault(notes, fault, attempt)
            raise
        # The last chunk is held by whoever reads this, until it ends (features/inference/passthrough).
        await self._keep(notes, attempt)

    async def count_tokens(self, request: ConverseRequest, attempt: Attempt) -> int:
        what = asked(tell.COUNT, self.model, request)
        player = self._player(what, attempt)
        if player is not None:
            return await player.tokens()
        notes = self._notes(what)
        try:
            count = await self.inner.count_tokens(request, attempt)
        except Fault as fault:
            await self._keep_fault(notes, fault, attempt)
            raise
        notes.tokens(count, _now())
        await self._keep(notes, attempt)
        return count

    async def other(self, method: str, request: msgspec.Struct, attempt: Attempt) -> msgspec.Struct:
        """A request of another kind of model, by the name of the provider's method."""
        call, kind = OTHER_KINDS[method]
        what = asked_of_kind(call, self.model, request)
        player = self._player(what, attempt)
        if player is not None:
            return await player.other(kind)
        notes = self._notes(what)
        try:
            reply: msgspec.Struct = await getattr(self.inner, method)(request, attempt)
        except Fault as fault:
            await self._keep_fault(notes, fault, attempt)
            raise
        notes.other(reply, _now())
        await self._keep(notes, attempt)
        return reply

    async def close(self) -> None:
        await self.inner.close()

    def _player(self, what: Asked, attempt: Attempt) -> Player | None:
        """Whoever plays the recording of this request; None if the target is to be asked. Raises Fault."""
        found = self.cassette.find(what)
        if found is not None:
            return Player(found, attempt, self.cassette.taping.speed, self.model)
        if not self.cassette.records:
            raise self.cassette.miss(what)
        return None

    def _notes(self, what: Asked, dialect: str = "") -> Notes:
        return Notes(what, _now(), dialect)

    async def _keep(self, notes: Notes, attempt: Attempt) -> None:
        await self.cassette.keep(notes.done(attempt.ledger.dropped, attempt.ledger.emulated))

    async def _keep_fault(self, notes: Notes, fault: Fault, attempt: Attempt) -> None:
        if fault.name != _COLD and not fault.message.startswith(_LEDGER):
            notes.fault(fault, _now())
            await self._keep(notes, attempt)


def recorder(inner: Provider, model: str, cassette: Cassette) -> Recorder:
    """A recorder with the methods of other kinds of model that `inner` has, and no others."""
    return _of_kinds(tuple(method for method in OTHER_KINDS if hasattr(inner, method)))(inner, model, cassette)


@cache
def _of_kinds(methods: tuple[str, ...]) -> type[Recorder]:
    def asking(method: str) -> Callable[[Recorder, msgspec.Struct, Attempt], Awaitable[msgspec.Struct]]:
        return lambda self, request, attempt: self.other(method, request, attempt)

    return type("Recorder", (Recorder,), {method: asking(method) for method in methods}) if methods else Recorder


def _now() -> float:
    return asyncio.get_running_loop().time()
