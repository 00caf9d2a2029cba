"""Command R's conversations: message, history, documents and tools ↔ turns of the canon.

Cohere's calls have no ids: they are numbered here by their place, and results are matched by it. The question that
tools answer stands either in `message` beside `tool_results` (Cohere's single step, the form of AWS's page) or in the
history (several steps); both are read, and the first is written where the conversation allows it. A tool's parameters
are a flat list with Python's names of types; what a JSON schema says beyond that goes into their descriptions.
Must not know bodies, replies or streams.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from craton.models.canon.content import (
    ContentBlock,
    DocumentBlock,
    DocumentSource,
    Message,
    ToolResultBlock,
    ToolResultContent,
    ToolUseBlock,
)
from craton.models.canon.request import InputSchema, SystemBlock, Tool, ToolConfig, ToolSpec
from craton.models.dialects.dialect import Ledger
from craton.models.dialects.plain_text import document_body, result_text
from craton.models.dialects.turns import said

Json = dict[str, Any]


class Call(msgspec.Struct):
    name: str
    parameters: Json = {}


class Result(msgspec.Struct):
    call: Call
    outputs: list[Json]


class User(msgspec.Struct, tag_field="role", tag="USER"):
    message: str = ""


class Chatbot(msgspec.Struct, tag_field="role", tag="CHATBOT"):
    message: str = ""
    tool_calls: list[Call] | None = None


class System(msgspec.Struct, tag_field="role", tag="SYSTEM"):
    message: str = ""


class Answered(msgspec.Struct, tag_field="role", tag="TOOL"):
    tool_results: list[Result] = []


Turn = User | Chatbot | System | Answered


class Parameter(msgspec.Struct, omit_defaults=True):
    type: str = "str"
    description: str | None = None
    required: bool | None = None


class Declared(msgspec.Struct):
    name: str
    description: str = ""
    parameter_definitions: dict[str, Parameter] = {}


# Cohere's names of types, Python's, and JSON schema's.
_JSON_TYPES = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "list": "array",
    "dict": "object",
}
_COHERE_TYPES = {json: cohere for cohere, json in _JSON_TYPES.items()}
_OUTPUT = "output"
_TITLE, _SNIPPET = "title", "snippet"
_SCHEMA_MEMBERS = ("properties", "required")


# --- Cohere → canon --------------------------------------------------------------------------------------------------


def system_blocks(texts: list[str]) -> list[SystemBlock] | None:
    return [SystemBlock(text=text) for text in texts if text] or None


def read_conversation(
    message: str, history: list[Turn], results: list[Result] | None, documents: list[Json]
) -> tuple[list[str], list[Message]]:
    """System texts and turns. Documents stand in the last turn, before its text."""
    reading = _Reading()
    for turn in history:
        reading.take(turn)
    if results:
        if not reading.waiting:
            if message:
                reading.user([ContentBlock(text=message)])
                message = ""
            reading.chatbot("", [result.call for result in results])
        reading.results(results)
    if message or not results:
        reading.user([*map(_read_document, documents), ContentBlock(text=message)])
    elif documents:
        reading.user([_read_document(document) for document in documents])
    return reading.system, reading.messages


class _Reading:
    """The turns so far. `waiting`: ids of the calls that no result has answered."""

    def __init__(self) -> None:
        self.system: list[str] = []
        self.messages: list[Message] = []
        self.waiting: list[str] = []

    def take(self, turn: Turn) -> None:
        if isinstance(turn, User):
            self.user([ContentBlock(text=turn.message)])
        elif isinstance(turn, Chatbot):
            self.chatbot(turn.message, turn.tool_calls or [])
        elif isinstance(turn, Answered):
            if not self.waiting:
                self.chatbot("", [result.call for result in turn.tool_results])
            self.results(turn.tool_results)
        elif turn.message:
            self.system.append(turn.message)

    def user(self, blocks: list[ContentBlock]) -> None:
        if self.messages and self.messages[-1].role == "user":
            self.messages[-1].content.extend(blocks)
        else:
            self.messages.append(Message("user", blocks))

    def chatbot(self, text: str, calls: list[Call]) -> None:
        place = len(self.messages)
        self.waiting = [f"call_{place}_{number}" for number in range(len(calls))]
        blocks = [ContentBlock(text=text)] if text or not calls else []
        for ident, call in zip(self.waiting, calls, strict=True):
            given = Raw(msgspec.json.encode(call.parameters))
            blocks.append(ContentBlock(tool_use=ToolUseBlock(ident, call.name, given)))
        self.messages.append(Message("assistant", blocks))

    def results(self, results: list[Result]) -> None:
        answered: list[ContentBlock] = []
        for number, result in enumerate(results):
            ident = self.waiting[number] if number < len(self.waiting) else f"call_{len(self.messages) - 1}_{number}"
            parts = [_read_output(output) for output in result.outputs]
            answered.append(ContentBlock(tool_result=ToolResultBlock(ident, parts)))
        self.waiting = []
        self.user(answered)


def _read_output(output: Json) -> ToolResultContent:
    """An output of one text under our own name for it is that text again."""
    if set(output) == {_OUTPUT} and isinstance(output[_OUTPUT], str):
        return ToolResultContent(text=output[_OUTPUT])
    return ToolResultContent(json=Raw(msgspec.json.encode(output)))


def _read_document(document: Json) -> ContentBlock:
    """What a document holds beside title and snippet is written out as lines of its text."""
    lines = [str(document[_SNIPPET])] if _SNIPPET in document else []
    lines += [f"{name}: {value}" for name, value in document.items() if name not in (_TITLE, _SNIPPET)]
    name = str(document.get(_TITLE) or document.get("id") or "document")
    return ContentBlock(document=DocumentBlock(name, DocumentSource(text="\n".join(lines))))


def read_tools(tools: list[Declared] | None) -> ToolConfig | None:
    if not tools:
        return None
    return ToolConfig([Tool(tool_spec=_read_tool(tool)) for tool in tools])


def _read_tool(tool: Declared) -> ToolSpec:
    properties: Json = {}
    for name, parameter in tool.parameter_definitions.items():
        kind = parameter.type.partition("[")[0].lower()
        properties[name] = {"type": _JSON_TYPES.get(kind, kind if kind in _COHERE_TYPES else "string")}
        if parameter.description:
            properties[name]["description"] = parameter.description
    schema: Json = {"type": "object", "properties": properties}
    required = [name for name, parameter in tool.parameter_definitions.items() if parameter.required]
    if required:
        schema["required"] = required
    return ToolSpec(tool.name, InputSchema(json=Raw(msgspec.json.encode(schema))), tool.description or None)


# --- canon → Cohere --------------------------------------------------------------------------------------------------


def write_conversation(messages: list[Message], ledger: Ledger) -> Json:
    """`message`, `chat_history`, `documents` and `tool_results` of a body."""
    writing = _Writing(ledger)
    written = [writing.turn(message, f"messages.{index}.content") for index, message in enumerate(messages)]
    history = [turn for turns in written for turn in turns]
    body: Json = {"message": ""}
    results: list[Json] | None = None
    if history and history[-1]["role"] == "USER":
        body["message"] = history.pop()["message"]
    if history and history[-1]["role"] == "TOOL":
        results = history.pop()["tool_results"]
        # Single step: the question, calls without words, their results, and no more.
        if not body["message"] and [turn["role"] for turn in history[-2:]] == ["USER", "CHATBOT"]:
            question, calls = history[-2:]
            if not calls["message"]:
                body["message"] = question["message"]
                del history[-2:]
    if history:
        body["chat_history"] = history
    if writing.documents:
        body["documents"] = writing.documents
    if results:
        body["tool_results"] = results
    return body


class _Writing:
    """What is gathered on the way through the turns: documents, and the calls that results name again."""

    def __init__(self, ledger: Ledger) -> None:
        self.documents: list[Json] = []
        self._calls: dict[str, Json] = {}
        self._ledger = ledger

    def turn(self, message: Message, path: str) -> list[Json]:
        texts: list[str] = []
        calls: list[Json] = []
        results: list[Json] = []
        for index, block in enumerate(message.content):
            at = f"{path}.{index}"
            if block.text is not None:
                texts.append(block.text)
            elif block.tool_use is not None:
                call = {"name": block.tool_use.name, "parameters": block.tool_use.input}
                self._calls[block.tool_use.tool_use_id] = call
                calls.append(call)
            elif block.tool_result is not None:
                results.append(self._result(block.tool_result, f"{at}.toolResult"))
            elif block.document is not None and message.role == "user":
                self._document(block.document, at)
            elif (text := said(block, at, self._ledger)) is not None:
                texts.append(text)
        return _roles(message.role, "\n".join(texts), calls, results)

    def _document(self, document: DocumentBlock, at: str) -> None:
        body = document_body(document)
        if body is None:
            self._ledger.drop(f"{at}.document")
            return
        if document.context:
            self._ledger.emulate(f"{at}.document.context")
            body = f"{document.context}\n{body}"
        self.documents.append({_TITLE: document.name, _SNIPPET: body})

    def _result(self, result: ToolResultBlock, at: str) -> Json:
        outputs: list[Json] = []
        for index, part in enumerate(result.content):
            value = msgspec.json.decode(part.json) if part.json is not UNSET else None
            if isinstance(value, dict):
                outputs.append(value)
                continue
            text = result_text(part)
            if text is None:
                self._ledger.drop(f"{at}.content.{index}.{part.kind}")
                continue
            if part.text is None:
                self._ledger.emulate(f"{at}.content.{index}.{part.kind}")
            outputs.append({_OUTPUT: text})
        if result.status == "error":
            self._ledger.emulate(f"{at}.status")
            outputs.insert(0, {_OUTPUT: "Error:"})
        return {"call": self._calls.get(result.tool_use_id, {"name": "", "parameters": {}}), "outputs": outputs}


def _roles(role: str, text: str, calls: list[Json], results: list[Json]) -> list[Json]:
    if role == "assistant":
        spoken: Json = {"role": "CHATBOT", "message": text}
        return [spoken | {"tool_calls": calls} if calls else spoken]
    if role != "user":
        return []
    turns: list[Json] = [{"role": "TOOL", "tool_results": results}] if results else []
    return [*turns, {"role": "USER", "message": text}] if text or not results else turns


def write_tools(config: ToolConfig, ledger: Ledger) -> list[Json]:
    tools: list[Json] = []
    for index, tool in enumerate(config.tools):
        at = f"toolConfig.tools.{index}"
        if tool.tool_spec is None:
            ledger.drop(f"{at}.{tool.kind}")
            continue
        if tool.tool_spec.strict:
            ledger.drop(f"{at}.toolSpec.strict")
        tools.append(_write_tool(tool.tool_spec, at, ledger))
    choice = config.tool_choice
    if choice is not None and choice.auto is None:
        ledger.drop(f"toolConfig.toolChoice.{choice.kind}")
    return tools


def _write_tool(spec: ToolSpec, at: str, ledger: Ledger) -> Json:
    schema = msgspec.json.decode(spec.input_schema.json)
    properties, required = (schema.get(name) if isinstance(schema, dict) else None for name in _SCHEMA_MEMBERS)
    parameters = {
        name: _write_parameter(name, value, required if isinstance(required, list) else [], at, ledger)
        for name, value in (properties if isinstance(properties, dict) else {}).items()
        if isinstance(value, dict)
    }
    return {"name": spec.name, "description": spec.description or "", "parameter_definitions": parameters}


def _write_parameter(name: str, schema: Mapping[str, Any], required: list[Any], at: str, ledger: Ledger) -> Json:
    kind = schema.get("type")
    parameter: Json = {"type": _COHERE_TYPES.get(kind, "str") if isinstance(kind, str) else "str"}
    description = str(schema.get("description") or "")
    beyond = {key: value for key, value in schema.items() if key not in ("type", "description")}
    if beyond or not isinstance(kind, str):
        ledger.emulate(f"{at}.toolSpec.inputSchema.json.properties.{name}")
        rest = msgspec.json.encode(beyond if isinstance(kind, str) else dict(schema)).decode()
        description = f"{description} JSON schema: {rest}".strip()
    if description:
        parameter["description"] = description
    if name in required:
        parameter["required"] = True
    return parameter
