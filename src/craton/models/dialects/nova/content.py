"""Content for Amazon Nova: the canon's blocks, but for those that the schema lacks.

Guarded content is ordinary content, citations and search results become text, a document's text becomes bytes. What
comes in is never changed. Knows no bodies and no streams.
"""

from __future__ import annotations

import msgspec

from craton.models.canon.content import (
    ContentBlock,
    DocumentBlock,
    DocumentSource,
    ImageBlock,
    MediaSource,
    Message,
    ToolResultBlock,
    ToolResultContent,
)
from craton.models.canon.request import SystemBlock, Tool, ToolConfig
from craton.models.dialects.dialect import Ledger
from craton.models.dialects.plain_text import block_text, document_body, result_text

# Members of a block that Nova takes as they are.
_TAKEN = frozenset({"text", "image", "video", "audio", "toolUse", "cachePoint", "reasoningContent"})
_TAKEN_IN_RESULTS = frozenset({"json", "text", "image", "video"})


def write_messages(messages: list[Message], ledger: Ledger) -> list[Message]:
    written: list[Message] = []
    for position, message in enumerate(messages):
        blocks: list[ContentBlock] = []
        for place, block in enumerate(message.content):
            one: ContentBlock | None = block
            if block.text is None and block.kind not in _TAKEN:
                one = _write_block(block, f"messages.{position}.content.{place}.{block.kind}", ledger)
            if one is not None:
                blocks.append(one)
        if message.role != "system":
            written.append(Message(message.role, blocks))
    return written


def _write_block(block: ContentBlock, at: str, ledger: Ledger) -> ContentBlock | None:
    if block.tool_result is not None:
        return ContentBlock(tool_result=_write_result(block.tool_result, at, ledger))
    if block.document is not None:
        return ContentBlock(document=_write_document(block.document, at, ledger))
    guarded = block.guard_content
    if guarded is not None and guarded.image is not None:
        return ContentBlock(image=ImageBlock(guarded.image.format, MediaSource(bytes=guarded.image.source.bytes)))
    text = block_text(block)
    if text is None:
        ledger.drop(at)
        return None
    if guarded is None:
        ledger.emulate(at)
    return ContentBlock(text=text)


def _write_document(document: DocumentBlock, at: str, ledger: Ledger) -> DocumentBlock:
    if document.citations is not None and document.citations.enabled:
        ledger.drop(f"{at}.citations")
    if document.context is not None:
        ledger.drop(f"{at}.context")
    source, document_format = document.source, document.format
    if source.text is not None or source.content is not None:
        source, document_format = DocumentSource(bytes=(document_body(document) or " ").encode()), "txt"
        ledger.emulate(at)
    return DocumentBlock(document.name, source, document_format)


def _write_result(result: ToolResultBlock, at: str, ledger: Ledger) -> ToolResultBlock:
    parts: list[ToolResultContent] = []
    for position, part in enumerate(result.content):
        where = f"{at}.content.{position}.{part.kind}"
        if part.kind in _TAKEN_IN_RESULTS:
            parts.append(part)
        elif part.document is not None:
            parts.append(ToolResultContent(document=_write_document(part.document, where, ledger)))
        else:
            ledger.emulate(where)
            parts.append(ToolResultContent(text=result_text(part) or ""))
    return ToolResultBlock(result.tool_use_id, parts, result.status)


def write_system(system: list[SystemBlock]) -> list[SystemBlock]:
    """Guarded text is text; everything else stands as it is."""
    written: list[SystemBlock] = []
    for block in system:
        guarded = block.guard_content
        if guarded is not None and guarded.text is not None:
            written.append(SystemBlock(text=guarded.text.text))
        elif guarded is None:
            written.append(block)
    return written


def write_tools(config: ToolConfig | None, ledger: Ledger) -> ToolConfig | None:
    if config is None:
        return None
    tools: list[Tool] = []
    for position, tool in enumerate(config.tools):
        spec = tool.tool_spec
        if spec is None or spec.strict is None:
            tools.append(tool)
            continue
        ledger.drop(f"toolConfig.tools.{position}.toolSpec.strict")
        tools.append(Tool(tool_spec=msgspec.structs.replace(spec, strict=None)))
    return ToolConfig(tools, config.tool_choice)
