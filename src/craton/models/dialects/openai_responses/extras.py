"""Extra fields as OpenAI Responses knows them: its own, and what chat's and other vendors' names become here.

Every function writes one foreign field into a body whose canonical members are there already. The order and the
ledger are `models.dialects.extras`'.
"""

from __future__ import annotations

from typing import Any

from craton.models.dialects import extras
from craton.models.dialects.dialect import Ledger
from craton.models.dialects.openai_chat.extras import fields_of

_KNOWN = frozenset(
    {
        "parallel_tool_calls", "max_tool_calls", "truncation", "top_logprobs", "user", "safety_identifier",
        "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "service_tier", "context_management",
        "moderation", "reasoning",
    }
)  # fmt: skip
_NAMES = {"temperature": ("temperature",), "top_p": ("top_p",), "max_tokens": ("max_output_tokens",)}


def _reasoning_effort(value: Any, body: extras.Body, _ledger: Ledger) -> bool:
    if not isinstance(value, str):
        return False
    extras.overlay(body, "reasoning", {"effort": value})
    return True


def _thinking(value: Any, body: extras.Body, ledger: Ledger) -> bool:
    """Anthropic's; how much thinking a budget stands for is chat's to say."""
    asked: extras.Body = {}
    if not fields_of({}).translate["thinking"](value, asked, ledger):
        return False
    return not asked or _reasoning_effort(asked["reasoning_effort"], body, ledger)


def _reasoning_config(value: Any, body: extras.Body, ledger: Ledger) -> bool:
    """Nova's."""
    asked: extras.Body = {}
    if not fields_of({}).translate["reasoningConfig"](value, asked, ledger):
        return False
    return not asked or _reasoning_effort(asked["reasoning_effort"], body, ledger)


def _verbosity(value: Any, body: extras.Body, _ledger: Ledger) -> bool:
    extras.overlay(body, "text", {"verbosity": value})
    return True


def _response_format(value: Any, body: extras.Body, _ledger: Ledger) -> bool:
    """Chat's: the schema in an object of its own. Its `strict` wins over what the canon assumes."""
    kind = value.get("type") if isinstance(value, dict) else None
    if kind not in ("json_object", "json_schema", "text"):
        return False
    named = value.get("json_schema")
    written = {"type": kind, **(named if isinstance(named, dict) else {})}
    if kind == "json_schema":
        written.setdefault("strict", False)
    extras.overlay(body, "text", {"format": written})
    return True


def _tools(value: Any, body: extras.Body, ledger: Ledger) -> bool:
    """OpenAI's own tools stand beside the canonical ones; chat's form of a function is brought into this one."""
    there = body.setdefault("tools", [])
    names = {tool.get("name") for tool in there}
    for tool in value if isinstance(value, list) else ():
        if not isinstance(tool, dict):
            continue
        if isinstance(tool.get("function"), dict):
            there.append({"type": "function", **tool["function"]})
        elif tool.get("name") not in names or tool.get("name") is None:
            if "input_schema" in tool:  # another vendor's form
                ledger.drop(f"{extras.ROOT}.tools.{tool.get('name')}")
            else:
                there.append(tool)
    if not there:
        del body["tools"]
    return True


def _tool_choice(value: Any, body: extras.Body, _ledger: Ledger) -> bool:
    """`none`, and choices that only OpenAI has, as they are; of Anthropic's what the canon does not know already."""
    if not isinstance(value, dict) or value.get("type") not in ("auto", "any", "tool", "none"):
        body["tool_choice"] = value
        return True
    if value["type"] == "none":
        body["tool_choice"] = "none"
    if value.get("disable_parallel_tool_use") is True:
        body["parallel_tool_calls"] = False
    return True


def _metadata(value: Any, body: extras.Body, _ledger: Ledger) -> bool:
    """Anthropic's has one member, `user_id`; OpenAI's own has any others."""
    if not isinstance(value, dict):
        return False
    if set(value) == {"user_id"}:
        body.setdefault("user", value["user_id"])
    else:
        body["metadata"] = value
    return True


def _silent(_value: Any, _body: extras.Body, _ledger: Ledger) -> bool:
    """How an answer is kept: nothing is, of what is sent on."""
    return True


FIELDS = extras.Schema(
    _KNOWN,
    _NAMES,
    {
        "reasoning_effort": _reasoning_effort,
        "thinking": _thinking,
        "reasoningConfig": _reasoning_config,
        "verbosity": _verbosity,
        "response_format": _response_format,
        "tools": _tools,
        "tool_choice": _tool_choice,
        "metadata": _metadata,
        "store": _silent,
    },
)
