"""The keeper: works that wait together share a commit, and blobs follow their rows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import pytest

from craton.aws.wire.faults import Fault, validation
from craton.infra.objects import index
from craton.infra.objects.keeper import Keeper, Work
from craton.infra.store.port import InDoubt, Reader, Store, Transaction

T = TypeVar("T")


class Rows:
    """A store behind a moment's wait, and how many transactions it had."""

    def __init__(self, store: Store) -> None:
        self.store, self.commits = store, 0
        self.failure: Exception | None = None

    async def read(self, work: Callable[[Reader], T]) -> T:
        return work(self.store)

    async def keep(self, work: Callable[[Transaction], T]) -> T:
        await asyncio.sleep(0.01)
        self.commits += 1
        if self.failure is not None:
            raise self.failure
        with self.store.transaction() as transaction:
            return work(transaction)


class Blobs:
    """Which blobs were deleted."""

    def __init__(self) -> None:
        self.deleted: list[str] = []

    async def delete(self, *idents: str) -> None:
        self.deleted += idents


def taking(blob: str, then: Exception | None = None, freed: str | None = None) -> Work[str]:
    """A work that names a blob, and may fail afterwards."""

    def work(transaction: Transaction, gone: list[str]) -> str:
        transaction.run(lambda connection: index.take(connection, [blob]))
        if then is not None:
            raise then
        if freed is not None:
            gone.append(freed)
        return blob

    return work


def driven(store: Store, use: Callable[[Keeper, Rows], Any]) -> tuple[Rows, Blobs, Any]:
    rows, blobs = Rows(store), Blobs()

    async def main() -> Any:
        found = await use(Keeper(rows, blobs), rows)
        await asyncio.sleep(0.02)
        return found

    return rows, blobs, asyncio.run(main())


def used(store: Store) -> list[str]:
    return store.run(index.blob_ids)


def test_works_that_wait_share_a_commit(store: Store) -> None:
    """The first goes alone; those that came meanwhile go together; each hears its own result."""
    names = [f"b{number}" for number in range(10)]
    rows, blobs, found = driven(store, lambda keeper, _: asyncio.gather(*(keeper.keep(taking(name)) for name in names)))
    assert (found, rows.commits <= 2, used(store), blobs.deleted) == (names, True, names, [])


def test_one_that_is_refused_undoes_itself_alone(store: Store) -> None:
    """A refusal leaves no row of its own work and deletes its fresh blob; its neighbours are kept."""

    async def use(keeper: Keeper, _: Rows) -> list[Any]:
        works = [
            keeper.keep(taking("a"), ["a"]), keeper.keep(taking("b", validation("no")), ["b"]),
            keeper.keep(taking("c", freed="old"), ["c"]),
        ]  # fmt: skip
        return await asyncio.gather(*works, return_exceptions=True)

    _, blobs, found = driven(store, use)
    assert (found[0], type(found[1]), found[2]) == ("a", Fault, "c")
    assert (used(store), sorted(blobs.deleted)) == (["a", "c"], ["b", "old"])


def test_a_broken_work_does_not_break_its_neighbours(store: Store) -> None:
    """After an error of a kind that nobody foresaw each work is run by itself."""

    async def use(keeper: Keeper, _: Rows) -> list[Any]:
        works = [keeper.keep(taking(name, error), [name]) for name, error in
                 (("a", None), ("b", RuntimeError("x")), ("c", None))]  # fmt: skip
        return await asyncio.gather(*works, return_exceptions=True)

    _, blobs, found = driven(store, use)
    assert (found[0], type(found[1]), found[2]) == ("a", RuntimeError, "c")
    assert (used(store), blobs.deleted) == (["a", "c"], ["b"])


def test_a_commit_in_doubt_deletes_nothing(store: Store) -> None:
    """Where nobody knows whether a row was kept, its blob stays for the sweep to judge."""

    async def use(keeper: Keeper, rows: Rows) -> None:
        rows.failure = InDoubt("who knows")
        with pytest.raises(InDoubt):
            await keeper.keep(taking("a"), ["a"])

    assert driven(store, use)[1].deleted == []


def test_a_caller_that_leaves_does_not_undo_its_work(store: Store) -> None:
    """A cancelled caller's rows are kept with their blob, and those behind it go on."""

    async def use(keeper: Keeper, _: Rows) -> str:
        leaving = asyncio.create_task(keeper.keep(taking("a"), ["a"]))
        await asyncio.sleep(0)
        staying = asyncio.create_task(keeper.keep(taking("b"), ["b"]))
        await asyncio.sleep(0)
        leaving.cancel()
        with suppress(asyncio.CancelledError):
            await leaving
        return await staying

    _, blobs, found = driven(store, use)
    assert (found, used(store), blobs.deleted) == ("b", ["a", "b"], [])
