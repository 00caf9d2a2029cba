"""A recording as a provider's answer, in whichever form it is asked for.

A reply recorded by one operation answers another: whole or as a stream, canonical or in a native schema. Native bodies
recorded for the same schema are given as they are; everything else goes by the canon. Owns the waits (`speed`) and the
recorded faults; which recording it is, the cassette says.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator
from typing import TypeVar

import msgspec

from craton.aws.wire.faults import model_error, model_stream_error, model_timeout
from craton.models.canon.events import StreamEvent, StreamMetadata
from craton.models.canon.forms import events_of, reply_of
from craton.models.canon.reply import ConverseReply, usage
from craton.models.canon.request import ConverseRequest
from craton.models.dialects.all import dialect_named
from craton.models.dialects.dialect import Dialect, InvocationMetrics, Shown
from craton.models.providers.cassettes.episode import EVENTS, Episode, Frame
from craton.models.providers.provider import Attempt

T = TypeVar("T")

_REPLY = msgspec.json.Decoder(ConverseReply)
_EVENTS = {name: msgspec.json.Decoder(kind) for name, kind in EVENTS.items()}


class Player:
    """Plays one episode for one attempt, as the model `model`. Made anew for each."""

    def __init__(self, episode: Episode, attempt: Attempt, speed: float, model: str) -> None:
        self._episode = episode
        self._attempt = attempt
        self._speed = speed
        self._model = model
        for path in episode.end.dropped:
            attempt.ledger.drop(path)
        for path in episode.end.emulated:
            attempt.ledger.emulate(path)

    async def reply(self) -> ConverseReply:
        """A whole reply. Raises the recorded Fault."""
        async for _ in self._pieces(streaming=False):
            pass
        return self._reply()

    async def events(self) -> AsyncGenerator[list[StreamEvent]]:
        """Canonical events, one list per piece as it was recorded. Raises the recorded Fault where it came."""
        frames = self._episode.frames
        if any(frame.event for frame in frames):
            async for piece in self._pieces(streaming=True):
                yield [
                    _EVENTS[frame.event].decode(frame.data) for frame in piece if isinstance(frame.data, msgspec.Raw)
                ]
        elif any(isinstance(frame.chunk, msgspec.Raw) for frame in frames):
            reader = self._dialect().reader()
            async for piece in self._pieces(streaming=True):
                yield [event for chunk in _chunks(piece) for event in reader.feed(chunk)]
            rest = reader.close()
            if rest:
                yield rest
        else:
            async for _ in self._pieces(streaming=False):
                pass
            yield list(events_of(self._reply()))

    async def native(self, dialect: Dialect, request: ConverseRequest, body: bytes) -> bytes:
        """A native reply in the schema of `dialect`. Raises the recorded Fault."""
        async for _ in self._pieces(streaming=False):
            pass
        for frame in self._episode.frames:
            if isinstance(frame.native, msgspec.Raw) and self._episode.head.dialect == dialect.name:
                return bytes(frame.native)
        return dialect.write_reply(self._reply(), self._shown(request, body))

    async def chunks(self, dialect: Dialect, request: ConverseRequest, body: bytes) -> AsyncGenerator[list[bytes]]:
        """Native chunks in the schema of `dialect`. Raises the recorded Fault where it came."""
        frames = self._episode.frames
        if self._episode.head.dialect == dialect.name and any(isinstance(f.chunk, msgspec.Raw) for f in frames):
            async for piece in self._pieces(streaming=True):
                yield list(_chunks(piece))
            return
        writer = dialect.writer(self._shown(request, body))
        used = usage(0, 0)
        async for events in self.events():
            chunks: list[bytes] = []
            for event in events:
                if isinstance(event, StreamMetadata):
                    used = event.usage
                chunks += writer.write(event)
            if chunks:
                yield chunks
        yield writer.finish(InvocationMetrics(used.input_tokens, used.output_tokens, 0, 0))

    async def tokens(self) -> int:
        """A count of tokens: recorded, or the input tokens of an answer. Raises the recorded Fault."""
        async for _ in self._pieces(streaming=False):
            pass
        for frame in self._episode.frames:
            if frame.tokens is not None:
                return frame.tokens
        return self._reply().usage.input_tokens

    async def other(self, kind: type[T]) -> T:
        """The answer of another kind of model. Raises the recorded Fault."""
        async for _ in self._pieces(streaming=False):
            pass
        for frame in self._episode.frames:
            if isinstance(frame.reply, msgspec.Raw):
                return msgspec.json.decode(frame.reply, type=kind)
        raise model_error()

    async def _pieces(self, *, streaming: bool) -> AsyncGenerator[list[Frame]]:
        """Frames as they came together, each lot after its wait; what failed then fails now."""
        for piece in _together(self._episode.frames):
            await self._wait(piece[0].wait_ms, streaming=streaming)
            good = [frame for frame in piece if frame.fault is None]
            if good:
                yield good
            for frame in piece:
                if frame.fault is not None:
                    raise frame.fault.fault()

    async def _wait(self, after_ms: int, *, streaming: bool) -> None:
        if not self._speed or not after_ms:
            return
        loop = asyncio.get_running_loop()
        until = loop.time() + after_ms / 1000 / self._speed
        await asyncio.sleep(min(until, self._attempt.deadline) - loop.time())
        if until > self._attempt.deadline:
            raise model_stream_error() if streaming else model_timeout()

    def _reply(self) -> ConverseReply:
        frames = self._episode.frames
        for frame in frames:
            if isinstance(frame.reply, msgspec.Raw):
                return _REPLY.decode(frame.reply)
            if isinstance(frame.native, msgspec.Raw):
                return self._dialect().read_reply(bytes(frame.native))
        return reply_of(self._told(frames))

    def _told(self, frames: list[Frame]) -> Iterator[StreamEvent]:
        reader = self._dialect().reader() if self._episode.head.dialect else None
        for frame in frames:
            if isinstance(frame.data, msgspec.Raw):
                yield _EVENTS[frame.event].decode(frame.data)
            elif isinstance(frame.chunk, msgspec.Raw) and reader is not None:
                yield from reader.feed(bytes(frame.chunk))
        if reader is not None:
            yield from reader.close()

    def _dialect(self) -> Dialect:
        found = dialect_named(self._episode.head.dialect)
        if found is None:
            raise model_error(f"The recording speaks {self._episode.head.dialect!r}, which this version does not know.")
        return found

    def _shown(self, request: ConverseRequest, body: bytes) -> Shown:
        return Shown(self._model, request, self._attempt.request_id, body)


def _together(frames: list[Frame]) -> Iterator[list[Frame]]:
    """Frames that came at one time, as lots."""
    lot: list[Frame] = []
    for frame in frames:
        if lot and frame.wait_ms:
            yield lot
            lot = []
        lot.append(frame)
    if lot:
        yield lot


def _chunks(frames: Iterable[Frame]) -> Iterator[bytes]:
    for frame in frames:
        if isinstance(frame.chunk, msgspec.Raw):
            yield bytes(frame.chunk)
