"""SQLite files: modes, forms, several openers, and what is said when a file cannot be used."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect, make_url
from sqlalchemy.exc import OperationalError

from craton.infra.store import sqlite as sqlite_side
from craton.infra.store.migrate import MIGRATIONS, migrate
from craton.infra.store.opening import MEMORY, open_store
from craton.infra.store.port import Query, Resource, TooNew, Unavailable
from craton.infra.store.sqlite import sqlite_engine
from craton.infra.store.tables import METADATA
from craton.infra.store.watch import Watch

T0 = datetime(2026, 1, 1, tzinfo=UTC)

VERSION_1 = """
CREATE TABLE schema_versions (version BIGINT NOT NULL PRIMARY KEY, applied_at BIGINT NOT NULL);
INSERT INTO schema_versions VALUES (1, 1767225600000000);
CREATE TABLE resources (
    arn TEXT NOT NULL PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
    name TEXT, status TEXT NOT NULL, version BIGINT NOT NULL, schema BIGINT NOT NULL, created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL, body BLOB NOT NULL);
CREATE UNIQUE INDEX resources_by_id ON resources (account, region, kind, id);
CREATE UNIQUE INDEX resources_by_name ON resources (account, region, kind, name);
CREATE INDEX resources_by_creation ON resources (kind, account, region, created_at, arn);
CREATE TABLE client_tokens (
    account TEXT NOT NULL, region TEXT NOT NULL, operation TEXT NOT NULL, token TEXT NOT NULL,
    request_hash TEXT NOT NULL, arn TEXT NOT NULL, made_at BIGINT NOT NULL,
    PRIMARY KEY (account, region, operation, token));
CREATE INDEX client_tokens_by_arn ON client_tokens (arn);
CREATE INDEX client_tokens_by_age ON client_tokens (made_at);
CREATE TABLE changes (kind TEXT NOT NULL PRIMARY KEY, stamp BIGINT NOT NULL);
INSERT INTO resources VALUES ('arn:old', '111122223333', 'us-east-1', 'guardrail', 'old', 'first', 'READY', 4, 1,
    1767225600000000, 1767225600000001, X'7B7D');
INSERT INTO changes VALUES ('guardrail', 4);
"""
"""A database as the first released form left it. Never edited: it stands for the files that people have."""


def row(number: int) -> Resource:
    """A row of no account in particular."""
    return Resource(
        account="1", region="r", kind="k", id=f"i{number}", arn=f"arn:{number}", created_at=T0, updated_at=T0
    )


def engine_at(path: Path) -> Engine:
    """An engine without any form."""
    return sqlite_engine(make_url(f"sqlite:///{path}"), durable=True)


def test_files_and_folder_are_the_owners_alone(tmp_path: Path) -> None:
    """Database, log and shared memory have mode 0600, the folder 0700, whatever the umask."""
    before = os.umask(0)
    try:
        store = open_store(tmp_path / "home" / "store.db")
        store.create(row(1))
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in (tmp_path / "home").iterdir()}
        store.close()
    finally:
        os.umask(before)
    assert modes == {"store.db": 0o600, "store.db-wal": 0o600, "store.db-shm": 0o600}
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700


def test_commits_are_flushed_to_the_disk(tmp_path: Path) -> None:
    """The journal is the write-ahead log and synchronous is FULL (2); OFF (0) for what is thrown away."""
    for durable, expected in ((True, 2), (False, 0)):
        engine = sqlite_engine(make_url(f"sqlite:///{tmp_path}/s.db"), durable=durable)
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == expected
        engine.dispose()


def test_database_of_the_first_form_opens(tmp_path: Path) -> None:
    """A file that an older Craton left is brought up to date with its rows."""
    path = tmp_path / "store.db"
    with sqlite3.connect(path) as old:
        old.executescript(VERSION_1)
    old.close()
    store = open_store(path)
    found = store.get("arn:old")
    assert found is not None
    assert (found.name, found.version, found.created_at) == ("first", 4, T0)
    assert store.stamp("guardrail") == 4
    assert store.update(found).version == 5
    store.close()


def test_newer_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    """A file from a newer Craton raises TooNew and says what to do."""
    path = tmp_path / "store.db"
    engine = engine_at(path)
    migrate(engine, (*MIGRATIONS, ("CREATE TABLE future (x BIGINT)",)))
    engine.dispose()
    with pytest.raises(TooNew, match="start the newer Craton"):
        open_store(path)


def test_migrations_run_once_in_order_and_are_recorded(tmp_path: Path) -> None:
    """A second run does nothing; a longer list runs what is new."""
    engine = engine_at(tmp_path / "store.db")
    first = ("CREATE TABLE a (x {text})", "INSERT INTO a VALUES ('one')")
    second = ("ALTER TABLE a ADD COLUMN y {blob}", "UPDATE a SET y = X'00'")
    migrate(engine, (first,))
    migrate(engine, (first,))
    migrate(engine, (first, second))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT x, y FROM a").all() == [("one", b"\0")]
        assert connection.exec_driver_sql("SELECT version FROM schema_versions ORDER BY 1").all() == [(1,), (2,)]
    engine.dispose()


def test_failing_migration_leaves_the_form_before_it(tmp_path: Path) -> None:
    """Statements of a migration that fails are undone together."""
    engine = engine_at(tmp_path / "store.db")
    good = ("CREATE TABLE a (x {text})",)
    with pytest.raises(OperationalError):
        migrate(engine, (good, ("CREATE TABLE b (x {text})", "INSERT INTO nowhere VALUES (1)")))
    assert set(inspect(engine).get_table_names()) == {"a", "schema_versions"}
    migrate(engine, (good, ("CREATE TABLE c (x {text})",)))
    assert set(inspect(engine).get_table_names()) == {"a", "c", "schema_versions"}
    engine.dispose()


def test_tables_of_the_code_are_those_of_the_migrations(tmp_path: Path) -> None:
    """Names, nullability and keys of columns agree between tables.py and migrate.py."""
    engine = engine_at(tmp_path / "store.db")
    migrate(engine)
    found = inspect(engine)
    for table in METADATA.sorted_tables:
        made = [(each["name"], each["nullable"]) for each in found.get_columns(table.name)]
        assert made == [(column.name, bool(column.nullable)) for column in table.columns]
        key = found.get_pk_constraint(table.name)["constrained_columns"]
        assert key == [column.name for column in table.primary_key]
    engine.dispose()


def test_threads_that_open_at_once_agree(tmp_path: Path) -> None:
    """Within one process too, a new database may be opened by several at the same moment."""
    failures: list[BaseException] = []

    def start(number: int) -> None:
        try:
            store = open_store(tmp_path / "store.db")
            store.create(row(number))
            store.close()
        except Exception as error:  # a thread's failure is told by the test
            failures.append(error)

    threads = [threading.Thread(target=start, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    store = open_store(tmp_path / "store.db")
    assert len(store.list(Query(kind="k")).items) == 6
    store.close()


def test_a_forked_child_uses_connections_of_its_own(tmp_path: Path) -> None:
    """After a fork parent and child both write, and the child's end breaks nothing of the parent's."""
    store = open_store(tmp_path / "store.db")
    store.create(row(1))
    child = os.fork()
    if child == 0:
        store.create(row(2))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    store.create(row(3))
    assert [found.id for found in store.list(Query(kind="k")).items] == ["i1", "i2", "i3"]
    store.close()


def test_a_lock_held_too_long_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer gives up after its time, says so without the row's values, and works again afterwards."""
    monkeypatch.setattr(sqlite_side, "BUSY_TIMEOUT_S", 0.05)
    store = open_store(tmp_path / "store.db")
    store.create(row(1))
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="locked") as refused:
        store.create(row(2))
    assert "arn:2" not in str(refused.value)
    assert store.get("arn:1") is not None
    other.execute("ROLLBACK")
    other.close()
    assert store.create(row(2)).version == 1
    store.close()


def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    """The driver's reason is passed on."""
    path = tmp_path / "store.db"
    path.write_bytes(b"this is a letter, not a database" * 100)
    with pytest.raises(Unavailable, match="not a database"):
        open_store(path)


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    """A home below a file says which file could not be made."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="cannot be made"):
        open_store(tmp_path / "file" / "home" / "store.db")


@pytest.mark.parametrize("url", ["mysql://h/n", "nonsense", "", "what://x", "/just/a/path"])
def test_urls_of_other_databases_are_refused(url: str) -> None:
    """Only SQLite's and PostgreSQL's URLs are understood."""
    with pytest.raises(ValueError, match=r"sqlite:///FILE"):
        open_store(url)


def test_paths_with_odd_letters_open(tmp_path: Path) -> None:
    """A home may have a question mark, a percent sign or a blank in its name."""
    path = tmp_path / "a?b %2F#c" / "store.db"
    store = open_store(path)
    store.create(row(1))
    store.close()
    assert path.exists()


def test_memory_resets_fast_and_is_private() -> None:
    """Two stores in memory share nothing; a reset of a thousand rows is far below its 100 ms."""
    store, other = open_store(MEMORY), open_store(MEMORY)
    with store.transaction() as transaction:
        for number in range(1000):
            transaction.create(row(number))
    assert other.list(Query(kind="k")).items == ()
    started = time.thread_time()  # other processes do not count
    store.reset()
    assert time.thread_time() - started < 1.0
    assert store.list(Query(kind="k")).items == ()
    store.close()
    other.close()


def test_port_watch_and_keys_load_no_sql_toolkit() -> None:
    """What an idle server imports is free of the toolkit."""
    script = (
        "import sys, craton.infra.store.port, craton.infra.store.watch, craton.infra.store.pages,"
        " craton.infra.store.opening, craton.infra.keys.root, craton.infra.keys.bearer;"
        "sys.exit('sqlalchemy' in sys.modules or 'sqlite3' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_watch_sees_every_commit_and_settles(tmp_path: Path) -> None:
    """Commits of another opener are reported; when nothing happens any more the watch falls silent."""
    path = tmp_path / "store.db"
    watch = Watch(path, settle_s=0.01)
    assert not watch.changed()
    assert not watch.exists()
    store = open_store(path)
    for number in range(20):
        store.create(row(number))
        assert watch.changed()
    store.close()
    assert watch.exists()
    deadline = time.monotonic() + 60
    while watch.changed():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_watch_is_quiet_while_others_only_read(tmp_path: Path) -> None:
    """Opening, reading and closing a settled database again and again does not look like a change for ever."""
    path = tmp_path / "store.db"
    store = open_store(path)
    store.create(row(1))
    store.close()
    watch = Watch(path, settle_s=0.0)
    assert watch.changed()
    reports = []
    for _ in range(5):
        reader = open_store(path)
        reader.stamp()
        reader.close()
        reports.append(watch.changed())
    assert reports[1:] == [False] * 4
