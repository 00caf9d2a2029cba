"""HTTP/2 from clients that begin with its preface on the cleartext port, as the AWS SDK for JavaScript does.

The protocol itself is `h2`'s. Here lie flow control in both directions (the application's pace is the client's), the
deadlines of each stream, pings that find vanished peers, and a bound on streams that are opened only to be reset.
Knows nothing of AWS.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from typing import Any

from h2.config import H2Configuration
from h2.connection import ConnectionState, H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    PingAckReceived,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes

from craton.front.connections import Connections
from craton.front.turn import Turn

_WINDOW_BYTES = 1024 * 1024
_PING_S = 30.0
_RESETS = 1000  # more of a client's in one ping's time are an attack (CVE-2023-44487)


class Http2(asyncio.Protocol):
    """One client's connection, taken over from `http1` with its first bytes."""

    def __init__(self, connections: Connections) -> None:
        self.connections = connections
        self.limits = connections.limits
        self.deadline = inf
        self.transport: asyncio.Transport | None = None
        self.client: tuple[str, int] | None = None
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        self.streams: dict[int, Stream] = {}
        self._writable: asyncio.Future[None] | None = None
        self._ping_at = inf
        self._pinged = False
        self._resets = 0
        self._ends = False

    def take_over(self, transport: asyncio.Transport, data: bytes) -> None:
        """Begin with what has come so far."""
        self.transport = transport
        peer = transport.get_extra_info("peername")
        self.client = peer[:2] if isinstance(peer, tuple) else None
        transport.set_protocol(self)
        self.connections.opened(self)
        self._ping_at = self.deadline = self.connections.loop.time() + _PING_S
        self.h2.initiate_connection()
        self.h2.update_settings(
            {
                SettingCodes.MAX_CONCURRENT_STREAMS: self.limits.streams,
                SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW_BYTES,
                SettingCodes.MAX_HEADER_LIST_SIZE: self.limits.head_bytes,
            }
        )
        self.h2.increment_flow_control_window(4 * _WINDOW_BYTES)
        self.data_received(data)

    # --- asyncio's calls ---

    def data_received(self, data: bytes) -> None:
        if self._pinged:
            self._pinged = False
        try:
            for event in self.h2.receive_data(data):
                take = _TAKE.get(type(event))
                if take is not None:
                    take(self, event)
        except ProtocolError:
            self.flush()
            self.close()
            return
        if int.from_bytes(self.h2.incoming_buffer._data[:3], "big") > self.h2.max_inbound_frame_size:  # noqa: SLF001
            # `h2` would wait for the whole of a frame that is too large before it says so, and keep 16 MiB for it.
            self.h2.close_connection(ErrorCodes.FRAME_SIZE_ERROR)
            self.flush()
            self.close()
            return
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.connections.closed(self)
        self.transport = None
        for stream in list(self.streams.values()):
            stream.leave()
        self.streams.clear()
        self._wake()

    def pause_writing(self) -> None:
        self._writable = self.connections.loop.create_future()

    def resume_writing(self) -> None:
        self._wake()

    # --- events ---

    def requested(self, event: RequestReceived) -> None:
        number = event.stream_id
        if self.connections.draining or number in self.streams:
            self.h2.reset_stream(number, ErrorCodes.REFUSED_STREAM)
            return
        pseudo: dict[bytes, bytes] = {}
        headers: dict[bytes, bytes] = {}
        rows = event.headers or ()
        if len(rows) > self.limits.headers:
            self.h2.send_headers(number, [(b":status", b"431")], end_stream=True)
            return
        for name, value in rows:
            key, data = bytes(name), bytes(value)
            if key[:1] == b":":
                pseudo[key] = data
            else:
                headers[key] = data if key not in headers else headers[key].strip() + b"," + data.strip()
        if b":authority" in pseudo:
            headers.setdefault(b"host", pseudo[b":authority"])
        raw_path, _, query = pseudo.get(b":path", b"/").partition(b"?")
        method = pseudo.get(b":method", b"GET").decode("latin-1")
        scope = self.connections.scope(method, raw_path, query, headers, self.client)
        stream = self.streams[number] = Stream(self, number, method)
        self.expect(stream, self.limits.body_s)
        self.connections.start(stream, scope)

    def came(self, event: DataReceived) -> None:
        number, size = event.stream_id, event.flow_controlled_length or 0
        stream = self.streams.get(number)
        if stream is None or stream.over:
            self.h2.acknowledge_received_data(size, number)
            return
        stream.padding_bytes += size - len(event.data or b"")
        stream.feed(event.data or b"")

    def ended(self, event: StreamEnded) -> None:
        stream = self.streams.get(event.stream_id)
        if stream is not None:
            stream.deadline = inf
            stream.complete()

    def reset(self, event: StreamReset) -> None:
        stream = self.streams.pop(event.stream_id, None)
        if stream is not None:
            stream.leave()
        self._resets += 1
        if self._resets > _RESETS:
            self.h2.close_connection(ErrorCodes.ENHANCE_YOUR_CALM)
            self.flush()
            self.close()

    def window(self, _event: Event) -> None:
        for stream in self.streams.values():
            stream.window_opened()

    def terminated(self, event: ConnectionTerminated) -> None:
        """The client opens no further stream; those that are open end as they would (RFC 9113, 6.8)."""
        self._ends = True
        if not self.streams or event.error_code:
            self.close()
        else:
            # `h2` takes this for the end of everything and would refuse to send on.
            self.h2.state_machine.state = ConnectionState.SERVER_OPEN

    def pong(self, _event: PingAckReceived) -> None:
        self._pinged = False

    # --- what a stream calls ---

    def flush(self) -> None:
        data = self.h2.data_to_send()
        if data and self.transport is not None:
            self.transport.write(data)

    async def room(self) -> None:
        """Wait until the system takes more bytes."""
        if self._writable is not None:
            await asyncio.shield(self._writable)

    def expect(self, stream: Stream, within_s: float) -> None:
        """Something must have happened to the stream by then."""
        stream.deadline = self.connections.loop.time() + within_s
        self.deadline = min(self.deadline, stream.deadline)

    def done(self, stream: Stream) -> None:
        """The stream is answered. One whose body is still coming is told to stop."""
        self.streams.pop(stream.number, None)
        if not stream.body_is_here:
            try:
                self.h2.reset_stream(stream.number, ErrorCodes.NO_ERROR)
            except ProtocolError:
                pass  # the client was quicker
        self.flush()
        if (self._ends or self.connections.draining) and not self.streams:
            self.close()

    # --- what `Connections` calls ---

    def overdue(self, now: float) -> None:
        """A stream's deadline or a ping's moment has come."""
        for stream in [one for one in self.streams.values() if one.deadline <= now]:
            stream.deadline = inf
            stream.overdue()
        if now >= self._ping_at:
            self._resets = 0
            self._ping_at = now + _PING_S
            if self._pinged:
                self.abort()
                return
            self._pinged = True
            self.h2.ping(b"alive?\0\0")
            self.flush()
        self.deadline = min([self._ping_at, *(one.deadline for one in self.streams.values())])

    def drain(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.h2.close_connection(last_stream_id=self.h2.highest_inbound_stream_id)
            self.flush()
            if not self.streams:
                self.close()

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def _wake(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None


_TAKE: dict[type[Event], Callable[[Http2, Any], None]] = {
    RequestReceived: Http2.requested,
    DataReceived: Http2.came,
    StreamEnded: Http2.ended,
    StreamReset: Http2.reset,
    WindowUpdated: Http2.window,
    RemoteSettingsChanged: Http2.window,
    ConnectionTerminated: Http2.terminated,
    PingAckReceived: Http2.pong,
}


class Stream(Turn):
    """One request and its answer on one stream."""

    __slots__ = ("_head", "_open", "_sent", "connection", "deadline", "method", "number", "padding_bytes")

    def __init__(self, connection: Http2, number: int, method: str) -> None:
        super().__init__()
        self.connection = connection
        self.number = number
        self.method = method
        self.deadline = inf
        self.padding_bytes = 0
        self._head: tuple[int, list[tuple[bytes, bytes]]] | None = None
        self._sent = False
        self._open: asyncio.Future[None] | None = None  # pending while the client's window is closed

    async def send(self, message: dict[str, Any]) -> None:
        """Write a part of the answer; the head leaves with the first piece of the body."""
        connection = self.connection
        if self.over or connection.transport is None:
            return
        if message["type"] == "http.response.start":
            self._head = (message["status"], message["headers"])
            return
        data: bytes = b"" if self.method == "HEAD" else message.get("body", b"")
        more = message.get("more_body", False)
        try:
            if not self._sent:
                self._begin(ends=not more and not data)
            elif not data and not more:
                connection.h2.end_stream(self.number)
            if data:
                await self._write(data, ends=not more)
        except ProtocolError:
            self.leave()  # the client has closed the stream
            return
        connection.flush()
        if not more:
            self.over = True
            connection.done(self)
        else:
            await connection.room()

    def unanswered(self) -> None:
        self.over = True
        try:
            self.connection.h2.reset_stream(self.number, ErrorCodes.INTERNAL_ERROR)
        except ProtocolError:
            pass  # it is closed already
        self.body_is_here = True
        self.connection.done(self)

    def taken(self, size_bytes: int) -> None:
        """Room for as much again."""
        taken, self.padding_bytes = size_bytes + self.padding_bytes, 0
        if taken and self.connection.transport is not None:
            try:
                self.connection.h2.acknowledge_received_data(taken, self.number)
            except ProtocolError:
                return
            if not self.body_is_here:
                now = self.connection.connections.loop.time()
                self.deadline = self.connection.limits.body_deadline(self.deadline, now, size_bytes)
            self.connection.flush()

    def overdue(self) -> None:
        if self._open is not None:
            self.leave()
            try:
                self.connection.h2.reset_stream(self.number, ErrorCodes.CANCEL)
            except ProtocolError:
                pass
            self.connection.streams.pop(self.number, None)
            self.connection.flush()
        elif not self.body_is_here:
            if self.held_bytes:  # it is the application that takes its time
                self.connection.expect(self, self.connection.limits.body_s)
            else:
                self.late()

    def window_opened(self) -> None:
        if self._open is not None and not self._open.done():
            self._open.set_result(None)

    def _begin(self, *, ends: bool) -> None:
        status, headers = self._head or (500, [])
        self._sent = True
        date = self.connection.connections.date()[6:-2]
        rows = [(b":status", b"%d" % status), *headers, (b"date", date)]
        self.connection.h2.send_headers(self.number, rows, end_stream=ends)

    async def _write(self, data: bytes, *, ends: bool) -> None:
        """As the client's windows allow."""
        h2, at = self.connection.h2, 0
        while at < len(data) and not self.over:
            room = min(h2.local_flow_control_window(self.number), h2.max_outbound_frame_size)
            if room <= 0:
                self.connection.flush()
                await self._opened()
                continue
            piece = data[at : at + room]
            at += len(piece)
            h2.send_data(self.number, piece, end_stream=ends and at == len(data))

    async def _opened(self) -> None:
        self.connection.expect(self, self.connection.limits.write_stall_s)
        self._open = self.connection.connections.loop.create_future()
        try:
            await self._open
        finally:
            self._open = None
            self.deadline = inf
