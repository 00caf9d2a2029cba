"""Inference parameters of a model that is evaluated, as members of a Converse request.

Owns both forms that the members of `inferenceParams` may have: Converse's own (`inferenceConfig`,
`additionalModelRequestFields`), and flat ones of the model's, whose common names become Converse's, numbers in strings
included, as the examples of the user guide have them. Pure.
"""

from __future__ import annotations

import json
from typing import Any

from craton.features.evaluation.job import Subject

_WHOLE = ("inferenceConfig", "additionalModelRequestFields", "system", "performanceConfig")
_FLAT = {
    "temperature": "temperature", "topP": "topP", "top_p": "topP", "p": "topP", "maxTokens": "maxTokens",
    "max_tokens": "maxTokens", "maxTokenCount": "maxTokens", "max_tokens_to_sample": "maxTokens",
    "max_gen_len": "maxTokens", "stopSequences": "stopSequences", "stop_sequences": "stopSequences",
}  # fmt: skip
JUDGING = {"inferenceConfig": {"temperature": 0.0, "maxTokens": 1024}}
"""What a judge is asked with."""


class BadParams(Exception):
    """What cannot be the parameters of a model."""


def members(subject: Subject) -> dict[str, Any]:
    """The members of the request beside its messages. Raises BadParams."""
    found = parsed(subject.params) if subject.params else {}
    if subject.latency:
        found = {**found, "performanceConfig": {"latency": subject.latency}}
    return found


def parsed(text: str) -> dict[str, Any]:
    """The members in a JSON object. Raises BadParams."""
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        raise BadParams("inferenceParams must be a JSON object") from None
    if not isinstance(given, dict):
        raise BadParams("inferenceParams must be a JSON object")
    whole = {name: given[name] for name in _WHOLE if name in given}
    config, more = {}, {}
    for name, value in given.items():
        if name in _FLAT:
            config[_FLAT[name]] = numeric(value)
        elif name not in _WHOLE:
            more[name] = value
    if "maxTokens" in config and isinstance(config["maxTokens"], float):
        config["maxTokens"] = int(config["maxTokens"])
    for name, values in (("inferenceConfig", config), ("additionalModelRequestFields", more)):
        if values:
            whole[name] = {**values, **mapping(whole.get(name, {}), name)}
    return whole


def mapping(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadParams(f"inferenceParams: {name} must be a JSON object")
    return value


def numeric(value: object) -> object:
    """A number that came as a string as the number."""
    if not isinstance(value, str):
        return value
    try:
        found = float(value)
    except ValueError:
        return value
    return int(found) if found.is_integer() and "." not in value else found
