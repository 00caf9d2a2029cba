"""The store over a SQL database: transactions, threads, and errors in the port's terms.

Owns the engine's life. It must not know the statements (session.py) or the tables, and only this file and sqlite.py know
that there are several databases. Loading it loads the SQL toolkit, so callers come here through opening.py.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from sqlalchemy import Connection, Engine, create_engine, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from craton.infra.store.migrate import migrate
from craton.infra.store.port import Page, Query, Resource, Unavailable
from craton.infra.store.session import SqlSession
from craton.infra.store.sqlite import is_memory, sqlite_engine
from craton.infra.store.upgrade import Upgrader, Upgrades


class SqlStore:
    """The port's Store. One instance serves all threads of a process; after a fork it opens connections of its own."""

    def __init__(self, engine: Engine, upgrader: Upgrader, *, shared_connection: bool) -> None:
        self._engine = engine
        self._upgrader = upgrader
        self._pid = os.getpid()
        # A database in memory is one connection: its threads take turns.
        self._turn = threading.RLock() if shared_connection else nullcontext()

    def get(self, arn: str) -> Resource | None:
        with self._reading() as session:
            return session.get(arn)

    def get_by_id(self, account: str, region: str, kind: str, id: str) -> Resource | None:
        with self._reading() as session:
            return session.get_by_id(account, region, kind, id)

    def get_by_name(self, account: str, region: str, kind: str, name: str) -> Resource | None:
        with self._reading() as session:
            return session.get_by_name(account, region, kind, name)

    def list(self, query: Query) -> Page:
        with self._reading() as session:
            return session.list(query)

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
        with self._connected(writes=True) as connection, connection.begin():
            session = SqlSession(connection, self._upgrader)
            yield session
            session.commit_stamps()

    def stamp(self, *kinds: str) -> int:
        with self._reading() as session:
            return session.stamp(kinds)

    def reset(self) -> None:
        with self.transaction() as session:
            session.clear()

    def close(self) -> None:
        with self._turn:
            self._engine.dispose()

    @contextmanager
    def _reading(self) -> Iterator[SqlSession]:
        with self._connected(writes=False) as connection:
            yield SqlSession(connection, self._upgrader)

    @contextmanager
    def _connected(self, *, writes: bool) -> Iterator[Connection]:
        if self._pid != os.getpid():
            # The parent's connections must be neither used nor closed here: their locks are the parent's.
            self._engine.dispose(close=False)
            self._pid = os.getpid()
        with self._turn, translated(), self._engine.connect().execution_options(writes=writes) as connection:
            yield connection


def open_sql_store(location: URL | str, upgrades: Upgrades, *, durable: bool) -> SqlStore:
    """Open the database at a URL, making or migrating it as needed. Raises TooNew, Unavailable, ValueError."""
    try:
        url = make_url(location)
        memory = is_memory(url)
        engine = sqlite_engine(url, durable=durable) if _backend(url) == "sqlite" else _server_engine(url)
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
        msg = f"the store failed: {error.orig}"
        raise Unavailable(msg) from None
    except PoolTimeout:
        msg = "the store failed: too many transactions at once"
        raise Unavailable(msg) from None


def _backend(url: URL) -> str:
    name = url.get_backend_name()
    if name not in {"sqlite", "postgresql"}:
        msg = "unknown database"
        raise ArgumentError(msg)
    return name


def _server_engine(url: URL) -> Engine:
    try:
        return create_engine(url, hide_parameters=True, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        msg = f"the driver for {url.get_backend_name()} is not installed: {error.name}"
        raise Unavailable(msg) from error
