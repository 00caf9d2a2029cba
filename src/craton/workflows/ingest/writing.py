"""The draft of an index while a run fills it: begun when there is something to write, written in large portions.

Owns the order of a document's removal and its new chunks, and what dimensions the index has. It must not know where
chunks come from, nor when the draft becomes visible.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from craton.infra.vectors.port import Access, Draft, Entry, Shape, Value, Vector, VectorKind, Vectors, Version
from craton.workflows.workflow import JobFailed

PORTION = 512
"""Chunks that are written at once: the store makes a file of each portion."""
CHANGED = (
    "The embedding model returned vectors of {found} dimensions, but the index of the knowledge base has {wanted}. "
    "Nothing was changed in the index."
)


class Writing:
    """One draft. Documents are named by their keys in the index.

    Args:
        name: the index's.
        visible: the version to begin from; None to begin from nothing.
        dimensions: what the knowledge base asks for; None where the model decides.
    """

    def __init__(
        self, vectors: Vectors, name: str, visible: Version | None, dimensions: int | None, kind: VectorKind
    ) -> None:
        self._vectors = vectors
        self._name = name
        self._visible = visible
        self._kind = kind
        self._dimensions = visible.shape.dimensions if visible is not None else dimensions
        self._preparing: asyncio.Task[None] | None = None
        self._draft: Draft | None = None
        self._waiting: list[Entry] = []
        self._replaced: set[str] = set()
        self._written: set[str] = set()
        self._turn = asyncio.Lock()

    def prepare(self) -> None:
        """Have the store loaded in the background: there will be something to write."""
        if self._preparing is None:
            self._preparing = asyncio.create_task(self._vectors.prepare())

    def check(self, dimensions: int) -> None:
        """Hold a vector's dimensions against the index's; the first vector decides. Raises JobFailed."""
        if self._dimensions is None:
            self._dimensions = dimensions
        if dimensions != self._dimensions:
            raise JobFailed(CHANGED.format(found=dimensions, wanted=self._dimensions))

    def replace(self, document: str) -> None:
        """The document's chunks of before go as soon as its first new ones come."""
        self._replaced.add(document)

    async def vectors_of(self, contents: Sequence[str]) -> Mapping[str, Vector]:
        """Vectors that the index has already. Raises VectorsError."""
        if self._visible is None or not self._visible.chunks:
            return {}
        async with self._turn:
            return await (await self._begun()).vectors_of(contents)

    async def put(self, entries: Sequence[Entry]) -> None:
        """Take chunks; they are written when there are enough of them. Raises VectorsError."""
        self._waiting += entries
        if len(self._waiting) >= PORTION:
            async with self._turn:
                await self._flush(PORTION)

    async def remove(self, documents: Iterable[str]) -> None:
        """Take all chunks of these documents, those of this run as well. Raises VectorsError."""
        gone = set(documents)
        self._replaced -= gone
        async with self._turn:
            self._waiting = [one for one in self._waiting if one.document not in gone]
            if gone and (self._visible is not None or gone & self._written):
                await (await self._begun()).remove(sorted(gone))

    async def remove_source(self, source: str) -> None:
        """Take all chunks of a data source. Raises VectorsError."""
        async with self._turn:
            if self._visible is not None:
                await (await self._begun()).remove_source(source)

    async def retag(self, document: str, metadata: Mapping[str, Value], access: Access | None) -> None:
        """Give a document other metadata. Raises VectorsError."""
        async with self._turn:
            await (await self._begun()).retag(document, metadata, access)

    async def move(self, document: str, key: str, location: bytes) -> None:
        """Have a document under another key. Raises VectorsError."""
        async with self._turn:
            await (await self._begun()).move(document, key, location)

    async def finish(self) -> Version | None:
        """The version that is to become visible: the one of before where nothing was written. Raises VectorsError."""
        async with self._turn:
            while self._waiting:
                await self._flush(1)
            if self._replaced:  # there is nothing in their place
                await (await self._begun()).remove(sorted(self._replaced))
            if self._draft is None:
                return self._visible
            version, self._draft = await self._draft.finish(), None
            return version

    async def abandon(self) -> None:
        """Nothing of it is kept; not an error where nothing was begun."""
        if self._preparing is not None:
            await asyncio.gather(self._preparing, return_exceptions=True)
        async with self._turn:
            draft, self._draft = self._draft, None
            if draft is not None:
                await draft.abandon()

    async def _flush(self, least: int) -> None:
        """Write what waits, if it is that much; documents that are replaced lose their old chunks just before."""
        if len(self._waiting) < least:
            return
        portion, self._waiting = self._waiting, []
        draft = await self._begun()
        documents = {one.document for one in portion}
        if old := sorted(documents & self._replaced):
            self._replaced.difference_update(old)
            await draft.remove(old)
        self._written |= documents
        await draft.put(portion)

    async def _begun(self) -> Draft:
        if self._draft is None:
            assert self._dimensions is not None  # noqa: S101 - a vector came first, or a version
            if self._preparing is not None:
                await self._preparing
            self._draft = await self._vectors.draft(self._name, Shape(self._dimensions, self._kind), self._visible)
        return self._draft
