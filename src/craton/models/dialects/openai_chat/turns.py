"""Turns of the canon → OpenAI chat messages, with what they lose on the way.

What may be written differs from server to server and comes as `Habits`, made from a target's quirks. A turn's tool
results become messages of their own before the rest of the turn. Knows no bodies.
"""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from craton.models.canon import content as canon
from craton.models.canon.content import ContentBlock, Message
from craton.models.canon.request import SystemBlock
from craton.models.dialects.dialect import Ledger
from craton.models.dialects.plain_text import DOCUMENT_MEDIA_TYPES, block_text, document_body, result_text

Json = dict[str, Any]

_VIDEO_TYPES = {"mov": "video/quicktime", "mkv": "video/x-matroska", "three_gp": "video/3gpp"}


class Habits(msgspec.Struct, frozen=True):
    """What one server takes. Each member is a quirk of the same name; `openai_chat` says what they mean."""

    system: str = "system"
    content: str = "parts"
    reasoning: str = "reasoning_content"
    files: bool = False
    videos: bool = False
    media: bool = True


USUAL = Habits()


def write_system(system: list[SystemBlock], habits: Habits, ledger: Ledger) -> Json | None:
    """One message, since chat templates take one at most."""
    if len(system) == 1 and system[0].text is not None:  # what nearly every system prompt is
        return {"role": habits.system, "content": system[0].text}
    texts: list[str] = []
    for position, block in enumerate(system):
        guarded = block.guard_content
        if block.text is not None:
            texts.append(block.text)
        elif guarded is not None and guarded.text is not None:
            texts.append(guarded.text.text)
        else:
            ledger.drop(f"system.{position}.{block.kind}")
    if not texts:
        return None
    return {"role": habits.system, "content": _content([_text(text) for text in texts], habits)}


def write_turn(message: Message, path: str, habits: Habits, ledger: Ledger) -> list[Json]:
    """The messages of one turn; `path` is where its content lies in the caller's request."""
    content = message.content
    if len(content) == 1 and content[0].text is not None:  # what nearly every turn is
        return [{"role": message.role, "content": content[0].text}]
    if message.role == "assistant":
        return [_write_assistant(content, path, habits, ledger)]
    if message.role == "system":
        for position, block in enumerate(content):
            ledger.drop(f"{path}.{position}.{block.kind}")
        return []
    results: list[Json] = []
    parts: list[Json] = []
    for position, block in enumerate(content):
        if block.text is not None:
            parts.append(_text(block.text))
            continue
        at = f"{path}.{position}.{block.kind}"
        if block.tool_result is None:
            part = _write_part(block, at, habits, ledger)
            if part is not None:
                parts.append(part)
        elif block.tool_result.type is None:
            results.append(_write_result(block.tool_result, at, habits, ledger))
        else:
            ledger.drop(at)
    if parts or not results:
        results.append({"role": "user", "content": _content(parts, habits)})
    return results


def _text(text: str) -> Json:
    return {"type": "text", "text": text}


def _content(parts: list[Json], habits: Habits) -> str | list[Json]:
    """A lone text as a string, which every server takes; several texts as one string where a server wants no parts."""
    if not parts:
        return ""
    if len(parts) == 1 and parts[0]["type"] == "text":
        return str(parts[0]["text"])
    if habits.content == "string" and all(part["type"] == "text" for part in parts):
        return "\n".join(part["text"] for part in parts)
    return parts


def _write_assistant(content: list[ContentBlock], path: str, habits: Habits, ledger: Ledger) -> Json:
    parts: list[Json] = []
    calls: list[Json] = []
    thoughts: list[str] = []
    for position, block in enumerate(content):
        use = block.tool_use
        if block.text is not None:
            parts.append(_text(block.text))
        elif use is not None and use.type is None:
            function = {"name": use.name, "arguments": bytes(use.input).decode()}
            calls.append({"id": use.tool_use_id, "type": "function", "function": function})
        elif block.reasoning_content is not None:
            thoughts += _write_reasoning(block.reasoning_content, f"{path}.{position}.reasoningContent", habits, ledger)
        else:
            part = _write_part(block, f"{path}.{position}.{block.kind}", habits, ledger)
            if part is not None:
                parts.append(part)
    written: Json = {"role": "assistant", "content": _content(parts, habits) if parts or not calls else None}
    if thoughts:
        written[habits.reasoning] = "\n".join(thoughts)
    if calls:
        written["tool_calls"] = calls
    return written


def _write_reasoning(reasoning: canon.ReasoningContent, at: str, habits: Habits, ledger: Ledger) -> list[str]:
    text = reasoning.reasoning_text
    if text is None or not habits.reasoning:
        ledger.drop(at)
        return []
    if text.signature is not None:
        ledger.drop(f"{at}.reasoningText.signature")
    return [text.text]


def _write_result(result: canon.ToolResultBlock, at: str, habits: Habits, ledger: Ledger) -> Json:
    """A tool's answer as text. The schema has no mark for a failed call, so the text says it."""
    parts: list[Json] = []
    if result.status == "error":
        ledger.emulate(f"{at}.status")
        parts.append(_text("Error:"))
    for position, part in enumerate(result.content):
        text = result_text(part)
        if text is None:
            ledger.drop(f"{at}.content.{position}.{part.kind}")
            continue
        if part.text is None:
            ledger.emulate(f"{at}.content.{position}.{part.kind}")
        parts.append(_text(text))
    return {"role": "tool", "tool_call_id": result.tool_use_id, "content": _content(parts, habits)}


def _write_part(block: ContentBlock, at: str, habits: Habits, ledger: Ledger) -> Json | None:
    """A block that is neither text nor of a tool: a medium by its data URL, else by its text form, else dropped."""
    guarded = block.guard_content.image if block.guard_content is not None else None
    if not habits.media and (block.image or block.audio or guarded):
        ledger.drop(at)
        return None
    if block.image is not None and block.image.source.bytes is not None:
        return _data_url("image_url", f"image/{block.image.format}", block.image.source.bytes)
    if guarded is not None and guarded.source.bytes is not None:
        return _data_url("image_url", f"image/{guarded.format}", guarded.source.bytes)
    if block.audio is not None and block.audio.source.bytes is not None:
        data = base64.b64encode(block.audio.source.bytes).decode()
        return {"type": "input_audio", "input_audio": {"data": data, "format": block.audio.format}}
    if block.video is not None and block.video.source.bytes is not None and habits.videos:
        kind = block.video.format
        return _data_url("video_url", _VIDEO_TYPES.get(kind, f"video/{kind}"), block.video.source.bytes)
    if block.document is not None and habits.files and document_body(block.document) is None:
        return _write_file(block.document, at, ledger)
    text = block_text(block)
    if text is None:
        ledger.drop(at)
        return None
    if block.guard_content is None:
        ledger.emulate(at)
    return _text(text)


def _data_url(kind: str, media_type: str, data: bytes) -> Json:
    return {"type": kind, kind: {"url": f"data:{media_type};base64,{base64.b64encode(data).decode()}"}}


def _write_file(document: canon.DocumentBlock, at: str, ledger: Ledger) -> Json | None:
    data = document.source.bytes
    if data is None or document.format is None:
        ledger.drop(at)
        return None
    url = f"data:{DOCUMENT_MEDIA_TYPES[document.format]};base64,{base64.b64encode(data).decode()}"
    return {"type": "file", "file": {"filename": document.name, "file_data": url}}
