"""Turns of Cohere's second chat API ↔ canon: messages, tool results and documents.

A tool's result is a message of its own, and what follows it belongs to the same turn of the canon. Words before calls
are the model's `tool_plan`. Documents stand beside the messages; in the canon they are in the last turn of the user.
Must not know bodies or replies. Source, from memory: Cohere's API reference, "Chat" (v2).
"""

from __future__ import annotations

import base64
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from craton.models.canon.content import (
    ContentBlock,
    DocumentBlock,
    DocumentSource,
    ImageBlock,
    MediaSource,
    Message,
    ReasoningContent,
    ReasoningText,
    ToolResultBlock,
    ToolResultContent,
    ToolUseBlock,
)
from craton.models.canon.request import SystemBlock
from craton.models.dialects.dialect import Ledger
from craton.models.dialects.malformed import malformed
from craton.models.dialects.openai_chat.content import read_image
from craton.models.dialects.plain_text import document_body, result_text
from craton.models.dialects.tool_calls import arguments, tool_use_id
from craton.models.dialects.turns import said

Json = dict[str, Any]


class Text(msgspec.Struct, tag_field="type", tag="text"):
    text: str


class Thinking(msgspec.Struct, tag_field="type", tag="thinking"):
    thinking: str


class ImageUrl(msgspec.Struct):
    url: str


class Image(msgspec.Struct, tag_field="type", tag="image_url"):
    image_url: ImageUrl


class Named(msgspec.Struct):
    """A document: `data` is its text, or an object that holds it."""

    data: str | Json
    id: str | None = None


class Document(msgspec.Struct, tag_field="type", tag="document"):
    document: Named


class Function(msgspec.Struct):
    """`arguments` is a JSON text."""

    name: str
    arguments: Any = "{}"


class Call(msgspec.Struct):
    function: Function
    id: str | None = None


class System(msgspec.Struct, tag_field="role", tag="system"):
    content: str | list[Text]


class User(msgspec.Struct, tag_field="role", tag="user"):
    content: str | list[Text | Image]


class Assistant(msgspec.Struct, tag_field="role", tag="assistant"):
    content: str | list[Text | Thinking] | None = None
    tool_plan: str | None = None
    tool_calls: list[Call] | None = None


class Result(msgspec.Struct, tag_field="role", tag="tool"):
    tool_call_id: str
    content: str | list[Text | Document]


AnyMessage = System | User | Assistant | Result

_TEXT_MEMBERS = ("snippet", "text", "content")


# --- Cohere → canon --------------------------------------------------------------------------------------------------


def read_messages(messages: list[AnyMessage], documents: list[str | Named]) -> tuple[list[SystemBlock], list[Message]]:
    """System blocks and turns. Raises ValidationException for arguments and images that cannot be read."""
    system: list[SystemBlock] = []
    turns: list[Message] = []
    for position, message in enumerate(messages):
        at = f"#/messages/{position}"
        if isinstance(message, System):
            system += [SystemBlock(text=text) for text in _texts(message.content) if text]
        elif isinstance(message, Assistant):
            turns.append(Message("assistant", _read_assistant(message, at)))
        else:
            blocks = [_read_result(message)] if isinstance(message, Result) else _read_user(message, at)
            if turns and turns[-1].role == "user":
                turns[-1].content.extend(blocks)
            else:
                turns.append(Message("user", blocks))
    if documents:
        if not turns or turns[-1].role != "user":
            turns.append(Message("user", []))
        turns[-1].content[:0] = [_read_document(document, place) for place, document in enumerate(documents)]
    return system, turns


def _texts(content: str | list[Text]) -> list[str]:
    return [content] if isinstance(content, str) else [part.text for part in content]


def _read_user(message: User, at: str) -> list[ContentBlock]:
    if isinstance(message.content, str):
        return [ContentBlock(text=message.content)]
    return [
        ContentBlock(text=part.text) if isinstance(part, Text) else _read_image(part, f"{at}/content/{place}")
        for place, part in enumerate(message.content)
    ]


def _read_image(part: Image, at: str) -> ContentBlock:
    kind, data = read_image(part.image_url.url, at)
    return ContentBlock(image=ImageBlock(kind, MediaSource(bytes=data)))


def _read_assistant(message: Assistant, at: str) -> list[ContentBlock]:
    blocks = read_said(message.content, message.tool_plan)
    for place, call in enumerate(message.tool_calls or ()):
        given = arguments(call.function.arguments)
        if given is None:
            raise malformed(f"{at}/tool_calls/{place}/function/arguments: expected a JSON object")
        blocks.append(ContentBlock(tool_use=ToolUseBlock(tool_use_id(call.id), call.function.name, given)))
    return blocks or [ContentBlock(text="")]


def read_said(content: str | list[Text | Thinking] | None, plan: str | None) -> list[ContentBlock]:
    """What an assistant thought and said, without its calls."""
    parts = [Text(content)] if isinstance(content, str) else content or []
    blocks = [
        ContentBlock(text=part.text) if isinstance(part, Text) else _thought(part.thinking)
        for part in parts
        if isinstance(part, Thinking) or part.text
    ]
    return [*blocks, ContentBlock(text=plan)] if plan else blocks


def _thought(text: str) -> ContentBlock:
    return ContentBlock(reasoning_content=ReasoningContent(reasoning_text=ReasoningText(text)))


def _read_result(message: Result) -> ContentBlock:
    parts = [Text(message.content)] if isinstance(message.content, str) else message.content
    read = [
        ToolResultContent(text=part.text) if isinstance(part, Text) else _read_output(part.document) for part in parts
    ]
    return ContentBlock(tool_result=ToolResultBlock(message.tool_call_id, read))


def _read_output(document: Named) -> ToolResultContent:
    if isinstance(document.data, str):
        return ToolResultContent(text=document.data)
    return ToolResultContent(json=Raw(msgspec.json.encode(document.data)))


def _read_document(document: str | Named, place: int) -> ContentBlock:
    """What a document holds beside its title and its text is written out as lines."""
    data = document if isinstance(document, str) else document.data
    given = None if isinstance(document, str) else document.id
    if isinstance(data, str):
        return ContentBlock(document=DocumentBlock(given or f"document {place + 1}", DocumentSource(text=data)))
    body = next((name for name in _TEXT_MEMBERS if isinstance(data.get(name), str)), "")
    lines = [data[body]] if body else []
    lines += [f"{name}: {value}" for name, value in data.items() if name not in ("title", body)]
    name = str(data.get("title") or given or f"document {place + 1}")
    return ContentBlock(document=DocumentBlock(name, DocumentSource(text="\n".join(lines))))


# --- canon → Cohere --------------------------------------------------------------------------------------------------


class Writing:
    """Turns → messages, and the documents that are gathered on the way."""

    def __init__(self, ledger: Ledger) -> None:
        self.documents: list[Json] = []
        self._ledger = ledger

    def turn(self, message: Message, path: str) -> list[Json]:
        """The messages of one turn; `path` is where its content lies in the caller's request."""
        if message.role == "assistant":
            return [self._assistant(message.content, path)]
        if message.role == "system":
            for place, block in enumerate(message.content):
                self._ledger.drop(f"{path}.{place}.{block.kind}")
            return []
        results: list[Json] = []
        parts: list[Json] = []
        for place, block in enumerate(message.content):
            at = f"{path}.{place}"
            if block.tool_result is not None:
                results.append(self._result(block.tool_result, f"{at}.toolResult"))
            elif (part := self._part(block, at)) is not None:
                parts.append(part)
        return [*results, {"role": "user", "content": _content(parts)}] if parts or not results else results

    def _part(self, block: ContentBlock, at: str) -> Json | None:
        if block.text is not None:
            return {"type": "text", "text": block.text}
        image = block.image or (block.guard_content.image if block.guard_content is not None else None)
        if image is not None and image.source.bytes is not None:
            data = base64.b64encode(image.source.bytes).decode()
            return {"type": "image_url", "image_url": {"url": f"data:image/{image.format};base64,{data}"}}
        if block.document is not None:
            self._document(block.document, at)
            return None
        text = said(block, at, self._ledger)
        return {"type": "text", "text": text} if text is not None else None

    def _document(self, document: DocumentBlock, at: str) -> None:
        body = document_body(document)
        if body is None:
            self._ledger.drop(f"{at}.document")
            return
        if document.context:
            self._ledger.emulate(f"{at}.document.context")
            body = f"{document.context}\n{body}"
        place = len(self.documents) + 1
        self.documents.append({"id": f"document-{place}", "data": {"title": document.name, "snippet": body}})

    def _assistant(self, content: list[ContentBlock], path: str) -> Json:
        parts: list[Json] = []
        calls: list[Json] = []
        for place, block in enumerate(content):
            at = f"{path}.{place}"
            if block.tool_use is not None:
                use = block.tool_use
                function = {"name": use.name, "arguments": bytes(use.input).decode()}
                calls.append({"id": use.tool_use_id, "type": "function", "function": function})
            elif block.reasoning_content is not None:
                thought = block.reasoning_content.reasoning_text
                if thought is None or thought.signature is not None:  # another vendor's, who signed it
                    self._ledger.drop(f"{at}.reasoningContent")
                else:
                    parts.append({"type": "thinking", "thinking": thought.text})
            elif (text := block.text if block.text is not None else said(block, at, self._ledger)) is not None:
                parts.append({"type": "text", "text": text})
        written: Json = {"role": "assistant"}
        if calls:
            plan = "\n".join(part["text"] for part in parts if part["type"] == "text")
            parts = [part for part in parts if part["type"] != "text"]
            written |= {"tool_plan": plan, "tool_calls": calls} if plan else {"tool_calls": calls}
        if parts or not calls:
            written["content"] = _content(parts)
        return written

    def _result(self, result: ToolResultBlock, at: str) -> Json:
        """A tool's answer. The schema has no mark for a failed call, so the text says it."""
        parts: list[Json] = []
        if result.status == "error":
            self._ledger.emulate(f"{at}.status")
            parts.append({"type": "text", "text": "Error:"})
        for place, part in enumerate(result.content):
            value = msgspec.json.decode(part.json) if part.json is not UNSET else None
            if isinstance(value, dict):
                parts.append({"type": "document", "document": {"data": part.json}})
                continue
            text = result_text(part)
            if text is None:
                self._ledger.drop(f"{at}.content.{place}.{part.kind}")
                continue
            if part.text is None:
                self._ledger.emulate(f"{at}.content.{place}.{part.kind}")
            parts.append({"type": "text", "text": text})
        return {"role": "tool", "tool_call_id": result.tool_use_id, "content": _content(parts)}


def _content(parts: list[Json]) -> str | list[Json]:
    """A lone text as a string, which every model takes."""
    if not parts:
        return ""
    return str(parts[0]["text"]) if len(parts) == 1 and parts[0]["type"] == "text" else parts
