"""How many input tokens a request will come to, by rule of thumb: what a quota reserves before the model has counted.

A token is taken for four bytes of text, as vendors tell their users; media have the sizes of their usual tiles. The
answer's own count replaces the estimate, so it need only be near and quick. No tokenizer, no I/O.
"""

from __future__ import annotations

from msgspec import Raw

from craton.models.canon.content import ContentBlock, DocumentBlock, ToolResultContent
from craton.models.canon.request import ConverseRequest

BYTES_PER_TOKEN = 4
IMAGE_TOKENS = 1600
MEDIA_TOKENS = 5000
_DOCUMENT_BYTES_PER_TOKEN = 20  # a PDF or an office file is mostly not text


def input_tokens(request: ConverseRequest) -> int:
    """An estimate of the tokens in the messages, the system prompt and the tools."""
    size = sum(len(block.text) for block in request.system or () if block.text)
    tokens = 0
    for message in request.messages or ():
        for block in message.content:
            if block.text is not None:
                size += len(block.text.encode())
            else:
                tokens += _of_block(block)
    for tool in request.tool_config.tools if request.tool_config else ():
        if tool.tool_spec is not None:
            size += len(bytes(tool.tool_spec.input_schema.json)) + len(tool.tool_spec.description or "")
    return tokens + size // BYTES_PER_TOKEN + 1


def of_text(text: str) -> int:
    """An estimate for plain text."""
    return len(text.encode()) // BYTES_PER_TOKEN + 1


def _of_block(block: ContentBlock) -> int:
    if block.image is not None:
        return IMAGE_TOKENS
    if block.video is not None or block.audio is not None:
        return MEDIA_TOKENS
    if block.document is not None:
        return _of_document(block.document)
    if block.tool_use is not None:
        return len(bytes(block.tool_use.input)) // BYTES_PER_TOKEN
    if block.tool_result is not None:
        return sum(map(_of_result, block.tool_result.content))
    if block.reasoning_content is not None and block.reasoning_content.reasoning_text is not None:
        return of_text(block.reasoning_content.reasoning_text.text)
    if block.guard_content is not None and block.guard_content.text is not None:
        return of_text(block.guard_content.text.text)
    return 0


def _of_result(content: ToolResultContent) -> int:
    if content.text is not None:
        return of_text(content.text)
    if content.document is not None:
        return _of_document(content.document)
    if content.image is not None:
        return IMAGE_TOKENS
    return len(bytes(content.json)) // BYTES_PER_TOKEN if isinstance(content.json, Raw) else MEDIA_TOKENS


def _of_document(document: DocumentBlock) -> int:
    source = document.source
    if source.bytes is not None:
        return len(source.bytes) // _DOCUMENT_BYTES_PER_TOKEN
    if source.text is not None:
        return of_text(source.text)
    return sum(of_text(part.text or "") for part in source.content or ()) or MEDIA_TOKENS
