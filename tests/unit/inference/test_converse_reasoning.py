"""Reasoning goes back to the vendor that signed it, whole, and to nobody else."""

from __future__ import annotations

import pytest

from craton.features.inference.fitting.reasoning import signer, without_foreign
from craton.models.canon.content import ContentBlock, Message, ReasoningContent, ReasoningText
from craton.models.dialects.dialect import Ledger
from craton.models.dialects.traits import traits

CLAUDES = "EqQBCgIYAhIMnotarealone"


def thought(text: str = "", signature: str | None = None, redacted: bytes | None = None) -> ContentBlock:
    if redacted is not None:
        return ContentBlock(reasoning_content=ReasoningContent(redacted_content=redacted))
    return ContentBlock(reasoning_content=ReasoningContent(reasoning_text=ReasoningText(text, signature)))


CLAUDE, HIDDEN = thought("plan", CLAUDES), thought(redacted=b"EmwKAhgBEgy3")
GEMINI, OPENAI, PLAIN = thought("plan", "gemini:abc"), thought("plan", "openai:rs_1:gAAA"), thought("plan")
EVERY = {"claude": CLAUDE, "hidden": HIDDEN, "gemini": GEMINI, "openai": OPENAI, "plain": PLAIN}


def sent(dialect: str, model: str = "") -> tuple[list[str], list[str]]:
    """Which blocks stay, and what the ledger says."""
    ledger = Ledger()
    turn = Message("assistant", [*EVERY.values(), ContentBlock(text="done")])
    kept = without_foreign([turn], traits(dialect, model).signer, ledger)[0].content
    return [name for name, block in EVERY.items() if block in kept], ledger.dropped


@pytest.mark.parametrize(
    ("dialect", "model", "stays"),
    [
        ("anthropic.messages", "claude", ["claude", "hidden", "plain"]),
        ("amazon.converse", "us.anthropic.claude-opus-4-5-20251101-v1:0", ["claude", "hidden", "plain"]),
        ("amazon.converse", "amazon.nova-2-lite-v1:0", ["plain"]),
        ("google.gemini", "gemini-3-pro", ["gemini", "plain"]),
        ("openai.responses", "gpt-6", ["openai", "plain"]),
        ("openai.chat", "any", ["plain"]),
        ("meta.llama", "any", ["plain"]),
    ],
)
def test_a_target_gets_what_its_vendor_signed(dialect: str, model: str, stays: list[str]) -> None:
    """The rest is left out and named, signature, text and all."""
    kept, dropped = sent(dialect, model)
    assert kept == stays
    assert len(dropped) == len(EVERY) - len(stays)
    assert all(path.endswith(".reasoningContent") for path in dropped)


def test_who_signed_is_told_by_the_signature() -> None:
    """Claude's signatures stand as the vendor made them, so that a conversation from elsewhere goes on here."""
    found = {name: signer(block.reasoning_content) for name, block in EVERY.items() if block.reasoning_content}
    assert found == {"claude": "anthropic", "hidden": "anthropic", "gemini": "gemini", "openai": "openai", "plain": ""}


def test_messages_without_foreign_reasoning_are_not_copied() -> None:
    """Most conversations have none."""
    messages = [Message("user", [ContentBlock(text="hi")]), Message("assistant", [PLAIN])]
    assert without_foreign(messages, "", Ledger()) is messages


def test_a_turn_is_never_left_empty() -> None:
    """Every vendor refuses an assistant's turn without content."""
    kept = without_foreign([Message("assistant", [CLAUDE])], "gemini", Ledger())
    assert kept[0].content[0].text
