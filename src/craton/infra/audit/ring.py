"""A worker's end of the audit log: records wait in a bounded ring and leave for the supervisor in batches.

Owns the ring, the one task that empties it, and the count of what did not fit. It must not know what records say. A
batch whose answer was lost is sent again, so that a record may stand in the log twice (with one eventID), never not at
all.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from craton.infra.audit.port import AuditFailed
from craton.infra.control.wire import ControlFault, ControlLost

_BATCH_RECORDS = 512
_BATCH_BYTES = 1 << 20
_GATHER_S = 0.2
_RETRY_S = 0.5
_KEEP_TIMEOUT_S = 10.0

Send = Callable[[str, Mapping[str, object]], Awaitable[Any]]
"""A call of the control channel."""
Waiting = tuple[bytes, "asyncio.Future[None] | None"]


class Ring:
    """The `Trail` of one worker. Lives in one event loop."""

    def __init__(self, send: Send, capacity: int = 8192) -> None:
        self._send = send
        self._capacity = capacity
        self._waiting: deque[Waiting] = deque()
        self._lost = 0
        self._task: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self.lost = 0
        """How many records did not fit, since the start."""

    def put(self, record: bytes) -> None:
        if len(self._waiting) >= self._capacity:
            self.lost += 1
            self._lost += 1
            return
        self._add(record, None)

    async def keep(self, record: bytes) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._add(record, done)
        self._hurry.set()
        try:
            # Shielded: who leaves before the answer has done what it did, and the record is kept.
            await asyncio.wait_for(asyncio.shield(done), _KEEP_TIMEOUT_S)
        except TimeoutError:
            raise AuditFailed("the supervisor did not answer") from None

    async def close(self, within_s: float = 1.0) -> None:
        """Send what waits, at most for `within_s` seconds."""
        self._hurry.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=within_s)
            self._task.cancel()

    def _add(self, record: bytes, done: asyncio.Future[None] | None) -> None:
        self._waiting.append((record, done))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._empty(), name="audit")

    async def _empty(self) -> None:
        """Until nothing waits any more."""
        while self._waiting or self._lost:
            if not self._hurry.is_set():
                await _within(self._hurry, _GATHER_S)
            self._hurry.clear()
            batch, lost = self._batch(), self._lost
            try:
                await self._send("audit.append", {"records": [record for record, _ in batch], "lost": lost})
            except (ControlFault, ControlLost, TimeoutError) as error:
                self._back(batch, error)
                await asyncio.sleep(_RETRY_S)
                continue
            self._lost -= lost
            for _, done in batch:
                if done is not None and not done.done():
                    done.set_result(None)
            if any(done is not None for _, done in self._waiting):
                self._hurry.set()

    def _batch(self) -> list[Waiting]:
        batch: list[Waiting] = []
        size = 0
        while self._waiting and len(batch) < _BATCH_RECORDS and size < _BATCH_BYTES:
            batch.append(self._waiting.popleft())
            size += len(batch[-1][0])
        return batch

    def _back(self, batch: list[Waiting], error: Exception) -> None:
        """Whoever waits is told; the records wait on, as far as there is room."""
        for _, done in batch:
            if done is not None and not done.done():
                done.set_exception(AuditFailed(f"the audit log could not be written: {type(error).__name__}"))
                done.exception()  # its asker may have left
        room = max(0, self._capacity - len(self._waiting))
        lost = max(0, len(batch) - room)
        self.lost += lost
        self._lost += lost
        self._waiting.extendleft((record, None) for record, _ in reversed(batch[lost:]))


async def _within(event: asyncio.Event, timeout_s: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), timeout_s)
    except TimeoutError:
        return
