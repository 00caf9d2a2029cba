"""Small blocks become large ones: a search over a thousand blocks of one point each would be slow, and take much room.

Owns when and what is merged. After so many appends to a series its blocks are looked at, level by level: enough of one
level become one of the next, until a block is large enough. It is the process that appended that merges, in the
background; of two at once the second finds the blocks gone and leaves it. It must not know who reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from craton.infra.cipher.port import CipherError, Tampered
from craton.infra.series import block
from craton.infra.series.block import Block, Damaged
from craton.infra.series.port import MOST_SPAN_MS, NoSuchSeries, Space
from craton.infra.series.sealing import DataKey, DataKeys, Rows, belongs, fresh_id
from craton.infra.store.port import StoreError

if TYPE_CHECKING:
    from craton.infra.series.index import Chunk

FULL_BYTES = 512 * 1024
_LOOK_AFTER = 32
"""Appends to a series after which its blocks are looked at."""
_AT_ONCE = 24
"""Blocks of a level that are worth a merge."""
_MOST_AT_ONCE = 256
_MOST_BYTES = 1024 * 1024
_MOST_LEVEL = 4


class Merger:
    """One for each process that appends."""

    def __init__(self, rows: Rows, keys: DataKeys, report: Callable[[BaseException], None]) -> None:
        self._rows = rows
        self._keys = keys
        self._report = report
        self._appends: dict[tuple[str, str], int] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._one_at_a_time = asyncio.Lock()

    def appended(self, space: Space, series: str) -> None:
        """A small block was added."""
        place = (space.id, series)
        count = self._appends.pop(place, 0) + 1
        if count < _LOOK_AFTER:
            self._appends[place] = count
            return
        task = asyncio.create_task(self._merge(space, series), name="series merge")
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def settled(self) -> None:
        """Returns when nothing is being merged."""
        while self._running:
            await asyncio.gather(*self._running)

    async def _merge(self, space: Space, series: str) -> None:
        try:
            async with self._one_at_a_time:
                for level in range(_MOST_LEVEL):
                    while await self._merge_level(space, series, level):
                        pass
        except (StoreError, CipherError, NoSuchSeries) as error:
            # Nothing is lost: the small blocks stay as they were.
            self._report(error)

    async def _merge_level(self, space: Space, series: str, level: int) -> bool:
        """Merge the oldest blocks of a level, if there are enough; whether there may be more to do."""
        from craton.infra.series import index

        oldest = await self._rows.read(
            lambda store: store.run(lambda connection: index.small(connection, space.id, series, level, _MOST_AT_ONCE))
        )
        if len(oldest) < _AT_ONCE:
            return False
        chosen = together(oldest)
        key = await self._keys.current(space, max(chunk.last_ms for chunk in chosen))
        keys = await self._keys.opened(space, {chunk.key_id for chunk in chosen})
        made = await asyncio.to_thread(merged, space, chosen, keys, key)
        return await self._rows.keep(
            lambda tx: tx.run(lambda connection: index.replace(connection, space.id, chosen, made))
        )


def together(oldest: list[Chunk]) -> list[Chunk]:
    """The first blocks that fit into one, in size and in time; at least one."""
    chosen: list[Chunk] = []
    size_bytes, first_ms, last_ms = 0, oldest[0].first_ms, oldest[0].last_ms
    for chunk in oldest:
        first_ms, last_ms = min(first_ms, chunk.first_ms), max(last_ms, chunk.last_ms)
        size_bytes += chunk.plain_bytes
        if chosen and (size_bytes > _MOST_BYTES or last_ms - first_ms > MOST_SPAN_MS):
            break
        chosen.append(chunk)
    return chosen


def merged(space: Space, chunks: list[Chunk], keys: dict[str, DataKey], key: DataKey) -> Chunk:
    """One sealed block of all their points. Raises Tampered."""
    from craton.infra.series.index import FULL, Chunk

    plain = block.merged([opened(space, chunk, keys[chunk.key_id], chunk.data) for chunk in chunks])
    ident, series = fresh_id(), chunks[0].series
    level = chunks[0].level + 1
    return Chunk(
        id=ident,
        series=series,
        first_ms=min(chunk.first_ms for chunk in chunks),
        last_ms=max(chunk.last_ms for chunk in chunks),
        batch=chunks[0].batch,
        level=FULL if len(plain) >= FULL_BYTES or level >= _MOST_LEVEL else level,
        plain_bytes=len(plain),
        size_bytes=sum(chunk.size_bytes for chunk in chunks),
        key_id=key.id,
        data=key.seal(ident, belongs(space, series), block.compress(plain)),
    )


def opened(space: Space, chunk: Chunk, key: DataKey, sealed: bytes) -> Block:
    """Raises Tampered."""
    try:
        return Block(block.expand(key.open(chunk.id, belongs(space, chunk.series), sealed)), chunk.batch)
    except Damaged:
        raise Tampered from None
