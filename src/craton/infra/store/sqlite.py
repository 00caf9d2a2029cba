"""SQLite's own side: the file and its mode, how transactions begin, what a commit promises.

Owns every PRAGMA. It must not know the tables. What a caller was told is stored survives `kill -9` and a power cut: the
journal is a write-ahead log that is flushed to the disk at each commit (synchronous=FULL).
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path

from sqlalchemy import Connection, Engine, StaticPool, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.pool import ConnectionPoolEntry

from craton.infra.store.port import Unavailable

BUSY_TIMEOUT_S = 15.0
"""How long a writer waits for the others, each of which holds the lock for a few ms."""

_PRAGMAS = (
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",
    # The log shrinks again after a burst; otherwise it keeps its largest size for ever.
    "PRAGMA journal_size_limit = 16777216",
)


def is_memory(url: URL) -> bool:
    """Whether the URL names a SQLite database in memory."""
    return url.get_backend_name() == "sqlite" and url.database in {None, "", ":memory:"}


def sqlite_engine(url: URL, *, durable: bool) -> Engine:
    """An engine for a file (made with mode 0600, its folder with 0700) or for memory, private to the engine.

    `durable=False` is for what is thrown away at the end: commits do not wait for the disk. Raises Unavailable.
    """
    if is_memory(url):
        connect = {"check_same_thread": False}
        engine = create_engine("sqlite://", hide_parameters=True, poolclass=StaticPool, connect_args=connect)
    else:
        _make_private(Path(str(url.database)))
        waits = {"timeout": BUSY_TIMEOUT_S}
        # As many connections as threads ask for at once, few of them kept.
        engine = create_engine(url, hide_parameters=True, connect_args=waits, pool_size=2, max_overflow=62)
    synchronous = "FULL" if durable else "OFF"

    def prepare(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        # The driver must not begin transactions by itself: `begin` below decides how.
        connection.isolation_level = None
        cursor = connection.cursor()
        _log_ahead(cursor)
        for pragma in (*_PRAGMAS, f"PRAGMA synchronous = {synchronous}"):
            cursor.execute(pragma)
        cursor.close()

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    """Writers take the lock at once: one that read first and then wanted to write could only fail (SQLITE_BUSY)."""
    immediate = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _log_ahead(cursor: DBAPICursor) -> None:
    """Switch a new file to the write-ahead log; several first starts at once may fail here without waiting."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _make_private(path: Path) -> None:
    """Make the file before SQLite does, which would give it the umask's mode; its side files inherit ours.

    A file that exists is not opened: closing it would drop this process's SQLite locks on it.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        msg = f"the store's file {path} cannot be made: {error.strerror}"
        raise Unavailable(msg) from error
