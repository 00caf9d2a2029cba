"""HTTP/1.1 as the host serves it, to runtimes inside the walls and to workers outside: one request at a time per connection.

The parser is llhttp (through httptools). Owns heads, bodies under a cap, answers whole or in chunks, and the news that a
peer has gone. What a request means is for whoever is given its `Exchange`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, cast

import httptools

_MOST_HEAD_BYTES: Final = 256 * 1024
_PHRASES: Final = {200: b"OK", 202: b"Accepted", 400: b"Bad Request", 403: b"Forbidden", 404: b"Not Found",
                   409: b"Conflict", 413: b"Payload Too Large", 500: b"Internal Server Error"}  # fmt: skip
JSON: Final = b"application/json"

Headers = tuple[tuple[bytes, bytes], ...]


class Exchange:
    """One request and the way to answer it. `on_piece`, set when the head is there, takes the body as it comes."""

    def __init__(self, connection: Connection, method: bytes, path: bytes, headers: dict[bytes, bytes]) -> None:
        self.method = method
        self.path = path
        self.headers = headers
        self.body = bytearray()
        self.most_bytes = connection.most_bytes
        self.on_piece: Callable[[bytes], None] | None = None
        self.on_gone: Callable[[], None] | None = None
        self.answered = False
        self._taken = False
        self._connection = connection

    def take_up(self) -> None:
        """Send the line of the status 200 at once, whatever comes: by it a peer knows that its request was received."""
        self._taken = True
        self._connection.send(_line(200))

    def answer(self, status: int, body: bytes = b"", headers: Headers = ((b"content-type", JSON),)) -> None:
        """Answer whole. A peer that has gone misses it."""
        if not self.answered:
            self.answered = True
            line = b"" if self._taken else _line(status)
            self._connection.send(b"%b%bcontent-length: %d\r\n\r\n" % (line, _fields(headers), len(body)), body)
            self._connection.done(self)

    def begin(self, status: int, headers: Headers) -> None:
        """Answer in chunks: `piece` as often as wanted, then `end`."""
        self.answered = True
        line = b"" if self._taken else _line(status)
        self._connection.send(b"%b%btransfer-encoding: chunked\r\n\r\n" % (line, _fields(headers)))

    def piece(self, data: bytes) -> None:
        if data:
            self._connection.send(b"%x\r\n" % len(data), data, b"\r\n")

    async def room(self) -> None:
        """Return when the peer has taken most of what was sent."""
        await self._connection.room()

    def end(self) -> None:
        self._connection.send(b"0\r\n\r\n")
        self._connection.done(self)

    def hold(self, wait: bool) -> None:  # noqa: FBT001 - a callback's argument
        """Have the peer wait before it sends more of its body, or no longer."""
        self._connection.hold(wait)

    def abort(self) -> None:
        """End the connection, so that what was sent does not look whole."""
        self._connection.abort()


Opened = Callable[[Exchange], None]
"""Called with each request: once its head is there (`opened`), and once it is whole (`serve`)."""


class Connection(asyncio.Protocol):
    """A peer's connection."""

    def __init__(self, serve: Opened, most_bytes: int, opened: Opened = lambda _: None) -> None:
        self.most_bytes = most_bytes
        self._serve = serve
        self._opened = opened
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._head_bytes = 0
        self._current: Exchange | None = None
        self._writable: asyncio.Future[None] | None = None
        self.users: set[Connection] | None = None

    # --- the transport's calls ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # a stream's always is; uvloop's is no subclass
        if self.users is not None:
            self.users.add(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, _RefusedError):
            if self._current is None or not self._current.answered:
                self.send(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            if self._transport is not None:
                self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.users is not None:
            self.users.discard(self)
        self._transport = None
        self.resume_writing()
        current, self._current = self._current, None
        if current is not None and current.on_gone is not None:
            current.on_gone()

    def pause_writing(self) -> None:
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    # --- the parser's calls ---

    def on_message_begin(self) -> None:
        if self._current is not None:  # nothing here sends a request before it has its answer
            raise _RefusedError
        self._url, self._headers, self._head_bytes = b"", {}, 0

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > _MOST_HEAD_BYTES + self.most_bytes // 4:  # a trailer may hold an error with its trace
            raise _RefusedError
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        self._current = exchange = Exchange(self, self._parser.get_method(), self._url, self._headers)
        self._opened(exchange)
        if self._headers.get(b"expect", b"").lower() == b"100-continue":
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        exchange = self._current
        if exchange is None:
            return
        if exchange.on_piece is not None:
            exchange.on_piece(body)
        elif len(exchange.body) <= exchange.most_bytes:
            exchange.body += body

    def on_message_complete(self) -> None:
        if self._current is not None:
            self._serve(self._current)

    # --- what exchanges ask for ---

    def send(self, *parts: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.writelines(parts)

    async def room(self) -> None:
        if self._writable is not None:
            await self._writable

    def done(self, exchange: Exchange) -> None:
        if self._current is exchange:
            self._current = None

    def hold(self, wait: bool) -> None:  # noqa: FBT001 - see Exchange
        if self._transport is not None and not self._transport.is_closing():
            (self._transport.pause_reading if wait else self._transport.resume_reading)()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """End the connection once what was sent has left."""
        if self._transport is not None:
            self._transport.close()

    @property
    def is_idle(self) -> bool:
        return self._current is None


class _RefusedError(Exception):
    """Stops the parser."""


def _line(status: int) -> bytes:
    return b"HTTP/1.1 %d %b\r\n" % (status, _PHRASES.get(status, b"Unknown"))


def _fields(headers: Headers) -> bytes:
    return b"".join(b"%b: %b\r\n" % field for field in headers)
