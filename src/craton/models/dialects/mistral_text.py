"""Mistral's text completions, the schema of `mistral.mistral-7b-*`, `mistral.mixtral-*`, `-large-2402` and `-small-2402`.

Owns: bodies, replies and chunks (all of one shape), and the template with `[INST]` in the prompt. The template has no
place for a system prompt; as Mistral's own chat template does, it is put before the first user message's text. Large
takes Mistral's chat schema too: a body with `messages` is read, and answered, by that. Source: reference
invoke-bodies.md.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from craton.aws.wire.faults import model_stream_error
from craton.models.canon.content import ContentBlock
from craton.models.canon.reply import ConverseReply, StopReason, Usage, assistant_reply, usage
from craton.models.canon.request import ConverseRequest, Fraction, InferenceConfig
from craton.models.dialects.dialect import InvocationMetrics, Outgoing, Shown, StreamReader, StreamWriter
from craton.models.dialects.extras import Schema, merge
from craton.models.dialects.malformed import decode_chunk, decode_native, decode_reply
from craton.models.dialects.mistral_chat import MistralChat
from craton.models.dialects.openai_shaped import EitherReader, form_of
from craton.models.dialects.prompt_template import instruction_template, messages_of, read_prompt, system_blocks
from craton.models.dialects.text_pieces import Piece, PieceReader, PieceWriter, counts, read_stop, write_stop
from craton.models.dialects.turns import config_or_none, plain_turns, reply_text, system_text, write_config

TEMPLATE = instruction_template("</s>", ("", "\n\n"))


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """`guardrail` belongs to Bedrock, which reads it before the model does."""

    prompt: str
    max_tokens: Annotated[int, Meta(ge=1, le=8192)] | None = None
    temperature: Fraction | None = None
    top_p: Fraction | None = None
    top_k: Annotated[int, Meta(ge=1, le=200)] | None = None
    stop: Annotated[list[str], Meta(max_length=10)] | None = None
    guardrail: Any = msgspec.field(default=None, name="amazon-bedrock-guardrailConfig")


class Output(msgspec.Struct):
    text: str = ""
    stop_reason: str | None = None


class Reply(msgspec.Struct, rename={"metrics": "amazon-bedrock-invocationMetrics"}):
    """A reply, and a chunk of a stream: `stop_reason` is null until the last."""

    outputs: list[Output] = []
    metrics: InvocationMetrics | None = None


_BODY = msgspec.json.Decoder(Body)
_REPLY = msgspec.json.Decoder(Reply)
_encode = msgspec.json.Encoder().encode

_PARAMETERS = ("max_tokens", "temperature", "top_p", "stop")
FIELDS = Schema(
    known=frozenset({"top_k"}),
    names={name: (name,) for name in ("top_k", "top_p", "temperature", "stop", "max_tokens")},
    translate={},
)


class MistralText:
    name = "mistral.text"
    streams = True

    def __init__(self) -> None:
        self._chat = MistralChat()

    def read_request(self, body: bytes, *, streaming: bool = False) -> ConverseRequest:
        if form_of(body) == "messages":
            return self._chat.read_request(body, streaming=streaming)
        native = decode_native(_BODY, body)
        system, turns = read_prompt(native.prompt, TEMPLATE)
        config = InferenceConfig(native.max_tokens, native.temperature, native.top_p, native.stop)
        return ConverseRequest(
            messages=messages_of(turns),
            system=system_blocks(system),
            inference_config=config_or_none(config),
            additional_model_request_fields=None if native.top_k is None else {"top_k": native.top_k},
        )

    def write_request(self, request: ConverseRequest, out: Outgoing) -> bytes:
        system = system_text(request.system, out.ledger)
        if system:
            out.ledger.emulate("system")
        prompt = TEMPLATE.write(system, plain_turns(request, out.ledger))
        body: dict[str, Any] = {"prompt": prompt, **write_config(request.inference_config, _PARAMETERS)}
        merge(request.additional_model_request_fields, FIELDS, body, out.ledger)
        return _encode(body)

    def read_reply(self, body: bytes) -> ConverseReply:
        native = decode_reply(_REPLY, body)
        if not native.outputs:
            return self._chat.read_reply(body)
        first = native.outputs[0]
        given, answered = counts(native.metrics)
        reason = read_stop(first.stop_reason)
        return assistant_reply([ContentBlock(text=first.text)], reason, usage(given or 0, answered or 0))

    def write_reply(self, reply: ConverseReply, shown: Shown) -> bytes:
        if form_of(shown.body) == "messages":
            return self._chat.write_reply(reply, shown)
        return _encode(_outputs(reply_text(reply), reply.stop_reason))

    def reader(self) -> StreamReader:
        return EitherReader(lambda chunk: PieceReader(_take) if b'"outputs"' in chunk else self._chat.reader())

    def writer(self, shown: Shown) -> StreamWriter:
        if form_of(shown.body) == "messages":
            return self._chat.writer(shown)
        return PieceWriter(b'{"outputs":[{"text":', b',"stop_reason":null}]}', _last)


def _take(data: bytes) -> Piece:
    chunk = decode_chunk(_REPLY, data)
    if not chunk.outputs:
        raise model_stream_error()
    first = chunk.outputs[0]
    if first.stop_reason is None:
        return Piece(first.text)
    return Piece(first.text, read_stop(first.stop_reason), *counts(chunk.metrics))


def _last(reason: StopReason, _used: Usage) -> dict[str, Any]:
    return _outputs("", reason)


def _outputs(text: str, reason: StopReason) -> dict[str, Any]:
    return {"outputs": [{"text": text, "stop_reason": write_stop(reason)}]}
