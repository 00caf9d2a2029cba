"""Chunks that were found as the passages that are returned: parents in their children's place, metadata with Bedrock's keys.

Owns the reserved metadata keys and what a passage of several chunks is scored. Pure. It must not know how chunks are found.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from craton.features.rag.documents import identifier_of
from craton.features.rag.retrieval.query import Result
from craton.infra.vectors.port import Found

SOURCE_URI: Final = "x-amz-bedrock-kb-source-uri"
CHUNK_ID: Final = "x-amz-bedrock-kb-chunk-id"
DATA_SOURCE_ID: Final = "x-amz-bedrock-kb-data-source-id"
PAGE_NUMBER: Final = "x-amz-bedrock-kb-document-page-number"


def passages(found: Iterable[Found]) -> list[Result]:
    """What is returned for these chunks, the best first.

    Children of one parent become that parent, once, as good as the best of them; so there may be fewer than were found.
    """
    made: dict[str, Result] = {}
    for one in found:
        key = f"parent {one.parent_id}" if one.parent_id else one.id
        if key not in made:
            made[key] = passage(one)
    return list(made.values())


def passage(one: Found) -> Result:
    """One chunk as it is returned."""
    return Result(
        text=one.parent or one.text,
        score=one.score,
        location=msgspec.json.decode(one.location),
        metadata=metadata_of(one),
        chunk=one.id,
        document=identifier_of(one.document),
        source=one.source,
        start=one.start,
        end=one.end,
        page=one.page,
    )


def metadata_of(one: Found) -> dict[str, Any]:
    """The document's own attributes, and what Bedrock adds to each chunk."""
    shown: dict[str, Any] = {
        key: list(value) if isinstance(value, tuple) else value for key, value in one.metadata.items()
    }
    shown[SOURCE_URI] = identifier_of(one.document)
    shown[CHUNK_ID] = one.id
    shown[DATA_SOURCE_ID] = one.source
    if one.page is not None:
        shown[PAGE_NUMBER] = float(one.page)
    return shown
