"""Command R, piece by piece: events of Cohere's first chat API ↔ canonical events.

Owns: `stream-start`, `text-generation`, `tool-calls-generation` and `stream-end`, which repeats the whole reply.
Cohere tells calls whole, after the text. Must not know requests. A piece of text is the hot path.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from craton.aws.wire.faults import model_stream_error
from craton.models.canon.content import ContentBlock, ToolUseBlock
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
from craton.models.canon.reply import Metrics, assistant_reply, usage
from craton.models.dialects.cohere_command import FAILED
from craton.models.dialects.cohere_command_r.reply import Answer, read_reason, read_usage, write_answer
from craton.models.dialects.cohere_command_r.turns import Call
from craton.models.dialects.dialect import InvocationMetrics, Shown
from craton.models.dialects.malformed import decode_chunk
from craton.models.dialects.text_stream import Ending, with_metrics
from craton.models.dialects.tool_calls import json_object, tool_use_id


class Chunk(msgspec.Struct, rename={"metrics": "amazon-bedrock-invocationMetrics"}):
    """Any event. `response` is the whole reply, on the last."""

    event_type: str = ""
    text: str = ""
    is_finished: bool = False
    finish_reason: str | None = None
    tool_calls: list[Call] | None = None
    citations: list[Any] | None = None
    response: Answer | None = None
    metrics: InvocationMetrics | None = None


_CHUNK = msgspec.json.Decoder(Chunk)
_encode = msgspec.json.Encoder().encode


class Reader:
    """Cohere's events → the canon's. Events of other kinds (queries, results) say nothing here."""

    __slots__ = ("_begun", "_called", "_citations", "_ended", "_next", "_open")

    def __init__(self) -> None:
        self._begun = False
        self._citations: list[Any] = []
        self._open = False  # a block of text is
        self._next = 0
        self._called = False
        self._ended = False

    def feed(self, data: bytes, event: str = "") -> list[StreamEvent]:
        if self._ended:
            return []
        chunk = decode_chunk(_CHUNK, data)
        if self._open and chunk.event_type == "text-generation":
            return [BlockDelta(Delta(chunk.text), self._next)] if chunk.text else []
        events: list[StreamEvent] = [] if self._begun else [MessageStart("assistant")]
        self._begun = True
        if chunk.event_type == "text-generation":
            self._text(chunk.text, events)
        elif chunk.event_type == "tool-calls-generation":
            self._calls(chunk.tool_calls or [], events)
        elif chunk.event_type == "citation-generation":
            self._citations += chunk.citations or []
        elif chunk.event_type == "stream-end" or chunk.is_finished:
            self._end(chunk, events)
        return events

    def close(self) -> list[StreamEvent]:
        """Raises ModelStreamErrorException if the native stream broke off."""
        if not self._ended:
            raise model_stream_error()
        return []

    def _text(self, text: str, events: list[StreamEvent]) -> None:
        self._open = True
        events.append(BlockDelta(Delta(text), self._next))

    def _close_text(self, events: list[StreamEvent]) -> None:
        if self._open:
            self._open = False
            events.append(BlockStop(self._next))
            self._next += 1

    def _calls(self, calls: list[Call], events: list[StreamEvent]) -> None:
        self._close_text(events)
        for call in calls:
            self._called = True
            given = msgspec.json.encode(call.parameters).decode()
            events += [
                BlockStart(Start(tool_use=ToolUseStart(tool_use_id(None), call.name)), self._next),
                BlockDelta(Delta(tool_use=ToolUseDelta(given)), self._next),
                BlockStop(self._next),
            ]
            self._next += 1

    def _end(self, chunk: Chunk, events: list[StreamEvent]) -> None:
        answer = chunk.response or Answer()
        reason = (chunk.finish_reason or answer.finish_reason or "COMPLETE").upper()
        if reason == FAILED:
            raise model_stream_error()
        if answer.tool_calls and not self._called:
            self._calls(answer.tool_calls, events)
        if not self._open and not self._called:
            self._text("", events)
        self._close_text(events)
        self._ended = True
        used = read_usage(answer.meta, chunk.metrics or answer.metrics)
        stop = MessageStop(read_reason(reason, called=self._called))
        citations = self._citations or answer.citations
        if citations:
            stop.additional_model_response_fields = {"citations": citations}
        events += [stop, StreamMetadata(used, Metrics(0))]


class Writer:
    """The canon's events → Cohere's. The last one holds the whole reply, so all pieces are kept until then."""

    __slots__ = ("_arguments", "_call", "_calls", "_ending", "_shown", "_texts")

    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self._texts: list[str] = []
        self._calls: list[ToolUseBlock] = []
        self._call: ToolUseStart | None = None
        self._arguments: list[str] = []
        self._ending = Ending()

    def write(self, event: StreamEvent) -> list[bytes]:
        if type(event) is BlockDelta:
            text = event.delta.text
            if text is not None:
                self._texts.append(text)
                return [b'{"event_type":"text-generation","text":%b,"is_finished":false}' % _encode(text)]
            if event.delta.tool_use is not None:
                self._arguments.append(event.delta.tool_use.input)
        elif isinstance(event, MessageStart):
            start = {"event_type": "stream-start", "generation_id": self._shown.request_id, "is_finished": False}
            return [_encode(start)]
        elif isinstance(event, BlockStart):
            self._call, self._arguments = event.start.tool_use, []
        elif isinstance(event, BlockStop):
            self._keep_call()
        else:
            self._ending.note(event)
            if isinstance(event, MessageStop):
                return self._all_calls()
        return []

    def finish(self, metrics: InvocationMetrics) -> list[bytes]:
        text = "".join(self._texts)
        blocks = [ContentBlock(text=text)] if text or not self._calls else []
        blocks += [ContentBlock(tool_use=call) for call in self._calls]
        used = self._ending.usage or usage(metrics.inputTokenCount, metrics.outputTokenCount)
        whole = write_answer(assistant_reply(blocks, self._ending.stop_reason, used), self._shown)
        end = {
            "event_type": "stream-end",
            "finish_reason": whole["finish_reason"],
            "response": whole,
            "is_finished": True,
        }
        return [with_metrics(_encode(end), metrics)]

    def _keep_call(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            given = json_object("".join(self._arguments)) or Raw(b"{}")
            self._calls.append(ToolUseBlock(call.tool_use_id, call.name, given))

    def _all_calls(self) -> list[bytes]:
        if not self._calls:
            return []
        calls = [{"name": call.name, "parameters": call.input} for call in self._calls]
        return [_encode({"event_type": "tool-calls-generation", "tool_calls": calls, "is_finished": False})]
