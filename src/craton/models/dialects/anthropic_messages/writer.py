"""Streams written: canonical events → Anthropic Messages' chunks.

Text deltas are the hot path: one `encode` and one join. The canon's blocks have no start event for text and
reasoning, Anthropic's all have one, so it is made up at the first delta. The canon knows the usage last, so
`message_start` says zero and `message_delta` says all.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET

from craton.models.canon import events as canon
from craton.models.canon.content import Citation, TextPart
from craton.models.canon.events import BlockDelta, BlockStart, BlockStop, Delta, StreamEvent
from craton.models.canon.reply import usage
from craton.models.dialects.anthropic_messages import schema as native
from craton.models.dialects.anthropic_messages.citations import write_citation
from craton.models.dialects.anthropic_messages.reply import NATIVE_STOP_REASONS, message_id, model_name, write_usage
from craton.models.dialects.dialect import InvocationMetrics, Shown

_encode = msgspec.json.encode


class Writer:
    """The canon's events → Anthropic's chunks, with `message_stop` kept back for `finish`."""

    __slots__ = ("_open", "_result", "_shown", "_stop")

    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self._open = -1
        self._stop: canon.MessageStop | None = None
        self._result: canon.ToolResultStart | None = None

    def write(self, event: StreamEvent) -> list[bytes]:
        if isinstance(event, BlockDelta):
            index, text = event.content_block_index, event.delta.text
            if text is not None and index == self._open:
                return [
                    b'{"type":"content_block_delta","index":%d,"delta":{"type":"text_delta","text":%b}}'
                    % (index, _encode(text))
                ]
            return self._write_delta(event.delta, index)
        return self._write_frame(event)

    def _write_frame(self, event: StreamEvent) -> list[bytes]:
        if isinstance(event, canon.MessageStart):
            return [self._message_start()]
        if isinstance(event, BlockStart):
            return self._write_start(event)
        if isinstance(event, BlockStop):
            index = event.content_block_index
            opened = [] if index == self._open else [self._start(index, _TEXT_START)]
            self._open = -1
            return [*opened, _encode({"type": "content_block_stop", "index": index})]
        if isinstance(event, canon.MessageStop):
            self._stop = event
            return []
        if isinstance(event, canon.StreamMetadata):
            return self._message_delta(write_usage(event.usage))
        return []

    def finish(self, metrics: InvocationMetrics | None) -> list[bytes]:
        """The rest of the stream; without metrics (an Anthropic-shaped door) a bare `message_stop` ends it."""
        last: dict[str, Any] = {"type": "message_stop"}
        if metrics is not None:
            last["amazon-bedrock-invocationMetrics"] = metrics
        read, made = (metrics.inputTokenCount, metrics.outputTokenCount) if metrics is not None else (0, 0)
        return [*self._message_delta(write_usage(usage(read, made))), _encode(last)]

    def _message_start(self) -> bytes:
        message = native.WrittenReply(
            id=message_id(self._shown),
            type="message",
            role="assistant",
            model=model_name(self._shown.model),
            content=[],
            stop_reason=None,
            stop_sequence=None,
            usage=write_usage(usage(0, 0)),
        )
        return _encode({"type": "message_start", "message": message})

    def _message_delta(self, used: native.Usage) -> list[bytes]:
        stop, self._stop = self._stop, None
        if stop is None:
            return []
        delta = {"stop_reason": NATIVE_STOP_REASONS[stop.stop_reason], "stop_sequence": stop.stop_sequence}
        return [_encode({"type": "message_delta", "delta": delta, "usage": used})]

    def _start(self, index: int, block: dict[str, Any]) -> bytes:
        self._open = index
        return _encode({"type": "content_block_start", "index": index, "content_block": block})

    def _write_start(self, event: BlockStart) -> list[bytes]:
        use, result = event.start.tool_use, event.start.tool_result
        if use is not None:
            block = {"type": use.type or "tool_use", "id": use.tool_use_id, "name": use.name, "input": {}}
            return [self._start(event.content_block_index, block)]
        if result is not None:
            # The content of a vendor's own tool comes whole, in the canon's delta: the native block starts there.
            self._result = result
        return []

    def _write_result(self, parts: list[canon.ToolResultDelta], index: int) -> list[bytes]:
        result, self._result = self._result, None
        content = next((part.json for part in parts if part.json is not UNSET), None)
        if result is None or result.type is None or content is None:
            return []
        return [self._start(index, {"type": result.type, "tool_use_id": result.tool_use_id, "content": content})]

    def _write_delta(self, delta: Delta, index: int) -> list[bytes]:
        if delta.tool_result is not None:
            return self._write_result(delta.tool_result, index)
        start, written = _write_delta(delta)
        chunks = []
        if index != self._open and start is not None:
            chunks.append(self._start(index, start))
        if written is not None:
            chunks.append(_encode({"type": "content_block_delta", "index": index, "delta": written}))
        return chunks


_TEXT_START: dict[str, Any] = {"type": "text", "text": ""}
_THINKING_START: dict[str, Any] = {"type": "thinking", "thinking": "", "signature": ""}


def _write_delta(delta: Delta) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """The block that a delta opens if none is open, and the delta itself."""
    if delta.text is not None:
        return _TEXT_START, {"type": "text_delta", "text": delta.text}
    if delta.tool_use is not None:
        return None, {"type": "input_json_delta", "partial_json": delta.tool_use.input}
    reasoning = delta.reasoning_content
    if reasoning is not None:
        if reasoning.redacted_content is not None:
            data = reasoning.redacted_content.decode("utf-8", "replace")
            return {"type": "redacted_thinking", "data": data}, None
        if reasoning.signature is not None:
            return _THINKING_START, {"type": "signature_delta", "signature": reasoning.signature}
        return _THINKING_START, {"type": "thinking_delta", "thinking": reasoning.text}
    return _TEXT_START, _citation_delta(delta)


def _citation_delta(delta: Delta) -> dict[str, Any] | None:
    cited = delta.citation
    if cited is None:
        return None
    source = [TextPart(part.text or "") for part in cited.source_content] if cited.source_content else None
    written = write_citation(Citation(cited.title, cited.source, source, cited.location))
    return None if written is None else {"type": "citations_delta", "citation": written}
