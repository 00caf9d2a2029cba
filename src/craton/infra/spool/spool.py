"""A worker's segments: batches go into the open segment of their group, within the disk budget.

Owns which segments are open and when one is closed: when it is large, when its time is over, or when its group has
other terms. A healthy spool is emptied as fast as it fills, so segments are kept open for moments only; where many wait
already, they are kept open longer, so that a sink that is away for days leaves few files. It must not know what records
say, nor who empties the folder.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from craton.infra.spool import folder, segment
from craton.infra.spool.port import Group, Losses

_log = logging.getLogger(__name__)

Seal = Callable[[Group, str, bytes], Awaitable[bytes]]
"""Seals the key of a segment of this name for the group's account. Raises SpoolError."""
Ready = Callable[[str, str], None]
"""Told that a segment of an account in a region is there to be emptied; called in the loop."""

_SEGMENT_BYTES = 8 << 20
_OPEN_S = 1.0
_OPEN_LONGER_S = 60.0
_MANY = 32
_LOOK_S = 1.0
_TELL_S = 0.5
_LOG_S = 10.0


class Block(NamedTuple):
    """Encoded records, and how many."""

    data: bytes
    records: int


class Spool:
    """Lives in one event loop; the files in a thread of its own."""

    def __init__(
        self, path: Path, budget_bytes: int, seal: Seal, losses: Losses, ready: Ready, *, durable: bool
    ) -> None:
        self._path = path
        self._ready = ready
        self._losses = losses
        self._told, self._logged_at = 0, -_LOG_S
        self._telling: asyncio.TimerHandle | None = None
        self._budget = budget_bytes
        self._seal = seal
        self._durable = durable
        self._open: dict[Group, segment.Writer] = {}
        self._closing: dict[Group, asyncio.TimerHandle] = {}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spool")
        self._looked_at = -_LOOK_S
        self._added = 0
        self._seen = folder.Waiting(0, 0, 0.0)

    async def write(self, encode: Callable[[], Mapping[Group, Block]]) -> None:
        """Keep what `encode` gives, a block of each group; durable when this returns.

        `encode` is called in the spool's thread. What the budget has no room for is counted as lost. Raises SpoolError,
        OSError: something is not kept, and all of it may be tried again.
        """
        loop = asyncio.get_running_loop()
        for group, block in (await loop.run_in_executor(self._thread, self._keep, encode)).items():
            writer = await self._begin(group)
            await loop.run_in_executor(self._thread, self._append, group, writer, block)
        for group in [group for group, writer in self._open.items() if writer.size_bytes >= _SEGMENT_BYTES]:
            self._end(group)
        if self._losses.total > self._told and self._telling is None:
            self._telling = loop.call_later(_TELL_S, self._thread.submit, self._tell)

    def _keep(self, encode: Callable[[], Mapping[Group, Block]]) -> dict[Group, Block]:
        """Keep blocks whose segments are open, count those that there is no room for; the others."""
        unopened = {}
        for group, block in encode().items():
            # A segment is closed in this thread alone, so not before the block is in it.
            writer = self._open.get(group)
            if not self._has_room(len(block.data)):
                self._losses.budget += block.records
            elif writer is not None:
                self._append(group, writer, block)
            else:
                unopened[group] = block
        return unopened

    def _append(self, group: Group, writer: segment.Writer, block: Block) -> None:
        try:
            writer.append(block.data)
        except OSError:
            if self._open.pop(group, None) is not None:  # else it is about to be closed
                writer.close()
            raise

    async def close(self) -> None:
        """Leave every open segment to who empties the spool."""
        for group in list(self._open):
            self._end(group)
        if self._telling is not None:
            self._telling.cancel()
        if self._losses.total > self._told:
            self._thread.submit(self._tell)
        self._thread.shutdown()
        await asyncio.sleep(0)  # for `ready`, which the closing of each segment has called for

    async def _begin(self, group: Group) -> segment.Writer:
        """Open a segment for the group."""
        name, key = folder.new_name(group.account, group.region), segment.new_key()
        sealed = await self._seal(group, name, key)
        loop = asyncio.get_running_loop()
        writer = await loop.run_in_executor(self._thread, self._make, name, key, sealed, group)
        self._open[group] = writer
        open_s = _OPEN_LONGER_S if self._seen.segments > _MANY else _OPEN_S
        self._closing[group] = loop.call_later(open_s, self._end, group)
        return writer

    def _make(self, name: str, key: bytes, sealed: bytes, group: Group) -> segment.Writer:
        folder.make(self._path)
        return segment.Writer(self._path / name, key, sealed, group, durable=self._durable)

    def _end(self, group: Group) -> None:
        """Close the group's segment, after what is being written to it."""
        timer = self._closing.pop(group, None)
        if timer is not None:
            timer.cancel()
        writer = self._open.pop(group, None)
        if writer is not None:
            closed = self._thread.submit(writer.close)
            loop = asyncio.get_running_loop()
            closed.add_done_callback(lambda _: loop.call_soon_threadsafe(self._ready, group.account, group.region))

    def _has_room(self, size_bytes: int) -> bool:
        """Whether so many bytes more are within the budget.

        By a count that is at most a moment old, and by a fresh one where it might matter: other workers write as well.
        """
        now = time.monotonic()
        taken = self._seen.size_bytes + self._added + size_bytes
        if now - self._looked_at >= _LOOK_S or taken > self._budget // 2:
            self._seen, self._looked_at, self._added = folder.waiting(self._path), now, 0
            taken = self._seen.size_bytes + size_bytes
        if taken > self._budget:
            return False
        self._added += size_bytes
        return True

    def _tell(self) -> None:
        """Say beside the segments, and now and then on the log, what was lost."""
        self._told, self._telling = self._losses.total, None
        if time.monotonic() - self._logged_at >= _LOG_S:
            self._logged_at = time.monotonic()
            _log.warning(
                "the spool in %s has lost %d records: %d to its disk budget, %d to its bound in memory, %d unwritten",
                self._path, self._losses.total, self._losses.budget, self._losses.memory, self._losses.unwritten,
            )  # fmt: skip
        with suppress(OSError):
            folder.make(self._path)
            folder.write_losses(self._path, self._losses)
