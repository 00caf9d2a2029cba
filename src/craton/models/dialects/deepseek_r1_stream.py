"""DeepSeek-R1, piece by piece, and the parting of what it thinks from what it answers.

Owns: the shape that replies and chunks share, and the tag `<think>` in both directions. All up to `</think>` is
thought, with or without the opening tag, which mostly stands in the prompt. Must not know requests. A piece of the
answer is the hot path.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from craton.aws.wire.faults import model_stream_error
from craton.models.canon.events import (
    BlockDelta,
    BlockStop,
    Delta,
    MessageStart,
    MessageStop,
    ReasoningDelta,
    StreamEvent,
    StreamMetadata,
)
from craton.models.canon.reply import Metrics, usage
from craton.models.dialects.dialect import InvocationMetrics
from craton.models.dialects.malformed import decode_chunk
from craton.models.dialects.openai_chat.head import Head
from craton.models.dialects.text_pieces import counts, read_stop, write_stop
from craton.models.dialects.text_stream import Ending, with_metrics

OPENING, CLOSING = "<think>", "</think>"


class Choice(msgspec.Struct):
    text: str = ""
    stop_reason: str | None = None


class Output(msgspec.Struct, rename={"metrics": "amazon-bedrock-invocationMetrics"}, omit_defaults=True):
    """A reply, and a chunk of a stream: `stop_reason` is null until the last."""

    choices: Annotated[list[Choice], Meta(min_length=1)]
    metrics: InvocationMetrics | None = None


_OUTPUT = msgspec.json.Decoder(Output)
_encode = msgspec.json.Encoder().encode


def part_thought(text: str, *, cut_off: bool) -> tuple[str, str]:
    """Thought and answer. A text without any tag is an answer, unless it was cut off before the tag could come."""
    lead = text.lstrip()
    opened = lead.startswith(OPENING)
    thought, found, answer = lead.removeprefix(OPENING).partition(CLOSING)
    if found or opened or cut_off:
        return thought.lstrip(), answer.lstrip("\n")
    return "", text


def join_thought(thought: str, answer: str, *, opened: bool) -> str:
    """The text of a reply; `opened` if its prompt ends in the opening tag. Without an answer the tag stays open."""
    head = thought if opened else f"{OPENING}\n{thought}"
    return f"{head}{CLOSING}\n\n{answer}" if answer or not thought else head


class Thoughts:
    """`part_thought` for a text that comes in pieces: (kind, piece) pairs, kind being `reasoning` or `text`."""

    __slots__ = ("_head", "_lead")

    def __init__(self) -> None:
        self._lead = ""
        self._head: Head | None = None

    def feed(self, text: str) -> list[tuple[str, str]]:
        if self._head is None:
            self._lead += text
            lead = self._lead.lstrip()
            if OPENING.startswith(lead):
                return []
            text = lead.removeprefix(OPENING).lstrip()
            if not text:
                return []
            self._head = Head("think")
            text = OPENING + text
        return self._head.feed(text)

    def close(self) -> list[tuple[str, str]]:
        if self._head is not None:
            return self._head.close()
        return [("text", self._lead)] if self._lead.strip() not in ("", OPENING) else []

    @property
    def over(self) -> bool:
        """Only the answer can follow."""
        return self._head is not None and self._head.passed


class Reader:
    """Chunks → events: a block of reasoning, then one of text."""

    __slots__ = ("_begun", "_block", "_ended", "_kind", "_thoughts")

    def __init__(self) -> None:
        self._thoughts: Thoughts | None = Thoughts()
        self._begun = False
        self._ended = False
        self._block = 0
        self._kind = ""

    def feed(self, data: bytes, event: str = "") -> list[StreamEvent]:
        if self._ended:
            return []
        chunk = decode_chunk(_OUTPUT, data)
        choice = chunk.choices[0]
        if self._thoughts is None and choice.stop_reason is None:
            return [BlockDelta(Delta(choice.text), self._block)] if choice.text else []
        events: list[StreamEvent] = [] if self._begun else [MessageStart("assistant")]
        self._begun = True
        self._take(choice.text, events)
        if choice.stop_reason is not None:
            self._end(choice.stop_reason, chunk.metrics, events)
        return events

    def close(self) -> list[StreamEvent]:
        """Raises ModelStreamErrorException if the native stream broke off."""
        if not self._ended:
            raise model_stream_error()
        return []

    def _take(self, text: str, events: list[StreamEvent]) -> None:
        if self._thoughts is None:
            self._say("text", text, events)
            return
        for kind, piece in self._thoughts.feed(text):
            self._say(kind, piece, events)
        if self._thoughts.over:
            self._thoughts = None

    def _say(self, kind: str, text: str, events: list[StreamEvent]) -> None:
        if not text and self._kind:
            return
        if self._kind and kind != self._kind:
            events.append(BlockStop(self._block))
            self._block += 1
        self._kind = kind
        delta = Delta(text) if kind == "text" else Delta(reasoning_content=ReasoningDelta(text=text))
        events.append(BlockDelta(delta, self._block))

    def _end(self, reason: str, metrics: InvocationMetrics | None, events: list[StreamEvent]) -> None:
        if self._thoughts is not None:
            for kind, piece in self._thoughts.close():
                self._say(kind, piece, events)
        if not self._kind:
            self._say("text", "", events)
        self._ended = True
        given, answered = counts(metrics)
        used = StreamMetadata(usage(given or 0, answered or 0), Metrics(0))
        events += [BlockStop(self._block), MessageStop(read_stop(reason)), used]


class Writer:
    """Events → chunks. The tag is closed before the first piece of the answer."""

    __slots__ = ("_closed", "_ending", "_opened")

    def __init__(self, *, opened: bool) -> None:
        self._opened = opened
        self._closed = False
        self._ending = Ending()

    def write(self, event: StreamEvent) -> list[bytes]:
        if type(event) is not BlockDelta:
            self._ending.note(event)
            return []
        text = event.delta.text
        if text is not None:
            if not self._closed and text:
                self._closed = True
                text = join_thought("", text, opened=self._opened)
        elif event.delta.reasoning_content is not None:
            text = event.delta.reasoning_content.text
            if text and not self._opened:
                self._opened = True
                text = f"{OPENING}\n{text}"
        return [b'{"choices":[{"text":%b,"stop_reason":null}]}' % _encode(text)] if text else []

    def finish(self, metrics: InvocationMetrics) -> list[bytes]:
        return [with_metrics(_encode(answer("", write_stop(self._ending.stop_reason))), metrics)]


def answer(text: str, stop: str) -> dict[str, Any]:
    return {"choices": [{"text": text, "stop_reason": stop}]}
