"""HTTP/1.1 from clients: bytes of one connection become requests, answers become bytes.

The parser is llhttp (through httptools), which refuses what is ambiguous about where a body ends. Here lie the caps on
heads, pipelining (one request is answered at a time, in order), `Expect: 100-continue`, chunked answers and the end of
a connection. A connection that begins with HTTP/2's preface is handed to `http2`. Knows nothing of AWS.

Faults below HTTP get a bare status: 400, 414, 431 or 503, and the connection ends.
"""

from __future__ import annotations

import asyncio
from collections import deque
from math import inf
from typing import cast

import httptools

from craton.front.connections import Connections
from craton.front.http1_exchange import STATUS_LINES, Exchange
from craton.front.tls import HTTP2

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_VERSIONS = ("1.1", "1.0")
_UPGRADE = frozenset({b"connection", b"upgrade", b"http2-settings"})
_LINGER_BYTES = 4 * 1024 * 1024


class _RefusedError(Exception):
    """Stops the parser; the status is the bare answer."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Http1(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, connections: Connections) -> None:
        self.connections = connections
        self.limits = connections.limits
        self.deadline = connections.loop.time() + connections.limits.head_s
        self.transport: asyncio.Transport | None = None
        self.client: tuple[str, int] | None = None
        self.writable: asyncio.Future[None] | None = None  # pending while the client does not read
        self._first = b""  # what has come of a connection whose protocol is not known yet
        self._known = False
        self._must_be_http2 = False
        self._parser = httptools.HttpRequestParser(self)
        self._headers: dict[bytes, bytes] = {}
        self._header_count = 0
        self._url = b""
        self._in_head = True
        self._head_bytes = 0
        self._lingered: int | None = None  # bytes thrown away since the answer that ends the connection
        self._reading: Exchange | None = None  # the request whose body comes in
        self._current: Exchange | None = None  # the request that is answered
        self._queue: deque[Exchange] = deque()
        self._paused = False
        self._ends = False  # no further request can come: the client has ended its side, or its framing is broken
        self._eof = False

    # --- asyncio's calls ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self.client = peer[:2] if isinstance(peer, tuple) else None
        if self.connections.secure:
            self._take_agreed(self.transport)
        if self.connections.draining:
            self.transport.abort()
        elif not self.connections.opened(self):
            self._refuse(503)

    def connection_lost(self, exc: Exception | None) -> None:
        self.connections.closed(self)
        self.transport = None
        for exchange in (self._current, *self._queue):
            if exchange is not None:
                exchange.leave()
        self._queue.clear()
        if self.writable is not None and not self.writable.done():
            self.writable.set_result(None)

    def eof_received(self) -> bool:
        """A client that half-closes has left; one whose body is cut short can still be told, but for TLS's."""
        reading = self._reading
        if self.connections.secure or reading is None or self._current is None or self.transport is None:
            return False
        self._ends = self._eof = True
        reading.broken()
        return True

    def pause_writing(self) -> None:
        self.writable = self.connections.loop.create_future()
        self.deadline = self.connections.loop.time() + self.limits.write_stall_s

    def resume_writing(self) -> None:
        if self.writable is not None and not self.writable.done():
            self.writable.set_result(None)
        self.writable = None
        self.deadline = inf if self._current is not None else self.connections.loop.time() + self.limits.head_s

    def data_received(self, data: bytes) -> None:
        if not self._known:
            data = self._recognise(data)
            if not data:
                return
        if self._lingered is not None:
            self._linger(len(data))
            return
        if self._in_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._without_upgrade(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError as error:
            self._malformed(error)
            return
        if self._in_head and self._head_bytes > self.limits.head_bytes:
            self._refuse(431 if self._headers or self._url_is_over() else 414)

    # --- the parser's calls ---

    def on_message_begin(self) -> None:
        self._headers = {}
        self._header_count = 0
        self._url = b""
        self._in_head = True
        if self._reading is None and self._current is not None:
            self._pause()  # a second request before the first is answered: enough for now

    def on_url(self, url: bytes) -> None:
        self._url = self._url + url if self._url else url
        if len(self._url) > self.limits.url_bytes:
            raise _RefusedError(414)

    def on_header(self, name: bytes, value: bytes) -> None:
        found, key = self._headers, name.lower()
        self._header_count += 1
        # Repeated ones joined by commas, as signatures want them.
        found[key] = value if key not in found else found[key].strip() + b"," + value.strip()

    def on_headers_complete(self) -> None:
        headers, limits = self._headers, self.limits
        if self._header_count > limits.headers or (
            self._head_bytes > limits.head_bytes
            and sum(len(name) + len(value) for name, value in headers.items()) > limits.head_bytes
        ):
            raise _RefusedError(431)
        self._in_head, self._head_bytes = False, 0
        parser = self._parser
        method, version = parser.get_method().decode(), parser.get_http_version()
        if method == "CONNECT" or version not in _VERSIONS:
            raise _RefusedError(400)
        if parser.should_upgrade():
            return
        raw_path, _, query = self._url.partition(b"?")
        if raw_path[:1] != b"/":
            raw_path = _origin_form(raw_path)
        exchange = Exchange(self, method, http11=version == "1.1")
        exchange.asks_first = headers.get(b"expect", b"").lower() == b"100-continue"
        scope = self.connections.scope(method, raw_path, query, headers, self.client)
        self._reading = exchange
        if self._current is None:
            self._current = exchange
            self.deadline = self.connections.loop.time() + self.limits.body_s
            self.connections.start(exchange, scope)
        else:
            exchange.scope = scope
            self._queue.append(exchange)

    def on_body(self, data: bytes) -> None:
        exchange = self._reading
        if exchange is None or exchange.over:
            return
        exchange.feed(data)
        if exchange.held_bytes > self.limits.held_bytes:
            self._pause()

    def on_message_complete(self) -> None:
        exchange = self._reading
        self._reading = None
        self._in_head = True  # of the next one
        if exchange is None:
            return
        exchange.keeps = exchange.keeps and self._parser.should_keep_alive()
        exchange.complete()
        if exchange is self._current:
            self.deadline = inf

    # --- what an exchange calls ---

    def answered(self, exchange: Exchange) -> None:
        """The answer is written: on to the next request, or to the end."""
        if exchange is not self._current or self.transport is None:
            return
        self._current = None
        if not exchange.body_is_here:
            self._end_after_answer()
        elif not exchange.keeps or self._ends or self.connections.draining:
            self.connections.burst.leave()
            self.transport.close()
        elif self._queue:
            self._current = following = self._queue.popleft()
            self.deadline = inf if following.body_is_here else self.connections.loop.time() + self.limits.body_s
            self.connections.start(following, following.scope)
        else:
            self.deadline = self.connections.loop.time() + self.limits.head_s
        if not self._queue:
            self.resume()

    def expect_more(self, exchange: Exchange, size_bytes: int) -> None:
        """So much of a body was taken, and more is to come."""
        if exchange is self._current:
            now = self.connections.loop.time()
            self.deadline = self.limits.body_deadline(self.deadline, now, size_bytes)

    def resume(self) -> None:
        """There is room for more of what the client sends."""
        if self._paused and self.transport is not None and not self.transport.is_closing():
            self._paused = False
            self.transport.resume_reading()

    # --- what `Connections` calls ---

    def overdue(self, now: float) -> None:
        """A head, a body, a reader or a linger took too long."""
        self.deadline = inf
        if self._lingered is not None or self.writable is not None or self._current is None:
            self.abort()
        elif self._reading is self._current:
            if self._current.held_bytes:  # it is the application that takes its time
                self.deadline = now + self.limits.body_s
            else:
                self._current.late()

    def drain(self) -> None:
        if self._current is None and self.transport is not None:
            self.connections.burst.leave()
            self.transport.close()

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    # --- within ---

    def _recognise(self, data: bytes) -> bytes:
        """The connection's first bytes, once they tell its protocol; nothing if it is HTTP/2's or still open."""
        data = self._first + data
        if data[: len(_PREFACE)] == _PREFACE[: len(data)]:
            self._first = data
            if len(data) >= len(_PREFACE) and self.transport is not None:
                from craton.front.http2 import Http2  # most servers never need it

                self.connections.closed(self)
                Http2(self.connections).take_over(self.transport, data)
                self.transport = None
            return b""
        if self._must_be_http2:
            self.abort()
            return b""
        self._first, self._known = b"", True
        return data

    def _take_agreed(self, transport: asyncio.Transport) -> None:
        """Over TLS the protocol was agreed upon in the handshake, and no other is listened to."""
        agreed = transport.get_extra_info("ssl_object").selected_alpn_protocol()
        self._must_be_http2 = agreed == HTTP2
        self._known = not self._must_be_http2

    def _without_upgrade(self, rest: bytes) -> None:
        """An upgrade (Java's client offers h2c with its first request) is an offer that is not taken.

        The parser would have the body be the other protocol's, so it reads the request anew without the offer.
        """
        old, headers = self._parser, self._headers
        self._parser = httptools.HttpRequestParser(self)
        kept = [b"%b: %b\r\n" % row for row in headers.items() if row[0] not in _UPGRADE]
        if not old.should_keep_alive():
            kept.append(b"connection: close\r\n")
        line = b"%b %b HTTP/%b\r\n" % (old.get_method(), self._url, old.get_http_version().encode())
        self.data_received(line + b"".join(kept) + b"\r\n" + rest)

    def _pause(self) -> None:
        if not self._paused and self.transport is not None:
            self._paused = True
            self.transport.pause_reading()

    def _url_is_over(self) -> bool:
        return bool(self._url) and self._head_bytes > len(self._url) + self.limits.head_bytes // 2

    def _malformed(self, error: Exception) -> None:
        cause = error.__context__ if isinstance(error, httptools.HttpParserCallbackError) else None
        if isinstance(cause, _RefusedError):
            self._refuse(cause.status)
        elif self._reading is not None and self._reading is self._current:
            # The framing of a body is broken: no further request can be told from it, but this one is answered.
            self._ends = True
            self._pause()
            self._reading.broken()
        else:
            self._refuse(400)

    def _refuse(self, status: int) -> None:
        """A bare status, after what is still being answered is cut off."""
        if self.transport is None:
            return
        if self._current is not None:  # bytes of another answer may lie before it
            self.transport.abort()
            return
        self.connections.burst.leave()
        self.transport.write(STATUS_LINES[status] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self._end_after_answer()

    def _end_after_answer(self) -> None:
        """End a connection whose client still sends: closed at once, its system would throw the answer away."""
        self.connections.burst.leave()
        if self.transport is None:
            return
        if self._eof:
            self.transport.close()
            return
        self._lingered = 0
        self.deadline = self.connections.loop.time() + self.limits.linger_s
        self.resume()
        if self.transport.can_write_eof():  # TLS has no half-closed connections
            self.transport.write_eof()

    def _linger(self, size: int) -> None:
        self._lingered = (self._lingered or 0) + size
        if self._lingered > _LINGER_BYTES:
            self.abort()


def _origin_form(target: bytes) -> bytes:
    """The path of an absolute target (`http://host/path`), as proxies send it; else what it was."""
    scheme, found, rest = target.partition(b"://")
    if found and scheme.lower() in (b"http", b"https"):
        return b"/" + rest.partition(b"/")[2]
    return target
