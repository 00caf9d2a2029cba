"""An answer under way: what its one reader waits for, what came so far, and what is to happen with the rest.

Owns the reader's side of an exchange. The connection that feeds it parses and keeps time; when the answer is complete
or failed the connection lets go of it, so that bytes may still be taken while the connection serves the next request.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from math import inf
from typing import TYPE_CHECKING

import msgspec

from craton.models.providers.transport import BadReply, TransportError

if TYPE_CHECKING:
    from craton.models.providers.connection import Connection

# What a waiting reader needs before it is woken.
_HEAD, _DATA, _END = 0, 1, 2


class Answer(msgspec.Struct, eq=False):
    """A `transport.Response` fed by a Connection; it outlives the connection once it is complete.

    `on_reused`: the server may have given the connection up before we asked. `begun`: the head is here. `limit`: of
    the whole body, set by who reads it whole. `size`: bytes of body that came, `held`: of these, those that wait.

    The connection notes here what it must know of this exchange alone. `received`: any byte came. `overhead`: bytes
    since the last bit of body. `drain_until`: bytes of body after which an unwanted answer is cut. `done`: the parser
    saw its end. `stray`: bytes came after that. `keep_alive`: the upstream will take a further request.
    """

    _loop: asyncio.AbstractEventLoop
    _connection: Connection | None
    deadline: float
    on_reused: bool
    status: int = 0
    raw_headers: dict[bytes, bytes] = {}
    begun: bool = False
    complete: bool = False
    error: TransportError | None = None
    limit: float = inf
    size: int = 0
    held: int = 0
    idle_s: float = 0.0
    received: bool = False
    overhead: int = 0
    drain_until: float = inf
    done: bool = False
    stray: bool = False
    keep_alive: bool = False
    pieces: list[bytes] = []
    _level: int = _HEAD
    _waiter: asyncio.Future[None] | None = None

    @property
    def headers(self) -> dict[bytes, bytes]:
        """Names in lower case; made when asked for, since a good answer's are seldom looked at."""
        return {name.lower(): value for name, value in self.raw_headers.items()}

    # --- the reader's side --------------------------------------------------------------------------------------

    async def head(self) -> None:
        """Wait for the status and the headers."""
        self._level = _HEAD
        if not self._reached():
            await self._wait()
        if self.error is not None and not self.begun:  # what came before a failure is still given out
            raise self.error

    async def read(self, limit: int) -> bytes:
        """The whole body, of at most `limit` bytes."""
        waiting = self.expect(limit)
        if waiting is not None:
            await waiting
        return self.whole_body()

    def expect(self, limit: int) -> asyncio.Future[None] | None:
        """From now on the whole body is wanted: what to wait for before `whole_body`, if it is not here yet."""
        self.limit = limit
        self._level = _END
        if self.size > limit:
            self.abort()
            raise BadReply("the upstream's answer is too large")
        connection = self._connection
        if connection is not None and connection.paused:
            connection.resume(self.deadline)
        return None if self.complete or self.error is not None else self._wait()

    def whole_body(self) -> bytes:
        """All that came. Raises what ended the answer before its end."""
        if self.error is not None:
            raise self.error
        return self._take()

    async def next_chunk(self) -> bytes:
        """What came since the last call; empty at the end."""
        if not self.pieces:
            if self.complete:
                return b""
            self._level = _DATA
            if not self._reached():
                await self._wait()
            if self.error is not None and not self.pieces:
                raise self.error
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
        self.idle_s = idle_s
        if self.size and self._connection is not None:
            self.touch(self._connection)

    def release(self) -> None:
        """Let what is left pass by for a moment, so that the connection can be used again."""
        connection, self.idle_s = self._connection, 0.0
        if connection is not None:
            connection.drain(self)

    def abort(self) -> None:
        """End the connection if the answer is not complete."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()

    def _take(self) -> bytes:
        pieces, self.pieces, self.held = self.pieces, [], 0
        connection = self._connection
        if connection is not None and connection.paused:
            connection.resume(self._loop.time() + self.idle_s if self.idle_s else self.deadline)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _wait(self) -> asyncio.Future[None]:
        self._waiter = waiter = self._loop.create_future()
        return waiter

    def _reached(self) -> bool:
        if self.complete or self.error is not None:
            return True
        return self.begun if self._level == _HEAD else (self._level == _DATA and self.held > 0)

    # --- the connection's side ----------------------------------------------------------------------------------

    @property
    def ends_with_connection(self) -> bool:
        """Whether the upstream says the end by closing."""
        headers = self.headers
        return b"content-length" not in headers and b"transfer-encoding" not in headers

    @property
    def whole(self) -> bool:
        """Whether the reader waits for the end, so that pausing would never end."""
        return self._level == _END

    def touch(self, connection: Connection) -> None:
        """Bytes came: a stream's deadline moves on (not while it is paused: what was under way still comes then)."""
        if self.idle_s and not connection.paused:
            connection.watch(self._loop.time() + self.idle_s)

    def wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and self._reached():
            self._waiter = None
            if not waiter.done():  # its reader may have been cancelled
                waiter.set_result(None)

    def end(self, error: TransportError | None = None) -> None:
        """The connection lets go of this answer: it is complete, or failed with `error`."""
        self._connection = None
        self.error = error
        self.complete = error is None
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
