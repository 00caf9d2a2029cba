"""Watches what the server does not tell: a client that leaves, and a client that stops reading.

Granian's `send` never fails and holds for ever against a reader that stopped; only `receive` tells that somebody
left. Both end the same way: the task that serves the request is cancelled, which closes the upstream.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from craton.front.body import Receive, Send

# A request that is answered sooner than this is not worth a second task.
_QUIET_S = 0.05
_STALL_CHECKS = 4


class Departure:
    """Cancels the serving task when the client leaves. The watch begins only after a short while."""

    __slots__ = ("_handle", "_receive", "_served", "_task", "gone")

    def __init__(self, receive: Receive) -> None:
        loop = asyncio.get_running_loop()
        self.gone = False
        self._receive = receive
        self._served = asyncio.current_task(loop)
        self._task: asyncio.Task[None] | None = None
        self._handle = loop.call_later(_QUIET_S, self._begin)

    def _begin(self) -> None:
        self._task = asyncio.ensure_future(self._wait())

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        if self._served is not None:
            self._served.cancel()

    def close(self) -> None:
        self._handle.cancel()
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
