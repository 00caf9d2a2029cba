"""Our own HTTP/1.1 client: a pool of keep-alive connections to one origin.

Owns who gets which connection (last used first, waiters in the order they came), how connections are made, verified
and given up, and the one retry that is safe: a kept connection that died before any byte of the answer came, where
the server had closed it while it lay idle. It follows no redirect, asks for no compression, and knows nothing of
models. Deadlines are in seconds of the loop's clock.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections import deque
from collections.abc import Callable

from craton.infra.burst import CROWD, Burst
from craton.models.providers.answer import Answer
from craton.models.providers.connection import Connection
from craton.models.providers.transport import (
    Address,
    Busy,
    ConnectError,
    ConnectionLost,
    DeadlineExceeded,
    Headers,
    Limits,
    Whole,
    head,
    parse_address,
)


@functools.cache
def _system_trust() -> ssl.SSLContext:
    """The system's authorities, read once: it takes tens of milliseconds."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


class Pool:
    """Connections to `base_url` (see `parse_address`).

    Args:
        tls: the context to verify an https origin with; by default the system's authorities and the host's name.
    """

    def __init__(self, base_url: str, limits: Limits | None = None, *, tls: ssl.SSLContext | None = None) -> None:
        self.limits = limits or Limits()
        self._address: Address = parse_address(base_url)
        self._tls = tls
        self._idle: list[Connection] = []
        self._made: set[Connection] = set()
        self._open = 0  # connections made or being made
        self._burst: Burst | None = None  # made with the first connection
        self._waiters: deque[asyncio.Future[Connection | None]] = deque()
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    # --- exchanges ------------------------------------------------------------------------------------------------

    async def request(
        self, method: bytes, path: bytes, headers: Headers = (), body: bytes = b"", *, deadline: float
    ) -> Answer:
        """Send, and wait for the head of the answer. Raises TransportError."""
        message = head(method, self._address, path, headers, len(body))
        fresh = False
        while True:
            answer = self._reuse(message, body, deadline, fresh=fresh) or await self._send(message, body, deadline)
            try:
                await answer.head()
            except ConnectionLost as lost:
                if fresh or lost.received or not answer.on_reused:
                    raise
                fresh = True
            except BaseException:
                answer.abort()
                raise
            else:
                return answer

    async def fetch(
        self,
        method: bytes,
        path: bytes,
        headers: Headers = (),
        body: bytes = b"",
        *,
        deadline: float,
        limit: int | None = None,
    ) -> Whole:
        """Send, and wait for the whole answer. Raises TransportError, BadReply if it is over `limit` bytes."""
        message = head(method, self._address, path, headers, len(body))
        size = self.limits.body_bytes if limit is None else limit
        fresh = False
        while True:
            answer = self._reuse(message, body, deadline, fresh=fresh) or await self._send(message, body, deadline)
            try:
                waiting = answer.expect(size)
                if waiting is not None:
                    await waiting
                read = answer.whole_body()
            except ConnectionLost as lost:
                if fresh or lost.received or not answer.on_reused:
                    raise
                fresh = True
            except BaseException:
                answer.abort()
                raise
            else:
                return Whole(answer.status, answer.raw_headers, read)

    async def close(self) -> None:
        """End every connection; who still waits for an answer gets ConnectionLost."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self._made):
            connection.shut()
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_exception(ConnectError("the pool is closed"))
        await asyncio.sleep(0)

    @property
    def open_connections(self) -> int:
        """How many connections are open or being opened."""
        return self._open

    def _reuse(self, message: bytes, body: bytes, deadline: float, *, fresh: bool) -> Answer | None:
        """Send on the idle connection that was used last, since it is the likeliest to live; None if there is none."""
        while self._idle and not fresh:
            connection = self._idle.pop()
            if connection.usable and connection.idle_until > connection.loop.time():
                return connection.start(message, body, deadline, self._crowd())
            connection.abort()
        return None

    def _crowd(self) -> Burst | None:
        """With whom a request is sent, if many are under way."""
        return self._burst if self._open - len(self._idle) >= CROWD else None

    async def _send(self, message: bytes, body: bytes, deadline: float) -> Answer:
        """Send on a connection that is made, or handed on by who had it before."""
        loop = asyncio.get_running_loop()
        connection = await self._obtain(loop, deadline)
        while not connection.usable:  # what was handed on may have died on the way
            connection = await self._obtain(loop, deadline)
        return connection.start(message, body, deadline, self._crowd())

    # --- who gets which connection ----------------------------------------------------------------------------------

    async def _obtain(self, loop: asyncio.AbstractEventLoop, deadline: float) -> Connection:
        if self._closed:
            raise ConnectError("the pool is closed")
        if deadline <= loop.time():
            raise DeadlineExceeded("no time was left to ask the upstream")
        if self._open >= self.limits.max_connections:
            if self._idle:  # left over by a `fresh` request: probably as dead as the one before
                self._idle.pop(0).abort()
            granted = await self._wait(loop, deadline)
            if granted is not None:
                return granted
        else:
            self._open += 1
        return await self._connect(loop, deadline)

    async def _wait(self, loop: asyncio.AbstractEventLoop, deadline: float) -> Connection | None:
        """In turn: a free connection, or None for the right to open one."""
        waiter: asyncio.Future[Connection | None] = loop.create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout_at(deadline):
                return await waiter
        except BaseException as error:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._hand_back(waiter.result())
            if isinstance(error, TimeoutError):
                raise Busy("all connections to the upstream are in use") from None
            raise

    def _hand_back(self, granted: Connection | None) -> None:
        if granted is not None:
            self._on_free(granted)
        else:
            self._open -= 1
            self._grant_place()

    def _grant_place(self) -> None:
        """A place became free: the first who still waits may open a connection."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                self._open += 1
                waiter.set_result(None)
                return

    def _on_free(self, connection: Connection) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        if self._closed or len(self._idle) >= self.limits.max_idle:
            connection.abort()
            return
        connection.idle_until = connection.loop.time() + connection.kept_for_s
        self._idle.append(connection)
        if self._sweeper is None:
            self._sweeper = connection.loop.call_later(self.limits.idle_timeout_s / 2, self._sweep)

    def _on_gone(self, connection: Connection) -> None:
        if not connection.counted:
            return
        connection.counted = False
        self._made.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._open -= 1
        self._grant_place()

    def _sweep(self) -> None:
        """Close what lay idle too long. Runs only while something lies idle."""
        self._sweeper = None
        if not self._idle:
            return
        loop = self._idle[0].loop
        now = loop.time()
        expired = [connection for connection in self._idle if connection.idle_until <= now]
        self._idle = [connection for connection in self._idle if connection.idle_until > now]
        for connection in expired:
            connection.abort()
        if self._idle:
            self._sweeper = loop.call_later(self.limits.idle_timeout_s / 2, self._sweep)

    # --- making connections -----------------------------------------------------------------------------------------

    async def _connect(self, loop: asyncio.AbstractEventLoop, deadline: float) -> Connection:
        """Open a connection in the place that `_open` already counts."""
        self._burst = self._burst or Burst(loop)
        until = min(deadline, loop.time() + self.limits.connect_timeout_s)
        connection: Connection | None = None
        try:
            async with asyncio.timeout_at(until):
                connection = await self._dial(loop, lambda: Connection(loop, self.limits, self._on_free, self._on_gone))
        except TimeoutError:
            raise ConnectError("the upstream did not accept a connection in time") from None
        except (OSError, UnicodeError) as error:  # refused, unknown host, TLS not verified, a host name that is none
            raise ConnectError("no connection to the upstream could be made") from error
        finally:
            if connection is None or connection.transport is None:
                self._hand_back(None)
            else:
                connection.counted = True
                self._made.add(connection)
        if not connection.usable:
            raise ConnectError("the upstream closed the connection at once")
        return connection

    async def _dial(self, loop: asyncio.AbstractEventLoop, make: Callable[[], Connection]) -> Connection:
        address = self._address
        if address.socket_path:
            return (await loop.create_unix_connection(make, address.socket_path))[1]
        if not address.tls:
            return (await loop.create_connection(make, address.host, address.port))[1]
        made = await loop.create_connection(
            make, address.host, address.port, ssl=self._tls or _system_trust(), server_hostname=address.host,
            ssl_handshake_timeout=self.limits.connect_timeout_s,
        )  # fmt: skip
        return made[1]
