"""Series kept in the store: sealed, compressed blocks as rows, searched block by block (`port.SeriesStore`).

Owns the order of the steps of appending and reading. What an append brings is one block and one row, in one commit with
those that came at the same time; small blocks are merged later (`merge`). A reader asks the index which blocks reach
into its span of time, opens them in the order of their first moments, and gives out what no later block can precede. It
must not know what points mean, nor statements (`index`) or keys (`sealing`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import msgspec

from craton.infra.series import block
from craton.infra.series.block import Run
from craton.infra.series.gather import Gatherer
from craton.infra.series.merge import FULL_BYTES, Merger
from craton.infra.series.page import Page
from craton.infra.series.port import (
    MOST_POINTS,
    MOST_SPAN_MS,
    Also,
    Blocks,
    Entry,
    Found,
    Listed,
    Point,
    Series,
    Sieve,
    Space,
    Where,
)
from craton.infra.series.sealing import DataKey, DataKeys, Rows, belongs, fresh_id
from craton.infra.series.search_program import Sealed
from craton.infra.series.searchers import Searchers

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from craton.infra.cipher.port import Cipher
    from craton.infra.series.index import Chunk

T = TypeVar("T")

_INLINE_BYTES = 64 * 1024
"""Up to so much is packed on the loop itself: a thread would cost more."""
_FIRST_ROUND_BYTES, _ROUND_BYTES = 64 * 1024, 8 * 1024 * 1024
"""How much is opened before what was found is looked at: little at first, for the page may be full soon."""
_MOST_READ_BYTES = 192 * 1024 * 1024
"""After so much a reader gives what it has and a place to go on from: no call lasts long."""
_ROUND_BLOCKS = 500
_INDEX_ROWS = 1000
_MOST_BLOCKS = 1 << 20


class SealedSeries:
    """`port.SeriesStore`.

    Args:
        rows: the store, off the loop.
        cipher: seals and opens the data keys.
        report: takes what went wrong with merging, which no caller waits for.
    """

    def __init__(self, rows: Rows, cipher: Cipher, report: Callable[[BaseException], None] = lambda _: None) -> None:
        self._rows = rows
        self._keys = DataKeys(rows, cipher)
        self._gatherer = Gatherer(rows)
        self._merger = Merger(rows, self._keys, report)
        self._searchers = Searchers()

    async def create(self, space: Space, name: str, now_ms: int) -> None:
        from craton.infra.series import index

        await self._rows.keep(lambda tx: tx.run(lambda connection: index.create(connection, space.id, name, now_ms)))

    async def append(
        self, space: Space, name: str, points: Sequence[Point], size_bytes: int, now_ms: int,
        also: Also | None = None,
    ) -> None:  # fmt: skip
        from craton.infra.series.index import FULL, Chunk

        if not 0 < len(points) <= MOST_POINTS or points[-1].at_ms - points[0].at_ms > MOST_SPAN_MS:
            msg = "a batch has points, not too many and not too far apart"
            raise ValueError(msg)
        key = await self._keys.current(space, now_ms)
        ident = fresh_id()

        def sealed() -> tuple[int, bytes]:
            plain = block.pack(Run(0, now_ms, len(points)), points)
            return len(plain), key.seal(ident, belongs(space, name), block.compress(plain))

        plain_bytes, data = await (asyncio.to_thread(sealed) if size_bytes > _INLINE_BYTES else immediate(sealed))
        chunk = Chunk(
            id=ident, series=name, first_ms=points[0].at_ms, last_ms=points[-1].at_ms, batch=0,
            level=FULL if plain_bytes >= FULL_BYTES else 0, plain_bytes=plain_bytes, size_bytes=size_bytes,
            key_id=key.id, data=data,
        )  # fmt: skip
        await self._gatherer.append(space.id, chunk, now_ms, also)
        if chunk.level != FULL:
            self._merger.appended(space, name)

    async def scan(
        self, space: Space, where: Where, sieve: Sieve | None, *, limit: int, most_bytes: int, overhead_bytes: int
    ) -> Found:
        page = Page(where, limit, most_bytes, overhead_bytes)
        rows, reading = _INDEX_ROWS, Reading()
        while True:
            rest = msgspec.structs.replace(where, beyond=page.reached)
            chunks, edge_ms = await self._reaching(space, rest, rows)
            if edge_ms is not None and not page.would_advance(edge_ms):
                rows *= 4  # so many blocks at one moment that not even it could be finished
                continue
            if await self._walk(space, rest, sieve, chunks, page, reading) and page.settle(edge_ms):
                return page.found(more=True)
            if reading.is_enough and page.has_advanced:
                return page.found(more=True)
            if edge_ms is None and not reading.was_disturbed:
                return page.found(more=False)

    async def blocks(self, space: Space, start_ms: int, stop_ms: int) -> AsyncGenerator[Blocks]:
        from craton.infra.series.index import FULL

        where, given = Where(start_ms=start_ms, stop_ms=stop_ms), set[str]()
        was_disturbed = True
        while was_disturbed:
            was_disturbed = False
            chunks, _ = await self._reaching(space, where, _MOST_BLOCKS)
            for some in rounds([chunk for chunk in chunks if chunk.id not in given]):
                sealed = await self._unlocked(space, some)
                was_disturbed |= len(sealed) < len(some)
                given.update(chunk.id for chunk, _ in sealed)
                yield Blocks([one for _, one in sealed], [chunk.level == FULL for chunk, _ in sealed])

    async def get(self, space: Space, name: str) -> Series | None:
        from craton.infra.series import index

        return await self._read(lambda connection: index.get(connection, space.id, name))

    async def listed(
        self, space: Space, *, prefix: str = "", by_time: bool = False, descending: bool = False, limit: int,
        after: tuple[int, str] | None = None,
    ) -> Listed:  # fmt: skip
        from craton.infra.series import index

        def work(connection: Connection) -> Listed:
            return index.listed(
                connection, space.id, prefix, by_time=by_time, descending=descending, limit=limit, after=after
            )

        return await self._read(work)

    async def sizes(self, spaces: Sequence[str]) -> dict[str, int]:
        from craton.infra.series import index

        return await self._read(lambda connection: index.sizes(connection, spaces))

    async def delete(self, space: Space, name: str) -> None:
        from craton.infra.series import index

        await self._rows.keep(lambda tx: tx.run(lambda connection: index.remove(connection, space.id, name)))

    async def close(self) -> None:
        await self._merger.settled()
        await self._searchers.close()

    async def _read(self, work: Callable[[Connection], T]) -> T:
        return await self._rows.read(lambda store: store.run(work))

    async def _reaching(self, space: Space, where: Where, limit: int) -> tuple[list[Chunk], int | None]:
        """The blocks to open, in order, and the moment at which those begin that are not among them."""
        from craton.infra.series import index

        chunks = await self._read(lambda connection: index.reaching(connection, space.id, where, limit + 1))
        edge_ms = frontier(chunks[limit], where) if len(chunks) > limit else None
        return chunks[:limit], edge_ms

    async def _walk(
        self, space: Space, where: Where, sieve: Sieve | None, chunks: list[Chunk], page: Page, reading: Reading
    ) -> bool:
        """Open blocks in order until the page is full or enough was read; whether it came to the end of them.

        Blocks that were merged meanwhile are elsewhere now: the index has to be asked again.
        """
        reading.was_disturbed = False
        page.begin()
        for some in rounds(chunks):
            if page.settle(frontier(some[0], where)):
                return True
            if reading.is_enough and page.has_advanced:
                return False
            selected = await self._selected(space, some, where, sieve, reading.done_bytes)
            if selected is None:
                reading.was_disturbed = True
                return False
            page.add(selected)
            reading.done_bytes += sum(chunk.plain_bytes for chunk in some)
        return True

    async def _selected(
        self, space: Space, chunks: list[Chunk], where: Where, sieve: Sieve | None, read_bytes: int
    ) -> list[Entry] | None:
        """The wanted points of some blocks; None when one of the blocks is gone."""
        blocks = [block for _, block in await self._unlocked(space, chunks)]
        if len(blocks) < len(chunks):
            return None
        sizes_bytes = [chunk.plain_bytes for chunk in chunks]
        return await self._searchers.select(blocks, sizes_bytes, where, sieve, read_bytes)

    async def _unlocked(self, space: Space, chunks: list[Chunk]) -> list[tuple[Chunk, Sealed]]:
        """The blocks with their keys, of those that are still there."""
        from craton.infra.series import index

        ids = [chunk.id for chunk in chunks]
        sealed = await self._read(lambda connection: index.loaded(connection, ids))
        there = [chunk for chunk in chunks if chunk.id in sealed]
        keys = await self._keys.opened(space, {chunk.key_id for chunk in there})
        return [(chunk, unlocked(space, chunk, keys[chunk.key_id], sealed[chunk.id])) for chunk in there]


class Reading(msgspec.Struct):
    """How much one call has read, and whether blocks went away under it."""

    done_bytes: int = 0
    was_disturbed: bool = False

    @property
    def is_enough(self) -> bool:
        return self.done_bytes >= _MOST_READ_BYTES


def rounds(chunks: list[Chunk]) -> Iterator[list[Chunk]]:
    """The blocks in portions that grow to some size."""
    some: list[Chunk] = []
    size_bytes, most_bytes = 0, _FIRST_ROUND_BYTES
    for chunk in chunks:
        some.append(chunk)
        size_bytes += chunk.plain_bytes
        if size_bytes >= most_bytes or len(some) >= _ROUND_BLOCKS:
            yield some
            some, size_bytes, most_bytes = [], 0, min(2 * most_bytes, _ROUND_BYTES)
    if some:
        yield some


def frontier(chunk: Chunk, where: Where) -> int:
    """The moment before which (in the order of reading) neither this block nor a later one has a point."""
    return chunk.last_ms if where.newest_first else chunk.first_ms


def unlocked(space: Space, chunk: Chunk, key: DataKey, sealed: bytes) -> Sealed:
    """A block with the key that opens it and no other."""
    return Sealed(chunk.series, chunk.batch, key.of(chunk.id), belongs(space, chunk.series), sealed)


async def immediate(work: Callable[[], T]) -> T:
    return work()
