"""Extra fields as Gemini knows them: its own, and what other schemas' names become here.

Every function writes one foreign field into a body whose canonical members are there already. The order and the
ledger are `extras`'.
"""

from __future__ import annotations

from typing import Any

from craton.models.dialects import extras
from craton.models.dialects.dialect import Ledger

# Tokens of thinking that an effort stands for, as Google's own OpenAI-compatible service sets them.
_BUDGETS = {"minimal": 512, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 24576, "max": 24576}


def set_effort(effort: object, body: extras.Body) -> bool:
    """An effort as a budget of thinking. False for a word that means none."""
    budget = _BUDGETS.get(effort) if isinstance(effort, str) else None
    if budget is not None:
        _think({"thinkingBudget": budget}, body)
    return budget is not None


def _think(config: extras.Body, body: extras.Body) -> None:
    """What stands there already wins."""
    generation = body.setdefault("generationConfig", {})
    generation["thinkingConfig"] = {**config, **generation.get("thinkingConfig", {})}


def _thinking(value: Any, body: extras.Body, ledger: Ledger) -> bool:
    """Anthropic's. Without a budget Gemini thinks as it does when nothing is said."""
    if not isinstance(value, dict):
        return False
    budget = value.get("budget_tokens")
    if value.get("type") == "enabled" and isinstance(budget, int):
        _think({"includeThoughts": True, "thinkingBudget": budget}, body)
        ledger.emulate(f"{extras.ROOT}.thinking")
    return True


def _reasoning_effort(value: Any, body: extras.Body, ledger: Ledger) -> bool:
    """OpenAI's; `none` is what happens without it."""
    if value == "none":
        return True
    if not set_effort(value, body):
        return False
    ledger.emulate(f"{extras.ROOT}.reasoning_effort")
    return True


def _tools(value: Any, body: extras.Body, _ledger: Ledger) -> bool:
    """Google's own tools stand beside the canonical ones; another vendor's have a name or a type."""
    if not isinstance(value, list) or not all(isinstance(tool, dict) for tool in value):
        return False
    if any({"name", "type", "function", "toolSpec"} & set(tool) for tool in value):
        return False
    body["tools"] = [*body.get("tools", []), *value]
    return True


_NAMES = {
    meaning: ("generationConfig", name)
    for meaning, name in (
        ("top_k", "topK"),
        ("top_p", "topP"),
        ("temperature", "temperature"),
        ("stop", "stopSequences"),
        ("max_tokens", "maxOutputTokens"),
        ("seed", "seed"),
        ("presence_penalty", "presencePenalty"),
        ("frequency_penalty", "frequencyPenalty"),
    )
}
FIELDS = extras.Schema(
    known=frozenset({"generationConfig", "safetySettings", "cachedContent", "toolConfig", "labels"}),
    names=_NAMES,
    translate={"thinking": _thinking, "reasoning_effort": _reasoning_effort, "tools": _tools},
)
