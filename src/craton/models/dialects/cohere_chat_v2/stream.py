"""Cohere's second chat API, piece by piece: its typed events ↔ the canon's, and the words that replies share with them.

Cohere's blocks are numbered per kind and end with an event of their own; the plan before calls has no block at all.
The canon's are opened where the kind of a delta changes. Must not know requests. A piece of text is the hot path.
Source, from memory: Cohere's API reference, "Chat with streaming" (v2).
"""

from __future__ import annotations

from typing import Any

import msgspec

from craton.aws.wire.faults import model_stream_error
from craton.models.canon.events import (
    BlockDelta,
    BlockStart,
    BlockStop,
    Delta,
    MessageStart,
    MessageStop,
    ReasoningDelta,
    Start,
    StreamEvent,
    StreamMetadata,
    ToolUseDelta,
    ToolUseStart,
)
from craton.models.canon.reply import Metrics, StopReason, Usage, usage
from craton.models.dialects.dialect import InvocationMetrics
from craton.models.dialects.malformed import decode_chunk
from craton.models.dialects.text_pieces import prompt_tokens
from craton.models.dialects.text_stream import Ending, with_metrics
from craton.models.dialects.tool_calls import tool_use_id

STOP_REASONS: dict[str, StopReason] = {
    "COMPLETE": "end_turn",
    "STOP_SEQUENCE": "stop_sequence",
    "MAX_TOKENS": "max_tokens",
    "TOOL_CALL": "tool_use",
    "ERROR_TOXIC": "content_filtered",
}
FINISH_REASONS: dict[StopReason, str] = {
    **{reason: native for native, reason in STOP_REASONS.items()},
    "guardrail_intervened": "ERROR_TOXIC",
    "model_context_window_exceeded": "MAX_TOKENS",
}
FAILED = frozenset({"ERROR", "TIMEOUT"})
_LONGEST = 1000


class Units(msgspec.Struct):
    """Cohere counts in floating point."""

    input_tokens: float = 0
    output_tokens: float = 0


class NativeUsage(msgspec.Struct, omit_defaults=True):
    """`tokens` is what the model read and wrote, `billed_units` what is charged for."""

    billed_units: Units | None = None
    tokens: Units | None = None
    cached_tokens: float | None = None


class _Content(msgspec.Struct):
    text: str | None = None
    thinking: str | None = None


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _Call(msgspec.Struct):
    id: str | None = None
    function: _Function | None = None


class _Message(msgspec.Struct):
    """In `message-start` these are empty lists."""

    content: _Content | list[Any] | None = None
    tool_plan: str | None = None
    tool_calls: _Call | list[Any] | None = None
    citations: Any = None


class _Delta(msgspec.Struct):
    message: _Message | None = None
    finish_reason: str | None = None
    usage: NativeUsage | None = None
    error: str | None = None


class _Event(msgspec.Struct):
    type: str = ""
    delta: _Delta | None = None


_EVENT = msgspec.json.Decoder(_Event)
_encode = msgspec.json.Encoder().encode
_NOTHING = _Delta()
_TEXT, _THOUGHT, _CALL = 1, 2, 3


def read_usage(native: NativeUsage | None) -> Usage:
    """The canon counts what came from a cache apart."""
    counted = (native.tokens or native.billed_units) if native is not None else None
    if native is None or counted is None:
        return usage(0, 0)
    cached = int(native.cached_tokens) if native.cached_tokens else None
    return usage(max(int(counted.input_tokens) - (cached or 0), 0), int(counted.output_tokens), cached)


def native_usage(used: Usage) -> NativeUsage:
    units = Units(prompt_tokens(used), used.output_tokens)
    return NativeUsage(units, units, used.cache_read_input_tokens)


class Reader:
    """Cohere's events → the canon's."""

    __slots__ = ("_begun", "_citations", "_ended", "_index", "_kind")

    def __init__(self) -> None:
        self._begun = False
        self._ended = False
        self._kind = 0  # of the block that is open; 0: none is
        self._index = 0  # of the block that is open, or of the next one
        self._citations: list[Any] = []

    def feed(self, data: bytes, event: str = "") -> list[StreamEvent]:
        if self._ended or data == b"[DONE]":
            return []
        found = decode_chunk(_EVENT, data)
        kind, delta = found.type or event, found.delta or _NOTHING
        message = delta.message
        if kind == "content-delta" and self._kind == _TEXT and message is not None:
            content = message.content
            if isinstance(content, _Content) and content.text:
                return [BlockDelta(Delta(content.text), self._index)]
        events: list[StreamEvent] = [] if self._begun else [MessageStart("assistant")]
        self._begun = True
        if message is not None:
            self._take(kind, message, events)
        elif kind == "message-end":
            self._end(delta, events)
        return events

    def close(self) -> list[StreamEvent]:
        """Raises ModelStreamErrorException if the stream broke off."""
        if not self._ended:
            raise model_stream_error()
        return []

    def _take(self, kind: str, message: _Message, events: list[StreamEvent]) -> None:
        content, call = message.content, message.tool_calls
        if isinstance(content, _Content):
            if content.thinking:
                self._say(_THOUGHT, Delta(reasoning_content=ReasoningDelta(text=content.thinking)), events)
            if content.text:
                self._say(_TEXT, Delta(content.text), events)
        elif message.tool_plan:
            self._say(_TEXT, Delta(message.tool_plan), events)
        elif isinstance(call, _Call):
            self._call(kind, call, events)
        elif kind == "citation-start" and message.citations is not None:
            self._citations.append(message.citations)

    def _say(self, kind: int, delta: Delta, events: list[StreamEvent]) -> None:
        if self._kind != kind:
            self._close_block(events)
            self._kind = kind
        events.append(BlockDelta(delta, self._index))

    def _call(self, kind: str, call: _Call, events: list[StreamEvent]) -> None:
        function = call.function or _Function()
        if kind == "tool-call-start":
            if not function.name:
                raise model_stream_error()
            self._close_block(events)
            self._kind = _CALL
            start = Start(tool_use=ToolUseStart(tool_use_id(call.id), function.name))
            events.append(BlockStart(start, self._index))
        elif self._kind != _CALL:
            raise model_stream_error()
        if function.arguments:
            events.append(BlockDelta(Delta(tool_use=ToolUseDelta(function.arguments)), self._index))

    def _close_block(self, events: list[StreamEvent]) -> None:
        if self._kind:
            events.append(BlockStop(self._index))
            self._index += 1
            self._kind = 0

    def _end(self, delta: _Delta, events: list[StreamEvent]) -> None:
        reason = (delta.finish_reason or "COMPLETE").upper()
        if reason in FAILED or delta.error:
            raise model_stream_error(original_message=(delta.error or "")[:_LONGEST] or None)
        if not self._kind and not self._index:
            self._say(_TEXT, Delta(""), events)
        self._close_block(events)
        self._ended = True
        stop = MessageStop(STOP_REASONS.get(reason, "end_turn"))
        if self._citations:
            stop.additional_model_response_fields = {"citations": self._citations}
        events += [stop, StreamMetadata(read_usage(delta.usage), Metrics(0))]


class Writer:
    """The canon's events → Cohere's. What is said before a call cannot be known to be a plan, so it is text."""

    __slots__ = ("_calls", "_content", "_ending", "_id", "_open")

    def __init__(self, request_id: str) -> None:
        self._id = request_id
        self._ending = Ending()
        self._content = -1  # place of the last block of content
        self._calls = -1  # place of the last call
        self._open = 0

    def write(self, event: StreamEvent) -> list[bytes]:
        if type(event) is BlockDelta:
            text = event.delta.text
            if text is not None and self._open == _TEXT:
                return [
                    b'{"type":"content-delta","index":%d,"delta":{"message":{"content":{"text":%b}}}}'
                    % (self._content, _encode(text))
                ]
            return self._delta(event.delta)
        if isinstance(event, MessageStart):
            message = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
            return [_encode({"type": "message-start", "id": self._id, "delta": {"message": message}})]
        if isinstance(event, BlockStart):
            return self._start_call(event.start)
        if isinstance(event, BlockStop):
            kind, self._open = self._open, 0
            if not kind:
                return []
            place = self._calls if kind == _CALL else self._content
            return [_encode({"type": "tool-call-end" if kind == _CALL else "content-end", "index": place})]
        self._ending.note(event)
        return []

    def finish(self, metrics: InvocationMetrics) -> list[bytes]:
        used = self._ending.usage or usage(metrics.inputTokenCount, metrics.outputTokenCount)
        reason = FINISH_REASONS.get(self._ending.stop_reason, "COMPLETE")
        delta = {"finish_reason": reason, "usage": native_usage(used)}
        return [with_metrics(_encode({"type": "message-end", "id": self._id, "delta": delta}), metrics)]

    def _delta(self, delta: Delta) -> list[bytes]:
        if delta.tool_use is not None:
            calls = {"function": {"arguments": delta.tool_use.input}}
            return [self._event("tool-call-delta", self._calls, {"tool_calls": calls})]
        reasoning = delta.reasoning_content
        kind, name, text = _TEXT, "text", delta.text
        if reasoning is not None:
            kind, name, text = _THOUGHT, "thinking", reasoning.text
        if text is None:
            return []
        chunks: list[bytes] = []
        if self._open != kind:
            self._open = kind
            self._content += 1
            chunks.append(self._event("content-start", self._content, {"content": {"type": name, name: ""}}))
        return [*chunks, self._event("content-delta", self._content, {"content": {name: text}})]

    def _start_call(self, start: Start) -> list[bytes]:
        use = start.tool_use
        if use is None:
            return []
        self._open = _CALL
        self._calls += 1
        call = {"id": use.tool_use_id, "type": "function", "function": {"name": use.name, "arguments": ""}}
        return [self._event("tool-call-start", self._calls, {"tool_calls": call})]

    def _event(self, kind: str, index: int, message: dict[str, Any]) -> bytes:
        return _encode({"type": kind, "index": index, "delta": {"message": message}})
