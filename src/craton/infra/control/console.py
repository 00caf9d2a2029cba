"""A person's end of the control channel: blocking calls for the command line.

Owns: one connection per `Console`, used by one thread, no event loop. Must not know: what methods mean.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from craton.infra.control.wire import (
    ControlFault,
    ControlLost,
    Fault,
    Hello,
    Reply,
    Request,
    body_length,
    decode,
    encode,
)


class Console:
    """A blocking client; use as a context manager."""

    def __init__(self, path: Path, timeout_s: float = 10.0) -> None:
        """Connect to the supervisor at `path`.

        Raises:
            ControlLost: nobody listens there.
        """
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.settimeout(timeout_s)
        self._last_id = 0
        try:
            self._sock.connect(str(path))
            self._sock.sendall(encode(Hello("cli", 0, os.getpid())))
        except OSError as error:
            self._sock.close()
            raise ControlLost(f"no supervisor at {path}") from error

    def __enter__(self) -> Self:
        """Return itself, connected."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        self.close()

    def close(self) -> None:
        """Disconnect."""
        self._sock.close()

    def call(self, method: str, params: Mapping[str, object] | None = None, *, timeout_s: float = 30.0) -> Any:
        """Call a method of the supervisor and return its result as builtins.

        Raises:
            ControlFault: it refused.
            ControlLost: the connection broke.
            TimeoutError: `timeout_s` seconds passed without a byte of the answer; the console is of no use after that.
        """
        self._last_id += 1
        self._sock.settimeout(timeout_s)
        try:
            self._sock.sendall(encode(Request(self._last_id, method, dict(params or {}))))
            answer = decode(self._read(body_length(self._read(4))))
        except TimeoutError:
            raise
        except OSError as error:
            raise ControlLost("the connection to the supervisor broke") from error
        if isinstance(answer, Fault):
            raise ControlFault(answer.code, answer.message, answer.retry_after_s)
        if not isinstance(answer, Reply) or answer.id != self._last_id:
            raise ControlLost("unexpected frame")
        return answer.result

    def _read(self, size_bytes: int) -> bytes:
        data = bytearray()
        while len(data) < size_bytes:
            piece = self._sock.recv(size_bytes - len(data))
            if not piece:
                raise ControlLost("the supervisor closed the connection")
            data += piece
        return bytes(data)
