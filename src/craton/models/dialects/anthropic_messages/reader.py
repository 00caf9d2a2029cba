"""Streams read: Anthropic Messages → canonical events.

Text deltas are the hot path: one decode into a small Struct, one Struct out. Blocks of a type that Converse cannot
show are left out with their deltas, as are pings and event types of the future.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET

from craton.aws.wire.faults import Fault, model_stream_error, throttled, unavailable, validation
from craton.models.canon import events as canon
from craton.models.canon.content import ContentBlock, ToolResultBlock, ToolUseBlock
from craton.models.canon.events import BlockDelta, BlockStart, BlockStop, Delta, ReasoningDelta, StreamEvent
from craton.models.canon.reply import Metrics
from craton.models.dialects.anthropic_messages import schema as native
from craton.models.dialects.anthropic_messages.citations import read_citation
from craton.models.dialects.anthropic_messages.content import read_block
from craton.models.dialects.anthropic_messages.reply import STOP_REASONS, UNREADABLE, read_usage

CUT_SHORT = "The model's answer ended before it was complete."
_LONGEST = 1000


class _Delta(msgspec.Struct):
    type: str = ""
    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None
    signature: str | None = None
    citation: native.Citation | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None


class _Start(msgspec.Struct):
    usage: native.Usage = msgspec.field(default_factory=native.Usage)


class _Event(msgspec.Struct):
    type: str
    index: int = 0
    delta: _Delta | None = None
    content_block: native.OptionalRaw = None
    message: _Start | None = None
    usage: native.Usage | None = None
    error: native.VendorError | None = None


_EVENT = msgspec.json.Decoder(_Event)
_BLOCK: msgspec.json.Decoder[native.AnyBlock] = msgspec.json.Decoder(native.AnyBlock)


def error_fault(error: native.VendorError | None) -> Fault:
    """The fault for an `error` event; the vendor's own text is shown, cut to a sane length."""
    kind, text = (error.type, error.message[:_LONGEST]) if error is not None else ("", "")
    if kind == "rate_limit_error":
        return throttled()
    if kind == "overloaded_error":
        return unavailable()
    if kind == "invalid_request_error":
        return validation(f"The model returned the following errors: {text}")
    return model_stream_error(original_message=text or None)


class Reader:
    """Anthropic's events → the canon's. Feed the data of one server-sent event, or one chunk, at a time."""

    __slots__ = ("_done", "_open", "_usage")

    def __init__(self) -> None:
        self._usage = native.Usage()
        self._open: set[int] = set()
        self._done = False

    def feed(self, data: bytes, event: str = "") -> list[StreamEvent]:
        try:
            found = _EVENT.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise model_stream_error(UNREADABLE) from None
        kind, delta = found.type, found.delta
        if kind == "content_block_delta" and delta is not None:
            if found.index not in self._open:
                return []
            if delta.text is not None:
                return [BlockDelta(Delta(delta.text), found.index)]
            read = _read_delta(delta)
            return [BlockDelta(read, found.index)] if read is not None else []
        if kind == "content_block_start":
            return self._start_block(found)
        if kind == "content_block_stop" and found.index in self._open:
            self._open.discard(found.index)
            return [BlockStop(found.index)]
        return self._message_event(found)

    def _message_event(self, found: _Event) -> list[StreamEvent]:
        if found.type == "message_start":
            if found.message is not None:
                self._take_usage(found.message.usage)
            return [canon.MessageStart("assistant")]
        if found.type == "message_delta":
            self._take_usage(found.usage)
            delta = found.delta or _Delta()
            stop = STOP_REASONS.get(delta.stop_reason or "", "end_turn")
            return [canon.MessageStop(stop, stop_sequence=delta.stop_sequence)]
        if found.type == "message_stop":
            self._done = True
            return [canon.StreamMetadata(read_usage(self._usage), Metrics(0))]
        if found.type == "error":
            raise error_fault(found.error)
        return []  # ping, and event types of the future

    def _start_block(self, found: _Event) -> list[StreamEvent]:
        try:
            native_block = _BLOCK.decode(found.content_block or b"{}")
            block = read_block(native_block)
        except (msgspec.ValidationError, RecursionError):
            return []  # a block of a type that Converse cannot show: its deltas are left out too
        index = found.index
        self._open.add(index)
        return _start_events(block, native_block, index)

    def _take_usage(self, found: native.Usage | None) -> None:
        """The last value of each member holds; an absent one takes nothing back."""
        if found is not None:
            for name in native.Usage.__struct_fields__:
                value = getattr(found, name)
                if value is not None:
                    setattr(self._usage, name, value)

    def close(self) -> list[StreamEvent]:
        if not self._done:
            raise model_stream_error(CUT_SHORT)
        return []


def _start_events(block: ContentBlock, native_block: native.AnyBlock, index: int) -> list[StreamEvent]:
    """What a block's start tells: tools have a start of their own, the rest only what it already holds."""
    use, result, reasoning = block.tool_use, block.tool_result, block.reasoning_content
    if use is not None:
        return _tool_start(use, index)
    if result is not None:
        return _result_start(result, index)
    if isinstance(native_block, native.Text):
        return [canon.text_delta(native_block.text, index)] if native_block.text else []
    if reasoning is not None and reasoning.redacted_content is not None:
        return [BlockDelta(Delta(reasoning_content=ReasoningDelta(redacted_content=reasoning.redacted_content)), index)]
    if isinstance(native_block, native.Thinking) and native_block.thinking:
        return [BlockDelta(Delta(reasoning_content=ReasoningDelta(text=native_block.thinking)), index)]
    return []


def _tool_start(use: ToolUseBlock, index: int) -> list[StreamEvent]:
    start = canon.Start(tool_use=canon.ToolUseStart(use.tool_use_id, use.name, use.type))
    events: list[StreamEvent] = [BlockStart(start, index)]
    given = bytes(use.input).strip()
    if given[1:-1].strip():
        events.append(BlockDelta(Delta(tool_use=canon.ToolUseDelta(given.decode())), index))
    return events


def _result_start(result: ToolResultBlock, index: int) -> list[StreamEvent]:
    start = canon.Start(tool_result=canon.ToolResultStart(result.tool_use_id, result.type))
    parts = [canon.ToolResultDelta(json=part.json) for part in result.content if part.json is not UNSET]
    return [BlockStart(start, index), BlockDelta(Delta(tool_result=parts), index)]


def _read_delta(delta: _Delta) -> Delta | None:
    if delta.partial_json is not None:
        return Delta(tool_use=canon.ToolUseDelta(delta.partial_json))
    if delta.thinking is not None:
        return Delta(reasoning_content=ReasoningDelta(text=delta.thinking))
    if delta.signature is not None:
        return Delta(reasoning_content=ReasoningDelta(signature=delta.signature))
    if delta.citation is not None:
        cited = read_citation(delta.citation)
        source = [canon.SourceText(part.text) for part in cited.source_content] if cited.source_content else None
        return Delta(citation=canon.CitationDelta(cited.title, cited.source, source, cited.location))
    return None
