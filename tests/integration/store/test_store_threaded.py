"""The store behind an event loop: opened late, in a thread, and spread after each write."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from craton.infra.store.ids import lower_id
from craton.infra.store.opening import open_store
from craton.infra.store.port import AlreadyExists, Query, Reader, Resource, Store, Transaction
from craton.infra.store.threaded import ThreadedStore

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def row(name: str, region: str = "us-east-1") -> Resource:
    made = lower_id()
    arn = f"arn:aws:bedrock:{region}:123456789012:thing/{made}"
    return Resource(
        account="123456789012", region=region, kind="thing", id=made, arn=arn, name=name, created_at=NOW, updated_at=NOW
    )


class Home:
    """A threaded store over a file, and what happened to it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "store.db"
        self.events: list[str] = []
        self.threads: set[int] = set()
        self.storage = ThreadedStore(self._open, self._refresh, lambda: bytes(32))

    def _open(self) -> Store:
        self.events.append("open")
        return open_store(self.path, durable=False)

    async def _refresh(self) -> None:
        with_row = open_store(self.path)
        count = with_row.count("123456789012", "us-east-1", "thing")
        with_row.close()
        self.events.append(f"refresh with {count}")

    def make(self, name: str) -> Resource:
        def work(transaction: Transaction) -> Resource:
            self.threads.add(threading.get_ident())
            return transaction.create(row(name))

        return asyncio.run(self.storage.write(work))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_nothing_is_opened_before_it_is_needed(home: Home) -> None:
    """A closed store that was never used has made no file."""
    home.storage.close()
    assert home.events == []
    assert not home.path.exists()


def test_a_write_is_committed_before_it_is_spread(home: Home) -> None:
    """The refresh of another process finds the row; the thread is not the loop's."""
    home.make("a")
    home.make("b")
    assert home.events == ["open", "refresh with 1", "refresh with 2"]
    assert threading.get_ident() not in home.threads
    home.storage.close()


def test_a_write_that_fails_leaves_nothing_and_is_not_spread(home: Home) -> None:
    """The error is the caller's."""
    home.make("a")
    with pytest.raises(AlreadyExists):
        home.make("a")
    assert home.events == ["open", "refresh with 1"]


def test_reads_are_not_spread(home: Home) -> None:
    """They see what was written."""
    made = home.make("a")

    def look(store: Reader) -> Resource | None:
        assert store.list(Query(kind="thing")).items == (made,)
        return store.get(made.arn)

    assert asyncio.run(home.storage.read(look)) == made
    assert home.events == ["open", "refresh with 1"]


def test_a_failed_opening_is_tried_again(home: Home, tmp_path: Path) -> None:
    """A folder that is missing at the first call may be there at the second."""
    home.path = tmp_path / "blocked" / "store.db"
    (tmp_path / "blocked").write_text("a file in the way")
    with pytest.raises(Exception, match="cannot be made"):
        home.make("a")
    (tmp_path / "blocked").unlink()
    assert home.make("a").version == 1


def test_rows_are_counted_by_account_region_and_kind(home: Home) -> None:
    """For quotas."""
    home.make("a")
    home.make("b")
    counted = asyncio.run(home.storage.read(lambda store: store.count("123456789012", "us-east-1", "thing")))
    assert counted == 2
    elsewhere = asyncio.run(home.storage.read(lambda store: store.count("123456789012", "eu-west-1", "thing")))
    assert elsewhere == 0


def test_ids_look_like_amazons() -> None:
    """Twelve small letters and digits, never twice."""
    made = {lower_id() for _ in range(1000)}
    assert len(made) == 1000
    assert all(len(each) == 12 and each.isalnum() and each == each.lower() for each in made)
