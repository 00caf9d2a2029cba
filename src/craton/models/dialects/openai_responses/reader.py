"""Streams read: OpenAI's events of a response → canonical events.

An item is a block of the canon, its index counts the blocks. Items of a kind that Converse cannot show are left out
with all that belongs to them. Text deltas are the hot path: one decode into a small Struct, one Struct out.
"""

from __future__ import annotations

import msgspec

from craton.aws.wire.faults import model_stream_error, throttled, unavailable
from craton.models.canon import events as canon
from craton.models.canon.events import BlockDelta, BlockStop, Delta, ReasoningDelta, StreamEvent
from craton.models.canon.reply import Metrics
from craton.models.dialects.malformed import decode_chunk
from craton.models.dialects.openai_chat.reader import error_fault
from craton.models.dialects.openai_responses import schema as native
from craton.models.dialects.openai_responses import seal
from craton.models.dialects.openai_responses.reply import read_usage, shown_item, stop_reason
from craton.models.dialects.tool_calls import tool_use_id

_EVENT = msgspec.json.Decoder(native.Event)
_LONGEST = 1000
_ENDS = frozenset({"response.completed", "response.incomplete"})
_FAILS = frozenset({"response.failed", "error"})
_NULL = msgspec.Raw(b"null")
_TEXT = frozenset({"response.output_text.delta", "response.refusal.delta"})
_REASONING = frozenset({"response.reasoning_summary_text.delta", "response.reasoning_text.delta"})


class Reader:
    """OpenAI's events → the canon's. Feed the data of one server-sent event at a time."""

    __slots__ = ("_block", "_done", "_kind", "_said", "_started", "_tools")

    def __init__(self) -> None:
        self._block = 0  # index of the block that is open, or of the next one
        self._kind = ""  # of the block that is open: text, reasoning, tool, or none
        self._said = False  # whether the open call has given arguments, or the open reasoning text
        self._started = False
        self._tools = False
        self._done = False

    def feed(self, data: bytes, event: str = "") -> list[StreamEvent]:
        if data.strip() == b"[DONE]":
            return []
        found = decode_chunk(_EVENT, data)
        kind = found.type or event
        if kind == "response.output_text.delta" and self._kind == "text":
            return [BlockDelta(Delta(found.delta), self._block)]
        events: list[StreamEvent] = []
        if not self._started:
            self._started = True
            events.append(canon.MessageStart("assistant"))
        if kind in _ENDS:
            self._end(found, events)
        elif kind in _FAILS or (found.error is not None and found.error != _NULL):
            self._fail(found)
        elif kind in _TEXT:
            self._open("text", events)
            events.append(BlockDelta(Delta(found.delta), self._block))
        elif kind in _REASONING:
            self._open("reasoning", events)
            self._said = True
            events.append(BlockDelta(Delta(reasoning_content=ReasoningDelta(text=found.delta)), self._block))
        elif kind == "response.function_call_arguments.delta" and self._kind == "tool":
            self._said = True
            events.append(BlockDelta(Delta(tool_use=canon.ToolUseDelta(found.delta)), self._block))
        elif found.item is not None:
            self._item(kind, found.item, events)
        return events

    def close(self) -> list[StreamEvent]:
        if not self._done:
            raise model_stream_error()
        return []

    def _item(self, kind: str, raw: msgspec.Raw, events: list[StreamEvent]) -> None:
        try:
            item = shown_item(raw)
        except msgspec.DecodeError:
            raise model_stream_error() from None
        if item is None:
            return
        if kind == "response.output_item.added":
            self._close_block(events)
            if item.type == "function_call":
                self._kind, self._said, self._tools = "tool", False, True
                use = canon.ToolUseStart(tool_use_id(item.call_id), item.name)
                events.append(canon.BlockStart(canon.Start(tool_use=use), self._block))
        elif kind == "response.output_item.done":
            self._finish_item(item, events)

    def _finish_item(self, item: native.OutputItem, events: list[StreamEvent]) -> None:
        """What only the whole item tells: arguments that came in one piece, and what was encrypted."""
        if item.type == "function_call" and self._kind == "tool" and not self._said and item.arguments:
            events.append(BlockDelta(Delta(tool_use=canon.ToolUseDelta(str(item.arguments))), self._block))
        sealed = seal.kept(item.id, item.encrypted_content) if item.type == "reasoning" else None
        if sealed is not None:
            said = self._kind == "reasoning" and self._said
            self._open("reasoning", events)
            delta = ReasoningDelta(signature=sealed) if said else ReasoningDelta(redacted_content=sealed.encode())
            events.append(BlockDelta(Delta(reasoning_content=delta), self._block))
        self._close_block(events)

    def _open(self, kind: str, events: list[StreamEvent]) -> None:
        if self._kind != kind:
            self._close_block(events)
            self._kind, self._said = kind, False

    def _close_block(self, events: list[StreamEvent]) -> None:
        if self._kind:
            events.append(BlockStop(self._block))
            self._block += 1
            self._kind = ""

    def _end(self, found: native.Event, events: list[StreamEvent]) -> None:
        self._close_block(events)
        response = found.response or native.Reply([])
        events.append(canon.MessageStop(stop_reason(response, tools=self._tools)))
        events.append(canon.StreamMetadata(read_usage(response.usage), Metrics(0)))
        self._done = True

    def _fail(self, found: native.Event) -> None:
        """Raises the fault for an error inside the stream."""
        told = found.response.error if found.response is not None else None
        code, message = (told.code, told.message) if told is not None else (found.code, found.message)
        if told is None and found.error is not None and not message:
            raise error_fault(found.error)
        if code == "rate_limit_exceeded":
            raise throttled()
        if code in ("server_is_overloaded", "overloaded"):
            raise unavailable()
        raise model_stream_error(original_message=message[:_LONGEST] if message else None)
