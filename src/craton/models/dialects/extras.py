"""Native fields in `additionalModelRequestFields`: what another schema calls them, and what it lacks.

A request carries fields of its own model's schema under that schema's names (`top_k`, `thinking`, `seed`). When it is
written for another schema, a field with an equivalent there is renamed, the rest goes to the ledger. A dialect states
what it knows as one `Schema`; this file owns the names that several schemas share and the order of merging.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from craton.models.dialects.dialect import Ledger

ROOT = "additionalModelRequestFields"

# Vendors' names → the thing that they mean. Only names with one meaning and one scale everywhere.
MEANING: dict[str, str] = {
    "top_k": "top_k",
    "topK": "top_k",
    "k": "top_k",
    "min_p": "min_p",
    "top_p": "top_p",
    "topP": "top_p",
    "p": "top_p",
    "temperature": "temperature",
    "seed": "seed",
    "random_seed": "seed",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "repetition_penalty": "repetition_penalty",
    "repeat_penalty": "repetition_penalty",
    "min_tokens": "min_tokens",
    "logit_bias": "logit_bias",
    "stop": "stop",
    "stop_sequences": "stop",
    "stopSequences": "stop",
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "max_tokens_to_sample": "max_tokens",
    "max_gen_len": "max_tokens",
    "max_new_tokens": "max_tokens",
    "maxTokens": "max_tokens",
    "maxTokenCount": "max_tokens",
}

# Objects in which some schemas keep the parameters above.
_GROUPS = ("inferenceConfig", "textGenerationConfig", "generationConfig")

# Fields that say how a call is made, nothing about what is asked. A target needs none of them.
_SILENT = frozenset({"model", "stream", "stream_options", "anthropic_version", "schemaVersion", "api_version"})

# Fields that only some other schema has: a schema that passes unknown fields must still not get these.
_FOREIGN = frozenset(
    {
        "anthropic_beta", "betas", "context_management", "mcp_servers", "output_config", "output_format", "thinking",
        "reasoning_effort", "reasoning", "parallel_tool_calls", "response_format", "logprobs", "top_logprobs",
        "logit_bias", "n", "user", "reasoningConfig", "inferenceConfig", "textGenerationConfig", "countPenalty",
        "presencePenalty", "frequencyPenalty", "preamble", "documents", "truncate", "return_likelihoods",
        "num_generations", "safe_prompt", "chat_template_kwargs",
    }
)  # fmt: skip

Body = dict[str, Any]
# Writes a field in another form into the body. False: nothing there to write it to.
Translate = Callable[[Any, Body, Ledger], bool]


class Schema(msgspec.Struct, frozen=True):
    """What a native schema knows of extra fields.

    `known`: its own names, written as they come. `names`: meaning → where it stands in the body. `translate`: foreign
    names that need more than another name. `open`: fields unknown to everybody pass through, as Bedrock merges them.
    """

    known: frozenset[str]
    names: Mapping[str, tuple[str, ...]]
    translate: Mapping[str, Translate]
    open: bool = False


def asked(extras: dict[str, Any] | None) -> dict[str, Any] | None:
    """The extra fields without those that only say how a call was made, for a target that takes all others as they are."""
    if extras is None or _SILENT.isdisjoint(extras):
        return extras
    return {name: value for name, value in extras.items() if name not in _SILENT} or None


def merge(extras: dict[str, Any] | None, schema: Schema, body: Body, ledger: Ledger) -> None:
    """Write extra fields into a body whose canonical members are already there."""
    for name, value in (extras or {}).items():
        _place(name, value, f"{ROOT}.{name}", schema, body, ledger)


def _place(name: str, value: Any, path: str, schema: Schema, body: Body, ledger: Ledger) -> None:
    translate = schema.translate.get(name)
    if name in _SILENT:
        return
    if translate is not None and translate(value, body, ledger):
        return
    if name in schema.known:
        overlay(body, name, value)
    elif name in MEANING and not isinstance(value, dict):
        where = schema.names.get(MEANING[name])
        if where is None or not put(body, where, value):
            ledger.drop(path)
    elif name in _GROUPS and isinstance(value, dict):
        for inner, one in value.items():
            _place(inner, one, f"{path}.{inner}", schema, body, ledger)
    elif schema.open and name not in _FOREIGN:
        body[name] = value
    else:
        ledger.drop(path)


def overlay(body: Body, name: str, value: Any) -> None:
    """Set a member; onto an object that is there already, an object is laid member by member."""
    there = body.get(name)
    body[name] = {**there, **value} if isinstance(there, dict) and isinstance(value, dict) else value


def put(body: Body, where: tuple[str, ...], value: Any) -> bool:
    """Set what the canonical members left open. False if another value is there already."""
    *groups, last = where
    for group in groups:
        body = body.setdefault(group, {})
    if last == "stop" or last.startswith("stop_") or last == "stopSequences":
        value = [value] if isinstance(value, str) else value
    there = body.setdefault(last, value)
    return bool(there == value)
