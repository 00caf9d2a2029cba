"""Streams written: canonical events → OpenAI's events of a response.

Each event has its number, and the ids and indexes of what it belongs to. Blocks of text that follow one another are
parts of one message; a call, or reasoning, is an item of its own. Text deltas are the hot path: all around the text
is prepared when its part begins. The events `response.created` and `response.in_progress` go before everything.
"""

from __future__ import annotations

from typing import Any

import msgspec

from craton.models.canon import events as canon
from craton.models.canon.events import BlockDelta, Delta, StreamEvent
from craton.models.canon.reply import StopReason, Usage, usage
from craton.models.dialects.dialect import InvocationMetrics
from craton.models.dialects.openai_responses import seal
from craton.models.dialects.openai_responses.frame import Frame, ended_status
from craton.models.dialects.openai_responses.reply import (
    call_item,
    message_item,
    reasoning_item,
    text_part,
)

Json = dict[str, Any]
_encode = msgspec.json.encode


class Writer:
    """The canon's events → OpenAI's; the last one, with the whole answer, is kept back for `finish`.

    `whole`: the answer, once it has come to its end.
    """

    __slots__ = (
        "_after", "_before", "_block", "_frame", "_given", "_item", "_kind", "_number", "_parts", "_said", "_sealed",
        "_stop", "_usage", "output", "whole",
    )  # fmt: skip

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._number = 0
        self.output: list[Json] = []
        self._item: Json | None = None  # the item that is open; it becomes the next of `output`
        self._kind = ""  # of the open item: text, reasoning, call
        self._parts: list[Json] = []  # of the open message
        self._block = -1  # the canon's index of the block that is open
        self._said: list[str] = []  # what the open part, or the open call, has said
        self._before = self._after = b""
        self._sealed: str | None = None
        self._given = ("", "")  # id and name of the open call
        self._stop: StopReason | None = None
        self._usage: Usage | None = None
        self.whole: Json | None = None

    def write(self, event: StreamEvent) -> list[bytes]:
        if isinstance(event, BlockDelta):
            delta = event.delta
            if delta.text is not None and event.content_block_index == self._block and self._kind == "text":
                return [self._text(delta.text)]
            return self._delta(delta, event.content_block_index)
        if isinstance(event, canon.BlockStart):
            return self._start_call(event)
        if isinstance(event, canon.BlockStop):
            return self._stop_block(event.content_block_index)
        if isinstance(event, canon.MessageStart):
            begun = self._frame.response("in_progress", [])
            return [
                self._event("response.created", response=begun),
                self._event("response.in_progress", response=begun),
            ]
        if isinstance(event, canon.MessageStop):
            self._stop = event.stop_reason
        elif isinstance(event, canon.StreamMetadata):
            self._usage = event.usage
        return []

    def finish(self, metrics: InvocationMetrics | None) -> list[bytes]:
        """What closes the last item, and the whole answer."""
        stop = self._stop or "end_turn"
        chunks = self._close_item(ended_status(stop))
        used = self._usage
        if used is None:
            used = usage(metrics.inputTokenCount, metrics.outputTokenCount) if metrics is not None else usage(0, 0)
        self.whole = whole = self._frame.ended(stop, self.output, used)
        more = {"amazon-bedrock-invocationMetrics": metrics} if metrics is not None else {}
        return [*chunks, self._event(f"response.{whole['status']}", response=whole, **more)]

    def failed(self, code: str, message: str) -> list[bytes]:
        """The end of a stream that broke: an error, and the answer as far as it came."""
        whole = self._frame.response("failed", self.output)
        whole["error"] = {"code": "server_error", "message": message}
        return [
            self._event("error", code=code, message=message, param=None),
            self._event("response.failed", response=whole),
        ]

    def _event(self, kind: str, **members: Any) -> bytes:
        event = {"type": kind, "sequence_number": self._number, **members}
        self._number += 1
        return _encode(event)

    # --- items ---

    def _open(self, kind: str, item: Json) -> list[bytes]:
        """Begin an item, after the one that is open."""
        chunks = self._close_item("completed")
        self._kind, self._item = kind, item
        self._said = []
        return [*chunks, self._event("response.output_item.added", output_index=len(self.output), item=item)]

    def _close_item(self, status: str) -> list[bytes]:
        item = self._item
        if item is None:
            return []
        chunks = self._close_part()
        index = len(self.output)
        if self._kind == "text":
            item = {**item, "status": status, "content": self._parts}
        elif self._kind == "reasoning":
            item = reasoning_item(self._frame, index, "".join(self._said), self._sealed)
        else:
            given = "".join(self._said) or "{}"
            item = call_item(self._frame, index, status, *self._given, given)
            chunks += self._arguments_done(item)
        self.output.append(item)
        self._item, self._kind, self._block = None, "", -1
        return [*chunks, self._event("response.output_item.done", output_index=index, item=item)]

    def _close_part(self) -> list[bytes]:
        """End the open part of a message or of reasoning."""
        if self._item is None or self._block < 0 or self._kind == "call":
            return []
        text = "".join(self._said)
        at: Json = {"item_id": self._item["id"], "output_index": len(self.output), "content_index": len(self._parts)}
        self._block = -1
        if self._kind == "reasoning":
            if not text:
                return []
            part: Json = {"type": "reasoning_text", "text": text}
            done = self._event("response.reasoning_text.done", **at, text=text)
        else:
            part = text_part(text)
            self._parts.append(part)
            self._said = []
            done = self._event("response.output_text.done", **at, text=text, logprobs=[])
        return [done, self._event("response.content_part.done", **at, part=part)]

    def _stop_block(self, index: int) -> list[bytes]:
        """A message goes on with the next block if that is text too; anything else ends with its block."""
        if self._kind == "text":
            return self._close_part() if index == self._block else []
        return self._close_item("completed")

    # --- text and reasoning ---

    def _delta(self, delta: Delta, block: int) -> list[bytes]:
        if delta.text is not None:
            return [*self._open_part("text", block), self._text(delta.text)]
        if delta.tool_use is not None:
            return self._arguments(delta.tool_use.input)
        reasoning = delta.reasoning_content
        if reasoning is None:
            return []  # a citation: it speaks of documents, for which OpenAI's have no name
        if reasoning.text is not None:
            return [*self._open_part("reasoning", block), self._text(reasoning.text)]
        chunks = self._open_item("reasoning")
        self._block = block
        self._sealed = seal.shown(reasoning.signature, reasoning.redacted_content)
        return chunks

    def _open_item(self, kind: str) -> list[bytes]:
        if self._kind == kind:
            return []
        index = len(self.output) + (self._item is not None)
        if kind == "text":
            item = message_item(self._frame, index, "in_progress", [])
        else:
            item = reasoning_item(self._frame, index, "", None)
            self._sealed = None
        chunks = self._open(kind, item)
        self._parts = []
        return chunks

    def _open_part(self, kind: str, block: int) -> list[bytes]:
        """Begin a part for this block, unless it is the one that is open."""
        if self._kind == kind and self._block == block and (kind == "text" or self._said):
            return []
        chunks = self._open_item(kind)
        chunks += self._close_part() if self._block != block else []
        self._block = block
        ident = self._item["id"] if self._item is not None else ""
        index, place = len(self.output), len(self._parts)
        name = "output_text" if kind == "text" else "reasoning_text"
        part = text_part("") if kind == "text" else {"type": name, "text": ""}
        self._before = _encode({"item_id": ident, "output_index": index, "content_index": place})[1:-1] + b',"delta":'
        self._before = b'{"type":"response.%b.delta","sequence_number":%%d,%b' % (name.encode(), self._before)
        self._after = b',"logprobs":[]}' if kind == "text" else b"}"
        at = {"item_id": ident, "output_index": index, "content_index": place}
        return [*chunks, self._event("response.content_part.added", **at, part=part)]

    def _text(self, text: str) -> bytes:
        self._said.append(text)
        number = self._number
        self._number += 1
        return self._before % number + _encode(text) + self._after

    # --- calls ---

    def _start_call(self, event: canon.BlockStart) -> list[bytes]:
        use = event.start.tool_use
        if use is None or use.type is not None:
            return []
        index = len(self.output) + (self._item is not None)
        self._given = (use.tool_use_id, use.name)
        item = call_item(self._frame, index, "in_progress", use.tool_use_id, use.name, "")
        chunks = self._open("call", item)
        self._block = event.content_block_index
        return chunks

    def _arguments(self, piece: str) -> list[bytes]:
        """A tool of one text gets its text at the end: before that it is a piece of JSON."""
        if self._item is None or self._kind != "call":
            return []
        self._said.append(piece)
        if self._given[1] in self._frame.custom:
            return []
        at = {"item_id": self._item["id"], "output_index": len(self.output)}
        return [self._event("response.function_call_arguments.delta", **at, delta=piece)]

    def _arguments_done(self, item: Json) -> list[bytes]:
        at = {"item_id": item["id"], "output_index": len(self.output)}
        if item["type"] == "custom_tool_call":
            said = item["input"]
            return [
                self._event("response.custom_tool_call_input.delta", **at, delta=said),
                self._event("response.custom_tool_call_input.done", **at, input=said),
            ]
        done = self._event(
            "response.function_call_arguments.done", **at, name=item["name"], arguments=item["arguments"]
        )
        return [done]
