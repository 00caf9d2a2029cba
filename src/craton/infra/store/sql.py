"""The store over a SQL database: transactions, threads, and errors in the port's terms.

Owns the engine's life. It must not know the statements (session.py) or the tables, and only this file knows that there
are several databases (sqlite.py, postgres.py). Loading it loads the SQL toolkit, so callers come here through opening.py.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TypeVar

from sqlalchemy import Connection, Engine, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from craton.infra.store.migrate import migrate
from craton.infra.store.port import Changes, Full, InDoubt, Interrupted, Page, Query, Resource, Unavailable
from craton.infra.store.postgres import number, outcome, postgres_engine
from craton.infra.store.session import SqlSession
from craton.infra.store.sqlite import is_memory, sqlite_engine
from craton.infra.store.upgrade import Upgrader, Upgrades

SQLITE, POSTGRESQL = "sqlite", "postgresql"
T = TypeVar("T")


class SqlStore:
    """The port's Store. One instance serves all threads of a process; after a fork it opens connections of its own."""

    def __init__(self, engine: Engine, upgrader: Upgrader, *, shared_connection: bool) -> None:
        self._engine = engine
        self._upgrader = upgrader
        self._pid = os.getpid()
        # A database in memory is one connection: its threads take turns.
        self._turn = threading.RLock() if shared_connection else nullcontext()
        # A read of one statement needs no transaction; SQLite begins one at no cost.
        self._reads = {"isolation_level": "AUTOCOMMIT"} if engine.dialect.name == POSTGRESQL else {}

    def get(self, arn: str) -> Resource | None:
        with self.reading() as session:
            return session.get(arn)

    def get_by_id(self, account: str, region: str, kind: str, id: str) -> Resource | None:
        with self.reading() as session:
            return session.get_by_id(account, region, kind, id)

    def get_by_name(self, account: str, region: str, kind: str, name: str) -> Resource | None:
        with self.reading() as session:
            return session.get_by_name(account, region, kind, name)

    def list(self, query: Query) -> Page:
        with self.reading() as session:
            return session.list(query)

    def count(self, account: str, region: str, kind: str) -> int:
        with self.reading() as session:
            return session.count(account, region, kind)

    def run(self, work: Callable[[Connection], T]) -> T:
        with self._connected(writes=False) as connection:
            return work(connection)

    def create(self, resource: Resource) -> Resource:
        with self.transaction() as session:
            return session.create(resource)

    def update(self, resource: Resource) -> Resource:
        with self.transaction() as session:
            return session.update(resource)

    def delete(self, arn: str, *, version: int | None = None) -> None:
        with self.transaction() as session:
            session.delete(arn, version=version)

    @contextmanager
    def transaction(self) -> Iterator[SqlSession]:
        with self._connected(writes=True) as connection:
            transaction, asked = None, False
            try:
                with connection.begin():
                    transaction = number(connection)
                    session = SqlSession(connection, self._upgrader)
                    yield session
                    asked = True
            except DBAPIError as error:
                if not (asked and error.connection_invalidated and transaction is not None):
                    raise
                self._settle(transaction, error)

    def _settle(self, transaction: int, error: DBAPIError) -> None:
        """Return if the transaction, whose commit was not answered, happened. Raises Interrupted, InDoubt."""
        happened = outcome(self._engine, transaction)
        if happened is None:
            msg = "the store failed while it kept what was written, and may have kept it"
            raise InDoubt(msg) from None
        if not happened:
            raise Interrupted(failed(error)) from None

    def stamp(self, *kinds: str) -> int:
        with self.reading() as session:
            return session.stamp(kinds)

    def stamps(self) -> dict[str, int]:
        with self.reading() as session:
            return session.stamps()

    def changes(self, kind: str, since: int) -> Changes:
        with self.reading() as session:
            return session.changes(kind, since)

    def arns(self, kind: str) -> frozenset[str]:
        with self.reading() as session:
            return session.arns(kind)

    def reset(self) -> None:
        with self.transaction() as session:
            session.clear()

    def close(self) -> None:
        with self._turn:
            self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[SqlSession]:
        with self._connected(writes=False) as connection:
            yield SqlSession(connection, self._upgrader)

    @contextmanager
    def _connected(self, *, writes: bool) -> Iterator[Connection]:
        if self._pid != os.getpid():
            # The parent's connections must be neither used nor closed here: their locks are the parent's.
            self._engine.dispose(close=False)
            self._pid = os.getpid()
        with self._turn, translated(), self._connect() as connection:
            options = {"writes": writes} if writes else self._reads
            yield connection.execution_options(**options) if options else connection

    def _connect(self) -> Connection:
        try:
            return self._engine.connect()
        except DBAPIError as error:
            if self._reads:
                raise Interrupted(failed(error)) from None
            raise


def open_sql_store(location: URL | str, upgrades: Upgrades, *, durable: bool) -> SqlStore:
    """Open the database at a URL, making or migrating it as needed. Raises TooNew, Unavailable, ValueError."""
    try:
        url = make_url(location)
        memory = is_memory(url)
        engine = sqlite_engine(url, durable=durable) if _backend(url) == SQLITE else postgres_engine(url)
    except (ArgumentError, NoSuchModuleError) as error:
        msg = "the store's url is neither sqlite:///FILE nor postgresql://HOST/NAME"
        raise ValueError(msg) from error
    store = SqlStore(engine, Upgrader(upgrades), shared_connection=memory)
    try:
        with translated():
            migrate(engine)
    except BaseException:
        store.close()
        raise
    return store


@contextmanager
def translated() -> Iterator[None]:
    """The driver's errors as Unavailable, with the driver's own reason but never the statement's values."""
    try:
        yield
    except DBAPIError as error:
        kind = Interrupted if error.connection_invalidated else Full if _is_full(error.orig) else Unavailable
        raise kind(failed(error)) from None
    except PoolTimeout:
        msg = "the store failed: too many transactions at once"
        raise Unavailable(msg) from None


def _is_full(error: object) -> bool:
    """Whether the database's disk is full: SQLITE_FULL, or PostgreSQL's disk_full."""
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL or getattr(error, "sqlstate", "") == "53100"


def failed(error: DBAPIError) -> str:
    """What the driver says, in one line: PostgreSQL's further lines may quote values."""
    return f"the store failed: {(str(error.orig).splitlines() or [''])[0]}"


def _backend(url: URL) -> str:
    name = url.get_backend_name()
    if name not in {SQLITE, POSTGRESQL}:
        msg = "unknown database"
        raise ArgumentError(msg)
    return name
