"""A stream that is one block of text: the events around the pieces, for schemas that stream nothing else.

Owns: the order of canonical events on the reading side, and the ends of native chunks on the writing side. Must not
know any schema. Text pieces are the hot path: one list and one event each.
"""

from __future__ import annotations

import msgspec

from craton.aws.wire.faults import model_stream_error
from craton.models.canon.events import (
    BlockDelta,
    BlockStop,
    Delta,
    MessageStart,
    MessageStop,
    StreamEvent,
    StreamMetadata,
)
from craton.models.canon.reply import Metrics, StopReason, Usage
from craton.models.dialects.dialect import InvocationMetrics

_encode = msgspec.json.Encoder().encode


class TextEvents:
    """What a reader of such a schema says: `text` for each piece, `end` once."""

    __slots__ = ("_begun", "ended")

    def __init__(self) -> None:
        self._begun = False
        self.ended = False

    def text(self, piece: str) -> list[StreamEvent]:
        if self._begun:
            return [BlockDelta(Delta(piece), 0)] if piece else []
        self._begun = True
        return [MessageStart("assistant"), BlockDelta(Delta(piece), 0)]

    def end(self, reason: StopReason, used: Usage, stop_sequence: str | None = None) -> list[StreamEvent]:
        """The last events. Whatever follows natively is to be ignored (`ended`)."""
        events = [] if self._begun else self.text("")
        self.ended = True
        stop = MessageStop(reason, stop_sequence=stop_sequence)
        return [*events, BlockStop(0), stop, StreamMetadata(used, Metrics(0))]

    def close(self) -> list[StreamEvent]:
        """Raises ModelStreamErrorException if the native stream broke off."""
        if not self.ended:
            raise model_stream_error()
        return []


class Ending:
    """What a writer gathers of the events that carry no text, for its last chunk."""

    __slots__ = ("stop_reason", "stop_sequence", "usage")

    def __init__(self) -> None:
        self.stop_reason: StopReason = "end_turn"
        self.stop_sequence: str | None = None
        self.usage: Usage | None = None

    def note(self, event: StreamEvent) -> None:
        if isinstance(event, MessageStop):
            self.stop_reason = event.stop_reason
            self.stop_sequence = event.stop_sequence
        elif isinstance(event, StreamMetadata):
            self.usage = event.usage


def with_metrics(chunk: bytes, metrics: InvocationMetrics) -> bytes:
    """A last chunk (a JSON object with members) with Bedrock's metrics."""
    return b'%b,"amazon-bedrock-invocationMetrics":%b}' % (chunk[:-1], _encode(metrics))


def text_of(event: StreamEvent) -> str | None:
    """The text of a text piece, None for any other event."""
    return event.delta.text if type(event) is BlockDelta else None
