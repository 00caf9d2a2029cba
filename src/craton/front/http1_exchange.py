"""One request over HTTP/1.1 and how its answer becomes bytes: the head, the length or the chunks, the last piece.

The connection (`http1`) owns the socket and decides what comes after; it is told when an answer is complete.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from craton.front.turn import Scope, Turn
from craton.infra.burst import CROWD

if TYPE_CHECKING:
    from craton.front.http1 import Http1

STATUS_LINES = {int(one): f"HTTP/1.1 {int(one)} {one.phrase}\r\n".encode() for one in HTTPStatus}
_NO_BODY = frozenset({204, 304})


class Exchange(Turn):
    """One request and its answer. `asks_first`: the client waits for leave to send its body."""

    __slots__ = ("_chunked", "_head", "_sent", "asks_first", "connection", "http11", "keeps", "method", "scope")

    def __init__(self, connection: Http1, method: str, *, http11: bool) -> None:
        super().__init__()
        self.connection = connection
        self.method = method
        self.http11 = http11
        self.keeps = True
        self.asks_first = False
        self.scope: Scope = {}
        self._head: tuple[int, list[tuple[bytes, bytes]]] | None = None
        self._sent = False
        self._chunked = False

    async def send(self, message: dict[str, Any]) -> None:
        """Write a part of the answer; the head leaves with the first piece of the body."""
        transport = self.connection.transport
        if self.over or transport is None:
            return
        if message["type"] == "http.response.start":
            self._head = (message["status"], message["headers"])
            return
        more = message.get("more_body", False)
        data: bytes = message.get("body", b"")
        if self._sent:
            if self._chunked:
                data = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
                if not more:
                    data += b"0\r\n\r\n"
        else:
            data = self._begin(data, whole=not more)
        if data:
            connections = self.connection.connections
            if more or not self.keeps or len(connections.busy) < CROWD:
                connections.burst.leave()
                transport.write(data)
            else:
                connections.burst.write(transport, data)
        if not more:
            self.over = True
            self.connection.answered(self)
        elif self.connection.writable is not None:
            await asyncio.shield(self.connection.writable)

    def unanswered(self) -> None:
        self.over = True
        connection = self.connection
        if connection.transport is None:
            return
        connection.connections.burst.leave()
        if not self._sent and self._head is None:
            connection.transport.write(STATUS_LINES[500] + b"content-length: 0\r\nconnection: close\r\n\r\n")
            connection.transport.close()
        else:
            connection.abort()

    def taken(self, size_bytes: int) -> None:
        if size_bytes and not self.over:
            if not self.body_is_here:
                self.connection.expect_more(self, size_bytes)
            self.connection.resume()

    def waits(self) -> None:
        transport = self.connection.transport
        if self.asks_first and transport is not None and not self.body_is_here:
            self.asks_first = False
            self.connection.connections.burst.leave()
            transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _begin(self, data: bytes, *, whole: bool) -> bytes:
        """The head and the first piece of the body. Raises ValueError for a header that would break out of its line."""
        status, headers = self._head or (500, [])
        lines = [STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status]
        has_length = False
        for name, value in headers:
            lines.append(b"%b: %b\r\n" % (name, value))
            if name == b"content-length":
                has_length = True
        lines.append(self.connection.connections.date())
        bodiless = self.method == "HEAD" or status in _NO_BODY
        if not has_length and not bodiless:
            if whole:
                lines.append(b"content-length: %d\r\n" % len(data))
            elif self.http11:
                self._chunked = True
                lines.append(b"transfer-encoding: chunked\r\n")
            else:
                self.keeps = False
        if not self.keeps or not self.body_is_here or self.connection.connections.draining:
            lines.append(b"connection: close\r\n")
        elif not self.http11:
            lines.append(b"connection: keep-alive\r\n")
        head = b"".join(lines)
        if head.count(b"\n") != len(lines):
            raise ValueError("a header holds a line break")
        self._sent = True
        if bodiless:
            return head + b"\r\n"
        if self._chunked:
            return b"%b\r\n%x\r\n%b\r\n" % (head, len(data), data) if data else head + b"\r\n"
        return b"%b\r\n%b" % (head, data)
