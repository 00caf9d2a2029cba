"""AI21's Jurassic-2, the schema of `ai21.j2-*`: one prompt, one answer, no stream.

Owns: bodies and replies. A canonical request is one user message here; what else it holds is entered in the ledger.
Replies list no tokens with their log-probabilities, since nobody here measured any: the lists are empty. Sources:
reference invoke-bodies.md, and AI21's documentation of finish reasons.
"""

from __future__ import annotations

import zlib
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from craton.aws.wire.faults import Fault, validation
from craton.models.canon.content import ContentBlock
from craton.models.canon.reply import ConverseReply, StopReason, assistant_reply, usage
from craton.models.canon.request import ConverseRequest, InferenceConfig
from craton.models.dialects.dialect import Ledger, Outgoing, Shown, StreamReader, StreamWriter
from craton.models.dialects.extras import Schema, merge
from craton.models.dialects.malformed import decode_native, decode_reply
from craton.models.dialects.turns import (
    Turn,
    config_or_none,
    plain_turns,
    reply_text,
    system_text,
    text_message,
    write_config,
)

# Bedrock's answer to InvokeModelWithResponseStream on these models (reference: errors.md).
NO_STREAM = "The model is unsupported for streaming"

_SPEAKERS = {"user": "User", "assistant": "Assistant", "system": "System"}

Fraction = Annotated[float, Meta(ge=0, le=1)]
_Reason = Literal["endoftext", "length", "stop"]


class Penalty(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True, rename="camel"):
    apply_to_whitespaces: bool | None = None
    apply_to_punctuations: bool | None = None
    apply_to_numbers: bool | None = None
    apply_to_stopwords: bool | None = None
    apply_to_emojis: bool | None = None


class CountPenalty(Penalty, kw_only=True):
    scale: Fraction


class PresencePenalty(Penalty, kw_only=True):
    scale: Annotated[float, Meta(ge=0, le=5)]


class FrequencyPenalty(Penalty, kw_only=True):
    scale: Annotated[float, Meta(ge=0, le=500)]


class Body(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True, rename="camel"):
    """`guardrail` belongs to Bedrock, which reads it before the model does."""

    prompt: str
    max_tokens: Annotated[int, Meta(ge=0, le=8191)] | None = None
    temperature: Fraction | None = None
    top_p: Fraction | None = None
    stop_sequences: list[str] | None = None
    count_penalty: CountPenalty | None = None
    presence_penalty: PresencePenalty | None = None
    frequency_penalty: FrequencyPenalty | None = None
    guardrail: Any = msgspec.field(default=None, name="amazon-bedrock-guardrailConfig")


class Data(msgspec.Struct):
    text: str = ""
    tokens: list[msgspec.Raw] | None = None


class FinishReason(msgspec.Struct, omit_defaults=True):
    reason: _Reason
    length: int | None = None
    sequence: str | None = None


class Completion(msgspec.Struct, rename="camel"):
    data: Data
    finish_reason: FinishReason = msgspec.field(default_factory=lambda: FinishReason("endoftext"))


class Reply(msgspec.Struct):
    completions: list[Completion]
    prompt: Data = msgspec.field(default_factory=Data)


class _Prompt(msgspec.Struct):
    prompt: str = ""


_BODY = msgspec.json.Decoder(Body)
_REPLY = msgspec.json.Decoder(Reply)
_PROMPT = msgspec.json.Decoder(_Prompt)
_encode = msgspec.json.Encoder().encode

_PARAMETERS = ("maxTokens", "temperature", "topP", "stopSequences")
_PENALTIES = ("countPenalty", "presencePenalty", "frequencyPenalty")
FIELDS = Schema(
    known=frozenset(_PENALTIES),
    names={
        "top_p": ("topP",),
        "temperature": ("temperature",),
        "stop": ("stopSequences",),
        "max_tokens": ("maxTokens",),
    },
    translate={},
)

_STOP_REASONS: dict[str, StopReason] = {"endoftext": "end_turn", "length": "max_tokens", "stop": "stop_sequence"}
_FINISH_REASONS: dict[str, _Reason] = {"max_tokens": "length", "stop_sequence": "stop"}


class AI21Jurassic2:
    name = "ai21.j2"
    streams = False

    def read_request(self, body: bytes, *, streaming: bool = False) -> ConverseRequest:
        if streaming:
            raise _no_stream()
        native = decode_native(_BODY, body)
        penalties = (native.count_penalty, native.presence_penalty, native.frequency_penalty)
        extras: dict[str, Any] = {
            name: msgspec.to_builtins(penalty)
            for name, penalty in zip(_PENALTIES, penalties, strict=True)
            if penalty is not None
        }
        if native.max_tokens == 0:  # Converse begins at 1
            extras["maxTokens"] = 0
        config = InferenceConfig(native.max_tokens or None, native.temperature, native.top_p, native.stop_sequences)
        return ConverseRequest(
            messages=[text_message("user", native.prompt)],
            inference_config=config_or_none(config),
            additional_model_request_fields=extras or None,
        )

    def write_request(self, request: ConverseRequest, out: Outgoing) -> bytes:
        prompt = _prompt(system_text(request.system, out.ledger), plain_turns(request, out.ledger), out.ledger)
        body: dict[str, Any] = {"prompt": prompt, **write_config(request.inference_config, _PARAMETERS)}
        merge(request.additional_model_request_fields, FIELDS, body, out.ledger)
        return _encode(body)

    def read_reply(self, body: bytes) -> ConverseReply:
        native = decode_reply(_REPLY, body)
        first = native.completions[0] if native.completions else Completion(Data())
        used = usage(len(native.prompt.tokens or ()), len(first.data.tokens or ()))
        finish = first.finish_reason
        return assistant_reply(
            [ContentBlock(text=first.data.text)], _STOP_REASONS[finish.reason], used, finish.sequence
        )

    def write_reply(self, reply: ConverseReply, shown: Shown) -> bytes:
        reason: _Reason = _FINISH_REASONS.get(reply.stop_reason, "endoftext")
        finish = FinishReason(
            reason,
            length=reply.usage.output_tokens if reason == "length" else None,
            sequence=reply.stop_sequence if reason == "stop" else None,
        )
        return _encode(
            {
                "id": zlib.crc32(shown.request_id.encode()),
                "prompt": {"text": _asked(shown), "tokens": []},
                "completions": [{"data": {"text": reply_text(reply), "tokens": []}, "finishReason": finish}],
            }
        )

    def reader(self) -> StreamReader:
        raise _no_stream()

    def writer(self, shown: Shown) -> StreamWriter:
        raise _no_stream()


def _no_stream() -> Fault:
    return validation(NO_STREAM)


def _prompt(system: str, turns: list[Turn], ledger: Ledger) -> str:
    """One user message is the prompt as it is. Anything more, which Bedrock refuses, becomes a transcript."""
    if system:
        ledger.emulate("system")
    if len(turns) == 1 and turns[0].role == "user":
        return f"{system}\n\n{turns[0].text}" if system else turns[0].text
    ledger.emulate("messages")
    lines = [f"{_SPEAKERS[role]}: {text}" for role, text in turns]
    return "\n\n".join([system, *lines, "Assistant:"] if system else [*lines, "Assistant:"])


def _asked(shown: Shown) -> str:
    """The prompt to echo: the caller's own, else that of the request."""
    if shown.body:
        return decode_native(_PROMPT, shown.body).prompt
    ledger = Ledger()
    return _prompt(system_text(shown.request.system, ledger), plain_turns(shown.request, ledger), ledger)
