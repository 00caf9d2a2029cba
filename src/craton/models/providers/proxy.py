"""The transport of an upstream behind an outbound HTTP proxy, by aiohttp (extra craton[proxy]).

The same port as our own pool, slower (about 180 µs an exchange): aiohttp knows CONNECT, proxy credentials and TLS in
TLS. Deadlines are ours, so aiohttp's own are off. Only `dial.py` imports this file.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from math import inf

import aiohttp

from craton.models.providers.transport import (
    BadReply,
    ConnectError,
    ConnectionLost,
    DeadlineExceeded,
    Headers,
    Limits,
    Whole,
    parse_address,
)

_NOT_CONNECTED = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
)
_LOST = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientPayloadError)


class ProxiedResponse:
    """A `transport.Response` over aiohttp's."""

    def __init__(self, response: aiohttp.ClientResponse, deadline: float) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.raw_headers}
        self._response = response
        self._deadline = deadline
        self._idle_s = inf
        self._begun = False

    async def read(self, limit: int) -> bytes:
        """The whole body, of at most `limit` bytes."""
        pieces: list[bytes] = []
        size = 0
        while piece := await self._piece(self._deadline):
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                self.abort()
                raise BadReply("the upstream's answer is too large")
        return b"".join(pieces)

    async def next_chunk(self) -> bytes:
        """What came since the last call; empty at the end."""
        idle = self._begun and self._idle_s != inf
        piece = await self._piece(asyncio.get_running_loop().time() + self._idle_s if idle else self._deadline)
        self._begun = True
        return piece

    async def chunks(self, idle_s: float) -> AsyncIterator[bytes]:
        """The body as it comes, `idle_s` between bytes after the first."""
        self.idle_after(idle_s)
        while chunk := await self.next_chunk():
            yield chunk

    def idle_after(self, idle_s: float) -> None:
        self._idle_s = idle_s

    def release(self) -> None:
        """Keep the connection if the answer is at its end (aiohttp then has it back already), else end it."""
        self.abort()

    def abort(self) -> None:
        if not self._response.closed:
            connection = self._response.connection
            if connection is not None and connection.transport is not None:
                connection.transport.abort()
            self._response.close()

    async def _piece(self, deadline: float) -> bytes:
        piece = b""
        with _translated(received=True):
            async with asyncio.timeout_at(deadline):
                piece = bytes(await self._response.content.readany())
        return piece


class Proxied:
    """Exchanges with `base_url` through `proxy` (`http://[user:password@]host:port`)."""

    def __init__(
        self, base_url: str, proxy: str, limits: Limits | None = None, *, tls: ssl.SSLContext | None = None
    ) -> None:
        self._address = parse_address(base_url)
        scheme = "https" if self._address.tls else "http"
        self._root = f"{scheme}://{self._address.authority.decode('ascii')}{self._address.prefix.decode('ascii')}"
        self._proxy = proxy
        self._limits = limits or Limits()
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def request(
        self, method: bytes, path: bytes, headers: Headers = (), body: bytes = b"", *, deadline: float
    ) -> ProxiedResponse:
        """Send through the proxy and wait for the answer's head. Raises TransportError."""
        session = self._session or self._open()
        sent = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
        with _translated(received=False):
            async with asyncio.timeout_at(deadline):
                response = await session.request(
                    method.decode("ascii"), self._root + path.decode("ascii"), headers=sent, data=body,
                    proxy=self._proxy, allow_redirects=False, ssl=self._tls or True,
                )  # fmt: skip
        return ProxiedResponse(response, deadline)

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
        """Send and wait for the whole answer. Raises TransportError."""
        response = await self.request(method, path, headers, body, deadline=deadline)
        try:
            read = await response.read(self._limits.body_bytes if limit is None else limit)
        except BaseException:
            response.abort()
            raise
        return Whole(response.status, response.headers, read)

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        limits = self._limits
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=limits.max_connections, keepalive_timeout=limits.idle_timeout_s, enable_cleanup_closed=False
            ),
            timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=limits.connect_timeout_s),
            auto_decompress=False, trust_env=False, cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent"),
            read_bufsize=limits.high_water_bytes,
        )  # fmt: skip
        return self._session


@contextmanager
def _translated(*, received: bool) -> Iterator[None]:
    """Aiohttp's errors as ours."""
    try:
        yield
    except _NOT_CONNECTED as error:
        raise ConnectError("no connection to the upstream could be made") from error
    except TimeoutError as error:
        raise DeadlineExceeded("the upstream did not answer in time") from error
    except _LOST as error:
        raise ConnectionLost(received=received) from error
    except (aiohttp.ClientError, ValueError) as error:
        raise BadReply("the upstream's answer is not valid HTTP") from error
