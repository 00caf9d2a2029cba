r"""Amazon Titan text, the schema of `amazon.titan-text-*` and `amazon.titan-tg1-large`.

Owns: bodies, replies and chunks, and the prompt's turns: AWS's page asks for "User: …\nBot:" in a conversation. A
prompt that is written so is read as turns, any other as one user message, word for word. Titan has no system prompt.
Source: reference invoke-bodies.md.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from craton.aws.wire.faults import model_error
from craton.models.canon.content import ContentBlock, Role
from craton.models.canon.events import StreamEvent
from craton.models.canon.reply import ConverseReply, StopReason, assistant_reply, usage
from craton.models.canon.request import ConverseRequest, InferenceConfig
from craton.models.dialects.dialect import InvocationMetrics, Outgoing, Shown
from craton.models.dialects.extras import Schema, merge
from craton.models.dialects.malformed import decode_chunk, decode_native, decode_reply
from craton.models.dialects.text_stream import Ending, TextEvents, text_of, with_metrics
from craton.models.dialects.turns import (
    Turn,
    config_or_none,
    plain_turns,
    reply_text,
    system_text,
    text_message,
    write_config,
)

_SPEAKERS: dict[Role, str] = {"user": "User", "assistant": "Bot"}
_ROLES: dict[str, Role] = {"User": "user", "Bot": "assistant"}
_SPLIT = re.compile(r"(?:^|\n)(User|Bot):").split

Fraction = Annotated[float, Meta(ge=0, le=1)]


class Generation(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True, rename="camel"):
    max_token_count: Annotated[int, Meta(ge=0, le=8192)] | None = None
    temperature: Fraction | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    stop_sequences: list[str] | None = None


class Body(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True, rename="camel"):
    """`guardrail` belongs to Bedrock, which reads it before the model does."""

    input_text: Annotated[str, Meta(min_length=1)]
    text_generation_config: Generation | None = None
    guardrail: Any = msgspec.field(default=None, name="amazon-bedrock-guardrailConfig")


class Result(msgspec.Struct, rename="camel"):
    output_text: str = ""
    token_count: int = 0
    completion_reason: str | None = None


class Reply(msgspec.Struct, rename="camel"):
    results: list[Result]
    input_text_token_count: int = 0


class Chunk(msgspec.Struct, rename="camel"):
    """A piece of a stream. The input's count comes on the first, the output's and the reason on the last."""

    output_text: str = ""
    completion_reason: str | None = None
    input_text_token_count: int | None = None
    total_output_text_token_count: int | None = None


_BODY = msgspec.json.Decoder(Body)
_REPLY = msgspec.json.Decoder(Reply)
_CHUNK = msgspec.json.Decoder(Chunk)
_encode = msgspec.json.Encoder().encode

_GROUP = "textGenerationConfig"
_PARAMETERS = ("maxTokenCount", "temperature", "topP", "stopSequences")
FIELDS = Schema(
    known=frozenset(),
    names={
        "top_p": (_GROUP, "topP"),
        "temperature": (_GROUP, "temperature"),
        "stop": (_GROUP, "stopSequences"),
        "max_tokens": (_GROUP, "maxTokenCount"),
    },
    translate={},
)

# FINISH is what early versions said.
_STOP_REASONS: dict[str | None, StopReason] = {
    "FINISHED": "end_turn",
    "FINISH": "end_turn",
    "LENGTH": "max_tokens",
    "STOP_CRITERIA_MET": "stop_sequence",
    "CONTENT_FILTERED": "content_filtered",
}
_COMPLETION_REASONS: dict[str, str] = {
    "max_tokens": "LENGTH",
    "stop_sequence": "STOP_CRITERIA_MET",
    "content_filtered": "CONTENT_FILTERED",
    "guardrail_intervened": "CONTENT_FILTERED",
}


class AmazonTitanText:
    name = "amazon.titan-text"
    streams = True

    def read_request(self, body: bytes, *, streaming: bool = False) -> ConverseRequest:
        native = decode_native(_BODY, body)
        given = native.text_generation_config or Generation()
        config = InferenceConfig(given.max_token_count or None, given.temperature, given.top_p, given.stop_sequences)
        return ConverseRequest(
            messages=[text_message(role, text) for role, text in _read_turns(native.input_text)],
            inference_config=config_or_none(config),
            # Converse begins at 1.
            additional_model_request_fields={_GROUP: {"maxTokenCount": 0}} if given.max_token_count == 0 else None,
        )

    def write_request(self, request: ConverseRequest, out: Outgoing) -> bytes:
        system = system_text(request.system, out.ledger)
        if system:
            out.ledger.drop("system")
        body: dict[str, Any] = {"inputText": _write_turns(plain_turns(request, out.ledger))}
        config = write_config(request.inference_config, _PARAMETERS)
        if config:
            body[_GROUP] = config
        merge(request.additional_model_request_fields, FIELDS, body, out.ledger)
        return _encode(body)

    def read_reply(self, body: bytes) -> ConverseReply:
        native = decode_reply(_REPLY, body)
        if not native.results:
            raise model_error()
        first = native.results[0]
        used = usage(native.input_text_token_count, first.token_count)
        reason = _STOP_REASONS.get(first.completion_reason, "end_turn")
        return assistant_reply([ContentBlock(text=first.output_text)], reason, used)

    def write_reply(self, reply: ConverseReply, shown: Shown) -> bytes:
        result = Result(
            reply_text(reply),
            reply.usage.output_tokens,
            _COMPLETION_REASONS.get(reply.stop_reason, "FINISHED"),
        )
        return _encode({"inputTextTokenCount": reply.usage.input_tokens, "results": [result]})

    def reader(self) -> Reader:
        return Reader()

    def writer(self, shown: Shown) -> Writer:
        return Writer()


class Reader:
    """Chunks → events."""

    __slots__ = ("_events", "_input_tokens")

    def __init__(self) -> None:
        self._events = TextEvents()
        self._input_tokens = 0

    def feed(self, data: bytes, event: str = "") -> list[StreamEvent]:
        if self._events.ended:
            return []
        chunk = decode_chunk(_CHUNK, data)
        if chunk.input_text_token_count is not None:
            self._input_tokens = chunk.input_text_token_count
        if chunk.completion_reason is None:
            return self._events.text(chunk.output_text)
        used = usage(self._input_tokens, chunk.total_output_text_token_count or 0)
        reason = _STOP_REASONS.get(chunk.completion_reason, "end_turn")
        return [*self._events.text(chunk.output_text), *self._events.end(reason, used)]

    def close(self) -> list[StreamEvent]:
        return self._events.close()


class Writer:
    """Events → chunks. All counts come on the last: before the end none is known."""

    __slots__ = ("_ending",)

    def __init__(self) -> None:
        self._ending = Ending()

    def write(self, event: StreamEvent) -> list[bytes]:
        text = text_of(event)
        if text is None:
            self._ending.note(event)
            return []
        return [
            b'{"outputText":%b,"index":0,"totalOutputTextTokenCount":null,"completionReason":null,'
            b'"inputTextTokenCount":null}' % _encode(text)
        ]

    def finish(self, metrics: InvocationMetrics) -> list[bytes]:
        used = self._ending.usage
        last = {
            "outputText": "",
            "index": 0,
            "totalOutputTextTokenCount": used.output_tokens if used else metrics.outputTokenCount,
            "completionReason": _COMPLETION_REASONS.get(self._ending.stop_reason, "FINISHED"),
            "inputTextTokenCount": used.input_tokens if used else metrics.inputTokenCount,
        }
        return [with_metrics(_encode(last), metrics)]


def _read_turns(text: str) -> list[Turn]:
    head, *pieces = _SPLIT(text.lstrip())
    roles = pieces[::2]
    if head or not roles or roles[0] != "User" or roles[-1] != "Bot":
        return [Turn("user", text)]
    turns: list[Turn] = []
    for name, said in zip(roles, pieces[1::2], strict=True):
        role = _ROLES[name]
        if turns and turns[-1].role == role:
            turns[-1] = Turn(role, f"{turns[-1].text}\n{said.removeprefix(' ')}")
        else:
            turns.append(Turn(role, said.removeprefix(" ")))
    return turns if turns[-1].text.strip() else turns[:-1]


def _write_turns(turns: list[Turn]) -> str:
    lines = [f"{_SPEAKERS[role]}: {text}" for role, text in turns if role in _SPEAKERS]
    return "\n".join(lines if turns and turns[-1].role == "assistant" else [*lines, "Bot:"])
