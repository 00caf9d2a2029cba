"""A model server for tests that tries to get out: it tells on its standard output what it could do.

Usage: sandbox_model.py SOCKET PORT OUTSIDE HIDDEN PEER
PORT: of a TCP listener on this machine. OUTSIDE: a folder beside the scratch one. HIDDEN: a file of the home. PEER:
another Unix socket.
"""

import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

path, port, outside, hidden, peer = sys.argv[1:6]


def by_tcp() -> None:
    socket.create_connection(("127.0.0.1", int(port)), timeout=2).close()


def by_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", ("127.0.0.1", int(port)))


def by_peer() -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(peer)


ATTEMPTS: dict[str, Callable[[], object]] = {
    "scratch": lambda: Path("mine").write_text("x"),
    "socketpair": socket.socketpair,
    "own signal": lambda: os.kill(os.getpid(), 0),
    "program": lambda: Path(sys.executable).read_bytes(),
    "tcp": by_tcp,
    "udp": by_udp,
    "peer": by_peer,
    "write": lambda: Path(outside, "new").write_text("x"),
    "change": lambda: Path(outside, "old").write_text("x"),
    "remove": lambda: Path(outside, "old").unlink(),
    "truncate": lambda: os.truncate(Path(outside, "old"), 0),
    "mode": lambda: Path(outside, "old").chmod(0o777),
    "read home": lambda: Path(hidden).read_text(),
    "signal": lambda: os.kill(os.getppid(), 0),
    "memory": lambda: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
}
for name, attempt in ATTEMPTS.items():
    try:
        attempt()
    except OSError as error:
        print(f"{name}: refused ({error.strerror})", flush=True)
    else:
        print(f"{name}: done", flush=True)

signal.signal(signal.SIGTERM, signal.SIG_DFL)
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen(16)
while True:
    connection, _ = listener.accept()
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    connection.close()
