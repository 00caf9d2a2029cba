"""The next version of an index while it is written.

Owns the one writer: what waits in memory, what is committed to the table (where nobody looks), and the proof that nobody
else writes at the same time. It must not know who decides what is visible.

Changes wait in two heaps, documents to take away and rows to add, and are committed in that order, so that whatever is
done to a document touches each of its rows once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from craton.infra.vectors import columns
from craton.infra.vectors.faults import faults
from craton.infra.vectors.plain import FOLDER, close_off, lay
from craton.infra.vectors.port import Access, Entry, Shape, Value, Vector, VectorsError, Version
from craton.infra.vectors.pushdown import quoted_ids
from craton.infra.vectors.structures import Sizes, build, clean

if TYPE_CHECKING:
    from lancedb.table import AsyncTable

_AT_ONCE = 500
"""Names in one condition."""
_EARLIER = 32


class Terms(msgspec.Struct, frozen=True):
    """What a draft is of, and what it begins from. `folder` is the index's, None where it lies in a bucket."""

    index: str
    shape: Shape
    visible: Version | None
    keep_s: float
    sizes: Sizes
    folder: Path | None


class LanceDraft:
    """`port.Draft`. `known` are older states of the table whose vectors can be used again."""

    def __init__(self, table: AsyncTable, terms: Terms, known: Sequence[AsyncTable]) -> None:
        self._table, self._terms, self._known = table, terms, known
        self._number: int | None = None
        self._gone: set[str] = set()
        self._added: dict[str, list[Entry]] = {}
        self._waiting = 0
        self._contents: set[int] | None = None
        self._committing = asyncio.Lock()

    async def put(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self._added.setdefault(entry.document, []).append(entry)
        self._waiting += len(entries)
        if self._contents is not None:
            self._contents.update(hash(entry.content) for entry in entries if entry.content)
        if self._waiting >= self._terms.sizes.flush_rows:
            await self._flush()

    async def remove(self, documents: Sequence[str]) -> None:
        for document in documents:
            self._waiting -= len(self._added.pop(document, ()))
            self._gone.add(document)
        if len(self._gone) >= self._terms.sizes.flush_rows:
            await self._flush()

    async def remove_source(self, source: str) -> None:
        await self._flush()
        with faults():
            await self._delete(quoted_ids("source", [source]))

    async def retag(self, document: str, metadata: Mapping[str, Value], access: Access | None) -> None:
        entries = await self._taken(document)
        await self.put([replace(entry, metadata=metadata, access=access) for entry in entries])

    async def move(self, document: str, key: str, location: bytes) -> None:
        entries = await self._taken(document)
        await self.put([replace(entry, document=key, location=location) for entry in entries])

    async def vectors_of(self, contents: Sequence[str]) -> Mapping[str, Vector]:
        if self._contents is None:
            self._contents = await self._hashes()
        wanted = {content for content in contents if hash(content) in self._contents}
        waiting = (entry for entries in self._added.values() for entry in entries) if wanted else ()
        known = {entry.content: entry.vector for entry in waiting if entry.content in wanted}
        for table in (*self._known, self._table):
            missing = sorted(wanted - known.keys())
            for start in range(0, len(missing), _AT_ONCE):
                known |= await _vectors_in(table, missing[start : start + _AT_ONCE])
        return known

    async def finish(self) -> Version:
        await self._flush()
        terms = self._terms
        with faults():
            chunks = await self._table.count_rows()
            await build(self._table, terms.shape, chunks, terms.sizes.indexed_from)
            await clean(self._table, terms.visible, terms.keep_s)
            number = await self._table.version()
            if terms.folder:
                await lay(self._table, terms.folder / FOLDER, number, terms.shape, terms.visible)
                await asyncio.to_thread(close_off, terms.folder)
        visible = terms.visible
        earlier = (*visible.earlier, visible.number)[-_EARLIER:] if visible else ()
        return Version(index=terms.index, number=number, shape=terms.shape, chunks=chunks, earlier=earlier)

    async def abandon(self) -> None:
        """What was written stays in files until the next draft, which begins from the visible version again."""
        self._added, self._gone, self._waiting = {}, set(), 0

    async def _taken(self, document: str) -> list[Entry]:
        """All chunks of a document, which are then not in the draft any more."""
        async with self._committing:
            entries: list[Entry] = []
            if document not in self._gone:
                with faults():
                    found = await self._table.query().where(quoted_ids("document", [document])).to_arrow()
                    entries = columns.entries_of(found)
            entries += self._added.get(document, ())
        await self.remove([document])
        return entries

    async def _flush(self) -> None:
        async with self._committing:
            gone, added = sorted(self._gone), self._added
            self._added, self._gone, self._waiting = {}, set(), 0
            with faults():
                for start in range(0, len(gone), _AT_ONCE):
                    await self._delete(quoted_ids("document", gone[start : start + _AT_ONCE]))
                if rows := [columns.row_of(entry) for entries in added.values() for entry in entries]:
                    await self._add(rows)

    async def _hashes(self) -> set[int]:
        """Of all contents whose vectors are known: most that are asked for are new, and need no look into the table."""
        found = {hash(entry.content) for entries in self._added.values() for entry in entries}
        with faults():
            for table in (*self._known, self._table):
                found.update(map(hash, (await table.query().select(["content"]).to_arrow())["content"].to_pylist()))
        return found - {hash("")}

    async def _delete(self, where: str) -> None:
        self._alone((await self._table.delete(where)).version)

    async def _add(self, rows: list[dict[str, Any]]) -> None:
        schema = await self._table.schema()
        new = dict.fromkeys(
            name for row in rows for name in row if columns.is_attribute(name) and name not in schema.names
        )
        room = self._terms.sizes.attributes - sum(map(columns.is_attribute, schema.names))
        if fields := columns.attribute_fields(list(new)[: max(room, 0)]):
            self._alone((await self._table.add_columns(fields)).version)
            schema = await self._table.schema()
        self._alone((await self._table.add(columns.table_of(rows, schema))).version)

    def _alone(self, number: int) -> None:
        """Every commit of ours follows upon ours. Raises VectorsError if a stranger's lies between."""
        if self._number is not None and number not in (self._number, self._number + 1):  # the same: nothing to do
            raise VectorsError("Somebody else wrote to the index")
        self._number = number


async def _vectors_in(table: AsyncTable, contents: Sequence[str]) -> dict[str, Vector]:
    with faults():
        found = await table.query().where(quoted_ids("content", contents)).select(["content", "vector"]).to_arrow()
        names, vectors = found["content"].to_pylist(), columns.matrix_of(found["vector"])
    return dict(zip(names, vectors, strict=True))
