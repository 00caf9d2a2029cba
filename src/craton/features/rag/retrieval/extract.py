"""The text that was read of a document, as it leaves by a link: the link's token, and the JSON that it leads to.

A link says by itself which document it opens, in which version of the index, and until when; it is marked so that only
this server's own are good. Nothing is kept for one. Owns both forms. It must not know HTTP or who may ask.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from craton.context import App
from craton.features.rag.documents import identifier_of
from craton.features.rag.retrieval.passages import CHUNK_ID, PAGE_NUMBER, metadata_of
from craton.features.rag.retrieval.whole import whole_text
from craton.infra.store.pages import Listing
from craton.infra.store.port import BadPageToken
from craton.infra.vectors.port import Found, Shelf, Version

PATH = "/craton/documents"
LIFE = timedelta(minutes=5)
"""As AWS's presigned URLs of documents."""
_LISTING = Listing("", "", PATH, "")


class Link(msgspec.Struct, frozen=True, array_like=True):
    """What a token opens: a document's key in a version of an index."""

    key: str
    version: Version


class Ended(Exception):
    """The token is none of this server's, or its time is over."""


def token_of(app: App, link: Link, now: datetime) -> str:
    """A token that is good for `LIFE`."""
    ends = int((now + LIFE).timestamp())
    return app.storage.pages.issue(_LISTING, (ends, msgspec.json.encode(link).decode())) or ""


def opened(app: App, token: str, now: datetime) -> Link:
    """What a token opens. Raises Ended."""
    try:
        position = app.storage.pages.open(_LISTING, token)
    except BadPageToken:
        raise Ended from None
    if position is None or int(position[0]) <= now.timestamp():
        raise Ended
    return msgspec.json.decode(position[1], type=Link)


async def content_of(shelf: Shelf, key: str) -> bytes | None:
    """The document as JSON: its text, and the passages that it was cut into. None if it is gone. Raises VectorsError."""
    chunks = await shelf.document(key)
    return None if not chunks else msgspec.json.encode(told(chunks))


def told(chunks: list[Found]) -> dict[str, object]:
    first = chunks[0]
    metadata = {name: value for name, value in metadata_of(first).items() if name not in (CHUNK_ID, PAGE_NUMBER)}
    passages = [
        {"id": one.id, "start": one.start, "end": one.end, **({"page": one.page} if one.page is not None else {})}
        for one in chunks
    ]
    return {
        "documentId": identifier_of(first.document),
        "dataSourceId": first.source,
        "text": whole_text(chunks),
        "passages": passages,
        "metadata": metadata,
    }
