"""The ledger of documents and the journal of vectors: what is asked, settled and kept, on a database and on a disk."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from craton.features.rag import ledger, originals
from craton.features.rag.documents import Document, place_of
from craton.infra.jobs import runs
from craton.infra.store.opening import open_store
from craton.infra.store.port import Store
from craton.infra.vectors.port import Access
from craton.workflows.ingest.journal import Journal

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STRANGE = "s3://b/ü\n%+\0漢" + "x" * 2000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "store.db")
    yield opened
    opened.close()


def asked(store: Store, name: str, content: bytes = b"sealed", later: int = 0) -> Document:
    with store.transaction() as transaction:
        return transaction.run(
            lambda c: ledger.ask(c, "base", "src", "CUSTOM", name, content, NOW + timedelta(seconds=later))
        )


def settle(store: Store, kept: list[Document], gone: list[Document] | None = None) -> None:
    with store.transaction() as transaction:
        transaction.run(lambda c: ledger.settle(c, kept, gone or []))


def row(store: Store, name: str) -> Document | None:
    return store.run(lambda c: ledger.find(c, "base", "src", [name])).get(name)


def test_a_document_of_any_name_is_asked_for_and_settled(store: Store) -> None:
    """What was asked is given out with its content, in the order of asking, and kept no longer than it waits."""
    asked(store, STRANGE)
    asked(store, "second", b"two", later=1)
    waiting = store.run(lambda c: ledger.waiting(c, "base", "src", 10))
    assert [(one.identifier, one.status, one.asked) for one in waiting] == [
        (STRANGE, "PENDING", b"sealed"), ("second", "PENDING", b"two"),
    ]  # fmt: skip
    done = replace(waiting[0], status="INDEXED", chunks=3, access=Access(("ann",), ("bob",)), prefix="a: b\n\n")
    settle(store, [done])
    found = row(store, STRANGE)
    assert found == replace(done, asked=b"")
    assert [one.identifier for one in store.run(lambda c: ledger.waiting(c, "base", "src", 10))] == ["second"]


def test_what_is_asked_meanwhile_stays_asked(store: Store) -> None:
    """A run that settles an older question says only what is in the index."""
    first = asked(store, "a")
    asked(store, "a", b"newer")
    settle(store, [replace(first, status="INDEXED", chunks=2, content="c")])
    found = row(store, "a")
    assert found is not None
    assert (found.status, found.chunks, found.content) == ("PENDING", 2, "c")
    (waiting,) = store.run(lambda c: ledger.waiting(c, "base", "src", 10))
    assert waiting.asked == b"newer"


def test_what_is_gone_is_forgotten_unless_it_is_asked_for(store: Store) -> None:
    """A deletion overtaken by a new question leaves the question."""
    first, second = asked(store, "a"), asked(store, "b")
    asked(store, "b", b"again")
    settle(store, [], [first, second])
    found = row(store, "b")
    assert row(store, "a") is None
    assert found is not None
    assert (found.status, found.chunks) == ("PENDING", 0)


def test_originals_live_as_long_as_their_documents(store: Store) -> None:
    """What a document was asked with is kept when it is in the index, while it is there, and until a newer one is."""

    def kept(name: str) -> bytes | None:
        return store.run(lambda c: originals.find(c, "base", "src", place_of(name)))

    first = asked(store, "a", b"one")
    assert kept("a") is None
    settle(store, [replace(first, status="INDEXED")])
    assert kept("a") == b"one"
    settle(store, [replace(first, status="INDEXED", recipe="made anew")])
    assert kept("a") == b"one"
    second = asked(store, "a", b"two")
    settle(store, [replace(first, status="INDEXED")])  # overtaken by the second
    assert kept("a") == b"one"
    settle(store, [replace(second, status="INDEXED")])
    assert kept("a") == b"two"
    settle(store, [replace(asked(store, "a", b"three"), status="FAILED")])
    assert kept("a") is None
    for gone in ("deleted", "source", "base"):
        done = replace(asked(store, gone), status="INDEXED")
        settle(store, [done])
        assert kept(gone)
        with store.transaction() as transaction:
            if gone == "deleted":
                transaction.run(lambda c, done=done: ledger.settle(c, [], [done]))  # type: ignore[misc]
            elif gone == "source":
                transaction.run(lambda c: ledger.drop_source(c, "base", "src"))
            else:
                transaction.run(lambda c: ledger.drop_base(c, "base"))
        assert kept(gone) is None


def test_pages_show_each_document_once(store: Store) -> None:
    """Whatever the size of a page."""
    names = {f"n{number}" for number in range(7)}
    for name in names:
        asked(store, name)
    seen, after = [], None
    while True:
        found, after = store.run(lambda c, after=after: ledger.page(c, "base", "src", 3, after))  # type: ignore[misc]
        seen += [one.identifier for one in found]
        if after is None:
            break
    assert sorted(seen) == sorted(names)


def test_one_run_writes_at_a_time(store: Store) -> None:
    """Another has to wait until the right is given back, or its holder has ended."""
    with store.transaction() as transaction:
        transaction.run(lambda c: runs.enqueue(c, "arn:a:b:c:us-east-1:0:one", "x", NOW))
        first, second = "arn:a:b:c:us-east-1:0:one", "arn:a:b:c:us-east-1:0:two"
        assert transaction.run(lambda c: ledger.take(c, "base", first))
        assert transaction.run(lambda c: ledger.take(c, "base", first))
        assert not transaction.run(lambda c: ledger.take(c, "base", second))
        assert transaction.run(lambda c: ledger.take(c, "other", second))
        transaction.run(lambda c: ledger.release(c, "base", second))
        assert not transaction.run(lambda c: ledger.take(c, "base", second))
        transaction.run(lambda c: runs.forget(c, first))
        assert transaction.run(lambda c: ledger.take(c, "base", second))


class Plain:
    """A cipher that closes nothing, for what is not about it."""

    async def seal(self, account: str, purpose: str, key: str | None, plaintext: bytes, *rest: object) -> bytes:
        return plaintext

    async def open(self, account: str, purpose: str, sealed: bytes, *rest: object) -> bytes:
        return sealed


def journal(folder: Path) -> Journal:
    return Journal(folder, Plain(), "0", {})  # type: ignore[arg-type]


def test_vectors_outlive_a_death_and_a_torn_file(tmp_path: Path) -> None:
    """What was written is found by the next attempt; a last frame that was cut is as if it never was."""
    one, two = np.arange(4, dtype=np.float32), np.arange(2, dtype=np.uint8)

    async def first() -> None:
        kept = journal(tmp_path)
        await kept.open()
        kept.keep({"a": one})
        await kept.close(remove=False)
        again = journal(tmp_path)
        await again.open()
        again.keep({"b": two})
        await again.close(remove=False)

    async def second() -> list[str]:
        (last,) = tmp_path.glob("2.vectors")
        last.write_bytes(last.read_bytes()[:-3])
        kept = journal(tmp_path)
        await kept.open()
        found = await kept.find(["a", "b"])
        assert np.array_equal(found["a"], one)
        await kept.close(remove=True)
        return sorted(found)

    asyncio.run(first())
    assert {one.stat().st_mode & 0o777 for one in tmp_path.glob("*.vectors")} == {0o600}
    assert asyncio.run(second()) == ["a"]
    assert not tmp_path.exists()
