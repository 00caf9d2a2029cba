"""A run in a worker's hands: its journal, its fenced writes, and what the body is told from outside.

Owns the async side of one run. Every write says in its own transaction that the worker still has the run; one that does
not raises LeaseLost, and the body ends. It must not know what bodies do, nor when a worker takes runs.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Protocol, TypeVar

from craton.infra.jobs import lease
from craton.infra.jobs.lease import Claimed
from craton.infra.jobs.runs import Progress, Run
from craton.infra.store.port import Reader, Transaction

T = TypeVar("T")
_RATE_OVER_S = 30.0


class Storage(Protocol):
    """The store, off the loop (`context.Storage`)."""

    def read(self, work: Callable[[Reader], T]) -> Awaitable[T]: ...

    def keep(self, work: Callable[[Transaction], T]) -> Awaitable[T]: ...


class Hold:
    """One run and the right to write for it.

    Args:
        owner: the worker's name, which the run's row bears while the right lasts.
        now: wall time, for what people read.
    """

    def __init__(self, claimed: Claimed, owner: str, storage: Storage, now: Callable[[], datetime]) -> None:
        self.run: Run = claimed.run
        self.owner = owner
        self.steps = claimed.steps
        self.stop_asked = asyncio.Event()
        """Somebody wants the job to stop."""
        self.leaving = asyncio.Event()
        """The worker is about to end: no further step begins."""
        self.busy = 0
        """Steps under way."""
        self.progress: Progress = claimed.run.how_far
        self.unshown = False
        self._storage = storage
        self._now = now
        self._seen: deque[tuple[float, int]] = deque()
        if claimed.run.stop_asked:
            self.stop_asked.set()

    @property
    def arn(self) -> str:
        return self.run.arn

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """A piece of work that should be finished before the worker ends; waits for ever if it is ending."""
        if self.leaving.is_set():
            await asyncio.Event().wait()
        self.busy += 1
        try:
            yield
        finally:
            self.busy -= 1

    async def keep_step(self, name: str, result: bytes) -> None:
        """Keep a step's result for good. Raises LeaseLost, StoreError."""
        now = self._now()

        def work(transaction: Transaction) -> None:
            transaction.run(lambda c: lease.keep_step(c, self.arn, self.owner, name, result, now))

        await self._storage.keep(work)
        self.steps[name] = result

    async def read(self, work: Callable[[Reader], T]) -> T:
        return await self._storage.read(work)

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """The result of a transaction that happens only while the run is this worker's. Raises LeaseLost."""

        def fenced(transaction: Transaction) -> T:
            transaction.run(lambda c: lease.check(c, self.arn, self.owner))
            done = work(transaction)
            transaction.run(lambda c: lease.advanced(c, self.arn))
            return done

        return await self._storage.keep(fenced)

    def show(self, done: int, total: int | None, unit: str) -> None:
        """Say how far the run is; kept with the worker's next look."""
        now = time.monotonic()
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[0][0] > _RATE_OVER_S:
            self._seen.popleft()
        since, first = self._seen[0]
        rate = (done - first) / (now - since) if now > since and done > first else self.progress.rate
        self.progress = Progress(done, total, unit, round(rate, 3))
        self.unshown = True
