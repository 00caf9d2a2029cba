"""AI21's Jamba, piece by piece: chunks like OpenAI's ↔ canonical events.

Owns: the chunks, the order of blocks that they make, and the names of finish reasons. Must not know requests. A chunk
with text alone is the hot path.
"""

from __future__ import annotations

import msgspec

from craton.aws.wire.faults import model_stream_error
from craton.models.canon.events import (
    BlockDelta,
    BlockStart,
    BlockStop,
    Delta,
    MessageStart,
    MessageStop,
    Start,
    StreamEvent,
    StreamMetadata,
    ToolUseDelta,
    ToolUseStart,
)
from craton.models.canon.reply import Metrics, StopReason, Usage, usage
from craton.models.dialects.dialect import InvocationMetrics
from craton.models.dialects.malformed import decode_chunk
from craton.models.dialects.text_stream import Ending, with_metrics
from craton.models.dialects.tool_calls import tool_use_id

STOP_REASONS: dict[str, StopReason] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "content_filtered",
}
FINISH_REASONS: dict[str, str] = {
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
    "model_context_window_exceeded": "length",
}


class NativeUsage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _Call(msgspec.Struct):
    """A piece of a call: the first has its id and name, each has its place."""

    index: int = 0
    id: str | None = None
    function: _Function | None = None


class _Delta(msgspec.Struct):
    content: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: NativeUsage | None = None
    error: msgspec.Raw = msgspec.Raw()


_CHUNK = msgspec.json.Decoder(_Chunk)
_encode = msgspec.json.Encoder().encode


def native_usage(used: Usage) -> NativeUsage:
    """What was read from a cache counts as prompt here."""
    prompt = used.input_tokens + (used.cache_read_input_tokens or 0) + (used.cache_write_input_tokens or 0)
    return NativeUsage(prompt, used.output_tokens, prompt + used.output_tokens)


class Reader:
    """Chunks → events. Usage comes with the last choice or after it, then `[DONE]` on AI21's own API."""

    __slots__ = ("_begun", "_block", "_call", "_finished", "_next", "_told")

    def __init__(self) -> None:
        self._begun = False
        self._finished = False  # the finish reason has come
        self._told = False  # the metadata has gone out
        self._block = -1  # the open block
        self._call = -1  # the native place of the call that is open, -1 while text is
        self._next = 0

    def feed(self, data: bytes, event: str = "") -> list[StreamEvent]:
        if data == b"[DONE]":
            return self._metadata(None) if self._finished else []
        chunk = decode_chunk(_CHUNK, data)
        if chunk.error != _NO_ERROR:
            raise model_stream_error()
        events: list[StreamEvent] = [] if self._begun else [MessageStart("assistant")]
        self._begun = True
        choice = chunk.choices[0] if chunk.choices else None
        if choice is not None and not self._finished:
            delta = choice.delta
            if delta is not None:
                if delta.content:
                    self._text(delta.content, events)
                for call in delta.tool_calls or ():
                    self._slice(call, events)
            if choice.finish_reason is not None:
                self._finish(choice.finish_reason, events)
        if chunk.usage is not None and self._finished:
            events += self._metadata(chunk.usage)
        return events

    def close(self) -> list[StreamEvent]:
        """Raises ModelStreamErrorException if no finish reason has come."""
        if not self._finished:
            raise model_stream_error()
        return self._metadata(None)

    def _text(self, text: str, events: list[StreamEvent]) -> None:
        if self._block < 0 or self._call >= 0:
            self._open(-1, events)
        events.append(BlockDelta(Delta(text), self._block))

    def _slice(self, call: _Call, events: list[StreamEvent]) -> None:
        function = call.function or _Function()
        if call.index != self._call or (call.id and function.name):
            if not function.name:
                raise model_stream_error()
            self._open(call.index, events)
            events.append(BlockStart(Start(tool_use=ToolUseStart(tool_use_id(call.id), function.name)), self._block))
        if function.arguments:
            events.append(BlockDelta(Delta(tool_use=ToolUseDelta(function.arguments)), self._block))

    def _open(self, call: int, events: list[StreamEvent]) -> None:
        if self._block >= 0:
            events.append(BlockStop(self._block))
        self._block, self._call = self._next, call
        self._next += 1

    def _finish(self, reason: str, events: list[StreamEvent]) -> None:
        if self._block < 0:
            self._text("", events)
        self._finished = True
        events += [BlockStop(self._block), MessageStop(STOP_REASONS.get(reason, "end_turn"))]

    def _metadata(self, used: NativeUsage | None) -> list[StreamEvent]:
        if self._told:
            return []
        self._told = True
        counts = usage(used.prompt_tokens, used.completion_tokens) if used is not None else usage(0, 0)
        return [StreamMetadata(counts, Metrics(0))]


class Writer:
    """Events → chunks. Tool calls are numbered from 0 in the order in which they come."""

    __slots__ = ("_calls", "_ending", "_head")

    def __init__(self, request_id: str) -> None:
        self._head = b'{"id":%b,"choices":[{"index":0,"delta":' % _encode(f"chatcmpl-{request_id}")
        self._ending = Ending()
        self._calls = -1

    def write(self, event: StreamEvent) -> list[bytes]:
        if type(event) is BlockDelta:
            if event.delta.text is not None:
                return [b'%b{"content":%b},"finish_reason":null}]}' % (self._head, _encode(event.delta.text))]
            if event.delta.tool_use is not None:
                return self._call({"index": self._calls, "function": {"arguments": event.delta.tool_use.input}})
        elif isinstance(event, MessageStart):
            return [self._head + b'{"role":"assistant","content":""},"finish_reason":null}]}']
        elif isinstance(event, BlockStart) and event.start.tool_use is not None:
            self._calls += 1
            use = event.start.tool_use
            function = {"name": use.name, "arguments": ""}
            return self._call({"index": self._calls, "id": use.tool_use_id, "type": "function", "function": function})
        self._ending.note(event)
        return []

    def _call(self, call: dict[str, object]) -> list[bytes]:
        return [b'%b{"tool_calls":[%b]},"finish_reason":null}]}' % (self._head, _encode(call))]

    def finish(self, metrics: InvocationMetrics) -> list[bytes]:
        reason = FINISH_REASONS.get(self._ending.stop_reason, "stop")
        used = self._ending.usage or usage(metrics.inputTokenCount, metrics.outputTokenCount)
        last = b'%b{"content":""},"finish_reason":"%b"}],"usage":%b}' % (
            self._head,
            reason.encode(),
            _encode(native_usage(used)),
        )
        return [with_metrics(last, metrics)]


_NO_ERROR = msgspec.Raw()
