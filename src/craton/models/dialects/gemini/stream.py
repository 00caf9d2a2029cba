"""Gemini's streams ↔ canonical events: each chunk is a reply with the next parts.

There are no blocks, so they are made where the kind of a part changes; a call comes whole. The last chunk has the
reason to stop and the usage; the stream then ends without a mark. Must not know requests. A piece of text is the hot
path.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from craton.aws.wire.faults import model_stream_error
from craton.models.canon.content import MediaSource
from craton.models.canon.events import (
    BlockDelta,
    BlockStart,
    BlockStop,
    Delta,
    ImageDelta,
    ImageStart,
    MessageStart,
    MessageStop,
    ReasoningDelta,
    Start,
    StreamEvent,
    StreamMetadata,
    ToolUseDelta,
    ToolUseStart,
)
from craton.models.canon.reply import Metrics, StopReason, usage
from craton.models.dialects.dialect import InvocationMetrics, Shown
from craton.models.dialects.gemini import schema as native
from craton.models.dialects.gemini.parts import SIGNED, image_format
from craton.models.dialects.malformed import decode_chunk
from craton.models.dialects.openai_chat.reader import error_fault
from craton.models.dialects.text_stream import Ending, with_metrics
from craton.models.dialects.tool_calls import json_object, tool_use_id

_CHUNK = msgspec.json.Decoder(native.Answer)
_encode = msgspec.json.Encoder().encode
_TEXT, _THOUGHT = 1, 2


class Reader:
    """Chunks → events."""

    __slots__ = ("_begun", "_called", "_index", "_kind", "_stopped", "_told", "_usage")

    def __init__(self) -> None:
        self._begun = False
        self._called = False
        self._kind = 0  # of the block that is open; 0: none is
        self._index = 0  # of the block that is open, or of the next one
        self._stopped = False
        self._told = False
        self._usage: native.NativeUsage | None = None

    def feed(self, data: bytes, event: str = "") -> list[StreamEvent]:
        chunk = decode_chunk(_CHUNK, data)
        if bytes(chunk.error) not in (b"", b"null"):
            raise error_fault(chunk.error)
        self._usage = chunk.usage_metadata or self._usage
        events: list[StreamEvent] = [] if self._begun else [MessageStart("assistant")]
        self._begun = True
        feedback = chunk.prompt_feedback
        if chunk.candidates and not self._stopped:
            first = chunk.candidates[0]
            for part in first.content.parts if first.content is not None else ():
                self._part(part, events)
            if first.finish_reason is not None:
                self._stop(native.stop_reason(first.finish_reason, called=self._called), events)
        elif feedback is not None and feedback.block_reason is not None and not self._stopped:
            self._stop("content_filtered", events)
        if self._stopped and chunk.usage_metadata is not None:
            events += self._metadata()
        return events

    def close(self) -> list[StreamEvent]:
        """Raises ModelStreamErrorException if no reason to stop has come."""
        if not self._stopped:
            raise model_stream_error()
        return self._metadata()

    def _part(self, part: native.Part, events: list[StreamEvent]) -> None:
        if part.text and part.thought:
            self._say(_THOUGHT, Delta(reasoning_content=ReasoningDelta(text=part.text)), events)
        if part.thought_signature:
            signed = ReasoningDelta(signature=SIGNED + part.thought_signature)
            self._say(_THOUGHT, Delta(reasoning_content=signed), events)
            self._close_block(events)
        if part.text and not part.thought:
            self._say(_TEXT, Delta(part.text), events)
        if part.function_call is not None:
            self._call(part.function_call, events)
        if part.inline_data is not None:
            self._image(part.inline_data, events)

    def _image(self, blob: native.Blob, events: list[StreamEvent]) -> None:
        """A picture comes whole; the canon's streams know no other medium."""
        kind = image_format(blob)
        if kind is None:
            return
        self._close_block(events)
        source = MediaSource(bytes=blob.data)
        events += [
            BlockStart(Start(image=ImageStart(kind)), self._index),
            BlockDelta(Delta(image=ImageDelta(source)), self._index),
            BlockStop(self._index),
        ]
        self._index += 1

    def _say(self, kind: int, delta: Delta, events: list[StreamEvent]) -> None:
        if self._kind != kind:
            self._close_block(events)
            self._kind = kind
        events.append(BlockDelta(delta, self._index))

    def _call(self, call: native.Called, events: list[StreamEvent]) -> None:
        self._close_block(events)
        self._called = True
        events += [
            BlockStart(Start(tool_use=ToolUseStart(tool_use_id(call.id), call.name)), self._index),
            BlockDelta(Delta(tool_use=ToolUseDelta(_encode(call.args or {}).decode())), self._index),
            BlockStop(self._index),
        ]
        self._index += 1

    def _close_block(self, events: list[StreamEvent]) -> None:
        if self._kind:
            events.append(BlockStop(self._index))
            self._index += 1
            self._kind = 0

    def _stop(self, reason: StopReason, events: list[StreamEvent]) -> None:
        if not self._kind and not self._index:
            self._say(_TEXT, Delta(""), events)
        self._close_block(events)
        self._stopped = True
        events.append(MessageStop(reason))

    def _metadata(self) -> list[StreamEvent]:
        if self._told:
            return []
        self._told = True
        return [StreamMetadata(native.read_usage(self._usage), Metrics(0))]


class Writer:
    """Events → chunks. A call is written whole, a signature on the part that follows it."""

    __slots__ = ("_arguments", "_call", "_ending", "_shown", "_signature")

    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self._ending = Ending()
        self._call: ToolUseStart | None = None
        self._arguments: list[str] = []
        self._signature = ""

    def write(self, event: StreamEvent) -> list[bytes]:
        if type(event) is BlockDelta:
            return self._delta(event.delta)
        if isinstance(event, BlockStart):
            self._call, self._arguments = event.start.tool_use, []
        elif isinstance(event, BlockStop):
            return self._whole_call()
        elif isinstance(event, MessageStop) and self._signature:
            self._ending.note(event)
            return [self._chunk({"text": ""})]
        else:
            self._ending.note(event)
        return []

    def finish(self, metrics: InvocationMetrics) -> list[bytes]:
        used = self._ending.usage or usage(metrics.inputTokenCount, metrics.outputTokenCount)
        reason = native.FINISH_REASONS.get(self._ending.stop_reason, "STOP")
        last = {
            "candidates": [{"finishReason": reason, "index": 0}],
            "usageMetadata": native.write_usage(used),
            "modelVersion": self._shown.model,
            "responseId": self._shown.request_id,
        }
        return [with_metrics(_encode(last), metrics)]

    def _delta(self, delta: Delta) -> list[bytes]:
        if delta.text is not None:
            return [self._chunk({"text": delta.text})]
        if delta.tool_use is not None:
            self._arguments.append(delta.tool_use.input)
        reasoning = delta.reasoning_content
        if reasoning is not None and reasoning.text:
            return [self._chunk({"text": reasoning.text, "thought": True})]
        if reasoning is not None and reasoning.signature is not None and reasoning.signature.startswith(SIGNED):
            self._signature = reasoning.signature.removeprefix(SIGNED)
        return []

    def _whole_call(self) -> list[bytes]:
        call, self._call = self._call, None
        if call is None:
            return []
        given = json_object("".join(self._arguments)) or Raw(b"{}")
        return [self._chunk({"functionCall": {"id": call.tool_use_id, "name": call.name, "args": given}})]

    def _chunk(self, part: dict[str, object]) -> bytes:
        signature, self._signature = self._signature, ""
        if signature:
            part["thoughtSignature"] = signature
        return _encode({"candidates": [{"content": {"role": "model", "parts": [part]}, "index": 0}]})
