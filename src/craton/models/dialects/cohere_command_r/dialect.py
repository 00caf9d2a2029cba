"""Cohere's Command R and R+, the schema of `cohere.command-r*`: one message, and beside it the history and documents.

Owns: bodies and whole replies. Turns, tools and their results are `cohere_command_r_turns`' (requests),
streams `cohere_command_r_stream`'s. Source: reference invoke-bodies.md; Cohere's reference of its first chat API.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from craton.models.canon.reply import ConverseReply
from craton.models.canon.request import ConverseRequest, Fraction, InferenceConfig
from craton.models.dialects.cohere_command_r import turns
from craton.models.dialects.cohere_command_r.reply import REPLY, read_answer, write_answer
from craton.models.dialects.cohere_command_r.stream import Reader, Writer
from craton.models.dialects.dialect import Ledger, Outgoing, Shown
from craton.models.dialects.extras import Schema, merge
from craton.models.dialects.malformed import decode_native, decode_reply
from craton.models.dialects.turns import config_or_none, drop_output_config, system_text, write_config


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """`guardrail` belongs to Bedrock, which reads it before the model does; `stream` says what the operation says."""

    message: str
    chat_history: list[turns.Turn] | None = None
    documents: list[dict[str, Any]] | None = None
    preamble: str | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    temperature: Fraction | None = None
    p: Annotated[float, Meta(ge=0.01, le=0.99)] | None = None
    k: Annotated[int, Meta(ge=0, le=500)] | None = None
    stop_sequences: list[str] | None = None
    tools: list[turns.Declared] | None = None
    tool_results: list[turns.Result] | None = None
    search_queries_only: bool | None = None
    prompt_truncation: Literal["OFF", "AUTO_PRESERVE_ORDER"] | None = None
    frequency_penalty: Fraction | None = None
    presence_penalty: Fraction | None = None
    seed: int | None = None
    return_prompt: bool | None = None
    raw_prompting: bool | None = None
    force_single_step: bool | None = None
    stream: bool | None = None
    guardrail: Any = msgspec.field(default=None, name="amazon-bedrock-guardrailConfig")


_BODY = msgspec.json.Decoder(Body)
_encode = msgspec.json.Encoder().encode

_PARAMETERS = ("max_tokens", "temperature", "p", "stop_sequences")
_EXTRAS = (
    "k",
    "search_queries_only",
    "prompt_truncation",
    "frequency_penalty",
    "presence_penalty",
    "seed",
    "return_prompt",
    "raw_prompting",
    "force_single_step",
)
FIELDS = Schema(
    known=frozenset(_EXTRAS),
    names={
        "top_k": ("k",),
        "top_p": ("p",),
        "stop": ("stop_sequences",),
        **{name: (name,) for name in ("temperature", "max_tokens", "seed", "frequency_penalty", "presence_penalty")},
    },
    translate={},
)
_LEAST_P, _MOST_P = 0.01, 0.99


class CohereCommandR:
    name = "cohere.command-r"
    streams = True

    def read_request(self, body: bytes, *, streaming: bool = False) -> ConverseRequest:
        native = decode_native(_BODY, body)
        system, messages = turns.read_conversation(
            native.message, native.chat_history or [], native.tool_results, native.documents or []
        )
        config = InferenceConfig(native.max_tokens, native.temperature, native.p, native.stop_sequences)
        extras = {name: value for name in _EXTRAS if (value := getattr(native, name)) is not None}
        return ConverseRequest(
            messages=messages,
            system=turns.system_blocks([native.preamble or "", *system]),
            inference_config=config_or_none(config),
            tool_config=turns.read_tools(native.tools),
            additional_model_request_fields=extras or None,
        )

    def write_request(self, request: ConverseRequest, out: Outgoing) -> bytes:
        ledger = out.ledger
        body: dict[str, Any] = turns.write_conversation(request.messages or [], ledger)
        system = system_text(request.system, ledger)
        if system:
            body["preamble"] = system
        body |= write_config(_bounded(request.inference_config, ledger), _PARAMETERS)
        if request.tool_config is not None:
            tools = turns.write_tools(request.tool_config, ledger)
            if tools:
                body["tools"] = tools
        drop_output_config(request, ledger)
        merge(request.additional_model_request_fields, FIELDS, body, ledger)
        return _encode(body)

    def read_reply(self, body: bytes) -> ConverseReply:
        return read_answer(decode_reply(REPLY, body))

    def write_reply(self, reply: ConverseReply, shown: Shown) -> bytes:
        return _encode(write_answer(reply, shown))

    def reader(self) -> Reader:
        return Reader()

    def writer(self, shown: Shown) -> Writer:
        return Writer(shown)


def _bounded(config: InferenceConfig | None, ledger: Ledger) -> InferenceConfig | None:
    """Cohere's `p` stays off both ends of Converse's topP."""
    if config is None or config.top_p is None or _LEAST_P <= config.top_p <= _MOST_P:
        return config
    ledger.emulate("inferenceConfig.topP")
    return msgspec.structs.replace(config, top_p=min(max(config.top_p, _LEAST_P), _MOST_P))
