"""A document between its source and the index: as it was fetched, and the chunks that it became.

Owns the records, and the rows of the ledger that they end as. It must not know how a document is fetched or embedded.
"""

from __future__ import annotations

import hashlib

import msgspec

from craton.features.rag.documents import Document, Kind, key_of
from craton.features.rag.pieces import Piece
from craton.features.rag.sidecar import Sidecar
from craton.infra.store.port import fingerprint
from craton.infra.vectors.port import Value


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """A document as it was fetched. `run` and `turn` make its chunks' ids its own, for whoever fetched it."""

    base: str
    source: str
    identifier: str
    kind: Kind
    data: bytes
    sidecar: Sidecar
    run: str
    turn: int = 0
    name: str = ""
    mime: str | None = None
    mark: str = ""
    tag_mark: str = ""

    @property
    def key(self) -> str:
        return key_of(self.source, self.identifier)

    @property
    def tags(self) -> str:
        """A hash of what the metadata says."""
        return fingerprint((dict(self.sidecar.attributes), self.sidecar.access))[:16]

    @property
    def content(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


class Chunk(msgspec.Struct, frozen=True):
    """A piece on its way into the index. `own` are attributes of the piece alone, which win over the document's.

    `heading` is under what it stands: embedded and searched with it.
    """

    piece: Piece
    parent: str = ""
    own: dict[str, Value] = {}
    heading: str = ""


def indexed(material: Material, recipe: str, chunks: int) -> Document:
    """The row of a document that is in the index."""
    return Document(
        base=material.base, source=material.source, identifier=material.identifier, kind=material.kind,
        status="INDEXED", turn=material.turn, etag=material.mark, tag_etag=material.tag_mark, content=material.content,
        tags=material.tags, recipe=recipe, prefix=material.sidecar.prefix(), chunks=chunks,
        access=material.sidecar.access,
    )  # fmt: skip


def failed(material: Material, reason: str) -> Document:
    """The row of a document that is not."""
    return Document(
        base=material.base, source=material.source, identifier=material.identifier, kind=material.kind,
        status="FAILED", reason=reason, turn=material.turn,
    )  # fmt: skip


def lost(document: Document, reason: str) -> Document:
    """The row of a document that was there, or asked for, and is not in the index now."""
    return Document(
        base=document.base,
        source=document.source,
        identifier=document.identifier,
        kind=document.kind,
        status="FAILED",
        reason=reason,
        turn=document.turn,
    )
