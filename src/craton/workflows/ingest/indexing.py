"""One document into the index: read, cut, embedded, put; or the sentence that says why not.

Owns the way of a document through these, and how much of documents is in memory at once. One that cannot be used fails
alone; what concerns all of them (no access to the model, other dimensions) ends the job. It must not know where
documents come from, nor what becomes of the ledger's row.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec

from craton.features.rag.chunking.cut import cut
from craton.features.rag.chunking.headings import heading_of
from craton.features.rag.documents import Document, location_of
from craton.features.rag.parsing.parse import parse
from craton.features.rag.parsing.records import Records, read_records
from craton.features.rag.pieces import CountTokens, Parsed, Piece, Unreadable
from craton.infra.documents.port import Extractor
from craton.infra.vectors.port import Entry, Value, Vector
from craton.workflows.ingest.embedder import CannotEmbed, Embedder, content_of
from craton.workflows.ingest.material import Chunk, Material, failed, indexed
from craton.workflows.ingest.pictures import Pictures
from craton.workflows.ingest.recipe import Recipe
from craton.workflows.ingest.transforming import Transforming
from craton.workflows.ingest.writing import Writing

SLICE = 256
"""Pieces of a document whose vectors are in memory at once."""
ROOM_BYTES = 64 * 1024 * 1024
NOTHING = "The document has no text."


class Room:
    """Bytes of documents that may be in memory at once; one that is larger than all of it comes in alone."""

    def __init__(self, most: int = ROOM_BYTES) -> None:
        self._most = most
        self._used = 0
        self._turn = asyncio.Condition()

    @asynccontextmanager
    async def take(self, size: int) -> AsyncIterator[None]:
        """Wait until there is room, and have it within the block."""
        async with self._turn:
            await self._turn.wait_for(lambda: self._used == 0 or self._used + size <= self._most)
            self._used += size
        try:
            yield
        finally:
            async with self._turn:
                self._used -= size
                self._turn.notify_all()


class Indexing:
    """Takes documents of one data source. `transforming` is what chunks pass through before they are embedded."""

    def __init__(
        self, recipe: Recipe, reader: Extractor, count: CountTokens, embedder: Embedder, writing: Writing,
        pictures: Pictures | None, transforming: Transforming | None,
    ) -> None:  # fmt: skip
        self._recipe = recipe
        self._reader = reader
        self._count = count
        self._embedder = embedder
        self._writing = writing
        self._pictures = pictures
        self._transforming = transforming

    async def index(self, material: Material, before: Document | None) -> Document:
        """The ledger's row of the document as it is then: INDEXED, or FAILED with the reason and nothing in the index.

        Raises JobFailed, VectorsError.
        """
        try:
            chunks = await self._chunks(material)
            if before is not None and before.chunks:
                self._writing.replace(material.key)
            for at in range(0, len(chunks), SLICE):
                await self._writing.put(await self._entries(material, chunks[at : at + SLICE], at))
        except (Unreadable, CannotEmbed) as error:
            await self._writing.remove([material.key])
            return failed(material, str(error))
        return indexed(material, self._recipe.hash, len(chunks))

    async def _chunks(self, material: Material) -> Sequence[Chunk]:
        """Raises Unreadable, JobFailed."""
        if not material.data:
            raise Unreadable("The document is empty.")
        rows = await self._records(material)
        images = self._pictures.read if self._pictures is not None else None
        parsed = rows.parsed if rows is not None else await parse(
            self._reader, material.data, material.name, material.mime, images=images
        )  # fmt: skip
        pieces = await cut(parsed, self._recipe.strategy, self._count, embed=self._meanings)
        if not pieces:
            raise Unreadable(NOTHING)
        chunks = [chunk_of(parsed, piece, rows) for piece in pieces]
        return chunks if self._transforming is None else await self._transforming.through(material, chunks)

    async def _records(self, material: Material) -> Records | None:
        """The rows of a CSV whose metadata file says what its columns are. Raises Unreadable."""
        said = material.sidecar.structure
        if said is None:
            return None
        return await asyncio.to_thread(read_records, material.data, said.content, said.include, said.exclude)

    async def _meanings(self, texts: Sequence[str]) -> list[list[float]]:
        """Sentences' vectors, for cuts by meaning. Raises CannotEmbed, JobFailed."""
        found = await self._embedder.vectors(texts)
        return [meaning_of(found[content_of(text)]) for text in texts]

    async def _entries(self, material: Material, chunks: Sequence[Chunk], first: int) -> list[Entry]:
        prefix = material.sidecar.prefix()
        texts = [prefix + chunk.heading + chunk.piece.text for chunk in chunks]
        vectors = await self._embedder.vectors(texts)
        location = msgspec.json.encode(location_of(material.kind, material.identifier))
        return [
            entry_of(material, chunk, number, content, vectors[content], location)
            for number, (chunk, content) in enumerate(zip(chunks, map(content_of, texts), strict=True), first)
        ]


def entry_of(material: Material, chunk: Chunk, number: int, content: str, vector: Vector, location: bytes) -> Entry:
    """A chunk as the index keeps it; `number` is its place among the document's chunks."""
    piece, shared = chunk.piece, material.sidecar.attributes
    parent = f"{piece.parent[0]}-{piece.parent[1]}" if piece.parent is not None else ""
    return Entry(
        id=_ident(material, str(number)),
        document=material.key,
        source=material.source,
        text=piece.text,
        vector=vector,
        location=location,
        start=piece.start,
        end=piece.end,
        page=piece.page,
        parent=chunk.parent,
        parent_id=_ident(material, parent) if parent else "",
        content=content,
        heading=chunk.heading,
        metadata={**shared, **chunk.own} if chunk.own else shared,
        access=material.sidecar.access,
    )


def meaning_of(vector: Vector) -> list[float]:
    """A vector as floats; the bits of a binary one as plus and minus one."""
    import numpy as np

    floats = vector if vector.dtype != np.uint8 else 2.0 * np.unpackbits(vector.astype(np.uint8)) - 1.0
    return [float(one) for one in floats]


def chunk_of(parsed: Parsed, piece: Piece, rows: Records | None = None) -> Chunk:
    parent = parsed.text[piece.parent[0] : piece.parent[1]] if piece.parent is not None else ""
    own: dict[str, Value] = {**rows.of(piece.start)} if rows is not None else {}
    return Chunk(piece, parent, own, heading_of(parsed, piece.start))


def _ident(material: Material, what: str) -> str:
    """An id of a chunk: the same in each attempt of a run, and no other document's or run's."""
    whole = "\0".join((material.run, str(material.turn), material.key, what))
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:32]
