"""Streams read: OpenAI chat chunks → canonical events.

Text deltas are the hot path: one decode into a small Struct, one Struct out. OpenAI has no blocks, so they are made
where the kind of a delta changes; the canon's are opened and closed one after the other. Servers cut tool calls as
they like: a call starts when its name is whole, which its first arguments show, and ends where the next thing begins.
"""

from __future__ import annotations

import msgspec

from craton.aws.wire.faults import Fault, model_stream_error, throttled, unavailable, validation
from craton.models.canon import events as canon
from craton.models.canon.events import BlockDelta, BlockStop, Delta, StreamEvent
from craton.models.canon.reply import Metrics
from craton.models.dialects.openai_chat import schema as native
from craton.models.dialects.openai_chat.head import Head
from craton.models.dialects.openai_chat.reply import UNREADABLE, read_usage, stop_reason
from craton.models.dialects.tool_calls import tool_use_id

CUT_SHORT = "The model's answer ended before it was complete."
OUT_OF_ORDER = "The model's tool calls came in an order that cannot be told apart."
_LONGEST = 1000

_CHUNK = msgspec.json.Decoder(native.Chunk)


class _VendorError(msgspec.Struct):
    message: str = ""
    type: str | None = None
    code: str | int | None = None


_ERROR = msgspec.json.Decoder(_VendorError | str)


def error_fault(raw: msgspec.Raw) -> Fault:
    """The fault for an error inside a stream; the vendor's own text is shown, cut to a sane length."""
    try:
        error = _ERROR.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        error = ""
    if isinstance(error, str):
        error = _VendorError(error)
    text = error.message[:_LONGEST]
    code = str(error.code or error.type or "")
    if code in ("429", "rate_limit_exceeded", "rate_limit_error"):
        return throttled()
    if code in ("503", "overloaded_error", "service_unavailable"):
        return unavailable()
    if code in ("400", "422", "invalid_request_error", "BadRequestError"):
        return validation(f"The model returned the following errors: {text}")
    return model_stream_error(original_message=text or None)


class _Call:
    """A tool call whose start has not been told yet: its name may still come in pieces."""

    __slots__ = ("id", "index", "name", "started")

    def __init__(self, index: int | None, given_id: str | None) -> None:
        self.index = index
        self.id = given_id
        self.name = ""
        self.started = False


class Reader:
    """OpenAI's chunks → the canon's events. Feed the data of one server-sent event, or one chunk, at a time."""

    __slots__ = (
        "_block",
        "_call",
        "_closed_calls",
        "_finished",
        "_head",
        "_kind",
        "_sent_metadata",
        "_started",
        "_usage",
    )

    def __init__(self, head_tag: str = "") -> None:
        self._head: Head | None = Head(head_tag) if head_tag else None
        self._block = 0  # index of the block that is open, or of the next one
        self._kind = ""  # of the block that is open: text, reasoning, tool, or none
        self._call: _Call | None = None
        self._closed_calls: set[int] = set()
        self._started = False
        self._finished = False
        self._sent_metadata = False
        self._usage: native.Usage | None = None

    def feed(self, data: bytes, event: str = "") -> list[StreamEvent]:
        try:
            chunk = _CHUNK.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            if data.strip() == b"[DONE]":
                return self._done()
            raise model_stream_error(UNREADABLE) from None
        choices = chunk.choices
        if choices and self._kind == "text" and self._head is None:
            choice = choices[0]
            delta = choice.delta
            if (
                delta is not None
                and delta.content
                and choice.finish_reason is None
                and delta.tool_calls is None
                and delta.reasoning_content is None
                and delta.reasoning is None
                and choice.index == 0
                and chunk.usage is None
            ):
                return [BlockDelta(Delta(delta.content), self._block)]
        if choices is None and chunk.usage is None and chunk.error is None and b'"error"' in data:
            raise error_fault(msgspec.Raw(data))  # `{"object":"error","message":…}`, as earlier versions of vLLM say it
        return self._take(chunk)

    def close(self) -> list[StreamEvent]:
        if not self._finished:
            raise model_stream_error(CUT_SHORT)
        return self._metadata()

    def _take(self, chunk: native.Chunk) -> list[StreamEvent]:
        if chunk.error is not None and bytes(chunk.error) != b"null":
            raise error_fault(chunk.error)
        events: list[StreamEvent] = []
        if chunk.usage is not None:
            self._usage = chunk.usage
        for choice in chunk.choices or ():
            if choice.index == 0 and not self._finished:
                self._choice(choice, events)
        if self._finished and self._usage is not None:
            events += self._metadata()
        return events

    def _choice(self, choice: native.ChunkChoice, events: list[StreamEvent]) -> None:
        if not self._started:
            self._started = True
            events.append(canon.MessageStart("assistant"))
        delta = choice.delta
        if delta is not None:
            thought = delta.reasoning_content or delta.reasoning
            if thought:
                self._say("reasoning", thought, events)
            text = delta.content or delta.refusal
            if text:
                self._text(text, events)
            for piece in delta.tool_calls or ():
                self._tool(piece, events)
        if choice.finish_reason is not None:
            self._finish(choice.finish_reason, choice.stop_reason, events)

    def _text(self, text: str, events: list[StreamEvent]) -> None:
        if self._head is None:
            self._say("text", text, events)
            return
        for kind, piece in self._head.feed(text):
            self._say(kind, piece, events)
        if self._head.passed:
            self._head = None

    def _say(self, kind: str, text: str, events: list[StreamEvent]) -> None:
        if self._kind != kind:
            self._close_block(events)
            self._kind = kind
        delta = Delta(text) if kind == "text" else Delta(reasoning_content=canon.ReasoningDelta(text=text))
        events.append(BlockDelta(delta, self._block))

    def _tool(self, piece: native.Slice, events: list[StreamEvent]) -> None:
        call = self._call
        if call is None or self._is_next(piece, call):
            self._close_block(events)
            if piece.index is not None and piece.index in self._closed_calls and not piece.id:
                raise model_stream_error(OUT_OF_ORDER)
            call = self._call = _Call(piece.index, piece.id)
            self._kind = "tool"
        if piece.id and not call.started:
            call.id = piece.id
        function = piece.function
        if function is None:
            return
        if function.name and not call.started and function.name != call.name:
            call.name += function.name
        given = function.arguments
        if isinstance(given, dict):
            given = msgspec.json.encode(given).decode()
        if isinstance(given, str) and given:
            self._start_call(call, events)
            events.append(BlockDelta(Delta(tool_use=canon.ToolUseDelta(given)), self._block))

    def _is_next(self, piece: native.Slice, call: _Call) -> bool:
        """Some servers give no index, or the same for every call; then another id tells."""
        if piece.index is not None and call.index is not None and piece.index != call.index:
            return True
        return bool(piece.id and call.id and piece.id != call.id)

    def _start_call(self, call: _Call, events: list[StreamEvent]) -> None:
        if not call.started:
            call.started = True
            start = canon.Start(tool_use=canon.ToolUseStart(tool_use_id(call.id), call.name))
            events.append(canon.BlockStart(start, self._block))

    def _close_block(self, events: list[StreamEvent]) -> None:
        if not self._kind:
            return
        call, self._call = self._call, None
        if call is not None:
            self._start_call(call, events)
            if call.index is not None:
                self._closed_calls.add(call.index)
        events.append(BlockStop(self._block))
        self._block += 1
        self._kind = ""

    def _finish(self, finish: str, stopped_by: str | int | None, events: list[StreamEvent]) -> None:
        if self._head is not None:
            for kind, piece in self._head.close():
                self._say(kind, piece, events)
            self._head = None
        tools = self._kind == "tool" or bool(self._closed_calls)
        self._close_block(events)
        reason, sequence = stop_reason(finish, stopped_by, tools=tools)
        events.append(canon.MessageStop(reason, stop_sequence=sequence))
        self._finished = True

    def _done(self) -> list[StreamEvent]:
        """`[DONE]`: the end, also for a server that gave no reason."""
        events: list[StreamEvent] = []
        if not self._finished:
            self._choice(native.ChunkChoice(finish_reason="stop"), events)
        return events + self._metadata()

    def _metadata(self) -> list[StreamEvent]:
        if self._sent_metadata:
            return []
        self._sent_metadata = True
        return [canon.StreamMetadata(read_usage(self._usage), Metrics(0))]
