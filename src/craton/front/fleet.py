"""The HTTP workers as a set: started, missed when they die, started again one by one, drained together.

Owns: which process holds which seat, and the pauses between restarts. Must not know: what a worker does, nor how one
is made (`spawn` is given). A worker that dies is replaced at once; one that keeps dying, after growing pauses, for
ever: the others go on serving.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Mapping
from typing import Any

from craton.infra.compute.process import describe_exit, reap, signal_group, signal_process, wait_zombie

_log = logging.getLogger(__name__)
_SHORT_LIFE_S = 5.0
_PAUSE_FIRST_S = 0.1
_PAUSE_MAX_S = 10.0

Spawn = Callable[[int], int]
"""Makes a worker for the seat with this index and returns its process id."""


class Fleet:
    """The workers of one supervisor."""

    def __init__(self, first: Mapping[int, int], spawn: Spawn) -> None:
        """Mind the processes of `first` (seat → process id); `spawn` replaces those that die."""
        self._pids = dict(first)
        self._spawn = spawn
        self._stopping = asyncio.Event()
        self._restarts = 0
        self._ready: set[int] = set()
        self.first_ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the first worker serves; fails with `StartFailed` if one died before that."""
        self._minders = [asyncio.create_task(self._mind(index)) for index in self._pids]

    @property
    def restarts(self) -> int:
        """How many workers were replaced so far."""
        return self._restarts

    def rows(self) -> list[dict[str, object]]:
        """One row per seat: index, process id, whether it serves."""
        return [{"index": i, "pid": pid, "ready": pid in self._ready} for i, pid in sorted(self._pids.items())]

    def mark_ready(self, pid: int) -> None:
        """Note that the worker with this process id serves."""
        if pid in self._pids.values():
            self._ready.add(pid)
            if not self.first_ready.done():
                self.first_ready.set_result(None)

    def kill(self, index: int, pid: int) -> None:
        """End a worker that cannot be trusted any more; it is replaced like one that died."""
        if self._pids.get(index) == pid:
            signal_process(pid, signal.SIGKILL)

    async def drain(self, cap_s: float, hurry: asyncio.Event) -> None:
        """Stop all: SIGTERM, then SIGKILL after `cap_s` seconds or when `hurry` is set; return when all are reaped."""
        self._stopping.set()
        for pid in self._pids.values():
            signal_process(pid, signal.SIGTERM)
        all_ended: asyncio.Future[Any] = asyncio.gather(*self._minders)
        hurried = asyncio.create_task(hurry.wait())
        both: list[asyncio.Future[Any]] = [all_ended, hurried]
        await asyncio.wait(both, timeout=cap_s, return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        for pid in self._pids.values():
            signal_process(pid, signal.SIGKILL)
        await all_ended

    async def _mind(self, index: int) -> None:
        pause_s = _PAUSE_FIRST_S
        while True:
            pid, born = self._pids[index], time.monotonic()
            await wait_zombie(pid)
            signal_group(pid, signal.SIGKILL)
            del self._pids[index]  # before it is reaped: after that, the number may be somebody else's
            self._ready.discard(pid)
            code = reap(pid)
            if self._stopping.is_set():
                return
            if not self.first_ready.done():
                self.first_ready.set_exception(StartFailed(f"worker {index} ended at start: {describe_exit(code)}"))
                return
            _log.error("worker %d (process %d) ended: %s; it is replaced", index, pid, describe_exit(code))
            is_short_lived = time.monotonic() - born < _SHORT_LIFE_S
            pause_s = min(pause_s * 2, _PAUSE_MAX_S) if is_short_lived else _PAUSE_FIRST_S
            if not await self._replace(index, pause_s if is_short_lived else 0):
                return

    async def _replace(self, index: int, pause_s: float) -> bool:
        """Make a new worker after a pause; False when the end came first."""
        while True:
            await asyncio.sleep(pause_s)
            if self._stopping.is_set():
                return False
            try:
                self._pids[index] = self._spawn(index)
            except OSError as error:  # no memory, no handles: the others go on, and this seat is tried again
                _log.error("worker %d cannot be made: %s", index, error.strerror)
                pause_s = _PAUSE_MAX_S
                continue
            self._restarts += 1
            return True


class StartFailed(Exception):
    """A worker ended before any had served; its own words are on standard error."""
