"""Reasoning of earlier turns: which of it may go to a target, by who signed it.

Vendors sign what their models thought and refuse thoughts that they did not sign; what another vendor signed or hid is
also nobody else's to read. So a signed block goes to its signer alone, whole, and is left out and named for any other
target. Who signed is told by the signature: Gemini's and OpenAI's carry their vendor's name before a colon since this
gateway put it there, Anthropic's, the only ones that the real Bedrock issues, stand as they are. Unsigned reasoning is
plain text, and its dialect's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from craton.models.canon.content import ContentBlock, Message, ReasoningContent
from craton.models.dialects.dialect import Ledger
from craton.models.dialects.traits import ANTHROPIC

# No base64 holds a colon.
_VENDOR = re.compile(r"([a-z][a-z0-9]{1,30}):")
# An assistant's turn may not be empty.
_NOTHING_LEFT = "(reasoning)"


def signer(content: ReasoningContent) -> str:
    """The vendor that signed or hid a block, "" for plain reasoning."""
    if content.redacted_content is not None:
        mark = content.redacted_content[:40].decode("utf-8", "replace")
    else:
        mark = content.reasoning_text.signature or "" if content.reasoning_text is not None else ""
        if not mark:
            return ""
    found = _VENDOR.match(mark)
    return found[1] if found is not None else ANTHROPIC


def foreign(block: ContentBlock, own: str) -> bool:
    """Whether a block is reasoning that another vendor than `own` signed."""
    if block.reasoning_content is None:
        return False
    by = signer(block.reasoning_content)
    return by not in ("", own)


def has_foreign(messages: Iterable[Message], own: str) -> bool:
    """Whether any message holds reasoning that another vendor than `own` signed."""
    return any(foreign(block, own) for message in messages for block in message.content)


def without_foreign(messages: list[Message], own: str, ledger: Ledger) -> list[Message]:
    """The messages without reasoning that the target's vendor did not sign; the same list if there is none."""
    if not has_foreign(messages, own):
        return messages
    return [_kept(turn, message, own, ledger) for turn, message in enumerate(messages)]


def _kept(turn: int, message: Message, own: str, ledger: Ledger) -> Message:
    kept: list[ContentBlock] = []
    for position, block in enumerate(message.content):
        if foreign(block, own):
            ledger.drop(f"messages.{turn}.content.{position}.reasoningContent")
        else:
            kept.append(block)
    return msgspec.structs.replace(message, content=kept or [ContentBlock(text=_NOTHING_LEFT)])
