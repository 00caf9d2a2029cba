"""Content that a schema has no member for, as the text that a person would have pasted instead.

Used by every dialect whose schema lacks documents, search results, citations or guarded content. Pure; it knows the
canon and no schema, and it never reads a file format: bytes of a PDF have no text here.
"""

from __future__ import annotations

from msgspec import UNSET

from craton.models.canon.content import (
    CitationsContent,
    ContentBlock,
    DocumentBlock,
    DocumentFormat,
    SearchResultBlock,
    ToolResultContent,
)

TEXT_FORMATS = frozenset({"csv", "html", "txt", "md"})

DOCUMENT_MEDIA_TYPES: dict[DocumentFormat, str] = {
    "pdf": "application/pdf",
    "csv": "text/csv",
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "html": "text/html",
    "txt": "text/plain",
    "md": "text/markdown",
}


def document_body(document: DocumentBlock) -> str | None:
    """The document's own text, or None where only bytes of a binary format or a place in S3 are known."""
    source = document.source
    if source.text is not None:
        return source.text
    if source.content is not None:
        return "\n".join(part.text or "" for part in source.content)
    if source.bytes is not None and document.format in TEXT_FORMATS:
        return source.bytes.decode("utf-8", "replace")
    return None


def document_text(document: DocumentBlock) -> str | None:
    """The document's text under its name, or None as in `document_body`."""
    body = document_body(document)
    if body is None:
        return None
    context = f"\n{document.context}" if document.context else ""
    return f'<document name="{document.name}">{context}\n{body}\n</document>'


def search_result_text(result: SearchResultBlock) -> str:
    body = "\n".join(part.text for part in result.content)
    return f'<search_result title="{result.title}" source="{result.source}">\n{body}\n</search_result>'


def cited_text(block: CitationsContent) -> str:
    """What was said, without where it came from."""
    return "".join(part.text or "" for part in block.content or ())


def block_text(block: ContentBlock) -> str | None:
    """A block's text form, where one exists for a block that is not text already."""
    if block.document is not None:
        return document_text(block.document)
    if block.search_result is not None:
        return search_result_text(block.search_result)
    if block.citations_content is not None:
        return cited_text(block.citations_content)
    if block.guard_content is not None and block.guard_content.text is not None:
        return block.guard_content.text.text
    return None


def result_text(part: ToolResultContent) -> str | None:
    """A part of a tool's result as text: JSON as it stands, documents and search results by their text."""
    if part.text is not None:
        return part.text
    if part.json is not UNSET:
        return bytes(part.json).decode()
    if part.document is not None:
        return document_text(part.document)
    if part.search_result is not None:
        return search_result_text(part.search_result)
    return None
