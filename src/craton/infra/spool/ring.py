"""A worker's end of the spool: what is to be kept waits in bounded memory and leaves in batches, off the loop.

Owns the bound, the one task that empties the ring, and the count of what did not fit. `put` costs an append; nothing is
encoded, copied or hashed on the way of a request. It must not know what an item is, nor how batches are kept.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from craton.infra.spool.port import Losses, SpoolError

GATHER_S = 0.1
_BATCH_BYTES = 4 << 20
_RETRY_S = 0.5

T = TypeVar("T")
Write = Callable[[list[T]], Awaitable[None]]
"""Keeps a batch. Raises SpoolError, OSError: it may be tried again."""


class Ring(Generic[T]):
    """Lives in one event loop. `capacity_bytes` bounds what is held, one item over it being let in when nothing else is."""

    def __init__(self, write: Write[T], capacity_bytes: int, losses: Losses) -> None:
        self._write = write
        self._capacity = capacity_bytes
        self._waiting: deque[tuple[T, int]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self.held_bytes = 0
        self.losses = losses

    def hold(self, size_bytes: int) -> bool:
        """Whether so many more bytes may be held, which they then are until they are put or given back."""
        if self.held_bytes and self.held_bytes + size_bytes > self._capacity:
            return False
        self.held_bytes += size_bytes
        return True

    def give_back(self, size_bytes: int) -> None:
        """What was held is not needed."""
        self.held_bytes -= size_bytes

    def put(self, item: T, size_bytes: int, held_bytes: int = 0) -> bool:
        """Keep an item soon, of which so many bytes are held already. Never waits; False if there is no room."""
        more = size_bytes - held_bytes
        if self.held_bytes and self.held_bytes + more > self._capacity:
            self.losses.memory += 1
            return False
        self.held_bytes += more
        self._waiting.append((item, size_bytes))
        if self._task is None:
            self._task = asyncio.create_task(self._empty(), name="spool")
        return True

    async def close(self, within_s: float = 1.0) -> None:
        """Write what waits, at most for `within_s` seconds."""
        self._hurry.set()
        task = self._task
        if task is not None:
            await asyncio.wait([task], timeout=within_s)
            task.cancel()

    async def _empty(self) -> None:
        """Until nothing waits any more."""
        while self._waiting:  # no await between the last look and the end
            if not self._hurry.is_set():
                try:
                    await asyncio.wait_for(self._hurry.wait(), GATHER_S)
                except TimeoutError:
                    pass
            await self._flush()
        self._task = None

    async def _flush(self) -> None:
        batch, size = self._batch()
        try:
            await self._write(batch)
        except (SpoolError, OSError):
            # The bytes stay counted, so that a disk that is away fills this ring and nothing else.
            self._waiting.extendleft(reversed([(item, 0) for item in batch]))
            self._waiting[0] = (self._waiting[0][0], size)
            if self._hurry.is_set():
                self.losses.unwritten += len(self._waiting)
                self._waiting.clear()
            await asyncio.sleep(_RETRY_S)
            return
        self.held_bytes -= size

    def _batch(self) -> tuple[list[T], int]:
        batch: list[T] = []
        size = 0
        while self._waiting and size < _BATCH_BYTES:
            item, own = self._waiting.popleft()
            batch.append(item)
            size += own
        return batch, size
