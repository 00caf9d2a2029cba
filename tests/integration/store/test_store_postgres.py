"""PostgreSQL itself: what is asked of a connection, and what a restart, a death and a cut line mean for a write."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import psycopg
import pytest

from craton.infra.store import postgres as postgres_side
from craton.infra.store.opening import open_store
from craton.infra.store.port import InDoubt, Interrupted, Query, Resource, Store, Transaction, Unavailable
from craton.infra.store.threaded import ThreadedStore
from craton.infra.store.watch import StampWatch
from tests.postgres import PASSWORD, PostgreSQL

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def row(number: int) -> Resource:
    """A row of no account in particular."""
    return Resource(
        account="1", region="r", kind="k", id=f"i{number}", arn=f"arn:{number}", created_at=T0, updated_at=T0
    )


def ids(store: Store) -> list[str]:
    return [found.id for found in store.list(Query(kind="k")).items]


@pytest.fixture
def own() -> Iterator[PostgreSQL]:
    """A server that the test may stop and kill."""
    with PostgreSQL() as server:
        yield server


@pytest.fixture
def url(postgresql: PostgreSQL) -> str:
    return postgresql.database()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = open_store(url)
    yield opened
    opened.close()


class Relay:
    """A line to the database that is cut at a COMMIT, once `armed`: before it `passes`, or when its answer comes."""

    def __init__(self, port: int, *, passes: bool) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.armed = False
        self._passes, self._target = passes, port
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server, committing = socket.create_connection(("127.0.0.1", self._target)), threading.Event()
            for pump, source, sink in ((self._up, client, server), (self._down, server, client)):
                threading.Thread(target=pump, args=(source, sink, committing), daemon=True).start()

    def _up(self, source: socket.socket, sink: socket.socket, committing: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self.armed and b"COMMIT" in data:
                    self.armed = False
                    committing.set()
                    if not self._passes:
                        break
                sink.sendall(data)
        cut(source, sink)

    def _down(self, source: socket.socket, sink: socket.socket, committing: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while (data := source.recv(65536)) and not committing.is_set():
                sink.sendall(data)
        cut(source, sink)


def cut(*ends: socket.socket) -> None:
    for each in ends:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def relayed(url: str, postgresql: PostgreSQL) -> Iterator[Callable[..., tuple[Relay, str]]]:
    """Makes a relay to the database and the URL through it."""
    made: list[Relay] = []

    def make(*, passes: bool) -> tuple[Relay, str]:
        made.append(Relay(postgresql.port, passes=passes))
        return made[-1], url.replace(f":{postgresql.port}/", f":{made[-1].port}/")

    yield make
    for each in made:
        each.listener.close()


def test_a_commit_that_never_arrived_did_not_happen(relayed: Callable[..., tuple[Relay, str]]) -> None:
    """The database says so, and the caller learns that the work may be run again."""
    relay, url = relayed(passes=False)
    store = open_store(url)
    relay.armed = True
    with pytest.raises(Interrupted):
        store.create(row(1))
    assert not relay.armed
    assert store.create(row(1)).version == 1
    store.close()


def test_a_commit_whose_answer_was_lost_happened(relayed: Callable[..., tuple[Relay, str]]) -> None:
    """The database is asked what became of it: the caller never learns that the line was cut, and there is one row."""
    relay, url = relayed(passes=True)
    store = open_store(url)
    relay.armed = True
    assert store.create(row(1)).version == 1
    assert not relay.armed
    assert ids(store) == ["i1"]
    assert store.stamp("k") == 1
    store.close()


def test_a_commit_that_nobody_can_tell_about_is_in_doubt(
    relayed: Callable[..., tuple[Relay, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the database stays away, the error says that it may have happened; such work is not run again."""
    monkeypatch.setattr(postgres_side, "_status", lambda engine, transaction: None)
    monkeypatch.setattr("craton.infra.store.sql.outcome", lambda e, t: postgres_side.outcome(e, t, within_s=0.2))
    relay, url = relayed(passes=True)
    store = open_store(url)
    relay.armed = True
    with pytest.raises(InDoubt):
        store.create(row(1))
    store.close()


def test_settings_of_a_connection(url: str) -> None:
    """Statements, locks and idle transactions have their times, commits are flushed, and the URL's own options win."""
    with psycopg.connect(url) as plain:
        plain.execute("ALTER ROLE craton SET synchronous_commit = off")
    try:
        opened = open_store(url + "?options=-c%20lock_timeout%3D3s&application_name=mine")
        with opened.transaction() as transaction:
            connection = transaction._connection  # type: ignore[attr-defined]
            shown = {
                name: connection.exec_driver_sql(f"SHOW {name}").scalar()
                for name in (
                    "statement_timeout",
                    "lock_timeout",
                    "idle_in_transaction_session_timeout",
                    "synchronous_commit",
                    "application_name",
                )
            }
        opened.close()
    finally:
        with psycopg.connect(url) as plain:
            plain.execute("ALTER ROLE craton RESET synchronous_commit")
    assert list(shown.values()) == ["15s", "3s", "20s", "on", "mine"]


def test_a_writer_that_froze_loses_its_turn(url: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction that says nothing for too long is ended by the database; the others go on, nothing of it is kept."""
    monkeypatch.setitem(postgres_side._SETTINGS, "idle_in_transaction_session_timeout", "300ms")
    frozen = open_store(url)
    with pytest.raises(Interrupted), frozen.transaction() as transaction:
        transaction.create(row(1))
        assert store.create(row(2)).version == 1
        transaction.create(row(3))
    frozen.close()
    assert ids(store) == ["i2"]


def test_a_turn_that_does_not_come_is_unavailable(url: str, store: Store) -> None:
    """A writer waits its time for the others and says that it did not write; readers wait for nobody."""
    hasty = open_store(url + "?options=-c%20lock_timeout%3D100ms")
    with store.transaction() as transaction:
        transaction.create(row(1))
        with pytest.raises(Unavailable, match="lock") as refused:
            hasty.create(row(2))
        assert not isinstance(refused.value, Interrupted)
        assert ids(hasty) == []
    assert hasty.create(row(2)).version == 1
    hasty.close()


def test_a_restart_cuts_connections_and_is_survived(own: PostgreSQL) -> None:
    """What was begun is Interrupted; the next call finds the database again by itself, with all that was kept."""
    store = open_store(own.database())
    store.create(row(1))
    with pytest.raises(Interrupted), store.transaction() as transaction:
        transaction.create(row(2))
        own.stop()
        transaction.create(row(3))
    with pytest.raises(Interrupted) as away:
        store.get("arn:1")
    assert PASSWORD not in str(away.value)
    own.start()
    assert ids(store) == ["i1"]
    store.create(row(2))
    store.close()


def test_a_write_waits_for_a_database_that_is_started_anew(own: PostgreSQL) -> None:
    """The caller of a server notices a pause, no error; and the work is kept once."""
    url = own.database()
    refreshed: list[int] = []

    async def refresh() -> None:
        refreshed.append(1)

    storage = ThreadedStore(lambda: open_store(url), refresh, lambda: bytes(32), patience_s=60.0)

    async def scene() -> None:
        def make(number: int) -> Callable[[Transaction], Resource]:
            return lambda transaction: transaction.create(row(number))

        await storage.write(make(1))
        own.stop()
        writing = asyncio.create_task(storage.write(make(2)))
        await asyncio.sleep(0.3)
        assert not writing.done()
        own.start()  # here and not in a thread, with whose end the server would end
        assert (await writing).version == 1
        page = await storage.read(lambda reader: reader.list(Query(kind="k")))
        assert [found.id for found in page.items] == ["i1", "i2"]

    asyncio.run(scene())
    storage.close()
    assert len(refreshed) == 2


def test_a_killed_database_keeps_what_it_acknowledged(own: PostgreSQL) -> None:
    """kill -9 of all its processes among writes, three times: rows that were told of are there, in whole transactions."""
    url = own.database()
    acknowledged: list[int] = []
    ended = threading.Event()

    def write() -> None:
        store, number = open_store(url), 0
        while not ended.is_set():
            number += 1
            try:
                with store.transaction() as transaction:
                    transaction.create(row(2 * number))
                    transaction.create(row(2 * number + 1))
            except Unavailable:
                time.sleep(0.02)
            else:
                acknowledged.append(number)
        store.close()

    writer = threading.Thread(target=write)
    writer.start()
    for _ in range(3):
        before = len(acknowledged)
        deadline = time.monotonic() + 90
        while len(acknowledged) < before + 20:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        own.kill()
        own.start()
    ended.set()
    writer.join()
    store = open_store(url)
    kept = {int(found.id[1:]) for found in store.list(Query(kind="k", limit=1_000_000)).items}
    assert {2 * number for number in acknowledged} <= kept
    assert {each ^ 1 for each in kept} == kept
    assert store.stamp("k") == len(kept) // 2
    store.close()


def test_a_forked_child_uses_connections_of_its_own(store: Store) -> None:
    """After a fork parent and child both write, and the child's end breaks nothing of the parent's."""
    store.create(row(1))
    child = os.fork()
    if child == 0:
        store.create(row(2))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    store.create(row(3))
    assert ids(store) == ["i1", "i2", "i3"]


def test_watch_sees_what_others_commit(url: str, store: Store) -> None:
    """The first look and each change are reported, a reset too; silence is not."""
    watching = open_store(url)
    watch = StampWatch(lambda: watching)
    assert watch.exists()
    assert watch.changed()
    assert not watch.changed()
    store.create(row(1))
    assert watch.changed()
    assert not watch.changed()
    store.reset()
    assert watch.changed()
    watching.close()


def test_a_wrong_password_is_told_without_any(postgresql: PostgreSQL) -> None:
    """The reason is passed on; neither the URL nor a password is."""
    wrong = postgresql.url().replace(":not%20a", ":quite%20another")
    with pytest.raises(Unavailable, match="password authentication failed") as refused:
        open_store(wrong)
    assert "another" not in str(refused.value)
