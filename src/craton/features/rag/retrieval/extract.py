"""A document as it leaves by a link: the link's token, and what it leads to, the text that was read or the original.

A link says by itself which document it opens, in which version of the index (the text) or as it is kept now (the original),
and until when; it is marked so that only this server's own are good. Nothing is kept for one. Owns both forms. It must not
know HTTP or who may ask.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

import msgspec

from craton.context import App
from craton.features.rag.documents import Asked, identifier_of, unsealed
from craton.features.rag.retrieval.passages import CHUNK_ID, PAGE_NUMBER, metadata_of
from craton.features.rag.retrieval.whole import whole_text
from craton.infra.store.pages import Listing
from craton.infra.store.port import BadPageToken
from craton.infra.vectors.port import Found, Shelf, Version

PATH = "/craton/documents"
LIFE = timedelta(minutes=5)
"""As AWS's presigned URLs of documents."""
_LISTING = Listing("", "", PATH, "")


class Link(msgspec.Struct, frozen=True, array_like=True, tag="text"):
    """What a token opens: a document's key in a version of an index."""

    key: str
    version: Version


class Original(msgspec.Struct, frozen=True, array_like=True, tag="original"):
    """What a token opens: a document that came with a request, by its knowledge base's ARN, its source and its place.

    `mark` tells it from what comes under its name later, which others may be allowed to see; b"" before it was looked at.
    """

    base: str
    source: str
    place: bytes
    mark: bytes = b""


class Ended(Exception):
    """The token is none of this server's, or its time is over."""


def token_of(app: App, link: Link | Original, now: datetime) -> str:
    """A token that is good for `LIFE`."""
    ends = int((now + LIFE).timestamp())
    return app.storage.pages.issue(_LISTING, (ends, msgspec.json.encode(link).decode())) or ""


def opened(app: App, token: str, now: datetime) -> Link | Original:
    """What a token opens. Raises Ended."""
    try:
        position = app.storage.pages.open(_LISTING, token)
    except BadPageToken:
        raise Ended from None
    if position is None or int(position[0]) <= now.timestamp():
        raise Ended
    return msgspec.json.decode(position[1], type=Link | Original)


async def original_of(app: App, link: Original) -> tuple[Asked, Original] | None:
    """What a document was asked with, and the link that leads to this alone; None where nothing is kept of it.

    Raises StoreError, CipherError.
    """
    from craton.features.rag import originals  # with the SQL toolkit

    kept = await app.storage.read(
        lambda store: store.run(lambda c: originals.find(c, link.base, link.source, link.place))
    )
    mark = hashlib.sha256(kept or b"").digest()[:8]
    if kept is None or link.mark not in (b"", mark):
        return None
    account = link.base.split(":")[4]
    asked = await unsealed(app.cipher, account, link.base, link.source, link.place, kept)
    return asked, msgspec.structs.replace(link, mark=mark)


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
