"""What the server's processes write to their standard error, overheard on its way there.

Owns the pipe that stands for standard error in this process and all that it makes, the thread that passes everything on
and cuts it into records, and that nothing is swallowed: at the end, and where the server never began, the rest is passed
on. Made before there are children and threads; the thread starts with `listen`. It must not know who wants the records.
"""

from __future__ import annotations

import atexit
import os
import select
import threading
import time
from collections.abc import Callable
from typing import Final

import msgspec

BROKEN: Final = "Traceback (most recent call last)"
_STDERR: Final = 2
_CHUNK: Final = 1 << 16
_MOST_CHARS: Final = 8192
_LOOK_EVERY_S: Final = 0.5
_END_S: Final = 2.0


class Line(msgspec.Struct, frozen=True):
    """A line, or lines that belong together: a traceback, what is indented under a line."""

    at_ns: int
    text: str


class Overheard:
    """Standard error of this process and its children, from now on until `restore`."""

    def __init__(self) -> None:
        self._real = os.dup(_STDERR)
        self._source, sink = os.pipe()
        os.dup2(sink, _STDERR)
        os.close(sink)
        self._pid = os.getpid()
        self._rest = b""
        self._thread: threading.Thread | None = None
        self._is_over = False
        atexit.register(self.restore)

    def listen(self, heard: Callable[[list[Line]], None]) -> None:
        """Pass on what is written, and tell `heard` of it, in a thread."""
        self._thread = threading.Thread(target=self._pass_on, args=(heard,), name="standard error", daemon=True)
        self._thread.start()

    def restore(self) -> None:
        """What is written from now on goes where it went before. Does nothing in a child, nor a second time."""
        if self._is_over or os.getpid() != self._pid:
            return
        self._is_over = True
        os.dup2(self._real, _STDERR)
        if self._thread is None:
            self._pass_on(lambda _: None)
        else:
            self._thread.join(_END_S)

    def _pass_on(self, heard: Callable[[list[Line]], None]) -> None:
        while True:
            ready, _, _ = select.select([self._source], [], [], 0 if self._is_over else _LOOK_EVERY_S)
            data = os.read(self._source, _CHUNK) if ready else b""
            if data:
                self._write(data)
            elif ready or self._is_over:  # nobody holds the other end, or nothing more has to come
                heard(self._cut(b"", whole=True))
                return
            heard(self._cut(data, whole=not data))

    def _write(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self._real, data) :]
        except OSError:  # the terminal is gone: the collector hears it all the same
            return

    def _cut(self, data: bytes, *, whole: bool) -> list[Line]:
        """The records in what came. What has no end yet waits for it, unless nothing came for a while (`whole`)."""
        text = self._rest + data
        end = len(text) if whole or len(text) > _CHUNK else text.rfind(b"\n") + 1
        self._rest = text[end:]
        now_ns = time.time_ns()
        found = together(text[:end].decode("utf-8", "replace").splitlines())
        return [Line(now_ns, record[:_MOST_CHARS]) for record in found]


def together(lines: list[str]) -> list[str]:
    """Lines as records: what is indented belongs to what is above it, and to a traceback the error that ends it."""
    found: list[list[str]] = []
    for line in lines:
        if not line.strip():
            continue
        above = found[-1] if found else None
        if above is not None and (
            _is_indented(line) or (_is_indented(above[-1]) and any(BROKEN in one for one in above))
        ):
            above.append(line)
        else:
            found.append([line])
    return ["\n".join(record) for record in found]


def _is_indented(line: str) -> bool:
    return line[:1] in (" ", "\t")
