"""A small HTTP/1.1 server on asyncio: llhttp (through httptools) parses, this file keeps one connection in order.

Owns sockets, limits, keep-alive, backpressure and the news that a client has left. Knows no paths and no JSON. It
listens for one's own gateway on a Unix socket or on loopback; nothing else should reach it.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import cast

import httptools

BODY_BYTES = 8 << 20
HEADER_BYTES = 64 << 10
# A request that is not complete after this, an answer that is not read for this long, an idle connection: closed.
REQUEST_S = 30.0
STALL_S = 60.0
IDLE_S = 300.0
INTERNAL = b'{"error":{"message":"internal error","type":"server_error","param":null,"code":null}}'


class Request:
    """One request, read to its end. Header names are lower case."""

    __slots__ = ("body", "headers", "keep_alive", "method", "target")

    def __init__(self) -> None:
        self.method = ""
        self.target = b""
        self.headers: dict[str, str] = {}
        self.body = b""
        self.keep_alive = True


class Reply:
    """The way back to the client: either one `send`, or `begin`, some `write`s and `end`."""

    __slots__ = ("_connection", "_keep_alive", "began")

    def __init__(self, connection: Connection, *, keep_alive: bool) -> None:
        self._connection = connection
        self._keep_alive = keep_alive
        self.began = False

    async def send(
        self, status: int, body: bytes, content_type: str = "application/json", extra: dict[str, str] | None = None
    ) -> None:
        """A whole reply."""
        self.began = True
        lines = [
            _head(status, content_type, keep_alive=self._keep_alive, extra=extra),
            f"content-length: {len(body)}\r\n\r\n",
        ]
        self._connection.write("".join(lines).encode("latin-1") + body)
        await self._connection.drain()

    async def begin(self, status: int, content_type: str) -> None:
        """Start a reply whose length is not known."""
        self.began = True
        extra = {"cache-control": "no-cache"}
        head = (
            _head(status, content_type, keep_alive=self._keep_alive, extra=extra) + "transfer-encoding: chunked\r\n\r\n"
        )
        self._connection.write(head.encode("latin-1"))
        await self._connection.drain()

    async def write(self, data: bytes) -> None:
        """A piece of the body; waits while the client is slow. Nothing is sent for an empty one."""
        if data:
            self._connection.write(b"%x\r\n%b\r\n" % (len(data), data))
            await self._connection.drain()

    async def end(self) -> None:
        """Finish a reply that was begun."""
        self._connection.write(b"0\r\n\r\n")
        await self._connection.drain()

    def abort(self) -> None:
        """Cut the connection: the client must see that the body is not whole."""
        self._connection.abort()


Handler = Callable[[Request, Reply], Awaitable[None]]


class Connection(asyncio.Protocol):
    """One client. Requests on it are answered in order; the running one is cancelled when the client leaves."""

    def __init__(self, server: HttpServer) -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._request = Request()
        self._parts: list[bytes] = []
        self._size = 0
        self._header_size = 0
        self._queue: deque[Request] = deque()
        self.task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._writable: asyncio.Future[None] | None = None
        self._refused = 0
        self._in_head = True
        self._unfinished = 0
        self._ended = False

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's, but have all its methods.
        self._transport = cast("asyncio.Transport", transport)
        self._server.connections.add(self)
        self._watch(REQUEST_S)

    def data_received(self, data: bytes) -> None:
        self._ended = False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(400)
        except httptools.HttpParserError:
            self._refuse(self._refused or 400)
        else:
            # The parser reports a header when it is complete: one that never ends is seen only from here.
            # Bytes that ended a body before that head are none of it.
            self._unfinished = self._unfinished + len(data) if self._in_head and not self._ended else 0
            if self._unfinished > HEADER_BYTES:
                self._refuse(431)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)
        self._transport = None
        self._watch(0)
        if self._writable is not None and not self._writable.done():
            self._writable.cancel()
        if self.task is not None:
            self.task.cancel()

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    # The parser's side.

    def on_message_begin(self) -> None:
        self._request, self._parts, self._size, self._header_size = Request(), [], 0, 0
        self._in_head = True
        self._watch(REQUEST_S)

    def on_url(self, url: bytes) -> None:
        self._request.target += url
        self._limit_headers(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._limit_headers(len(name) + len(value))
        self._request.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self._request.headers.get("expect", "").lower() == "100-continue":
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size > self._server.body_bytes:
            self._refused = 413
            raise ValueError("body too large")
        self._parts.append(body)

    def on_message_complete(self) -> None:
        # Whatever follows begins another head.
        self._in_head = self._ended = True
        request = self._request
        request.method = self._parser.get_method().decode("ascii")
        request.keep_alive = self._parser.should_keep_alive()
        request.body = b"".join(self._parts)
        self._queue.append(request)
        if self.task is None:
            self._next()
        elif self._transport is not None:
            # A client that sends ahead waits: nothing is read until its earlier request is answered.
            self._transport.pause_reading()

    # Answers.

    @property
    def busy(self) -> bool:
        """Whether a request is being answered."""
        return self.task is not None

    def write(self, data: bytes) -> None:
        """Hand bytes to the transport; dropped when the client has left."""
        if self._transport is not None:
            self._transport.write(data)

    async def drain(self) -> None:
        """Wait until the client has read enough. Raises CancelledError when it left; one that stops reading is cut."""
        if self._writable is not None:
            try:
                async with asyncio.timeout(STALL_S):
                    await self._writable
            except TimeoutError:
                self.abort()
                raise asyncio.CancelledError from None

    def abort(self) -> None:
        """Cut the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """Close after what was written."""
        if self._transport is not None:
            self._transport.close()

    def _next(self) -> None:
        if not self._queue or self._transport is None:
            self._watch(IDLE_S)
            return
        self._watch(0)
        self.task = self._loop.create_task(self._answer(self._queue.popleft()))

    async def _answer(self, request: Request) -> None:
        keep_alive = request.keep_alive and not self._server.closing
        reply = Reply(self, keep_alive=keep_alive)
        try:
            await self._server.handler(request, reply)
        except Exception as fault:  # the connection's loop must live, and the client must not wait for ever
            self._server.failed(fault)
            if reply.began:
                self.abort()
            else:
                await reply.send(500, INTERNAL)
        finally:
            self.task = None
            if self._transport is not None:
                if keep_alive:
                    self._transport.resume_reading()
                    self._next()
                else:
                    self._transport.close()

    def _limit_headers(self, size: int) -> None:
        self._header_size += size
        if self._header_size > HEADER_BYTES:
            self._refused = 431
            raise ValueError("headers too large")

    def _refuse(self, status: int) -> None:
        if self.task is None:
            self.write(
                (_head(status, "text/plain", keep_alive=False, extra=None) + "content-length: 0\r\n\r\n").encode(
                    "latin-1"
                )
            )
            self.close()
        else:
            self.abort()

    def _watch(self, seconds: float) -> None:
        """Close the connection when nothing comes of it in time; 0 stops watching."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self.close) if seconds else None


class HttpServer:
    """Listens, and gives every request to one handler."""

    def __init__(self, handler: Handler, failed: Callable[[Exception], None], *, body_bytes: int = BODY_BYTES) -> None:
        """`failed` is told of every exception that a handler let through; `body_bytes` bounds what a request sends."""
        self.handler = handler
        self.body_bytes = body_bytes
        self.failed = failed
        self.connections: set[Connection] = set()
        self.closing = False
        self._server: asyncio.Server | None = None

    async def listen(self, uds: Path | None, host: str, port: int) -> str:
        """Begin to listen; the address as a URL. Raises OSError when it is taken or not allowed."""
        loop = asyncio.get_running_loop()
        if uds is None:
            self._server = await loop.create_server(lambda: Connection(self), host, port, backlog=256)
            name = self._server.sockets[0].getsockname()
            return f"http://{name[0]}:{name[1]}"
        self._server = await loop.create_unix_server(lambda: Connection(self), sock=_private_socket(uds), backlog=256)
        return f"unix:{uds}"

    async def drain(self, seconds: float) -> None:
        """Take no more connections, let running answers end for so long, then cut what is left."""
        self.closing = True
        if self._server is not None:
            self._server.close()
        for each in [each for each in self.connections if not each.busy]:
            each.close()
        running = [each.task for each in self.connections if each.task is not None]
        if running:
            await asyncio.wait(running, timeout=seconds)
        for each in list(self.connections):
            each.abort() if each.busy else each.close()
        await asyncio.sleep(0)


def _private_socket(path: Path) -> socket.socket:
    """A bound Unix socket that only its owner may open: its mode is set before anyone can connect."""
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)  # and no chmod: a sandbox may not allow it
    made.bind(str(path))
    os.umask(before)
    made.setblocking(False)
    return made


def _head(status: int, content_type: str, *, keep_alive: bool, extra: dict[str, str] | None) -> str:
    more = "".join(f"{name}: {value}\r\n" for name, value in (extra or {}).items())
    connection = "keep-alive" if keep_alive else "close"
    phrase = HTTPStatus(status).phrase
    return f"HTTP/1.1 {status} {phrase}\r\ncontent-type: {content_type}\r\nconnection: {connection}\r\n{more}"
