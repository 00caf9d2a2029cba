"""Watches what the server does not tell: a body that does not come, a client that leaves or stops reading.

Granian's `send` never fails and holds for ever against a reader that stopped; only `receive` tells that somebody
left. All three end the same way: the task that serves the request is cancelled, which closes the upstream. One timer
per worker makes the rounds, since a timer costs more than a request should and most are over before it fires once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import msgspec

from craton.front.body import Receive, Send

# A request that is answered sooner than this is not worth a second task.
_QUIET_S = 0.05
_STALL_CHECKS = 4


class Rounds:
    """All requests of a worker that are being served; whoever is there for two rounds is looked at."""

    __slots__ = ("_body_timeout_s", "_here", "_new", "_timer")

    def __init__(self, body_timeout_s: float) -> None:
        self._body_timeout_s = body_timeout_s
        self._new: set[Watch] = set()
        self._here: set[Watch] = set()
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, receive: Receive) -> Watch:
        """Watch the running task, which serves the request that `receive` belongs to."""
        loop = asyncio.get_running_loop()
        watch = Watch(asyncio.current_task(loop), receive, self._body_timeout_s)
        self._new.add(watch)
        if self._timer is None:
            self._timer = loop.call_later(_QUIET_S, self._go)
        return watch

    def end(self, watch: Watch) -> None:
        """The request is served."""
        self._new.discard(watch)
        self._here.discard(watch)
        if watch.timer is not None or watch.task is not None:
            watch.close()

    def _go(self) -> None:
        due, self._here, self._new = self._here, self._new, set()
        for watch in due:
            watch.look()
        self._timer = asyncio.get_running_loop().call_later(_QUIET_S, self._go) if self._here else None


class Watch(msgspec.Struct, eq=False):
    """Cancels the serving task when its body is late (`late`) or when the client has left (`gone`)."""

    served: asyncio.Task[Any] | None
    receive: Receive
    body_timeout_s: float
    task: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None
    reading: bool = True
    late: bool = False
    gone: bool = False

    def look(self) -> None:
        """The request takes longer than most: wait for what may happen to it."""
        if self.reading:
            self.timer = asyncio.get_running_loop().call_later(self.body_timeout_s, self._overdue)
        else:
            self.task = asyncio.ensure_future(self._wait())

    def _overdue(self) -> None:
        self.late = True
        if self.served is not None:
            self.served.cancel()

    def body_is_here(self) -> None:
        """The body was read: from now on a message can only be the client's leaving."""
        self.reading = False
        if self.timer is not None:
            self.timer.cancel()
            self.look()

    async def _wait(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        if self.served is not None:
            self.served.cancel()

    def close(self) -> None:
        """Wait for nothing any more."""
        if self.timer is not None:
            self.timer.cancel()
        if self.task is not None:
            self.task.cancel()


class Stall:
    """Cancels the serving task when one `send` has been pending for `limit_s`."""

    __slots__ = ("_handle", "_limit_s", "_loop", "_pending_since", "_served")

    def __init__(self, limit_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._served = asyncio.current_task(self._loop)
        self._limit_s = limit_s
        self._pending_since = 0.0
        self._handle = self._loop.call_later(limit_s / _STALL_CHECKS, self._check)

    def _check(self) -> None:
        since = self._pending_since
        if since and self._loop.time() - since >= self._limit_s:
            if self._served is not None:
                self._served.cancel()
            return
        self._handle = self._loop.call_later(self._limit_s / _STALL_CHECKS, self._check)

    async def send_all(self, frames: AsyncGenerator[bytes], send: Send) -> None:
        """Write each piece as it comes."""
        async for frame in frames:
            self._pending_since = self._loop.time()
            await send({"type": "http.response.body", "body": frame, "more_body": True})
            self._pending_since = 0.0

    def close(self) -> None:
        self._handle.cancel()
