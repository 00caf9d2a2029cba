"""Has another process changed the database? Asked often: of a file by two stat calls, of a server by one short query.

Owns the file's name in a store URL and the two watches. It must not load the SQL toolkit, so that an idle server without
a database never pays for one; and it must not open the database or its side files: SQLite holds POSIX locks on them, and
closing any descriptor of a file drops all of the process's locks on it (sqlite.org/howtocorrupt.html, 2.2).

A server is asked for the sum of its stamps, and not listened to (LISTEN): a notification that was sent while the line
was down is lost, so one would have to ask as well; and asking goes through every kind of proxy before the database.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from craton.infra.store.port import Store

_SUFFIXES = ("", "-wal")
_PREFIX = "sqlite:///"
_Signature = tuple[tuple[int, int, int] | None, ...]


def database_path(url: str) -> Path | None:
    """The file of a SQLite URL (`sqlite:///relative`, `sqlite:////absolute`); None for memory and other databases."""
    if not url.startswith(_PREFIX):
        return None
    name = url[len(_PREFIX) :].partition("?")[0]
    return None if name in {"", ":memory:"} else Path(name)


class StoreWatch(Protocol):
    """Either watch. May block for as long as the database may, so it is asked in a thread."""

    def exists(self) -> bool:
        """Whether there is a database at all."""
        ...

    def changed(self) -> bool:
        """Whether the database may have changed since the last look. Raises StoreError."""
        ...


class Watch:
    """Tells whether a SQLite file may have changed since the last look.

    A change is never missed; now and then one is reported that was none (a checkpoint, a first opening), and the caller
    then compares the store's stamp. Every commit writes the -wal file and so moves its time, but file times advance in
    ticks of some milliseconds: two commits in one tick can leave the same time and size. So a file whose time is not
    yet older than `settle_s` is reported once more on the next look.
    """

    __slots__ = ("_fresh", "_now_ns", "_paths", "_seen", "_settle_ns")

    def __init__(self, path: Path, *, settle_s: float = 0.1, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._paths = tuple(f"{path}{suffix}" for suffix in _SUFFIXES)
        self._seen: _Signature = (None,) * len(_SUFFIXES)
        self._fresh = False
        self._settle_ns = int(settle_s * 1e9)
        self._now_ns = now_ns

    def exists(self) -> bool:
        """Whether there is a database at all."""
        return _signature(self._paths[0]) is not None

    def changed(self) -> bool:
        """True on the first look at an existing database and after each change of it; False while there is none."""
        now_ns = self._now_ns()
        found = tuple(_signature(path) for path in self._paths)
        moved = self._fresh or found != self._seen
        newest = max((each[0] for each in found if each is not None), default=0)
        self._seen = found
        self._fresh = bool(newest) and abs(now_ns - newest) < self._settle_ns
        return moved


class StampWatch:
    """Tells whether a database that is a server of its own has changed since the last look.

    A change is never missed: what could not be asked for once is seen by the next look. The stamps only rise; that they
    are lower means another database (one restored, say), which is a change too.
    """

    __slots__ = ("_opened", "_seen")

    def __init__(self, opened: Callable[[], Store]) -> None:
        self._opened = opened
        self._seen = -1

    def exists(self) -> bool:
        return True

    def changed(self) -> bool:
        stamp = self._opened().stamp()
        moved, self._seen = stamp != self._seen, stamp
        return moved


def _signature(path: str) -> tuple[int, int, int] | None:
    """Time in ns, size in bytes and inode of a file; None where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - asked several times a second; a Path object per call is waste
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
