"""Cohere's Command, the schema of `cohere.command-text-v14` and `-light-text-v14`: one prompt, one or more generations.

Owns: bodies, replies and chunks. A canonical request is one user message here; what else it holds becomes a transcript
and is entered in the ledger. The stream is Cohere's own only if the body says `stream`: without that, Bedrock sends
the whole reply as one chunk (observed on the wire). Source: reference invoke-bodies.md.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from craton.aws.wire.faults import model_error, model_stream_error
from craton.models.canon.content import ContentBlock
from craton.models.canon.events import StreamEvent
from craton.models.canon.reply import ConverseReply, StopReason, Usage, assistant_reply, usage
from craton.models.canon.request import ConverseRequest, Fraction, InferenceConfig
from craton.models.dialects.dialect import InvocationMetrics, Ledger, Outgoing, Shown, StreamWriter
from craton.models.dialects.extras import Schema, merge
from craton.models.dialects.malformed import decode_chunk, decode_native, decode_reply
from craton.models.dialects.prompt_template import transcript
from craton.models.dialects.text_pieces import Piece, PieceReader, PieceWriter, counts
from craton.models.dialects.text_stream import Ending, text_of, with_metrics
from craton.models.dialects.turns import (
    config_or_none,
    plain_turns,
    reply_text,
    system_text,
    text_message,
    write_config,
)

_SPEAKERS = {"user": "User", "assistant": "Chatbot"}
_END_OF_TEXT = "<EOS_TOKEN>"


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """`guardrail` belongs to Bedrock, which reads it before the model does."""

    prompt: str
    temperature: Annotated[float, Meta(ge=0, le=5)] | None = None
    p: Fraction | None = None
    k: Annotated[int, Meta(ge=0, le=500)] | None = None
    max_tokens: Annotated[int, Meta(ge=1, le=4096)] | None = None
    stop_sequences: Annotated[list[str], Meta(max_length=4)] | None = None
    return_likelihoods: Literal["GENERATION", "ALL", "NONE"] | None = None
    stream: bool | None = None
    num_generations: Annotated[int, Meta(ge=1, le=5)] | None = None
    logit_bias: dict[str, Annotated[float, Meta(ge=-10, le=10)]] | None = None
    truncate: Literal["NONE", "START", "END"] | None = None
    guardrail: Any = msgspec.field(default=None, name="amazon-bedrock-guardrailConfig")


class Generation(msgspec.Struct):
    text: str = ""
    finish_reason: str = "COMPLETE"


class Reply(msgspec.Struct, rename={"metrics": "amazon-bedrock-invocationMetrics"}):
    generations: Annotated[list[Generation], Meta(min_length=1)]
    metrics: InvocationMetrics | None = None


class Chunk(msgspec.Struct, rename={"metrics": "amazon-bedrock-invocationMetrics"}):
    """A piece of a stream, or a whole reply in one. `index` tells generations apart; only the first is read."""

    text: str = ""
    is_finished: bool = False
    finish_reason: str | None = None
    index: int = 0
    generations: list[Generation] | None = None
    metrics: InvocationMetrics | None = None


class _Asked(msgspec.Struct):
    prompt: str = ""
    stream: bool | None = None


_BODY = msgspec.json.Decoder(Body)
_REPLY = msgspec.json.Decoder(Reply)
_CHUNK = msgspec.json.Decoder(Chunk)
_ASKED = msgspec.json.Decoder(_Asked)
_encode = msgspec.json.Encoder().encode

_PARAMETERS = ("max_tokens", "temperature", "p", "stop_sequences")
_EXTRAS = ("k", "return_likelihoods", "num_generations", "logit_bias", "truncate")
FIELDS = Schema(
    known=frozenset({*_EXTRAS, "temperature"}),
    names={
        "top_k": ("k",),
        "top_p": ("p",),
        "temperature": ("temperature",),
        "stop": ("stop_sequences",),
        "max_tokens": ("max_tokens",),
    },
    translate={},
)

# Cohere says the same of a model that ended by itself and of one that met a stop sequence.
STOP_REASONS: dict[str, StopReason] = {
    "COMPLETE": "end_turn",
    "MAX_TOKENS": "max_tokens",
    "ERROR_TOXIC": "content_filtered",
    "ERROR_LIMIT": "model_context_window_exceeded",
}
FINISH_REASONS: dict[StopReason, str] = {
    "max_tokens": "MAX_TOKENS",
    "content_filtered": "ERROR_TOXIC",
    "guardrail_intervened": "ERROR_TOXIC",
    "model_context_window_exceeded": "ERROR_LIMIT",
}
FAILED = "ERROR"


class CohereCommand:
    name = "cohere.command"
    streams = True

    def read_request(self, body: bytes, *, streaming: bool = False) -> ConverseRequest:
        native = decode_native(_BODY, body)
        extras = {name: value for name in _EXTRAS if (value := getattr(native, name)) is not None}
        temperature = native.temperature
        if temperature is not None and temperature > 1:  # where Converse ends
            extras["temperature"], temperature = temperature, None
        config = InferenceConfig(native.max_tokens, temperature, native.p, native.stop_sequences)
        return ConverseRequest(
            messages=[text_message("user", native.prompt)],
            inference_config=config_or_none(config),
            additional_model_request_fields=extras or None,
        )

    def write_request(self, request: ConverseRequest, out: Outgoing) -> bytes:
        body: dict[str, Any] = {"prompt": _prompt(request, out.ledger)}
        body |= write_config(request.inference_config, _PARAMETERS)
        merge(request.additional_model_request_fields, FIELDS, body, out.ledger)
        if out.stream:
            body["stream"] = True
        return _encode(body)

    def read_reply(self, body: bytes) -> ConverseReply:
        native = decode_reply(_REPLY, body)
        first = native.generations[0]
        if first.finish_reason == FAILED:
            raise model_error()
        given, answered = counts(native.metrics)
        reason = STOP_REASONS.get(first.finish_reason, "end_turn")
        return assistant_reply([ContentBlock(text=first.text)], reason, usage(given or 0, answered or 0))

    def write_reply(self, reply: ConverseReply, shown: Shown) -> bytes:
        return _encode(_whole(reply_text(reply), reply.stop_reason, shown))

    def reader(self) -> PieceReader:
        return PieceReader(_take)

    def writer(self, shown: Shown) -> StreamWriter:
        if shown.body and not decode_native(_ASKED, shown.body).stream:
            return OneChunk(shown)
        return PieceWriter(b'{"text":', b',"is_finished":false}', _last)


class OneChunk:
    """Events → one chunk with the whole reply, for a stream that the body did not ask for."""

    __slots__ = ("_ending", "_shown", "_texts")

    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self._texts: list[str] = []
        self._ending = Ending()

    def write(self, event: StreamEvent) -> list[bytes]:
        text = text_of(event)
        if text is None:
            self._ending.note(event)
        else:
            self._texts.append(text)
        return []

    def finish(self, metrics: InvocationMetrics) -> list[bytes]:
        whole = _whole("".join(self._texts), self._ending.stop_reason, self._shown)
        return [with_metrics(_encode(whole), metrics)]


def _take(data: bytes) -> Piece:
    chunk = decode_chunk(_CHUNK, data)
    text, reason = chunk.text, chunk.finish_reason
    if chunk.generations:
        text, reason = chunk.generations[0].text, chunk.generations[0].finish_reason
    elif chunk.index:
        return Piece("")
    if text == _END_OF_TEXT:
        text = ""
    if reason is None and not chunk.is_finished:
        return Piece(text)
    if reason == FAILED:
        raise model_stream_error()
    return Piece(text, STOP_REASONS.get(reason or "COMPLETE", "end_turn"), *counts(chunk.metrics))


def _last(reason: StopReason, _used: Usage) -> dict[str, Any]:
    return {"is_finished": True, "finish_reason": FINISH_REASONS.get(reason, "COMPLETE")}


def _whole(text: str, reason: StopReason, shown: Shown) -> dict[str, Any]:
    asked = decode_native(_ASKED, shown.body).prompt if shown.body else _prompt(shown.request, Ledger())
    generation = {"id": shown.request_id, "text": text, "finish_reason": FINISH_REASONS.get(reason, "COMPLETE")}
    return {"id": shown.request_id, "prompt": asked, "generations": [generation]}


def _prompt(request: ConverseRequest, ledger: Ledger) -> str:
    return transcript(system_text(request.system, ledger), plain_turns(request, ledger), _SPEAKERS, ledger)
