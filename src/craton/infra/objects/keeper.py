"""What changes the index goes through here: works that wait together share a commit, and blobs follow their rows.

Owns two orders. A blob is on the disk before a row names it, and is deleted only after the commit that took its last row
away; what a crash leaves between the two is an orphan, never an object without its bytes. And while one transaction is
under way the next works gather and go together into one, each behind a savepoint, so many small writes wait for few
flushes of the disk. It must not know what the works do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from craton.aws.wire.faults import Fault
from craton.infra.store.port import InDoubt, Reader, StoreError, Transaction

if TYPE_CHECKING:
    from sqlalchemy import Connection

T = TypeVar("T")
Work = Callable[[Transaction, list[str]], T]
"""Changes rows, and adds the blobs that they held and nobody needs now to the list."""

MOST_TOGETHER = 64
GRACE_S = 900.0
"""How long the blobs of an object in parts stay after it: a reader may be at its first part still."""


class Rows(Protocol):
    """The store, off the loop (`context.Storage`)."""

    def read(self, work: Callable[[Reader], T]) -> Awaitable[T]: ...

    def keep(self, work: Callable[[Transaction], T]) -> Awaitable[T]: ...


class Deletes(Protocol):
    """What it needs of `infra.blobs`."""

    async def delete(self, *ids: str) -> None: ...


class _Waiting(msgspec.Struct, eq=False):
    work: Work[Any]
    fresh: Sequence[str]
    done: asyncio.Future[Any]


class _Outcome(msgspec.Struct):
    value: Any = None
    error: Exception | None = None
    freed: Sequence[str] = ()


class Keeper:
    """One in each process that writes objects.

    Args:
        report: takes what went wrong with the deletion of a blob, which no caller waits for.
    """

    def __init__(self, storage: Rows, blobs: Deletes, report: Callable[[BaseException], None] = lambda _: None) -> None:
        self._storage = storage
        self._blobs = blobs
        self._report = report
        self._waiting: list[_Waiting] = []
        self._flushing: asyncio.Task[None] | None = None
        self._deleting: set[asyncio.Task[None]] = set()

    async def read(self, work: Callable[[Connection], T]) -> T:
        """The result of reads of the index."""
        return await self._storage.read(lambda reader: reader.run(work))

    async def keep(self, work: Work[T], fresh: Sequence[str] = ()) -> T:
        """The result of a work whose changes are kept when it is returned.

        `fresh` are blobs that this work begins to name: they are deleted if it raises. Raises what `work` raises, and
        StoreError. A caller that leaves does not stop the work.
        """
        waiting = _Waiting(work, fresh, asyncio.get_running_loop().create_future())
        waiting.done.add_done_callback(_seen)
        self._waiting.append(waiting)
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush(), name="objects")
        kept: T = await asyncio.shield(waiting.done)
        return kept

    def free(self, blobs: Sequence[str]) -> None:
        """Delete blobs that no row names, behind whoever calls."""
        if blobs:
            deleting = asyncio.create_task(self._delete(blobs), name="blobs")
            self._deleting.add(deleting)
            deleting.add_done_callback(self._deleting.discard)

    async def _flush(self) -> None:
        try:
            while self._waiting:
                together, self._waiting = self._waiting[:MOST_TOGETHER], self._waiting[MOST_TOGETHER:]
                await self._commit(together)
        finally:
            self._flushing = None

    async def _commit(self, together: Sequence[_Waiting]) -> None:
        works = [one.work for one in together]
        try:
            outcomes = await self._storage.keep(lambda transaction: _all(transaction, works))
        except Exception as error:
            if len(together) > 1 and not isinstance(error, StoreError):
                for one in together:  # one of them broke the transaction of all
                    await self._commit([one])
                return
            if not isinstance(error, InDoubt):
                self.free([blob for one in together for blob in one.fresh])
            for one in together:
                one.done.set_exception(error)
            return
        for one, outcome in zip(together, outcomes, strict=True):
            self._tell(one, outcome)

    def _tell(self, one: _Waiting, outcome: _Outcome) -> None:
        if outcome.error is not None:
            self.free(one.fresh)
            one.done.set_exception(outcome.error)
            return
        if len(outcome.freed) > 1:
            asyncio.get_running_loop().call_later(GRACE_S, self.free, outcome.freed)
        else:
            self.free(outcome.freed)
        one.done.set_result(outcome.value)

    async def _delete(self, blobs: Sequence[str]) -> None:
        try:
            await self._blobs.delete(*blobs)
        except Exception as error:
            self._report(error)


def _all(transaction: Transaction, works: Sequence[Work[Any]]) -> list[_Outcome]:
    if len(works) == 1:
        return [_one(transaction, works[0])]
    return transaction.run(lambda connection: [_behind_savepoint(transaction, connection, work) for work in works])


def _behind_savepoint(transaction: Transaction, connection: Connection, work: Work[Any]) -> _Outcome:
    from craton.infra.store.statements import savepoint  # loads the SQL toolkit, which is there by now

    try:
        with savepoint(connection):
            return _one(transaction, work)
    except (Fault, StoreError) as error:
        return _Outcome(error=error)


def _one(transaction: Transaction, work: Work[Any]) -> _Outcome:
    freed: list[str] = []
    value = work(transaction, freed)
    return _Outcome(value, freed=tuple(freed))


def _seen(done: asyncio.Future[Any]) -> None:
    """Whoever waited may have left: an error that nobody takes is not a mistake of the program."""
    if not done.cancelled():
        done.exception()
