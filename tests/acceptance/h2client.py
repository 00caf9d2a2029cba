"""A small HTTP/2 client on a clear connection: enough to reset one stream, or to stop reading it, and keep the rest."""

from __future__ import annotations

import time
from typing import Any, Self

import h2.config
import h2.connection
import h2.events

from tests.acceptance import rawhttp
from tests.running import Running


class H2:
    """`with H2(server) as client:`; one connection by prior knowledge."""

    def __init__(self, server: Running) -> None:
        self.server = server
        self.sock = rawhttp.connect(server)
        self.conn = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.heads: dict[int, dict[str, str]] = {}
        self.bodies: dict[int, bytes] = {}
        self.ended: set[int] = set()

    def __enter__(self) -> Self:
        self.conn.initiate_connection()
        self.flush()
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def flush(self) -> None:
        self.sock.sendall(self.conn.data_to_send())

    def post(self, path: str, body: bytes, *, ends: bool = True, **signing: Any) -> int:
        """Send a signed request; its stream's number. `ends=False`: more of the body is promised."""
        signed = rawhttp.sign("POST", self.server.url + path, body, **signing)
        host = f"127.0.0.1:{self.server.port}"
        head = [(":method", "POST"), (":path", path), (":scheme", "http"), (":authority", host)]
        stream: int = self.conn.get_next_available_stream_id()
        self.conn.send_headers(stream, [*head, *((name.lower(), value) for name, value in signed.items())])
        self.conn.send_data(stream, body, end_stream=ends)
        self.flush()
        return stream

    def answer(self, stream: int) -> rawhttp.Answer:
        """The whole answer of a stream."""
        begun = time.monotonic()
        body = self.read_until(stream)
        head = self.heads[stream]
        return rawhttp.Answer(int(head[":status"]), head, body, time.monotonic() - begun)

    def reset(self, stream: int) -> None:
        """Leave one stream; the connection stays."""
        self.conn.reset_stream(stream)
        self.flush()

    def read_until(self, stream: int, wanted: bytes | None = None) -> bytes:
        """Read until the stream's body holds `wanted`, or to its end; the body so far."""
        while stream not in self.ended and (wanted is None or wanted not in self.bodies.get(stream, b"")):
            data = self.sock.recv(65536)
            if not data:
                raise ConnectionError("the server closed the connection")
            for event in self.conn.receive_data(data):
                self._take(event)
            self.flush()
        return self.bodies.get(stream, b"")

    def _take(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.ResponseReceived):
            self.heads[event.stream_id] = dict(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
            self.conn.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded | h2.events.StreamReset):
            self.ended.add(event.stream_id)
