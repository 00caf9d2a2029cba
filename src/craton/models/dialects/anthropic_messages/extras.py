"""Extra fields as Anthropic Messages knows them: its own names, and what other schemas' names become here.

Every function writes one foreign field into a body whose canonical members are there already. The order and the
ledger are `extras`'.
"""

from __future__ import annotations

from typing import Any

from craton.models.dialects import extras
from craton.models.dialects.dialect import Ledger

_KNOWN = frozenset(
    {
        "top_k", "thinking", "anthropic_beta", "metadata", "service_tier", "container", "context_management",
        "mcp_servers", "output_config", "output_format", "cache_control", "speed", "inference_geo", "compaction",
        "fallbacks", "diagnostics", "user_profile_id", "thread",
    }
)  # fmt: skip

# How much thinking an effort of another schema stands for.
_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}


def _tools(value: Any, body: extras.Body, ledger: Ledger) -> bool:
    """Native tools stand beside the canonical ones, or in the place of the one that has their name."""
    if not isinstance(value, list) or not all(isinstance(tool, dict) for tool in value):
        return False
    names = {tool.get("name") for tool in value}
    kept = [tool for tool in body.get("tools", ()) if tool.name not in names]
    added = []
    for tool in value:
        if "function" in tool or tool.get("type") == "function":
            ledger.drop(f"{extras.ROOT}.tools")
        else:
            added.append(tool)
    body["tools"] = kept + added
    return True


def _tool_choice(value: Any, body: extras.Body, _ledger: Ledger) -> bool:
    if value == "none":
        value = {"type": "none"}
    if not isinstance(value, dict) or value.get("type") not in ("auto", "any", "tool", "none"):
        return "tool_choice" in body
    extras.overlay(body, "tool_choice", value)
    return True


def _parallel(value: Any, body: extras.Body, _ledger: Ledger) -> bool:
    if value is False and body.get("tools"):
        body["tool_choice"] = {"type": "auto", **body.get("tool_choice", {}), "disable_parallel_tool_use": True}
    return True


def _user(value: Any, body: extras.Body, _ledger: Ledger) -> bool:
    extras.overlay(body, "metadata", {"user_id": value})
    return True


def _effort(value: Any, body: extras.Body, ledger: Ledger) -> bool:
    """OpenAI's `reasoning_effort`; `none` is what happens without it."""
    return value == "none" or _set_effort(value, body, ledger, "reasoning_effort")


def _reasoning_config(value: Any, body: extras.Body, ledger: Ledger) -> bool:
    """Nova's `reasoningConfig`."""
    if not isinstance(value, dict):
        return False
    off = value.get("type") == "disabled"
    return off or _set_effort(value.get("maxReasoningEffort"), body, ledger, "reasoningConfig")


def _set_effort(value: Any, body: extras.Body, ledger: Ledger, name: str) -> bool:
    effort = _EFFORTS.get(value) if isinstance(value, str) else None
    if effort is None:
        return False
    body["output_config"] = {"effort": effort, **body.get("output_config", {})}
    ledger.emulate(f"{extras.ROOT}.{name}")
    return True


def _response_format(value: Any, body: extras.Body, _ledger: Ledger) -> bool:
    """OpenAI's; a JSON schema has been read into the canon already."""
    kind = value.get("type") if isinstance(value, dict) else None
    return kind == "text" or (kind == "json_schema" and "format" in body.get("output_config", {}))


def _temperature(value: Any, body: extras.Body, ledger: Ledger) -> bool:
    """Other schemas go up to 2; Anthropic's scale ends at 1."""
    if not isinstance(value, int | float) or value <= 1:
        return False
    if body.setdefault("temperature", 1.0) == 1.0:
        ledger.emulate(f"{extras.ROOT}.temperature")
    else:
        ledger.drop(f"{extras.ROOT}.temperature")
    return True


_NAMES = {
    "top_k": ("top_k",),
    "top_p": ("top_p",),
    "temperature": ("temperature",),
    "stop": ("stop_sequences",),
    "max_tokens": ("max_tokens",),
}
_TRANSLATE: dict[str, extras.Translate] = {
    "tools": _tools,
    "tool_choice": _tool_choice,
    "parallel_tool_calls": _parallel,
    "user": _user,
    "reasoning_effort": _effort,
    "reasoningConfig": _reasoning_config,
    "response_format": _response_format,
    "temperature": _temperature,
}
VENDOR_FIELDS = extras.Schema(_KNOWN, _NAMES, _TRANSLATE)
BEDROCK_FIELDS = extras.Schema(_KNOWN, _NAMES, _TRANSLATE, open=True)
