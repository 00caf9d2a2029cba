"""Parts of Gemini's contents ↔ blocks of the canon.

Reasoning: a thought is a text part marked as one, and its signature stands on the part that comes after it (a call,
or text), where Gemini demands it back. In the canon it belongs to the reasoning block before that part, and is marked
as Gemini's, since signatures of other vendors must not be sent there. A tool's result must be an object: text is its
`output`, the text of a failed call its `error`. Calls may have no id; results name the tool.
Must not know bodies or streams. Source, from memory: Google's Gemini API reference, "Function calling", "Thinking".
"""

from __future__ import annotations

import base64
from typing import Any, get_args

import msgspec
from msgspec import UNSET, Raw

from craton.aws.wire.faults import validation
from craton.models.canon import content as canon
from craton.models.canon.content import ContentBlock, Message, ToolResultBlock, ToolResultContent
from craton.models.dialects.dialect import Ledger
from craton.models.dialects.gemini import schema as native
from craton.models.dialects.plain_text import result_text
from craton.models.dialects.tool_calls import tool_use_id
from craton.models.dialects.turns import said

Json = dict[str, Any]

# Before a signature in the canon: whose it is.
SIGNED = "gemini:"

# What Google's page "Thought signatures" has a first call say that Gemini did not make itself, as after a change of
# model in mid-conversation. Earlier generations do not ask for signatures.
UNSIGNED = "skip_thought_signature_validator"
_ASK_NONE = ("gemini-1", "gemini-2")

_IMAGES: dict[str, canon.ImageFormat] = {f"image/{name}": name for name in get_args(canon.ImageFormat)}
_IMAGES["image/jpg"] = "jpeg"
_VIDEO_TYPES = {"mov": "video/quicktime", "mkv": "video/x-matroska", "three_gp": "video/3gpp"}
_VIDEOS: dict[str, canon.VideoFormat] = {
    _VIDEO_TYPES.get(name, f"video/{name}"): name for name in get_args(canon.VideoFormat)
}
_AUDIOS: dict[str, canon.AudioFormat] = {f"audio/{name}": name for name in get_args(canon.AudioFormat)}
_PDF = "application/pdf"
_OUTPUT, _ERROR = "output", "error"


# --- Gemini → canon --------------------------------------------------------------------------------------------------


def read_parts(parts: list[native.Part]) -> list[ContentBlock]:
    """Raises ValidationException for media of a kind that the canon lacks."""
    blocks: list[ContentBlock] = []
    for part in parts:
        if part.thought and part.text is not None:
            blocks.append(reasoning(part.text, part.thought_signature))
            continue
        if part.thought_signature and part.thought_signature != UNSIGNED:
            _sign(blocks, part.thought_signature)
        block = _read_part(part)
        if block is not None:
            blocks.append(block)
    return blocks


def reasoning(text: str, signature: str | None) -> ContentBlock:
    """A thought, its signature marked as Gemini's."""
    signed = SIGNED + signature if signature else None
    return ContentBlock(reasoning_content=canon.ReasoningContent(reasoning_text=canon.ReasoningText(text, signed)))


def _sign(blocks: list[ContentBlock], signature: str) -> None:
    """The signature belongs to the thought right before it, or to one that is not shown."""
    last = blocks[-1].reasoning_content if blocks else None
    if last is not None and last.reasoning_text is not None and last.reasoning_text.signature is None:
        last.reasoning_text.signature = SIGNED + signature
    else:
        blocks.append(reasoning("", signature))


def _read_part(part: native.Part) -> ContentBlock | None:
    if part.function_call is not None:
        return ContentBlock(tool_use=read_call(part.function_call))
    if part.function_response is not None:
        return ContentBlock(tool_result=_read_response(part.function_response))
    if part.inline_data is not None:
        return _read_blob(part.inline_data)
    return ContentBlock(text=part.text) if part.text else None


def read_call(call: native.Called) -> canon.ToolUseBlock:
    return canon.ToolUseBlock(tool_use_id(call.id), call.name, Raw(msgspec.json.encode(call.args or {})))


def _read_response(answered: native.Answered) -> ToolResultBlock:
    response, ident = answered.response, answered.id or answered.name
    if set(response) == {_ERROR} and isinstance(response[_ERROR], str):
        return ToolResultBlock(ident, [ToolResultContent(text=response[_ERROR])], "error")
    if set(response) == {_OUTPUT}:
        output = response[_OUTPUT]
        return ToolResultBlock(ident, [_read_output(one) for one in (output if isinstance(output, list) else [output])])
    return ToolResultBlock(ident, [_read_output(response)])


def _read_output(value: Any) -> ToolResultContent:
    if isinstance(value, str):
        return ToolResultContent(text=value)
    return ToolResultContent(json=Raw(msgspec.json.encode(value)))


def image_format(blob: native.Blob) -> canon.ImageFormat | None:
    """The canon's name of a picture's format, None for what is no picture that it knows."""
    return _IMAGES.get(_media_type(blob))


def _media_type(blob: native.Blob) -> str:
    return blob.mime_type.partition(";")[0].strip().lower()


def _read_blob(blob: native.Blob) -> ContentBlock:
    kind, source = _media_type(blob), canon.MediaSource(bytes=blob.data)
    if kind in _IMAGES:
        return ContentBlock(image=canon.ImageBlock(_IMAGES[kind], source))
    if kind in _VIDEOS:
        return ContentBlock(video=canon.VideoBlock(_VIDEOS[kind], source))
    if kind in _AUDIOS:
        return ContentBlock(audio=canon.AudioBlock(_AUDIOS[kind], source))
    if kind == _PDF:
        return ContentBlock(document=canon.DocumentBlock("document", canon.DocumentSource(bytes=blob.data), "pdf"))
    if kind.startswith("text/"):
        return ContentBlock(text=blob.data.decode("utf-8", "replace"))
    raise validation(f"Unsupported MIME type: {kind[:64]}. Retry your request with a supported file type.")


# --- canon → Gemini --------------------------------------------------------------------------------------------------


class Writing:
    """Turns → contents. Results name their tool, so the names of the calls are kept on the way.

    `model` tells whether calls must be signed; "" for one that asks for nothing.
    """

    def __init__(self, ledger: Ledger, model: str = "") -> None:
        self._ledger = ledger
        self._must_sign = bool(model) and not model.rpartition("/")[2].startswith(_ASK_NONE)
        self._names: dict[str, str] = {}
        self._signature = ""  # waits for the next part

    def content(self, message: Message, path: str) -> Json | None:
        """One content; `path` is where the turn's blocks lie in the caller's request."""
        if message.role == "system":
            for place, block in enumerate(message.content):
                self._ledger.drop(f"{path}.{place}.{block.kind}")
            return None
        parts: list[Json] = []
        for place, block in enumerate(message.content):
            self._write(block, f"{path}.{place}", parts)
        if self._signature:
            parts.append(self._signed({"text": ""}))
        return {"role": "model" if message.role == "assistant" else "user", "parts": parts or [{"text": ""}]}

    def _write(self, block: ContentBlock, at: str, parts: list[Json]) -> None:
        use = block.tool_use
        if block.text is not None:
            parts.append(self._signed({"text": block.text}))
        elif use is not None:
            self._names[use.tool_use_id] = use.name
            call: Json = {"id": use.tool_use_id, "name": use.name, "args": use.input}
            if self._must_sign and not self._signature and not any("functionCall" in part for part in parts):
                self._signature = UNSIGNED
            parts.append(self._signed({"functionCall": call}))
        elif block.reasoning_content is not None:
            self._reasoning(block.reasoning_content, at, parts)
        elif block.tool_result is not None:
            parts += self._result(block.tool_result, f"{at}.toolResult")
        elif (part := self._medium(block, at)) is not None:
            parts.append(part)

    def _signed(self, part: Json) -> Json:
        signature, self._signature = self._signature, ""
        return part | {"thoughtSignature": signature} if signature else part

    def _reasoning(self, content: canon.ReasoningContent, at: str, parts: list[Json]) -> None:
        thought = content.reasoning_text
        if thought is None or (thought.signature is not None and not thought.signature.startswith(SIGNED)):
            self._ledger.drop(f"{at}.reasoningContent")  # another vendor's, who signed or hid it
            return
        if self._signature:  # no part came between two thoughts
            parts.append(self._signed({"text": ""}))
        if thought.text:
            parts.append({"text": thought.text, "thought": True})
        self._signature = (thought.signature or "").removeprefix(SIGNED)

    def _result(self, result: ToolResultBlock, at: str) -> list[Json]:
        values: list[Any] = []
        media: list[Json] = []
        for place, part in enumerate(result.content):
            where = f"{at}.content.{place}.{part.kind}"
            text = part.text
            if part.json is not UNSET:
                values.append(msgspec.json.decode(part.json))
                continue
            if text is None and (medium := self._medium_in(part)) is not None:
                self._ledger.emulate(where)  # beside the result, not in it
                media.append(medium)
                continue
            if text is None:
                text = result_text(part)
                if text is None:
                    self._ledger.drop(where)
                    continue
                self._ledger.emulate(where)
            values.append(text)
        response = self._response(values, at, failed=result.status == "error")
        name = self._names.get(result.tool_use_id, result.tool_use_id)
        return [{"functionResponse": {"id": result.tool_use_id, "name": name, "response": response}}, *media]

    def _response(self, values: list[Any], at: str, *, failed: bool) -> Json:
        lone = values[0] if len(values) == 1 else None
        if failed:
            if not isinstance(lone, str):
                self._ledger.emulate(f"{at}.status")
            return {_ERROR: lone if isinstance(lone, str) else values}
        if isinstance(lone, dict) and not set(lone) <= {_OUTPUT, _ERROR}:
            return lone
        return {_OUTPUT: lone if isinstance(lone, str) else values}

    def _medium(self, block: ContentBlock, at: str) -> Json | None:
        guarded = block.guard_content.image if block.guard_content is not None else None
        image = block.image or guarded
        if image is not None and image.source.bytes is not None:
            return _blob(f"image/{image.format}", image.source.bytes)
        if block.video is not None and block.video.source.bytes is not None:
            kind = block.video.format
            return _blob(_VIDEO_TYPES.get(kind, f"video/{kind}"), block.video.source.bytes)
        if block.audio is not None and block.audio.source.bytes is not None:
            return _blob(f"audio/{block.audio.format}", block.audio.source.bytes)
        document = block.document
        if document is not None and document.format == "pdf" and document.source.bytes is not None:
            if document.context:
                self._ledger.drop(f"{at}.document.context")
            return _blob(_PDF, document.source.bytes)
        text = said(block, at, self._ledger)
        return {"text": text} if text is not None else None

    def _medium_in(self, part: ToolResultContent) -> Json | None:
        if part.image is not None and part.image.source.bytes is not None:
            return _blob(f"image/{part.image.format}", part.image.source.bytes)
        document = part.document
        if document is not None and document.format == "pdf" and document.source.bytes is not None:
            return _blob(_PDF, document.source.bytes)
        return None


def _blob(mime_type: str, data: bytes) -> Json:
    return {"inlineData": {"mimeType": mime_type, "data": base64.b64encode(data).decode()}}
