"""What a child process writes to its standard error: the last lines in memory, and a bounded file.

Owns: splitting into lines, the caps, the file's mode and its one rotation. Must not know: the process. Model servers
are told never to write prompts; nothing here could tell.
"""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path

_MAX_LINES = 200
_MAX_LINE_CHARS = 2_000
_MAX_FILE_BYTES = 512 * 1024


class Journal:
    """The last lines of one process, and its log file (0600; the older half moves to `NAME.1`)."""

    def __init__(self, path: Path | None, max_file_bytes: int = _MAX_FILE_BYTES) -> None:
        """Write to `path`, or keep lines in memory alone if it is None."""
        self._path = path
        self._max_file_bytes = max_file_bytes
        self._lines: deque[str] = deque(maxlen=_MAX_LINES)
        self._rest = b""
        self._file: int | None = None
        self._size_bytes = 0

    def feed(self, data: bytes) -> None:
        """Take up bytes as they come, whole lines or not."""
        self._write(data)
        *whole, rest = (self._rest + data).split(b"\n")
        for line in whole:
            self._keep(line)
        # A process that never ends its line must not grow us.
        if len(rest) > _MAX_LINE_CHARS:
            self._keep(rest)
            rest = b""
        self._rest = rest

    def note(self, text: str) -> None:
        """Add a line of the supervisor's own."""
        self.feed(f"[supervisor] {text}\n".encode())

    def lines(self) -> list[str]:
        """The last lines, oldest first, an unfinished one included."""
        return [*self._lines, *([_text(self._rest)] if self._rest else [])]

    def close(self) -> None:
        """Close the file; the lines stay readable."""
        if self._rest:
            self._keep(self._rest)
            self._rest = b""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _keep(self, line: bytes) -> None:
        self._lines.append(_text(line))

    def _write(self, data: bytes) -> None:
        if self._path is None:
            return
        if self._file is None:
            self._open(self._path)
        if self._size_bytes + len(data) > self._max_file_bytes:
            self._rotate(self._path)
        if self._file is not None:
            self._size_bytes += os.write(self._file, data[-self._max_file_bytes :])

    def _open(self, path: Path) -> None:
        # `parents=True` would make the folders above with the default mode.
        for folder in (path.parent.parent, path.parent):
            folder.mkdir(exist_ok=True, mode=0o700)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self._size_bytes = os.fstat(self._file).st_size

    def _rotate(self, path: Path) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
        path.replace(path.with_name(path.name + ".1"))
        self._open(path)


def _text(line: bytes) -> str:
    return line[:_MAX_LINE_CHARS].decode(errors="replace").rstrip("\r")
