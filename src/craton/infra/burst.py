"""Writes to many sockets, made one after the other at the end of a round of the event loop.

A write to a socket whose reader sleeps wakes that process, and on a virtual machine the waking is dearer than the write
itself. Of many writes in a row only the first finds a reader asleep. Owns what waits, and its order. It must not know
what is written.
"""

from __future__ import annotations

import asyncio

CROWD = 4
"""Below so many requests at once there is next to nothing to gather, and each message leaves at once."""


class Burst:
    """Messages on their way. Who writes to or closes such a transport by itself calls `leave` first."""

    __slots__ = ("_loop", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: list[tuple[asyncio.WriteTransport, bytes]] = []

    def write(self, transport: asyncio.WriteTransport, data: bytes) -> None:
        """Write after all that is ready to run now, and before all that is scheduled from now on."""
        if not self._waiting:
            self._loop.call_soon(self.leave)
        self._waiting.append((transport, data))

    def leave(self) -> None:
        """Write what waits, now. Who has gone meanwhile takes nobody's message along: uvloop's closed transports raise."""
        waiting, self._waiting = self._waiting, []
        for transport, data in waiting:
            try:
                transport.write(data)
            except RuntimeError:
                continue
