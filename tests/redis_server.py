"""A Redis (or Valkey) of the tests' own: a child on a Unix socket in a temporary folder, gone afterwards.

Owns finding the program and the server's life, its sudden deaths included. A machine without one fails these tests;
`tests/install-redis` puts it there.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from craton.infra.compute.process import set_parent_death_signal

START_TIMEOUT_S = 20.0
PASSWORD = "not a secret either"


def program() -> str:
    """The path of the server, whichever of the two is there."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    raise AssertionError("redis-server is not installed: run tests/install-redis")


class RedisServer:
    """`with RedisServer() as server: server.url`; `password=True`: it asks for PASSWORD."""

    def __init__(self, *, password: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="craton-redis-"))
        self.socket = self.folder / "socket"
        self.url = f"unix://{self.socket}"
        self._options = ["--requirepass", PASSWORD] if password else []
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def start(self) -> None:
        """Start it, empty, and wait until it listens."""
        command = [program(), "--port", "0", "--unixsocket", str(self.socket), "--save", "", "--appendonly", "no"]
        command += ["--dir", str(self.folder), *self._options]
        with (self.folder / "log").open("ab") as log:
            bind = set_parent_death_signal
            self._process = subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=bind)  # noqa: PLW1509 - no lock
        end = time.monotonic() + START_TIMEOUT_S
        while not self._listens():
            if time.monotonic() > end or self._process.poll() is not None:
                raise AssertionError(f"Redis does not start:\n{(self.folder / 'log').read_text(errors='replace')}")
            time.sleep(0.01)

    def kill(self, signum: int = signal.SIGKILL) -> None:
        """End it at once."""
        assert self._process is not None
        self._process.send_signal(signum)
        self._process.wait()
        self.socket.unlink(missing_ok=True)

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.socket))
            except OSError:
                return False
        return True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
