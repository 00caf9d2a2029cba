"""Mistral's chat, piece by piece: chunks ↔ canonical events.

Owns: the shape of answers, whole and in pieces, and its change into OpenAI's, whose reader copes with everything that
a server may cut. A call is written whole, since Mistral's models are seen to stream no arguments. Must not know
requests. A piece of text is the hot path.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw

from craton.models.canon.events import BlockDelta, BlockStart, BlockStop, StreamEvent, ToolUseStart
from craton.models.canon.reply import StopReason
from craton.models.dialects.dialect import InvocationMetrics
from craton.models.dialects.malformed import decode_chunk
from craton.models.dialects.openai_chat import reader as openai_chat_reader
from craton.models.dialects.openai_shaped import usage_of
from craton.models.dialects.text_pieces import write_stop
from craton.models.dialects.text_stream import Ending, with_metrics

if TYPE_CHECKING:
    OptionalRaw = Raw | None
else:
    OptionalRaw = Raw  # as in `openai_chat_schema`


class Choice(msgspec.Struct):
    index: int = 0
    message: OptionalRaw = None
    delta: OptionalRaw = None
    stop_reason: str | None = None
    finish_reason: str | None = None


class Answer(msgspec.Struct, rename={"metrics": "amazon-bedrock-invocationMetrics"}):
    """A reply, and a chunk of a stream: `stop_reason` is null until the last."""

    choices: list[Choice] = []
    usage: OptionalRaw = None
    metrics: InvocationMetrics | None = None


class Thought(msgspec.Struct):
    text: str = ""


class Part(msgspec.Struct):
    """A part of an answer's content: a text, or the thoughts before it."""

    type: str
    text: str = ""
    thinking: list[Thought] = []


_ANSWER = msgspec.json.Decoder(Answer)
_IN_PARTS = re.compile(rb'"content"\s*:\s*\[')
_PARTS: msgspec.json.Decoder[list[Part] | None] = msgspec.json.Decoder(list[Part] | None)
_MEMBERS: msgspec.json.Decoder[dict[str, Raw]] = msgspec.json.Decoder(dict[str, Raw])
_encode = msgspec.json.Encoder().encode

_BEFORE = b'{"choices":[{"index":0,"message":{"role":"assistant","content":'


def native_stop(reason: StopReason) -> str:
    return "tool_calls" if reason == "tool_use" else write_stop(reason)


def as_openai(answer: Answer, member: str) -> bytes:
    """The answer in OpenAI's shape; `member` is `message` for a reply, `delta` for a chunk."""
    choices: list[dict[str, Any]] = [
        {
            "index": choice.index,
            member: _in_words(choice.message or choice.delta) or {},
            "finish_reason": choice.stop_reason or choice.finish_reason,
        }
        for choice in answer.choices
    ]
    written: dict[str, Any] = {"choices": choices}
    if answer.usage is not None:
        written["usage"] = answer.usage
    elif answer.metrics is not None:
        written["usage"] = usage_of(answer.metrics)
    return _encode(written)


def _in_words(message: Raw | None) -> Raw | dict[str, Any] | None:
    """Mistral's reasoning models answer with a list of thoughts and texts; OpenAI's relatives name the thoughts apart."""
    if message is None or _IN_PARTS.search(bytes(message)) is None:
        return message
    try:
        members: dict[str, Any] = dict(_MEMBERS.decode(message))
        parts = _PARTS.decode(members.get("content", b"null"))
    except msgspec.ValidationError:  # OpenAI's reader says what is wrong with it
        return message
    members["content"] = "".join(part.text for part in parts or () if part.type == "text")
    members["reasoning_content"] = "".join(
        thought.text for part in parts or () if part.type == "thinking" for thought in part.thinking
    )
    return members


class Reader:
    """Chunks → events, by OpenAI's reader."""

    __slots__ = ("_reader",)

    def __init__(self, reader: openai_chat_reader.Reader) -> None:
        self._reader = reader

    def feed(self, data: bytes, event: str = "") -> list[StreamEvent]:
        if data == b"[DONE]":
            return self._reader.feed(data)
        return self._reader.feed(as_openai(decode_chunk(_ANSWER, data), "delta"))

    def close(self) -> list[StreamEvent]:
        return self._reader.close()


class Writer:
    """Events → chunks. `own_id` makes an id that Mistral takes."""

    __slots__ = ("_arguments", "_call", "_ending", "_own_id")

    def __init__(self, own_id: Callable[[str], str]) -> None:
        self._own_id = own_id
        self._call: ToolUseStart | None = None
        self._arguments: list[str] = []
        self._ending = Ending()

    def write(self, event: StreamEvent) -> list[bytes]:
        if type(event) is BlockDelta:
            if event.delta.text is not None:
                return [b'%b%b},"stop_reason":null}]}' % (_BEFORE, _encode(event.delta.text))]
            if event.delta.tool_use is not None:
                self._arguments.append(event.delta.tool_use.input)
        elif isinstance(event, BlockStart):
            self._call, self._arguments = event.start.tool_use, []
        elif isinstance(event, BlockStop):
            return self._whole_call()
        else:
            self._ending.note(event)
        return []

    def finish(self, metrics: InvocationMetrics) -> list[bytes]:
        reason = _encode(native_stop(self._ending.stop_reason))
        return [with_metrics(b'%b""},"stop_reason":%b}]}' % (_BEFORE, reason), metrics)]

    def _whole_call(self) -> list[bytes]:
        call, self._call = self._call, None
        if call is None:
            return []
        function = {"name": call.name, "arguments": "".join(self._arguments) or "{}"}
        calls = [{"id": self._own_id(call.tool_use_id), "type": "function", "function": function}]
        return [b'%b"","tool_calls":%b},"stop_reason":null}]}' % (_BEFORE, _encode(calls))]
