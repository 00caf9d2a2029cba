"""What is read again when something changed: only that, on every database."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from craton.infra.store.mirror import Mirror
from craton.infra.store.opening import open_store
from craton.infra.store.port import Query, Resource, Store

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def row(number: int, kind: str = "k") -> Resource:
    moment = T0 + timedelta(seconds=number)
    return Resource(
        account="1",
        region="r",
        kind=kind,
        id=f"i{number}",
        arn=f"arn:{kind}:{number}",
        status="0",
        created_at=moment,
        updated_at=moment,
    )


class Seen:
    """A mirror of one kind, and the rows that it made something of."""

    def __init__(self, store: Store) -> None:
        self.store, self.mirror = store, Mirror()
        self.made: list[str] = []

    def make(self, found: Resource) -> tuple[str, str]:
        self.made.append(found.arn)
        return found.arn, found.status

    def read(self, kind: str = "k") -> tuple[tuple[str, str], ...]:
        self.made.clear()
        self.mirror.look(self.store)
        return self.mirror.read(self.store, kind, self.make)


@pytest.fixture
def seen(store: Store) -> Seen:
    return Seen(store)


def test_all_rows_are_read_once_oldest_first(store: Store, seen: Seen) -> None:
    """The second reading reads nothing and gives the same object."""
    for number in (3, 1, 2):
        store.create(row(number))
    first = seen.read()
    assert first == (("arn:k:1", "0"), ("arn:k:2", "0"), ("arn:k:3", "0"))
    assert seen.read() is first
    assert seen.made == []


def test_a_change_of_one_row_reads_that_row(store: Store, seen: Seen) -> None:
    """Created, updated and removed rows show; the others are not read again."""
    made = [store.create(row(number)) for number in range(5)]
    seen.read()
    store.update(msgspec.structs.replace(made[2], status="1"))
    assert seen.read()[2] == ("arn:k:2", "1")
    assert seen.made == ["arn:k:2"]
    store.create(row(5))
    assert seen.read()[-1] == ("arn:k:5", "0")
    assert seen.made == ["arn:k:5"]
    store.delete("arn:k:0")
    assert [arn for arn, _ in seen.read()] == [f"arn:k:{number}" for number in range(1, 6)]
    assert seen.made == []


def test_other_kinds_are_left_alone(store: Store, seen: Seen) -> None:
    """A change of one kind changes nothing of another."""
    store.create(row(1))
    kept = seen.read()
    store.create(row(1, "other"))
    assert seen.mirror.look(store)
    assert seen.read() is kept
    assert not seen.mirror.look(store)


def test_several_changes_in_one_transaction_are_seen_together(store: Store, seen: Seen) -> None:
    """One removed and one made leave the number as it was, and both are seen; a rolled back change is not."""
    store.create(row(1))
    seen.read()
    with store.transaction() as transaction:
        transaction.delete("arn:k:1")
        transaction.create(row(2))
        transaction.create(row(3, "other"))
    assert seen.read() == (("arn:k:2", "0"),)
    with pytest.raises(RuntimeError), store.transaction() as transaction:
        transaction.create(row(4))
        raise RuntimeError
    assert seen.read() == (("arn:k:2", "0"),)
    store.reset()
    assert seen.read() == ()
    assert seen.read("other") == ()


def test_a_mirror_is_what_a_full_reading_gives(store: Store, seen: Seen) -> None:
    """After any number of changes between looks, by chance."""
    chance, number = random.Random(7), 0
    for _ in range(25):
        for _ in range(chance.randrange(4)):
            there = store.list(Query(kind="k", limit=1000)).items
            if there and chance.random() < 0.5:
                chosen = chance.choice(there)
                if chance.random() < 0.5:
                    store.delete(chosen.arn)
                else:
                    store.update(msgspec.structs.replace(chosen, status=str(chosen.version)))
            else:
                number += 1
                store.create(row(number))
        expected = {(found.arn, found.status) for found in store.list(Query(kind="k", limit=1000)).items}
        assert set(seen.read()) == expected


def test_another_database_under_the_same_name_is_read_anew(tmp_path: Path) -> None:
    """One restored from an older copy has lower stamps; nothing of the newer one stays."""
    newer, older = open_store(tmp_path / "newer.db"), open_store(tmp_path / "older.db")
    for number in range(3):
        newer.create(row(number))
    older.create(row(9))
    seen = Seen(newer)
    assert len(seen.read()) == 3
    seen.store = older
    assert seen.read() == (("arn:k:9", "0"),)
    newer.close()
    older.close()
