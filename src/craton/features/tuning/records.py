"""Lines of training files: what each may look like, and in plain words what is wrong with one that is not so.

A line becomes a `Record`: a list of turns, with a text that is learned where the assistant speaks. Sources: the Bedrock user guide on
preparing data (prompt and completion; `bedrock-conversation-2024`; Anthropic's messages; `input`), and for
reinforcement its graders' `messages` with `reference_answer`. `preference` is ours. It knows no tokens.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import msgspec

from craton.features.tuning.plan import Form

SCHEMA_VERSION = "bedrock-conversation-2024"
_ROLES = ("user", "assistant")


class Turn(msgspec.Struct, frozen=True, array_like=True):
    """Who speaks, and what. Of the assistant's turns `learned` says whether the model is to learn to say it."""

    role: str
    text: str
    learned: bool = False
    calls: list[dict[str, Any]] = []


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One line. `rejected` is the worse last answer of a preference; `reference` and `extra` are the grader's."""

    turns: list[Turn] = []
    tools: list[dict[str, Any]] = []
    text: str = ""
    rejected: str = ""
    reference: Any = None
    extra: dict[str, Any] = {}


class BadRecord(Exception):
    """A line is no record; the text says why, without the line's content."""


def read(line: bytes, forms: tuple[Form, ...]) -> Record:
    """A line in one of the forms. Raises BadRecord."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise BadRecord(f"it is not UTF-8: byte {fault.start} cannot be read") from None
    try:
        found = json.loads(text)
    except ValueError as fault:
        raise BadRecord(f"it is not JSON: {fault}") from None
    except RecursionError:
        raise BadRecord("it is not JSON: it is nested too deeply") from None
    if not isinstance(found, dict):
        raise BadRecord("it is not a JSON object")
    for form in forms:
        if _MARKS[form](found):
            return _READERS[form](found)
    raise BadRecord("it has none of the forms expected here: " + "; ".join(_SHOWN[form] for form in forms))


def _text(found: dict[str, Any], key: str) -> str:
    value = found.get(key)
    if not isinstance(value, str):
        raise BadRecord(f"'{key}' must be a text")
    if not value.strip():
        raise BadRecord(f"'{key}' is empty")
    return value


def _pair(found: dict[str, Any]) -> Record:
    turns = [Turn("user", _text(found, "prompt")), Turn("assistant", _text(found, "completion"), True)]
    system = found.get("system")
    return Record(turns=[Turn("system", system), *turns] if isinstance(system, str) and system else turns)


def _preference(found: dict[str, Any]) -> Record:
    chosen, rejected = _text(found, "chosen"), _text(found, "rejected")
    if chosen == rejected:
        raise BadRecord("'chosen' and 'rejected' are the same")
    return Record(turns=[Turn("user", _text(found, "prompt")), Turn("assistant", chosen, True)], rejected=rejected)


def _raw(found: dict[str, Any]) -> Record:
    return Record(text=_text(found, "input"))


def _conversation(found: dict[str, Any]) -> Record:
    version = found.get("schemaVersion")
    if version is not None and version != SCHEMA_VERSION:
        raise BadRecord(f"'schemaVersion' must be {SCHEMA_VERSION}")
    turns = [Turn("system", _blocks(found["system"], "system")[0])] if found.get("system") else []
    for at, message in enumerate(_messages(found)):
        text, calls = _blocks(message.get("content"), f"messages[{at}].content")
        results = _results(message["content"], f"messages[{at}].content")
        turns += [Turn("tool", each) for each in results]
        if message["role"] == "assistant":
            turns.append(Turn("assistant", text, True, calls))
        elif text:
            turns.append(Turn("user", text))
    return Record(turns=_alternating(turns), tools=_tools(found.get("toolConfig")))


def _claude(found: dict[str, Any]) -> Record:
    turns = [Turn("system", _text(found, "system"))] if found.get("system") else []
    for at, message in enumerate(_messages(found)):
        content = message.get("content")
        if not isinstance(content, str) or not content.strip():
            raise BadRecord(f"'messages[{at}].content' must be a text")
        turns.append(Turn(message["role"], content, message["role"] == "assistant"))
    return Record(turns=_alternating(turns))


def _reinforcement(found: dict[str, Any]) -> Record:
    turns = []
    for at, message in enumerate(_messages(found, ("system", *_ROLES))):
        content = message.get("content")
        text = content if isinstance(content, str) else _blocks(content, f"messages[{at}].content")[0]
        turns.append(Turn(message["role"], text))
    if turns[-1].role != "user":
        raise BadRecord("the last of 'messages' must be the user's: the model is to answer it")
    extra = {key: value for key, value in found.items() if key not in ("messages", "reference_answer")}
    return Record(turns=turns, reference=found.get("reference_answer"), extra=extra)


def _messages(found: dict[str, Any], roles: tuple[str, ...] = _ROLES) -> list[dict[str, Any]]:
    messages = found.get("messages")
    if not isinstance(messages, list) or not messages:
        raise BadRecord("'messages' must be a list with at least one message")
    for at, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in roles:
            raise BadRecord(f"'messages[{at}].role' must be one of {', '.join(roles)}")
    return messages


def _alternating(turns: list[Turn]) -> list[Turn]:
    """User and assistant take turns, the user begins, the assistant ends. Raises BadRecord."""
    spoken = [turn.role for turn in turns if turn.role != "system"]
    if not spoken or spoken[0] != "user":
        raise BadRecord("the first of 'messages' must be the user's")
    if spoken[-1] != "assistant":
        raise BadRecord("the last of 'messages' must be the assistant's")
    asked = ["user" if role == "tool" else role for role in spoken]
    for at, (one, other) in enumerate(pairwise(asked)):
        if one == other and spoken[at] != "tool" and spoken[at + 1] != "tool":
            raise BadRecord(f"the roles are out of order: two messages of the {one} follow each other")
    return turns


def _blocks(content: object, where: str) -> tuple[str, list[dict[str, Any]]]:
    """The text of content blocks, and the tool calls among them."""
    if not isinstance(content, list) or not content:
        raise BadRecord(f"'{where}' must be a list of content blocks")
    texts: list[str] = []
    calls: list[dict[str, Any]] = []
    for at, block in enumerate(content):
        kind = next(iter(block), "") if isinstance(block, dict) else ""
        if kind == "text" and isinstance(block["text"], str):
            texts.append(block["text"])
        elif kind == "toolUse" and isinstance(block["toolUse"], dict) and isinstance(block["toolUse"].get("name"), str):
            calls.append({"name": block["toolUse"]["name"], "arguments": block["toolUse"].get("input") or {}})
        elif kind in ("image", "video", "document"):
            raise BadRecord(f"'{where}[{at}]' is a block of the kind {kind}, which this base model cannot read")
        elif kind != "toolResult":
            raise BadRecord(f"'{where}[{at}]' is no content block that can be learned from")
    return "\n".join(texts), calls


def _results(content: list[dict[str, Any]], where: str) -> list[str]:
    """What tools gave back, as the text that a model reads."""
    found = []
    for block in content:
        result = block.get("toolResult")
        if result is None:
            continue
        parts = result.get("content") if isinstance(result, dict) else None
        if not isinstance(parts, list):
            raise BadRecord(f"'{where}': a toolResult needs a list 'content'")
        texts = [part["text"] if "text" in part else json.dumps(part.get("json")) for part in parts]
        found.append("\n".join(texts))
    return found


def _tools(config: object) -> list[dict[str, Any]]:
    """Converse's `toolConfig` as chat templates take tools."""
    found = []
    listed = config.get("tools", []) if isinstance(config, dict) else []
    for tool in listed:
        spec = tool.get("toolSpec") if isinstance(tool, dict) else None
        if not isinstance(spec, dict) or not isinstance(spec.get("name"), str):
            raise BadRecord("'toolConfig.tools' must be a list of toolSpec")
        parameters = (spec.get("inputSchema") or {}).get("json") or {}
        function = {"name": spec["name"], "description": spec.get("description", ""), "parameters": parameters}
        found.append({"type": "function", "function": function})
    return found


def _has_blocks(found: dict[str, Any]) -> bool:
    first = (found.get("messages") or [None])[0] if isinstance(found.get("messages"), list) else None
    return isinstance(first, dict) and not isinstance(first.get("content"), str)


_MARKS: dict[Form, Callable[[dict[str, Any]], bool]] = {
    "prompt-completion": lambda found: "completion" in found or ("prompt" in found and "chosen" not in found),
    "conversation": lambda found: "schemaVersion" in found or ("messages" in found and _has_blocks(found)),
    "claude": lambda found: "messages" in found,
    "text": lambda found: "input" in found,
    "preference": lambda found: "chosen" in found or "rejected" in found,
    "reinforcement": lambda found: "messages" in found,
}
_READERS: dict[Form, Callable[[dict[str, Any]], Record]] = {
    "prompt-completion": _pair,
    "conversation": _conversation,
    "claude": _claude,
    "text": _raw,
    "preference": _preference,
    "reinforcement": _reinforcement,
}
_SHOWN: dict[Form, str] = {
    "prompt-completion": '{"prompt", "completion"}',
    "conversation": '{"schemaVersion": "bedrock-conversation-2024", "messages"}',
    "claude": '{"system", "messages"} with texts',
    "text": '{"input"}',
    "preference": '{"prompt", "chosen", "rejected"}',
    "reinforcement": '{"messages", "reference_answer"}',
}
