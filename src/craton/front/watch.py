"""Watches what the server does not tell: a body that does not come, a client that leaves or stops reading.

Granian's `send` never fails and holds for ever against a reader that stopped; only `receive` tells that somebody
left. All three end the same way: the task that serves the request is cancelled, which closes the upstream. One timer
per request serves them in turn, since most requests are over before it fires once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from craton.front.body import Receive, Send

# A request that is answered sooner than this is not worth a second task.
_QUIET_S = 0.05
_STALL_CHECKS = 4


class Watch:
    """Cancels the serving task when its body is late (`late`) or when the client has left (`gone`)."""

    __slots__ = ("_body_timeout_s", "_loop", "_receive", "_served", "_slow", "_task", "_timer", "gone", "late", "reading")

    def __init__(self, receive: Receive, body_timeout_s: float) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self._served = asyncio.current_task(loop)
        self._receive = receive
        self._body_timeout_s = body_timeout_s
        self._task: asyncio.Task[None] | None = None
        self._timer = loop.call_later(_QUIET_S, self._tick)
        self._slow = False
        self.reading = True
        self.late = False
        self.gone = False

    def _tick(self) -> None:
        if self.reading:
            self._slow = True
            self._timer = self._loop.call_later(self._body_timeout_s, self._overdue)
        else:
            self._task = asyncio.ensure_future(self._wait())

    def _overdue(self) -> None:
        self.late = True
        if self._served is not None:
            self._served.cancel()

    def body_is_here(self) -> None:
        """The body was read: from now on a message can only be the client's leaving."""
        self.reading = False
        if self._slow:
            self._timer.cancel()
            self._tick()

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        if self._served is not None:
            self._served.cancel()

    def close(self) -> None:
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()


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
