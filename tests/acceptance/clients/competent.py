"""A vendor that does what a good model does, by plain rules, so that agents come to their end without a real one.

Offered tools, it calls the first that it has not called yet, with arguments made of the schema and of what the user
wrote; after a tool's result it tells that result; asked for an answer by a schema, it gives one; else it echoes. It
speaks OpenAI's chat format and Anthropic's Messages format, whole and as a stream, and embeds and ranks as
`tests.fakes.embedders` does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.fakes import embedders, scripts
from tests.fakes.scripts import Script
from tests.fakes.upstream import Request
from tests.fakes.upstream import natural as echoing
from tests.fakes.vendors import pieces_of


@dataclass
class Asked:
    """What a request wants, whichever format it came in."""

    text: str = ""
    result: str | None = None
    tools: dict[str, dict[str, Any]] = field(default_factory=dict)
    called: list[str] = field(default_factory=list)
    forced: bool = False
    schema: dict[str, Any] | None = None


# --- what is asked ---------------------------------------------------------------------------------------------------


def text_of(content: Any) -> str:
    """The text of a message's content: a string, or its text parts."""
    if isinstance(content, str):
        return content
    return " ".join(part.get("text", "") for part in content or [] if part.get("type") == "text")


def read_openai(body: dict[str, Any]) -> Asked:
    """A chat completions body."""
    asked = Asked(
        tools={tool["function"]["name"]: tool["function"].get("parameters", {}) for tool in body.get("tools") or []}
    )
    for message in body["messages"]:
        if message["role"] == "tool":
            asked.result = text_of(message["content"])
        elif message["role"] == "assistant":
            asked.called += [call["function"]["name"] for call in message.get("tool_calls") or []]
        elif message["role"] == "user":
            asked.text, asked.result, asked.called = text_of(message["content"]), None, []
    choice = body.get("tool_choice")
    asked.forced = choice == "required" or isinstance(choice, dict)
    if isinstance(choice, dict):
        asked.tools = {choice["function"]["name"]: asked.tools[choice["function"]["name"]]}
    elif choice == "none":
        asked.tools = {}
    kind = body.get("response_format") or {}
    asked.schema = kind.get("json_schema", {}).get("schema")
    return asked


def read_anthropic(body: dict[str, Any]) -> Asked:
    """A Messages body."""
    asked = Asked(tools={tool["name"]: tool.get("input_schema", {}) for tool in body.get("tools") or []})
    for message in body["messages"]:
        parts = message["content"] if isinstance(message["content"], list) else []
        asked.called += [part["name"] for part in parts if part["type"] == "tool_use"]
        results = [text_of(part.get("content")) for part in parts if part["type"] == "tool_result"]
        if results:
            asked.result = results[-1]
        elif message["role"] == "user":
            asked.text, asked.result, asked.called = text_of(message["content"]), None, []
    choice = body.get("tool_choice") or {}
    asked.forced = choice.get("type") in {"any", "tool"}
    if choice.get("type") == "tool":
        asked.tools = {choice["name"]: asked.tools[choice["name"]]}
    elif choice.get("type") == "none":
        asked.tools = {}
    shape = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
    asked.schema = shape.get("schema")
    return asked


# --- what is answered ------------------------------------------------------------------------------------------------


@dataclass
class Facts:
    """The words and numbers of a text, for whoever fills in a form from it."""

    words: Iterator[str]
    numbers: Iterator[int]


def facts(text: str) -> Facts:
    quoted = re.findall(r"['\"]([^'\"]+)['\"]", text)
    names = [
        word for word in re.findall(r"\b[A-Z][a-z]+\b", text) if word not in {"What", "The", "Use", "Who", "Create"}
    ]
    return Facts(iter(quoted + names), iter([int(number) for number in re.findall(r"\d+", text)]))


def instance(schema: dict[str, Any], known: Facts, root: dict[str, Any]) -> Any:
    """A value that the schema allows."""
    if "$ref" in schema:
        return instance(root["$defs"][schema["$ref"].rsplit("/", 1)[1]], known, root)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return instance(schema[several][0], known, root)
    if "enum" in schema or "const" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object" or "properties" in schema:
        return {name: instance(inner, known, root) for name, inner in schema.get("properties", {}).items()}
    if kind == "array":
        return [instance(schema.get("items", {}), known, root)]
    if kind in {"integer", "number"}:
        return next(known.numbers, 7)
    return {"boolean": True, "null": None}.get(str(kind), next(known.words, "something") if kind == "string" else "x")


def call_of(asked: Asked) -> tuple[str, str] | None:
    """The tool to call and its arguments as JSON; None for an answer in words."""
    left = [name for name in asked.tools if name not in asked.called]
    if not asked.tools or (not asked.forced and asked.result is not None) or not (left or asked.forced):
        return None
    name = (left or list(asked.tools))[0]
    schema = asked.tools[name]
    return name, json.dumps(instance(schema, facts(asked.text), schema), ensure_ascii=False)


def words_of(asked: Asked) -> str:
    if asked.schema is not None:
        return json.dumps(instance(asked.schema, facts(asked.text), asked.schema), ensure_ascii=False)
    if asked.result is not None:
        return f"It says: {asked.result}"
    return f"Echo: {asked.text}"


def answer_openai(body: dict[str, Any]) -> Script:
    asked = read_openai(body)
    call = call_of(asked)
    if call is None:
        words = words_of(asked)
        return scripts.openai_stream(pieces_of(words)) if body.get("stream") else scripts.openai_reply(words)
    name, arguments = call
    if body.get("stream"):
        return scripts.event_stream(scripts.openai_tool_events(name, pieces_of(arguments)))
    calls = [{"id": "call_fake1", "type": "function", "function": {"name": name, "arguments": arguments}}]
    return scripts.openai_reply("", "tool_calls", tool_calls=calls)


def answer_anthropic(body: dict[str, Any]) -> Script:
    asked = read_anthropic(body)
    call = call_of(asked)
    if call is None:
        words = words_of(asked)
        return scripts.anthropic_stream(pieces_of(words)) if body.get("stream") else scripts.anthropic_reply(words)
    name, arguments = call
    if body.get("stream"):
        return scripts.event_stream(scripts.anthropic_tool_events(name, pieces_of(arguments)))
    block = {"type": "tool_use", "id": "toolu_fake1", "name": name, "input": json.loads(arguments)}
    return scripts.reply(scripts.anthropic_message("", "tool_use", [block]))


def natural(request: Request) -> Script:
    """The answer by path and body."""
    if request.path.endswith("/chat/completions"):
        return answer_openai(request.json)
    if request.path.endswith("/messages"):
        return answer_anthropic(request.json)
    if request.path.endswith(("/embeddings", "/rerank")):
        return embedders.natural(request)
    return echoing(request)
