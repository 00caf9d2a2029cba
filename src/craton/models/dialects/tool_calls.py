"""Ids and arguments of tool calls, as models give them and as Bedrock wants them.

Shared by the dialects whose vendors write arguments as a JSON text. Knows no schema.
"""

from __future__ import annotations

import re
import secrets
from typing import Any

import msgspec
from msgspec import Raw

# Bedrock's own text for arguments that are no JSON object (reference: errors.md).
INVALID_TOOL_USE = (
    "Model produced invalid sequence as part of ToolUse. Please refer to the model tool use troubleshooting guide."
)

_FITS = re.compile(r"[a-zA-Z0-9_.:-]{1,64}").fullmatch
_ANY_JSON = msgspec.json.Decoder(Raw)
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
    if not text or text == "null":
        return _EMPTY
    if not text.startswith("{"):
        return None
    try:
        _ANY_JSON.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    return Raw(text)
