"""Writer's Palmyra, the schema of `writer.palmyra-*`: OpenAI's chat, and its older form with one prompt.

Owns: the bounds and extra fields of Palmyra, and the literal `"[DONE]"` that ends its streams, after the chunk with
Bedrock's metrics. The form with a prompt is `writer_palmyra_prompt`'s; a body that has one is answered in it. Sources:
reference invoke-bodies.md; what LangChain sends and reads.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated

import msgspec
from msgspec import Meta, Raw

from craton.models.canon.events import StreamEvent
from craton.models.canon.reply import ConverseReply
from craton.models.canon.request import ConverseRequest
from craton.models.dialects import writer_palmyra_prompt as prompts
from craton.models.dialects.dialect import InvocationMetrics, Outgoing, Shown, StreamReader, StreamWriter
from craton.models.dialects.extras import Schema
from craton.models.dialects.openai_chat.dialect import OpenAIChat
from craton.models.dialects.openai_shaped import (
    EitherReader,
    form_of,
    read_shaped,
    translations,
    with_usage,
    write_shaped,
)

DONE = b'"[DONE]"'

_Penalty = Annotated[float, Meta(ge=-2, le=2)]


class Bounds(msgspec.Struct):
    """What Palmyra bounds otherwise than OpenAI."""

    messages: list[Raw]
    max_tokens: Annotated[int, Meta(ge=1, le=8192)] | None = None
    min_tokens: Annotated[int, Meta(ge=0, le=8192)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    stop: str | Annotated[list[str], Meta(max_length=4)] | None = None
    seed: int | None = None
    presence_penalty: _Penalty | None = None
    frequency_penalty: _Penalty | None = None


_BOUNDS = msgspec.json.Decoder(Bounds)
_encode = msgspec.json.Encoder().encode

_SHARED = ("temperature", "seed", "min_tokens", "presence_penalty", "frequency_penalty")
FIELDS = Schema(
    known=frozenset(
        {*_SHARED, "n", "logprobs", "top_logprobs", "response_format", "tool_choice", "parallel_tool_calls"}
    ),
    names={name: (name,) for name in ("stop", "max_tokens", "top_p", *_SHARED)},
    translate=translations(),
)


class WriterPalmyra:
    """The dialect `writer.palmyra`. `clock`: seconds since the epoch, for `created` in what is written."""

    name = "writer.palmyra"
    streams = True

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._openai = OpenAIChat(clock=clock)
        self._clock = clock

    def read_request(self, body: bytes, *, streaming: bool = False) -> ConverseRequest:
        if form_of(body) == "prompt":
            return prompts.read_request(body)
        return read_shaped(body, _BOUNDS, streaming=streaming)

    def write_request(self, request: ConverseRequest, out: Outgoing) -> bytes:
        return _encode(write_shaped(request, out, FIELDS))

    def read_reply(self, body: bytes) -> ConverseReply:
        return prompts.read_reply(body) or self._openai.read_reply(body)

    def write_reply(self, reply: ConverseReply, shown: Shown) -> bytes:
        if form_of(shown.body) == "prompt":
            return prompts.write_reply(reply, shown, created=int(self._clock()))
        return self._openai.write_reply(reply, shown)

    def reader(self) -> StreamReader:
        return EitherReader(lambda chunk: prompts.reader_of(chunk) or Reader(self._openai.reader()))

    def writer(self, shown: Shown) -> StreamWriter:
        if form_of(shown.body) == "prompt":
            return Writer(prompts.writer(shown, created=int(self._clock())))
        return Writer(self._openai.writer(shown))


class Reader:
    """Chunks → events, `"[DONE]"` among them, with the usage that Bedrock's metrics tell."""

    __slots__ = ("_reader",)

    def __init__(self, reader: StreamReader) -> None:
        self._reader = reader

    def feed(self, data: bytes, event: str = "") -> list[StreamEvent]:
        return self._reader.feed(b"[DONE]" if data == DONE else with_usage(data))

    def close(self) -> list[StreamEvent]:
        return self._reader.close()


class Writer:
    """Events → chunks, and `"[DONE]"` after the last."""

    __slots__ = ("_writer", "write")

    def __init__(self, writer: StreamWriter) -> None:
        self._writer = writer
        self.write = writer.write

    def finish(self, metrics: InvocationMetrics) -> list[bytes]:
        return [*self._writer.finish(metrics), DONE]
