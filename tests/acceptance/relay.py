"""A relay between a client and the server: it shows the first bytes of a connection."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self

FIRST_BYTES = 16


class Relay:
    """`with Relay(port) as relay:` listens at `relay.url`; `firsts` are the first bytes of each connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.firsts: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        # A blocked accept does not notice a mere close.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            first = client.recv(65536)
            self.firsts.append(first[:FIRST_BYTES])
            upstream = socket.create_connection(("127.0.0.1", self._port))
            upstream.sendall(first)
            threading.Thread(target=_carry, args=(client, upstream), daemon=True).start()
            _carry(upstream, client)


def _carry(source: socket.socket, sink: socket.socket) -> None:
    """Until one side is done; then the other is told."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for side in (sink, source):
        with contextlib.suppress(OSError):
            side.shutdown(socket.SHUT_RDWR)
