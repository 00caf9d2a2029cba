"""Streams written: canonical events → OpenAI chat chunks.

Text deltas are the hot path: everything around the text is prepared once per stream. OpenAI has no blocks; a tool
call's index counts the calls. No `[DONE]` is written: on Bedrock the last chunk carries the metrics instead, and a
door adds its own.
"""

from __future__ import annotations

from typing import Any

import msgspec

from craton.models.canon import events as canon
from craton.models.canon.events import BlockDelta, BlockStart, Delta, StreamEvent
from craton.models.canon.reply import Usage, usage
from craton.models.dialects.dialect import InvocationMetrics, Shown
from craton.models.dialects.openai_chat.reply import FINISH_REASONS, completion_id, write_usage

_encode = msgspec.json.encode


class Writer:
    """The canon's events → OpenAI's chunks; the one with the finish reason is kept back for `finish`.

    `head_tag`: reasoning is written in this tag at the head of the text, instead of in `reasoning_content`.
    """

    __slots__ = ("_before", "_calls", "_frame", "_head_tag", "_in_head", "_shown", "_stop", "_usage")

    def __init__(self, shown: Shown, *, created: int, head_tag: str) -> None:
        self._shown = shown
        self._frame: dict[str, Any] = {
            "id": completion_id(shown),
            "object": "chat.completion.chunk",
            "created": created,
            "model": shown.model,
        }
        self._before = _encode(self._frame)[:-1] + b',"choices":[{"index":0,"delta":{"content":'
        self._head_tag = head_tag
        self._in_head = False
        self._calls = -1
        self._stop: canon.MessageStop | None = None
        self._usage: Usage | None = None

    def write(self, event: StreamEvent) -> list[bytes]:
        if isinstance(event, BlockDelta):
            text = event.delta.text
            if text is not None and not self._in_head:
                return [self._before + _encode(text) + b'},"finish_reason":null}]}']
            return self._write_delta(event.delta)
        if isinstance(event, canon.MessageStart):
            return [self._chunk({"role": "assistant", "content": ""})]
        if isinstance(event, BlockStart):
            return self._leave_head() + self._write_start(event)
        if isinstance(event, canon.MessageStop):
            self._stop = event
            return self._leave_head()
        if isinstance(event, canon.StreamMetadata):
            self._usage = event.usage
        return []

    def finish(self, metrics: InvocationMetrics | None) -> list[bytes]:
        """The chunk with the finish reason, and one with the usage if the caller asked for it.

        Without metrics (an OpenAI-shaped door) none are written.
        """
        reason = FINISH_REASONS[self._stop.stop_reason] if self._stop is not None else "stop"
        chunks: list[dict[str, Any]] = [{**self._frame, "choices": [_choice({}, reason)]}]
        if self._asks_usage():
            used = self._usage
            if used is None:
                used = usage(metrics.inputTokenCount, metrics.outputTokenCount) if metrics is not None else usage(0, 0)
            chunks.append({**self._frame, "choices": [], "usage": write_usage(used)})
        if metrics is not None:
            chunks[-1]["amazon-bedrock-invocationMetrics"] = metrics
        return [_encode(chunk) for chunk in chunks]

    def _asks_usage(self) -> bool:
        options = (self._shown.request.additional_model_request_fields or {}).get("stream_options")
        return isinstance(options, dict) and options.get("include_usage") is True

    def _chunk(self, delta: dict[str, Any]) -> bytes:
        return _encode({**self._frame, "choices": [_choice(delta, None)]})

    def _write_delta(self, delta: Delta) -> list[bytes]:
        if delta.text is not None:
            return [*self._leave_head(), self._chunk({"content": delta.text})]
        if delta.tool_use is not None:
            call = {"index": max(self._calls, 0), "function": {"arguments": delta.tool_use.input}}
            return [self._chunk({"tool_calls": [call]})]
        reasoning = delta.reasoning_content
        if reasoning is None or reasoning.text is None:
            return []  # a signature, a citation: the schema has no place for them
        if not self._head_tag:
            return [self._chunk({"reasoning_content": reasoning.text})]
        opening = "" if self._in_head else f"<{self._head_tag}>"
        self._in_head = True
        return [self._chunk({"content": opening + reasoning.text})]

    def _leave_head(self) -> list[bytes]:
        if not self._in_head:
            return []
        self._in_head = False
        return [self._chunk({"content": f"</{self._head_tag}>"})]

    def _write_start(self, event: BlockStart) -> list[bytes]:
        use = event.start.tool_use
        if use is None:
            return []
        self._calls += 1
        function = {"name": use.name, "arguments": ""}
        call = {"index": self._calls, "id": use.tool_use_id, "type": "function", "function": function}
        return [self._chunk({"tool_calls": [call]})]


def _choice(delta: dict[str, Any], finish_reason: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish_reason}
