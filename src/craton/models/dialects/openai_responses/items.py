"""Input items: OpenAI Responses → the canon's system blocks and turns.

OpenAI lists messages, calls, their outputs and reasoning one after the other; in the canon they are blocks of turns
that alternate. Items that stand for something kept elsewhere, or for a tool that runs at the vendor, are refused by
name. Knows no bodies.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw

from craton.aws.wire.faults import validation
from craton.models.canon import content as canon
from craton.models.canon.content import ContentBlock, Message, Role, ToolResultContent
from craton.models.canon.request import SystemBlock
from craton.models.dialects.malformed import explain, malformed
from craton.models.dialects.openai_chat.content import read_image
from craton.models.dialects.openai_responses import schema as native
from craton.models.dialects.openai_responses import seal
from craton.models.dialects.plain_text import DOCUMENT_MEDIA_TYPES
from craton.models.dialects.tool_calls import arguments

NOT_KEPT = "Item with id '{id}' not found. Send the item itself."
NO_ITEM = "Items of the type {type} are not supported."

_DOCUMENTS = {media_type: kind for kind, media_type in DOCUMENT_MEDIA_TYPES.items()}
_ENDINGS: dict[str, canon.DocumentFormat] = {kind: kind for kind in DOCUMENT_MEDIA_TYPES} | {
    "htm": "html",
    "markdown": "md",
    "text": "txt",
}

_kind = msgspec.json.Decoder(native.Kind).decode


def read_input(given: str | list[Raw]) -> tuple[list[SystemBlock], list[Message]]:
    """System blocks and turns. Raises ValidationException, with the place of what is wrong."""
    if isinstance(given, str):
        return [], [Message("user", [ContentBlock(text=given)])]
    system: list[SystemBlock] = []
    turns: list[Message] = []
    for position, raw in enumerate(given):
        at = f"#/input/{position}"
        try:
            kind = _kind(raw)
        except msgspec.DecodeError as error:
            raise _misplaced(native.Kind, raw, error, at) from None
        read = _READ.get(kind.type or "message")
        if read is None:
            shown = (kind.type or "")[:64]
            text = NOT_KEPT.format(id=(kind.id or "")[:64]) if shown == "item_reference" else NO_ITEM.format(type=shown)
            raise validation(text)
        read(raw, at, system, turns)
    return system, turns


def _decode(decoder: msgspec.json.Decoder[Any], raw: Raw, at: str) -> Any:
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _misplaced(decoder.type, raw, error, at) from None


def _misplaced(kind: object, raw: Raw, error: Exception, at: str) -> Exception:
    """The fault for an item, with its place in the body."""
    return validation(explain(kind, bytes(raw), error).message.replace(": #", f": {at}", 1))


def _add(turns: list[Message], role: Role, blocks: list[ContentBlock]) -> None:
    if turns and turns[-1].role == role:
        turns[-1].content.extend(blocks)
    else:
        turns.append(Message(role, blocks))


# --- one function per kind of item -----------------------------------------------------------------------------------

Read = Callable[[Raw, str, list[SystemBlock], list[Message]], None]

_MESSAGE = msgspec.json.Decoder(native.Message)
_CALL = msgspec.json.Decoder(native.FunctionCall)
_OUTPUT = msgspec.json.Decoder(native.FunctionOutput)
_CUSTOM = msgspec.json.Decoder(native.CustomCall)
_REASONING = msgspec.json.Decoder(native.Reasoning)


def _message(raw: Raw, at: str, system: list[SystemBlock], turns: list[Message]) -> None:
    read: native.Message = _decode(_MESSAGE, raw, at)
    if read.role in ("system", "developer"):
        system += [SystemBlock(text=text) for text in _texts(read.content, at) if text]
        return
    role: Role = "assistant" if read.role == "assistant" else "user"
    if isinstance(read.content, str):
        _add(turns, role, [ContentBlock(text=read.content)])
    else:
        _add(turns, role, [_read_part(part, f"{at}/content/{i}") for i, part in enumerate(read.content)])


def _texts(content: str | list[native.AnyPart], at: str) -> list[str]:
    if isinstance(content, str):
        return [content]
    texts = [part.text for part in content if isinstance(part, native.InputText | native.OutputText)]
    if len(texts) < len(content):
        raise malformed(f"{at}/content: a system message is of text alone")
    return texts


def _read_part(part: native.AnyPart, at: str) -> ContentBlock:
    if isinstance(part, native.InputText | native.OutputText):
        return ContentBlock(text=part.text)
    if isinstance(part, native.Refusal):
        return ContentBlock(text=part.refusal)
    if isinstance(part, native.InputAudio):
        sound = part.input_audio
        return ContentBlock(audio=canon.AudioBlock(sound.format, canon.MediaSource(bytes=sound.data)))
    if part.file_id is not None:
        raise malformed(f"{at}/file_id: files are not kept here; send the data itself")
    if isinstance(part, native.InputImage):
        kind, data = read_image(part.image_url or "", at)
        return ContentBlock(image=canon.ImageBlock(kind, canon.MediaSource(bytes=data)))
    if part.file_data is None:
        raise malformed(f"{at}: only files with file_data are supported")
    return ContentBlock(document=_read_file(part.file_data, part.filename or "", at))


def _read_file(given: str, filename: str, at: str) -> canon.DocumentBlock:
    """By the media type of its data URL, or for bare base64 by the end of its name."""
    head, comma, data = given.rpartition(",")
    kind = _DOCUMENTS.get(head.removeprefix("data:").partition(";")[0]) if comma else None
    kind = kind or _ENDINGS.get(filename.rpartition(".")[2].lower())
    if kind is None:
        raise malformed(f"{at}: unsupported file; supported: {', '.join(DOCUMENT_MEDIA_TYPES)}")
    try:
        body = base64.b64decode(data, validate=True)
    except binascii.Error:
        raise malformed(f"{at}/file_data: holds no base64") from None
    return canon.DocumentBlock(filename or "document", canon.DocumentSource(bytes=body), kind)


def _call(raw: Raw, at: str, system: list[SystemBlock], turns: list[Message]) -> None:
    read: native.FunctionCall = _decode(_CALL, raw, at)
    given = arguments(read.arguments)
    if given is None:
        raise malformed(f"{at}/arguments: expected a JSON object")
    _add(turns, "assistant", [_used(read.call_id, read.name, given)])


def _custom_call(raw: Raw, at: str, system: list[SystemBlock], turns: list[Message]) -> None:
    read: native.CustomCall = _decode(_CUSTOM, raw, at)
    _add(turns, "assistant", [_used(read.call_id, read.name, Raw(msgspec.json.encode({"input": read.input})))])


def _used(call_id: str, name: str, given: Raw) -> ContentBlock:
    return ContentBlock(tool_use=canon.ToolUseBlock(call_id, name, given))


def _output(raw: Raw, at: str, system: list[SystemBlock], turns: list[Message]) -> None:
    read: native.FunctionOutput = _decode(_OUTPUT, raw, at)
    if isinstance(read.output, str):
        parts = [ToolResultContent(text=read.output)]
    else:
        parts = [_result_part(part, f"{at}/output/{i}") for i, part in enumerate(read.output)]
    _add(turns, "user", [ContentBlock(tool_result=canon.ToolResultBlock(read.call_id, parts))])


def _result_part(part: native.AnyPart, at: str) -> ToolResultContent:
    block = _read_part(part, at)
    if block.audio is not None:
        raise malformed(f"{at}: a tool's output is text, images and files")
    return ToolResultContent(text=block.text, image=block.image, document=block.document)


def _reasoning(raw: Raw, at: str, system: list[SystemBlock], turns: list[Message]) -> None:
    read: native.Reasoning = _decode(_REASONING, raw, at)
    text = "".join(part.text for part in read.content or read.summary)
    if text or read.encrypted_content:
        _add(turns, "assistant", [ContentBlock(reasoning_content=seal.returned(text, read.encrypted_content))])


_READ: dict[str, Read] = {
    "message": _message,
    "function_call": _call,
    "function_call_output": _output,
    "custom_tool_call": _custom_call,
    "custom_tool_call_output": _output,
    "reasoning": _reasoning,
}
