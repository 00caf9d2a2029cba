"""A relay between a client and the server: it shows the first bytes of a connection, or ends TLS in front of it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
from pathlib import Path
from typing import Self

FIRST_BYTES = 16


def certificate(folder: Path) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, in one file that is an authority as well."""
    path = folder / "here.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "2", "-subj", "/CN=here", "-addext", "subjectAltName=IP:127.0.0.1",
            "-keyout", str(folder / "here.key"), "-out", str(path),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return path


class Relay:
    """`with Relay(port) as relay:` listens at `relay.url`; `firsts` are the first bytes of each connection."""

    def __init__(self, port: int, pem: Path | None = None) -> None:
        self._port = port
        self._tls: ssl.SSLContext | None = None
        if pem is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(pem, pem.with_suffix(".key"))
        self.firsts: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}"

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
            if self._tls is not None:
                client = self._tls.wrap_socket(client, server_side=True)
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
