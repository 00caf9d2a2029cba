"""Extra fields as OpenAI chat knows them: the vendor's own, its servers' additions, and what others' become here.

Every function writes one foreign field into a body whose canonical members are there already. The order and the
ledger are `extras`'.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from craton.models.dialects import extras
from craton.models.dialects.dialect import Ledger

# What OpenAI itself takes.
_VENDOR = frozenset(
    {
        "seed", "presence_penalty", "frequency_penalty", "logit_bias", "logprobs", "top_logprobs", "metadata", "store",
        "parallel_tool_calls", "tools", "tool_choice", "response_format", "reasoning_effort", "verbosity", "user",
        "service_tier", "prediction", "modalities", "audio", "web_search_options", "prompt_cache_key",
        "prompt_cache_retention", "safety_identifier",
    }
)  # fmt: skip
# What vLLM, llama.cpp, Ollama, SGLang and routers take besides.
_SERVERS = frozenset(
    {
        "top_k", "min_p", "repetition_penalty", "length_penalty", "min_tokens", "stop_token_ids", "ignore_eos",
        "bad_words", "allowed_token_ids", "skip_special_tokens", "spaces_between_special_tokens", "prompt_logprobs",
        "include_stop_str_in_output", "add_generation_prompt", "continue_final_message", "add_special_tokens",
        "chat_template", "chat_template_kwargs", "documents", "guided_json", "guided_regex", "guided_choice",
        "guided_grammar", "structured_outputs", "grammar", "json_schema", "thinking_token_budget", "include_reasoning",
        "reasoning", "think", "priority", "return_token_ids", "cache_prompt", "keep_alive", "options", "typical_p",
        "mirostat", "mirostat_tau", "mirostat_eta", "repeat_last_n", "dry_multiplier", "xtc_probability",
    }
)  # fmt: skip

_NAMES = {name: (name,) for name in ("stop", "max_tokens", "temperature", "top_p", "seed", "logit_bias")}
_NAMES |= {name: (name,) for name in ("presence_penalty", "frequency_penalty")}
_SERVER_NAMES = _NAMES | {name: (name,) for name in ("top_k", "min_p", "repetition_penalty", "min_tokens")}

# Anthropic's thinking budgets, in tokens, and the effort that each stands for; above the last it is "high".
_BUDGETS = ((2048, "low"), (8192, "medium"))


def fields_of(quirks: Mapping[str, object]) -> extras.Schema:
    """Which extra fields a target takes: `extras` is `vendor` (OpenAI itself), `servers` (default) or `pass` (all)."""
    return _SCHEMAS.get(str(quirks.get("extras", "servers")), _SCHEMAS["servers"])


def _thinking(value: Any, body: extras.Body, ledger: Ledger) -> bool:
    """Anthropic's. Adaptive thinking, and none at all, are what a server does when nothing is said."""
    if not isinstance(value, dict):
        return False
    budget = value.get("budget_tokens")
    if isinstance(budget, int) and value.get("type") == "enabled" and "reasoning_effort" not in body:
        body["reasoning_effort"] = next((effort for limit, effort in _BUDGETS if budget <= limit), "high")
        ledger.emulate(f"{extras.ROOT}.thinking")
    return True


def _reasoning_config(value: Any, body: extras.Body, ledger: Ledger) -> bool:
    """Nova's."""
    if not isinstance(value, dict):
        return False
    effort = value.get("maxReasoningEffort")
    if value.get("type") == "enabled" and isinstance(effort, str):
        body.setdefault("reasoning_effort", effort)
        ledger.emulate(f"{extras.ROOT}.reasoningConfig")
    return True


def _metadata(value: Any, body: extras.Body, _ledger: Ledger) -> bool:
    """Anthropic's has one member, `user_id`; OpenAI's own has any others."""
    if not isinstance(value, dict) or set(value) != {"user_id"}:
        return False
    body.setdefault("user", value["user_id"])
    return True


def _tool_choice(value: Any, body: extras.Body, _ledger: Ledger) -> bool:
    """Anthropic's form; which tool it names, the canon knows already."""
    if not isinstance(value, dict) or value.get("type") not in ("auto", "any", "tool", "none"):
        return False
    if "tools" in body:
        if value["type"] == "none":
            body["tool_choice"] = "none"
        if value.get("disable_parallel_tool_use") is True:
            body["parallel_tool_calls"] = False
    return True


def _tools(value: Any, body: extras.Body, ledger: Ledger) -> bool:
    """Tools in OpenAI's own form stand beside the canonical ones. Anthropic's that the canon holds are there already."""
    there = body.setdefault("tools", [])
    names = {tool["function"]["name"] for tool in there}
    for tool in value if isinstance(value, list) else ():
        if not isinstance(tool, dict):
            continue
        if isinstance(tool.get("function"), dict):
            there.append(tool)
        elif tool.get("name") not in names:
            ledger.drop(f"{extras.ROOT}.tools.{tool.get('name') or tool.get('type')}")
    if not there:
        del body["tools"]
    return True


def _output_format(value: Any, body: extras.Body, _ledger: Ledger) -> bool:
    """Anthropic's earlier name for the schema of an answer."""
    if not isinstance(value, dict) or value.get("type") != "json_schema" or not isinstance(value.get("schema"), dict):
        return False
    schema = {"name": "response", "schema": value["schema"], "strict": True}
    body.setdefault("response_format", {"type": "json_schema", "json_schema": schema})
    return True


_TRANSLATE: dict[str, extras.Translate] = {
    "thinking": _thinking,
    "reasoningConfig": _reasoning_config,
    "metadata": _metadata,
    "tools": _tools,
    "tool_choice": _tool_choice,
    "output_format": _output_format,
}
VENDOR_FIELDS = extras.Schema(_VENDOR, _NAMES, _TRANSLATE)
_SCHEMAS = {
    "vendor": VENDOR_FIELDS,
    "servers": extras.Schema(_VENDOR | _SERVERS, _SERVER_NAMES, _TRANSLATE),
    "pass": extras.Schema(_VENDOR | _SERVERS, _SERVER_NAMES, _TRANSLATE, open=True),
}
