"""An answer under way: what its one reader waits for, what came so far, and what is to happen with the rest.

Owns the reader's side of an exchange. The connection that feeds it parses and keeps time; when the answer is complete
or failed the connection lets go of it, so that bytes may still be taken while the connection serves the next request.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from math import inf
from typing import TYPE_CHECKING

from craton.models.providers.transport import BadReply, TransportError

if TYPE_CHECKING:
    from craton.models.providers.connection import Connection

# What a waiting reader needs before it is woken.
_HEAD, _DATA, _END = 0, 1, 2


class Answer:
    """A `transport.Response` fed by a Connection; it outlives the connection once it is complete."""

    __slots__ = (
        "_connection", "_idle_s", "_level", "_loop", "_pieces", "_waiter",
        "begun", "complete", "deadline", "error", "headers", "held", "limit", "on_reused", "size", "status",
    )  # fmt: skip

    def __init__(self, loop: asyncio.AbstractEventLoop, connection: Connection, deadline: float) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.begun = False  # the head is here
        self.complete = False
        self.on_reused = connection.reused  # the server may have given the connection up before we asked
        self.error: TransportError | None = None
        self.deadline = deadline
        self.limit = inf  # of the whole body, set by who reads it whole
        self.size = 0  # bytes of body that came
        self.held = 0  # of these, bytes that wait for the reader
        self._pieces: list[bytes] = []
        self._connection: Connection | None = connection
        self._loop = loop
        self._level = _HEAD
        self._idle_s = 0.0
        self._waiter: asyncio.Future[None] | None = None

    # --- the reader's side --------------------------------------------------------------------------------------

    async def head(self) -> None:
        """Wait for the status and the headers."""
        await self._reach(_HEAD)

    async def read(self, limit: int) -> bytes:
        """The whole body, of at most `limit` bytes."""
        self.limit = limit
        self._level = _END
        if self.size > limit:
            self.abort()
            raise BadReply("the upstream's answer is too large")
        if self._connection is not None:
            self._connection.resume(self.deadline)
        await self._reach(_END)
        return self._take()

    async def next_chunk(self) -> bytes:
        """What came since the last call; empty at the end."""
        if not self._pieces:
            if self.complete:
                return b""
            await self._reach(_DATA)
        return self._take()

    def chunks(self, idle_s: float) -> AsyncIterator[bytes]:
        """The body as it comes, `idle_s` between bytes after the first."""
        self.idle_after(idle_s)
        return self._chunks()

    async def _chunks(self) -> AsyncIterator[bytes]:
        while chunk := await self.next_chunk():
            yield chunk

    def idle_after(self, idle_s: float) -> None:
        """From the first byte of the body on, only silence of `idle_s` seconds ends the answer."""
        self._idle_s = idle_s
        if self.size and self._connection is not None:
            self.touch(self._connection)

    def release(self) -> None:
        """Let what is left pass by for a moment, so that the connection can be used again."""
        connection, self._idle_s = self._connection, 0.0
        if connection is not None:
            connection.drain(self)

    def abort(self) -> None:
        """End the connection if the answer is not complete."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()

    def _take(self) -> bytes:
        pieces, self._pieces, self.held = self._pieces, [], 0
        connection = self._connection
        if connection is not None and connection.paused:
            connection.resume(self._loop.time() + self._idle_s if self._idle_s else self.deadline)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _reach(self, level: int) -> None:
        self._level = level
        if not self._reached():
            self._waiter = waiter = self._loop.create_future()
            try:
                await waiter
            finally:
                self._waiter = None
        # What came before a failure is still given out: the head, then the pieces.
        came = self.begun if level == _HEAD else level == _DATA and bool(self._pieces)
        if self.error is not None and not came:
            raise self.error

    def _reached(self) -> bool:
        if self.complete or self.error is not None:
            return True
        return self.begun if self._level == _HEAD else (self._level == _DATA and self.held > 0)

    # --- the connection's side ----------------------------------------------------------------------------------

    @property
    def whole(self) -> bool:
        """Whether the reader waits for the end, so that pausing would never end."""
        return self._level == _END

    def put(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self.size += len(piece)
        self.held += len(piece)

    def touch(self, connection: Connection) -> None:
        """Bytes came: a stream's deadline moves on (not while it is paused: what was under way still comes then)."""
        if self._idle_s and not connection.paused:
            connection.watch(self._loop.time() + self._idle_s)

    def wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and self._reached() and not waiter.done():
            waiter.set_result(None)

    def end(self, error: TransportError | None = None) -> None:
        """The connection lets go of this answer: it is complete, or failed with `error`."""
        self._connection = None
        self.error = error
        self.complete = error is None
        self.wake()
