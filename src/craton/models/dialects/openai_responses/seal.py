"""Reasoning that goes from turn to turn: the canon's signatures and redacted content ↔ OpenAI's `encrypted_content`.

A vendor takes back only what it made itself, so what OpenAI encrypted is kept in the canon with a mark and its item's
id, and only what bears the mark is sent to OpenAI. At the door it is the other way: whatever the canon holds, some
vendor's signature or redacted bytes, is the opaque `encrypted_content` of an item, and comes back as it was.
"""

from __future__ import annotations

import base64
import binascii

from craton.models.canon.content import ReasoningContent, ReasoningText

_MARK = "openai"
_REDACTED = "redacted:"


# --- at the door -----------------------------------------------------------------------------------------------------


def shown(signature: str | None, redacted: bytes | None) -> str | None:
    """`encrypted_content` for what the canon holds of a reasoning block."""
    return _REDACTED + base64.b64encode(redacted).decode() if redacted is not None else signature


def returned(text: str, encrypted: str | None) -> ReasoningContent:
    """The canon's block for an item that comes back."""
    if encrypted is not None and encrypted.startswith(_REDACTED):
        try:
            return ReasoningContent(redacted_content=base64.b64decode(encrypted[len(_REDACTED) :], validate=True))
        except binascii.Error:
            pass  # not ours after all
    return ReasoningContent(reasoning_text=ReasoningText(text, encrypted or None))


# --- at OpenAI -------------------------------------------------------------------------------------------------------


def kept(item_id: str, encrypted: str | None) -> str | None:
    """The canon's signature for what OpenAI encrypted."""
    return f"{_MARK}:{item_id}:{encrypted}" if encrypted else None


def opened(signature: str | None) -> tuple[str, str] | None:
    """The item's id and its encrypted content; None for what OpenAI did not make."""
    mark, _, rest = (signature or "").partition(":")
    item_id, _, encrypted = rest.partition(":")
    return (item_id, encrypted) if mark == _MARK and encrypted else None
