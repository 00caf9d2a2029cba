"""Turns of the canon → OpenAI's input items, with what they lose on the way.

Blocks of a turn become items of their own where OpenAI has one for them (calls, their outputs, reasoning); what lies
between is a message. Knows no bodies.
"""

from __future__ import annotations

import base64
from typing import Any

from craton.models.canon import content as canon
from craton.models.canon.content import ContentBlock, Message, Role
from craton.models.dialects.dialect import Ledger
from craton.models.dialects.openai_responses import seal
from craton.models.dialects.plain_text import DOCUMENT_MEDIA_TYPES, block_text, document_body, result_text

Json = dict[str, Any]


def write_turns(messages: list[Message], ledger: Ledger) -> list[Json]:
    """All items of a conversation."""
    items: list[Json] = []
    for position, message in enumerate(messages):
        path = f"messages.{position}.content"
        if message.role == "system":
            for index, block in enumerate(message.content):
                ledger.drop(f"{path}.{index}.{block.kind}")
        else:
            items += _write_turn(message, path, ledger)
    return items


def _write_turn(message: Message, path: str, ledger: Ledger) -> list[Json]:
    items: list[Json] = []
    parts: list[Json] = []
    for position, block in enumerate(message.content):
        at = f"{path}.{position}.{block.kind}"
        if block.tool_use is None and block.tool_result is None and block.reasoning_content is None:
            part = _write_part(block, message.role, at, ledger)
            if part is not None:
                parts.append(part)
            continue
        item = _write_item(block, at, ledger)
        if item is not None:
            if parts:
                items.append(_message(message.role, parts))
                parts = []
            items.append(item)
    if parts:
        items.append(_message(message.role, parts))
    return items


def _message(role: Role, parts: list[Json]) -> Json:
    """A lone text stands as a string."""
    lone = len(parts) == 1 and parts[0]["type"] in ("input_text", "output_text")
    return {"type": "message", "role": role, "content": parts[0]["text"] if lone else parts}


def _write_item(block: ContentBlock, at: str, ledger: Ledger) -> Json | None:
    use, result, reasoning = block.tool_use, block.tool_result, block.reasoning_content
    if use is not None and use.type is None:
        given = bytes(use.input).decode()
        return {"type": "function_call", "call_id": use.tool_use_id, "name": use.name, "arguments": given}
    if result is not None and result.type is None:
        return _write_output(result, at, ledger)
    if reasoning is not None:
        return _write_reasoning(reasoning, at, ledger)
    ledger.drop(at)
    return None


def _write_reasoning(reasoning: canon.ReasoningContent, at: str, ledger: Ledger) -> Json | None:
    """Only what OpenAI made itself; another vendor's reasoning it cannot read."""
    text = reasoning.reasoning_text
    redacted = reasoning.redacted_content
    signature = text.signature if text is not None else redacted.decode("utf-8", "replace") if redacted else None
    own = seal.opened(signature)
    if own is None:
        ledger.drop(at)
        return None
    item_id, encrypted = own
    summary = [{"type": "summary_text", "text": text.text}] if text is not None and text.text else []
    return {"type": "reasoning", "id": item_id, "summary": summary, "encrypted_content": encrypted}


def _write_output(result: canon.ToolResultBlock, at: str, ledger: Ledger) -> Json:
    """A tool's answer. The schema has no mark for a failed call, so the text says it."""
    parts: list[Json] = []
    if result.status == "error":
        ledger.emulate(f"{at}.status")
        parts.append({"type": "input_text", "text": "Error:"})
    for position, part in enumerate(result.content):
        where = f"{at}.content.{position}.{part.kind}"
        text = result_text(part)
        if text is not None:
            if part.text is None:
                ledger.emulate(where)
            parts.append({"type": "input_text", "text": text})
        elif part.image is not None and part.image.source.bytes is not None:
            parts.append(_image(part.image.format, part.image.source.bytes))
        elif part.document is not None and (file := _file(part.document)) is not None:
            parts.append(file)
        else:
            ledger.drop(where)
    lone = len(parts) == 1 and parts[0]["type"] == "input_text"
    output = parts[0]["text"] if lone else parts or ""
    return {"type": "function_call_output", "call_id": result.tool_use_id, "output": output}


def _write_part(block: ContentBlock, role: Role, at: str, ledger: Ledger) -> Json | None:
    """A part of a message: text, a medium by its data, else its text form, else dropped."""
    kind = "output_text" if role == "assistant" else "input_text"
    if block.text is not None:
        return {"type": kind, "text": block.text}
    if role == "user":
        medium = _medium(block)
        if medium is not None:
            return medium
    text = block_text(block)
    if text is None:
        ledger.drop(at)
        return None
    if block.guard_content is None and block.citations_content is None:
        ledger.emulate(at)
    return {"type": kind, "text": text}


def _medium(block: ContentBlock) -> Json | None:
    if block.image is not None and block.image.source.bytes is not None:
        return _image(block.image.format, block.image.source.bytes)
    guarded = block.guard_content.image if block.guard_content is not None else None
    if guarded is not None and guarded.source.bytes is not None:
        return _image(guarded.format, guarded.source.bytes)
    if block.audio is not None and block.audio.source.bytes is not None:
        data = base64.b64encode(block.audio.source.bytes).decode()
        return {"type": "input_audio", "input_audio": {"data": data, "format": block.audio.format}}
    if block.document is not None and document_body(block.document) is None:
        return _file(block.document)
    return None


def _image(kind: str, data: bytes) -> Json:
    return {"type": "input_image", "image_url": f"data:image/{kind};base64,{base64.b64encode(data).decode()}"}


def _file(document: canon.DocumentBlock) -> Json | None:
    """None where the bytes are not here."""
    data = document.source.bytes
    if data is None or document.format is None:
        return None
    url = f"data:{DOCUMENT_MEDIA_TYPES[document.format]};base64,{base64.b64encode(data).decode()}"
    return {"type": "input_file", "filename": f"{document.name}.{document.format}", "file_data": url}
