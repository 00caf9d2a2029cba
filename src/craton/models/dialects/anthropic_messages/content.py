"""Content blocks: Anthropic Messages ↔ canon, in requests and replies.

A cache point of the canon is a block of its own; Anthropic marks the block before it. Anthropic's `data` of redacted
thinking is an opaque string, whose bytes are the canon's redacted content. Knows no bodies and no streams.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import UNSET

from craton.aws.wire.faults import Fault, validation
from craton.models.canon import content as canon
from craton.models.canon.content import ContentBlock
from craton.models.dialects.anthropic_messages import schema as native
from craton.models.dialects.anthropic_messages.citations import read_citation, write_citation
from craton.models.dialects.dialect import Ledger
from craton.models.dialects.plain_text import DOCUMENT_MEDIA_TYPES, TEXT_FORMATS, cited_text, document_body

IMAGE_FORMATS: dict[str, canon.ImageFormat] = {
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
}
# Formats that Anthropic takes; the office formats are not among them.
_TAKEN: tuple[canon.DocumentFormat, ...] = ("pdf", "txt", "html", "csv", "md")
DOCUMENT_FORMATS = {DOCUMENT_MEDIA_TYPES[name]: name for name in _TAKEN}
UNTITLED = "document"


def cache_point(control: native.CacheControl) -> canon.CachePoint:
    return canon.CachePoint("default", control.ttl)


def cache_control(point: canon.CachePoint) -> native.CacheControl:
    return native.CacheControl("ephemeral", point.ttl)


# --- Anthropic → canon ---------------------------------------------------------------------------------------------


def read_blocks(content: str | list[native.AnyBlock]) -> list[ContentBlock]:
    """Blocks of a message. Raises ValidationException for a media type that Bedrock does not take."""
    if isinstance(content, str):
        return [ContentBlock(text=content)]
    blocks: list[ContentBlock] = []
    for block in content:
        blocks.append(_READ[type(block)](block))
        control = block.cache_control or _inner_control(block)
        if control is not None:
            blocks.append(ContentBlock(cache_point=cache_point(control)))
    return blocks


def read_block(block: native.AnyBlock) -> ContentBlock:
    return _READ[type(block)](block)


def _inner_control(block: native.AnyBlock) -> native.CacheControl | None:
    """A mark inside a tool's result; the canon can only put it after the result."""
    if isinstance(block, native.ToolResult) and isinstance(block.content, list):
        return next((part.cache_control for part in block.content if part.cache_control is not None), None)
    return None


def _unsupported(media_type: str, supported: dict[str, Any]) -> Fault:
    shown = media_type[:64]
    kinds = ", ".join(sorted(supported.values()))
    return validation(f"Unsupported MIME type: {shown}. Retry your request with a supported file type: {kinds}.")


def _text(block: native.Text) -> ContentBlock:
    if not block.citations:
        return ContentBlock(text=block.text)
    cited = [read_citation(citation) for citation in block.citations]
    return ContentBlock(citations_content=canon.CitationsContent([canon.TextPart(block.text)], cited))


def _read_image(block: native.Image) -> canon.ImageBlock:
    image_format = IMAGE_FORMATS.get(block.source.media_type)
    if image_format is None:
        raise _unsupported(block.source.media_type, IMAGE_FORMATS)
    return canon.ImageBlock(image_format, canon.MediaSource(bytes=block.source.data))


def _read_document(block: native.Document) -> canon.DocumentBlock:
    source = block.source
    document_format: canon.DocumentFormat | None = None
    if isinstance(source, native.Base64Source):
        document_format = DOCUMENT_FORMATS.get(source.media_type)
        if document_format is None:
            raise _unsupported(source.media_type, DOCUMENT_FORMATS)
        read = canon.DocumentSource(bytes=source.data)
    elif isinstance(source, native.TextSource):
        read = canon.DocumentSource(text=source.data)
    elif isinstance(source.content, str):
        read = canon.DocumentSource(content=[canon.TextPart(source.content)])
    else:
        read = canon.DocumentSource(content=[canon.TextPart(part.text) for part in source.content])
    citations = canon.CitationsConfig(block.citations.enabled) if block.citations else None
    return canon.DocumentBlock(block.title or UNTITLED, read, document_format, block.context, citations)


def _read_search(block: native.SearchResult) -> canon.SearchResultBlock:
    parts = [canon.SearchResultContent(part.text) for part in block.content]
    citations = canon.CitationsConfig(block.citations.enabled) if block.citations else None
    return canon.SearchResultBlock(block.source, block.title, parts, citations)


def _tool_result(block: native.ToolResult) -> ContentBlock:
    content = block.content or []
    parts = [canon.ToolResultContent(text=content)] if isinstance(content, str) else [_read_part(p) for p in content]
    status: canon.ToolStatus | None = None
    if block.is_error is not None:
        status = "error" if block.is_error else "success"
    return ContentBlock(tool_result=canon.ToolResultBlock(block.tool_use_id, parts, status))


def _read_part(part: native.Text | native.Image | native.Document | native.SearchResult) -> canon.ToolResultContent:
    if isinstance(part, native.Text):
        return canon.ToolResultContent(text=part.text)
    if isinstance(part, native.Image):
        return canon.ToolResultContent(image=_read_image(part))
    if isinstance(part, native.Document):
        return canon.ToolResultContent(document=_read_document(part))
    return canon.ToolResultContent(search_result=_read_search(part))


def _server_result(block: native.ServerResult) -> ContentBlock:
    kind = str(block.__struct_config__.tag)
    part = canon.ToolResultContent(json=block.content)
    return ContentBlock(tool_result=canon.ToolResultBlock(block.tool_use_id, [part], type=kind))


def _thinking(block: native.Thinking) -> ContentBlock:
    text = canon.ReasoningText(block.thinking, block.signature or None)
    return ContentBlock(reasoning_content=canon.ReasoningContent(reasoning_text=text))


def _redacted(block: native.RedactedThinking) -> ContentBlock:
    return ContentBlock(reasoning_content=canon.ReasoningContent(redacted_content=block.data.encode()))


_READ: dict[type, Callable[[Any], ContentBlock]] = {
    native.Text: _text,
    native.Image: lambda block: ContentBlock(image=_read_image(block)),
    native.Document: lambda block: ContentBlock(document=_read_document(block)),
    native.SearchResult: lambda block: ContentBlock(search_result=_read_search(block)),
    native.ToolUse: lambda b: ContentBlock(tool_use=canon.ToolUseBlock(b.id, b.name, b.input)),
    native.ServerToolUse: lambda b: ContentBlock(tool_use=canon.ToolUseBlock(b.id, b.name, b.input, "server_tool_use")),
    native.ToolResult: _tool_result,
    native.Thinking: _thinking,
    native.RedactedThinking: _redacted,
    **dict.fromkeys(native.SERVER_RESULTS.values(), _server_result),
}


# --- canon → Anthropic ---------------------------------------------------------------------------------------------


def write_blocks(content: list[ContentBlock], path: str, ledger: Ledger) -> list[native.AnyBlock]:
    """Blocks of a message; `path` is where the message's content lies in the caller's request."""
    blocks: list[native.AnyBlock] = []
    for position, block in enumerate(content):
        if block.text is not None:
            blocks.append(native.Text(text=block.text))
            continue
        at = f"{path}.{position}.{block.kind}"
        if block.cache_point is None:
            written = _WRITE[block.kind](block, at, ledger)
            if written is not None:
                blocks.append(written)
        elif blocks and not isinstance(blocks[-1], native.Thinking | native.RedactedThinking):
            blocks[-1].cache_control = cache_control(block.cache_point)
        else:
            ledger.drop(at)
    return blocks


def _drop(_block: ContentBlock, at: str, ledger: Ledger) -> None:
    ledger.drop(at)


def _write_image(image: canon.ImageBlock, at: str, ledger: Ledger) -> native.Image | None:
    if image.source.bytes is None:
        ledger.drop(at)
        return None
    return native.Image(source=native.Base64Source(f"image/{image.format}", image.source.bytes))


def _write_document(document: canon.DocumentBlock, at: str, ledger: Ledger) -> native.Document | None:
    """A PDF by its bytes, text formats by their text; Anthropic knows no office formats."""
    source: native.Base64Source | native.TextSource | native.ContentSource
    body = document_body(document)
    if document.source.content is not None:
        source = native.ContentSource([native.Text(text=part.text or "") for part in document.source.content])
    elif body is not None:
        source = native.TextSource(body, "text/plain")
        if document.source.bytes is not None and document.format in TEXT_FORMATS - {"txt"}:
            ledger.emulate(at)
    elif document.source.bytes is not None and document.format == "pdf":
        source = native.Base64Source("application/pdf", document.source.bytes)
    else:
        ledger.drop(at)
        return None
    citations = native.CitationsOn(document.citations.enabled) if document.citations else None
    return native.Document(source=source, title=document.name, context=document.context, citations=citations)


def _write_search(result: canon.SearchResultBlock) -> native.SearchResult:
    parts = [native.Text(text=part.text) for part in result.content]
    citations = native.CitationsOn(result.citations.enabled) if result.citations else None
    return native.SearchResult(source=result.source, title=result.title, content=parts, citations=citations)


def _write_tool_use(block: ContentBlock, _at: str, _ledger: Ledger) -> native.ToolUse | native.ServerToolUse | None:
    use = block.tool_use
    if use is None:
        return None
    kind = native.ServerToolUse if use.type == "server_tool_use" else native.ToolUse
    return kind(id=use.tool_use_id, name=use.name, input=use.input)


def _write_tool_result(block: ContentBlock, at: str, ledger: Ledger) -> native.ToolResult | native.ServerResult | None:
    result = block.tool_result
    if result is None:
        return None
    kind = native.SERVER_RESULTS.get(result.type or "")
    if kind is not None and result.content and result.content[0].json is not UNSET:
        return kind(tool_use_id=result.tool_use_id, content=result.content[0].json)
    parts = [_write_part(part, f"{at}.content.{k}", ledger) for k, part in enumerate(result.content)]
    is_error = None if result.status is None else result.status == "error"
    written = [part for part in parts if part is not None]
    return native.ToolResult(tool_use_id=result.tool_use_id, content=written, is_error=is_error)


def _write_part(
    part: canon.ToolResultContent, at: str, ledger: Ledger
) -> native.Text | native.Image | native.Document | native.SearchResult | None:
    if part.text is not None:
        return native.Text(text=part.text)
    at = f"{at}.{part.kind}"
    if part.json is not UNSET:
        ledger.emulate(at)
        return native.Text(text=bytes(part.json).decode())
    if part.image is not None:
        return _write_image(part.image, at, ledger)
    if part.document is not None:
        return _write_document(part.document, at, ledger)
    if part.search_result is not None:
        return _write_search(part.search_result)
    ledger.drop(at)
    return None


def _write_guarded(block: ContentBlock, _at: str, _ledger: Ledger) -> native.Text | native.Image | None:
    """What a guardrail looks at is ordinary content to the model."""
    guarded = block.guard_content
    if guarded is not None and guarded.text is not None:
        return native.Text(text=guarded.text.text)
    if guarded is not None and guarded.image is not None and guarded.image.source.bytes is not None:
        return native.Image(source=native.Base64Source(f"image/{guarded.image.format}", guarded.image.source.bytes))
    return None


def _write_reasoning(block: ContentBlock, at: str, ledger: Ledger) -> native.Thinking | native.RedactedThinking | None:
    """Anthropic refuses thinking that it did not sign, so another model's reasoning cannot be sent back."""
    reasoning = block.reasoning_content
    if reasoning is not None and reasoning.redacted_content is not None:
        return native.RedactedThinking(data=reasoning.redacted_content.decode("utf-8", "replace"))
    if reasoning is not None and reasoning.reasoning_text is not None and reasoning.reasoning_text.signature:
        text = reasoning.reasoning_text
        return native.Thinking(thinking=text.text, signature=text.signature)
    ledger.drop(at)
    return None


def _write_cited(block: ContentBlock, at: str, ledger: Ledger) -> native.Text | None:
    cited = block.citations_content
    if cited is None:
        return None
    citations = []
    for position, citation in enumerate(cited.citations or ()):
        written = write_citation(citation)
        if written is None or written.url is not None:
            # A web citation is only taken back with an encrypted index, for which the canon has no member.
            ledger.drop(f"{at}.citations.{position}")
        else:
            citations.append(written)
    return native.Text(text=cited_text(cited), citations=citations or None)


Written = Callable[[ContentBlock, str, Ledger], Any]

_WRITE: dict[str, Written] = {
    "image": lambda b, at, ledger: _write_image(b.image, at, ledger) if b.image else None,
    "document": lambda b, at, ledger: _write_document(b.document, at, ledger) if b.document else None,
    "searchResult": lambda b, _at, _ledger: _write_search(b.search_result) if b.search_result else None,
    "toolUse": _write_tool_use,
    "toolResult": _write_tool_result,
    "guardContent": _write_guarded,
    "reasoningContent": _write_reasoning,
    "citationsContent": _write_cited,
    "video": _drop,
    "audio": _drop,
    "toolAddition": _drop,
    "toolRemoval": _drop,
}


def write_reply_blocks(content: list[ContentBlock]) -> list[Any]:
    """Blocks of a reply: unlike in a request, unsigned thinking is shown and web citations are."""
    shown: list[Any] = []
    for block in content:
        reasoning = block.reasoning_content
        if block.text is not None:
            shown.append(native.Text(text=block.text))
        elif reasoning is not None and reasoning.reasoning_text is not None:
            text = reasoning.reasoning_text
            shown.append(native.Thinking(thinking=text.text, signature=text.signature or ""))
        elif block.citations_content is not None:
            cited = block.citations_content
            citations = [written for one in cited.citations or () if (written := write_citation(one)) is not None]
            shown.append(native.Text(text=cited_text(cited), citations=citations or None))
        elif block.cache_point is None:
            written = _WRITE[block.kind](block, "", Ledger())
            if written is not None:
                shown.append(written)
    return shown
