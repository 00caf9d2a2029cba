"""Streams of schemas that answer with one text: chunks ↔ events, given what one chunk looks like.

Owns: what all such streams do alike, so that a dialect states only how a chunk is read and how it is written. Must not
know any schema. Text pieces are the hot path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from craton.models.canon.events import StreamEvent
from craton.models.canon.reply import StopReason, Usage, usage
from craton.models.dialects.dialect import InvocationMetrics
from craton.models.dialects.text_stream import Ending, TextEvents, text_of, with_metrics

_encode = msgspec.json.Encoder().encode

# The two words for why a text ended that Llama, Mistral and DeepSeek share; whatever else ends one is a "stop".
_STOP_REASONS: dict[str, StopReason] = {"stop": "end_turn", "length": "max_tokens"}
_CUT_OFF = frozenset({"max_tokens", "model_context_window_exceeded"})


def read_stop(word: str | None) -> StopReason:
    return _STOP_REASONS.get(word or "stop", "end_turn")


def write_stop(reason: StopReason) -> str:
    return "length" if reason in _CUT_OFF else "stop"


class Piece(NamedTuple):
    """What one chunk says. `reason` only on the last; counts where the schema tells them."""

    text: str
    reason: StopReason | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


class PieceReader:
    """Chunks → events. `take` reads one chunk and raises ModelStreamErrorException if it cannot."""

    __slots__ = ("_events", "_input_tokens", "_output_tokens", "_take")

    def __init__(self, take: Callable[[bytes], Piece]) -> None:
        self._take = take
        self._events = TextEvents()
        self._input_tokens = 0
        self._output_tokens = 0

    def feed(self, data: bytes, event: str = "") -> list[StreamEvent]:
        events = self._events
        if events.ended:
            return []
        text, reason, given, answered = self._take(data)
        if given is not None:
            self._input_tokens = given
        if answered is not None:
            self._output_tokens = answered
        if reason is None:
            return events.text(text)
        return [*events.text(text), *events.end(reason, usage(self._input_tokens, self._output_tokens))]

    def close(self) -> list[StreamEvent]:
        return self._events.close()


class PieceWriter:
    """Events → chunks: each is `before`, the text as a JSON string, `after`; `last` gives the members of the last one."""

    __slots__ = ("_after", "_before", "_ending", "_last")

    def __init__(self, before: bytes, after: bytes, last: Callable[[StopReason, Usage], Mapping[str, Any]]) -> None:
        self._before = before
        self._after = after
        self._last = last
        self._ending = Ending()

    def write(self, event: StreamEvent) -> list[bytes]:
        text = text_of(event)
        if text is None:
            self._ending.note(event)
            return []
        return [self._before + _encode(text) + self._after]

    def finish(self, metrics: InvocationMetrics) -> list[bytes]:
        used = self._ending.usage or usage(metrics.inputTokenCount, metrics.outputTokenCount)
        return [with_metrics(_encode(self._last(self._ending.stop_reason, used)), metrics)]


def prompt_tokens(used: Usage) -> int:
    """All that was read, for schemas that know no cache."""
    return used.input_tokens + (used.cache_read_input_tokens or 0) + (used.cache_write_input_tokens or 0)


def counts(metrics: InvocationMetrics | None) -> tuple[int | None, int | None]:
    """The counts that Bedrock puts on a last chunk."""
    return (metrics.inputTokenCount, metrics.outputTokenCount) if metrics is not None else (None, None)
