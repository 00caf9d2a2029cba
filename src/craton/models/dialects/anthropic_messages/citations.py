"""Citations: Anthropic Messages ↔ canon, in blocks and in streams.

Anthropic tells a citation's location by its type and the names of its numbers, the canon by the member that holds
it. Knows nothing of the blocks that carry citations.
"""

from __future__ import annotations

from typing import Any

from craton.models.canon import content as canon
from craton.models.dialects.anthropic_messages import schema as native


def read_citation(cited: native.Citation) -> canon.Citation:
    """The location's member is chosen by Anthropic's type; its numbers count characters, pages or blocks."""
    source = [canon.TextPart(cited.cited_text)] if cited.cited_text is not None else None
    title = cited.document_title or cited.title
    return canon.Citation(title, cited.source, source, _read_location(cited))


def _read_location(cited: native.Citation) -> canon.CitationLocation | None:
    index, place = cited.document_index, canon.DocumentLocation
    if cited.type == "char_location":
        return canon.CitationLocation(document_char=place(index, cited.start_char_index, cited.end_char_index))
    if cited.type == "page_location":
        return canon.CitationLocation(document_page=place(index, cited.start_page_number, cited.end_page_number))
    if cited.type == "content_block_location":
        return canon.CitationLocation(document_chunk=place(index, cited.start_block_index, cited.end_block_index))
    if cited.type == "search_result_location":
        found = canon.SearchResultLocation(cited.search_result_index, cited.start_block_index, cited.end_block_index)
        return canon.CitationLocation(search_result_location=found)
    return canon.CitationLocation(web=canon.WebLocation(cited.url)) if cited.url else None


def write_citation(cited: canon.Citation) -> native.Citation | None:
    """Anthropic's citation, or None where the canon's has no location to tell its type by."""
    where = cited.location
    text = "".join(part.text or "" for part in cited.source_content or ())
    if where is None:
        return None
    if where.web is not None:
        return native.Citation("web_search_result_location", text, title=cited.title, url=where.web.url or "")
    found = where.search_result_location
    if found is not None:
        return native.Citation(
            "search_result_location", text, title=cited.title, source=cited.source or "",
            search_result_index=found.search_result_index, start_block_index=found.start, end_block_index=found.end,
        )  # fmt: skip
    for place, kind, unit in (
        (where.document_char, "char_location", "char_index"),
        (where.document_page, "page_location", "page_number"),
        (where.document_chunk, "content_block_location", "block_index"),
    ):
        if place is not None:
            span: dict[str, Any] = {f"start_{unit}": place.start, f"end_{unit}": place.end}
            return native.Citation(kind, text, document_index=place.document_index, document_title=cited.title, **span)
    return None
