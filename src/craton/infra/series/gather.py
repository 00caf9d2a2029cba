"""Appends that wait at the same time share one commit, so that many small ones wait for few flushes of the disk.

Owns the queue and the task that empties it: while one transaction is under way the next appends gather. It must not
know what a block holds.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from craton.infra.series.port import Also, Kept, NoSuchSeries
from craton.infra.series.sealing import Rows
from craton.infra.store.port import StoreError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from craton.infra.series.index import Chunk

MOST_TOGETHER = 256


class Append(msgspec.Struct, frozen=True, eq=False):
    """A sealed block for a space; it is kept, or its series is not there."""

    space: str
    chunk: Chunk
    now_ms: int
    also: Also | None
    done: asyncio.Future[None]


class Gatherer:
    """One for each process that appends."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._waiting: list[Append] = []
        self._emptying: asyncio.Task[None] | None = None

    async def append(self, space: str, chunk: Chunk, now_ms: int, also: Also | None = None) -> None:
        """Returns when the block is kept. Raises NoSuchSeries, StoreError."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append(Append(space, chunk, now_ms, also, done))
        if self._emptying is None:
            self._emptying = asyncio.create_task(self._empty(), name="series appends")
        await asyncio.shield(done)  # a caller who leaves takes none of the others along

    async def _empty(self) -> None:
        try:
            while self._waiting:
                taken, self._waiting = self._waiting[:MOST_TOGETHER], self._waiting[MOST_TOGETHER:]
                await self._keep(taken)
        finally:
            self._emptying = None
            for one in self._waiting:  # only when this task was cancelled, with the process about to end
                one.done.cancel()

    async def _keep(self, taken: list[Append]) -> None:
        try:
            missed = await self._rows.keep(lambda tx: tx.run(lambda connection: _kept(connection, taken)))
        except StoreError as error:
            for one in taken:
                _settle(one.done, error)
            return
        except BaseException:
            for one in taken:
                one.done.cancel()
            raise
        for one in taken:
            _settle(one.done, NoSuchSeries() if one in missed else None)


def _kept(connection: Connection, taken: list[Append]) -> set[Append]:
    """Those whose series is not there."""
    from craton.infra.series import index

    missed = set()
    batch = index.take_batches(connection, len(taken))
    for number, one in enumerate(taken, batch):
        try:
            index.append(connection, one.space, msgspec.structs.replace(one.chunk, batch=number), one.now_ms)
        except NoSuchSeries:
            missed.add(one)
        else:
            if one.also is not None:
                one.also(connection, Kept(number, one.chunk.first_ms, one.chunk.last_ms))
    return missed


def _settle(done: asyncio.Future[None], error: Exception | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)
        done.exception()  # who waited for it may have left, which is no reason for a warning
