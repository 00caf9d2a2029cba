"""Messages: OpenAI chat ↔ canon.

OpenAI answers tools by messages of their own, the canon by blocks of the next user turn: results that follow one
another, and the user message after them, are one turn of the canon. Media travel as data URLs. Knows no bodies.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, get_args

from craton.aws.wire.faults import validation
from craton.models.canon import content as canon
from craton.models.canon.content import ContentBlock, Message, ToolResultContent
from craton.models.canon.request import SystemBlock
from craton.models.dialects.malformed import malformed
from craton.models.dialects.openai_chat import schema as native
from craton.models.dialects.plain_text import DOCUMENT_MEDIA_TYPES
from craton.models.dialects.tool_calls import arguments, tool_use_id

_IMAGES: dict[str, canon.ImageFormat] = {f"image/{name}": name for name in get_args(canon.ImageFormat)}
_IMAGES["image/jpg"] = "jpeg"
_VIDEOS: dict[str, canon.VideoFormat] = {f"video/{name}": name for name in get_args(canon.VideoFormat)}
_VIDEOS |= {"video/quicktime": "mov", "video/x-matroska": "mkv", "video/3gpp": "three_gp"}
_DOCUMENTS = {media_type: name for name, media_type in DOCUMENT_MEDIA_TYPES.items()}


def read_messages(messages: list[native.AnyMessage]) -> tuple[list[SystemBlock], list[Message]]:
    """System blocks and turns. Raises ValidationException for media and arguments that cannot be read."""
    system: list[SystemBlock] = []
    turns: list[Message] = []
    after_results = False
    for position, message in enumerate(messages):
        at = f"#/messages/{position}"
        if isinstance(message, native.System | native.Developer):
            system += [SystemBlock(text=text) for text in _texts(message.content) if text]
        elif isinstance(message, native.Assistant):
            turns.append(Message("assistant", _read_assistant(message, at)))
            after_results = False
        else:
            results = isinstance(message, native.ToolMessage)
            blocks = [_read_result(message)] if isinstance(message, native.ToolMessage) else _read_user(message, at)
            if after_results:
                turns[-1].content.extend(blocks)
            else:
                turns.append(Message("user", blocks))
            after_results = results
    return system, turns


def _texts(content: str | list[native.Text]) -> list[str]:
    return [content] if isinstance(content, str) else [part.text for part in content]


def _read_result(message: native.ToolMessage) -> ContentBlock:
    parts = [ToolResultContent(text=text) for text in _texts(message.content)]
    return ContentBlock(tool_result=canon.ToolResultBlock(message.tool_call_id, parts))


def _read_assistant(message: native.Assistant, at: str) -> list[ContentBlock]:
    blocks = []
    reasoning = message.reasoning_content or message.reasoning
    if reasoning:
        blocks.append(reasoning_block(reasoning))
    content = message.content or message.refusal or []
    if isinstance(content, str):
        blocks.append(ContentBlock(text=content))
    else:
        blocks += [ContentBlock(text=part.text if isinstance(part, native.Text) else part.refusal) for part in content]
    for position, call in enumerate(message.tool_calls or ()):
        given = arguments(call.function.arguments)
        if given is None:
            raise malformed(f"{at}/tool_calls/{position}/function/arguments: expected a JSON object")
        use = canon.ToolUseBlock(tool_use_id(call.id), call.function.name, given)
        blocks.append(ContentBlock(tool_use=use))
    return blocks


def reasoning_block(text: str) -> ContentBlock:
    return ContentBlock(reasoning_content=canon.ReasoningContent(reasoning_text=canon.ReasoningText(text)))


def _read_user(message: native.User, at: str) -> list[ContentBlock]:
    if isinstance(message.content, str):
        return [ContentBlock(text=message.content)]
    return [_read_part(part, f"{at}/content/{position}") for position, part in enumerate(message.content)]


def _read_part(part: native.UserPart, at: str) -> ContentBlock:
    if isinstance(part, native.Text):
        return ContentBlock(text=part.text)
    if isinstance(part, native.Audio):
        sound = part.input_audio
        source = canon.MediaSource(bytes=sound.data)
        return ContentBlock(audio=canon.AudioBlock(sound.format, source))
    if isinstance(part, native.File):
        return ContentBlock(document=_read_file(part.file, at))
    if isinstance(part, native.Image):
        kind, data = read_image(part.image_url.url, at)
        return ContentBlock(image=canon.ImageBlock(kind, canon.MediaSource(bytes=data)))
    media_type, data = _read_data_url(part.video_url.url, at)
    if media_type not in _VIDEOS:
        raise _unsupported(media_type, _VIDEOS)
    return ContentBlock(video=canon.VideoBlock(_VIDEOS[media_type], canon.MediaSource(bytes=data)))


def read_image(url: str, at: str) -> tuple[canon.ImageFormat, bytes]:
    """Format and bytes of an image's data URL; `at` is its place in the body. Raises ValidationException."""
    media_type, data = _read_data_url(url, at)
    if media_type not in _IMAGES:
        raise _unsupported(media_type, _IMAGES)
    return _IMAGES[media_type], data


def _read_file(file: native.NamedFile, at: str) -> canon.DocumentBlock:
    media_type, data = _read_data_url(file.file_data, at)
    if media_type not in _DOCUMENTS:
        raise _unsupported(media_type, _DOCUMENTS)
    return canon.DocumentBlock(file.filename or "document", canon.DocumentSource(bytes=data), _DOCUMENTS[media_type])


def _read_data_url(url: str, at: str) -> tuple[str, bytes]:
    """Media type and bytes. Bedrock fetches nothing, so any other URL is refused."""
    head, comma, data = url.partition(",")
    if not comma or not head.startswith("data:") or not head.endswith(";base64"):
        raise malformed(f"{at}: only data URLs with base64 are supported")
    try:
        return head[5:-7].partition(";")[0], base64.b64decode(data, validate=True)
    except binascii.Error:
        raise malformed(f"{at}: the data URL holds no base64") from None


def _unsupported(media_type: str, supported: dict[str, Any]) -> Exception:
    kinds = ", ".join(sorted(set(supported.values())))
    return validation(
        f"Unsupported MIME type: {media_type[:64]}. Retry your request with a supported file type: {kinds}."
    )
