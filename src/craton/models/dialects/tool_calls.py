"""Ids and arguments of tool calls, and output schemas: what one side writes as text and the other as JSON.

Shared by the dialects whose vendors write arguments as a JSON text. Knows no schema.
"""

from __future__ import annotations

import re
import secrets
from typing import Any

import msgspec
from msgspec import Raw

from craton.aws.wire.faults import model_error, validation

# Bedrock's own text for arguments that are no JSON object (reference: errors.md).
INVALID_TOOL_USE = (
    "Model produced invalid sequence as part of ToolUse. Please refer to the model tool use troubleshooting guide."
)

_FITS = re.compile(r"[a-zA-Z0-9_.:-]{1,64}").fullmatch
_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_EMPTY = Raw(b"{}")


def tool_use_id(given: str | None) -> str:
    """The upstream's id if Converse allows it, else a new one (`tooluse_` and 22 url-safe characters)."""
    if given and _FITS(given):
        return given
    return "tooluse_" + secrets.token_urlsafe(16)


def arguments(given: Any) -> Raw | None:
    """A call's arguments as raw JSON, or None if they are no JSON object.

    Vendors give a JSON text; some servers give the object itself, and nothing or `null` for a call without any.
    """
    if isinstance(given, dict):
        return Raw(msgspec.json.encode(given))
    if given is None:
        return _EMPTY
    if not isinstance(given, str):
        return None
    text = given.strip()
    return _EMPTY if not text or text == "null" else json_object(text)


def answered(given: Any, *, cut: bool) -> Raw:
    """The arguments of a call in an upstream's reply; `cut`: the reply ended at its limit of tokens.

    A call that the limit cut short has no input, as with Claude on Bedrock: the stop reason tells the program why.
    Raises ModelErrorException for anything else that is no JSON object.
    """
    found = arguments(given)
    if found is None and not cut:
        raise model_error(INVALID_TOOL_USE)
    return _EMPTY if found is None else found


def json_object(text: str) -> Raw | None:
    """The text as it stands if it is one JSON object, else None."""
    try:
        _OBJECT.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    return Raw(text)


def output_schema(text: str) -> Raw:
    """The text of an output schema as JSON. Raises ValidationException if it is no JSON object."""
    schema = json_object(text)
    if schema is None:
        raise validation("The schema at outputConfig.textFormat.structure.jsonSchema is not a JSON object.")
    return schema
