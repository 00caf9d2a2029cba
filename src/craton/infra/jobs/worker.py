"""A worker: takes runs that are due, has their bodies performed, keeps its lease alive, and watches over the others'.

Owns the loop and what follows from each outcome: when a run is tried again, when it is given up, what happens to it when
the worker ends. It must not know what bodies do (`perform` is given) nor which process it lives in.

    sign in → look: stops asked for, leases lost, runs that are due → perform, each in a task → look …
            → beat; a beat of another that stood still for `dead_after_s`: its runs are let go
    stop    → no further step begins → what is under way may end → runs are put back → sign out
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
import sys
import time
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec

from craton.infra.jobs import lease
from craton.infra.jobs.hold import Hold, Storage
from craton.infra.jobs.lease import Claimed, Glance, LeaseLost
from craton.infra.jobs.runs import SCHEDULED, Appointment
from craton.infra.store.port import StoreError, Transaction

T = TypeVar("T")

MAX_CRASHES = 5
"""A run that was in the hands of so many workers that died, without a step between, is not tried again."""
MAX_MISTAKES = 3
"""How often what looks like a mistake of ours is tried."""
_PAUSE_FIRST_S, _PAUSE_MAX_S = 1.0, 60.0
_TICK_S = 0.02


class Done(msgspec.Struct, frozen=True):
    """The run is over; `error` says why it did not reach its end, `back_in_s` when it begins anew, if it does."""

    error: str = ""
    back_in_s: float | None = None


class Again(msgspec.Struct, frozen=True):
    """The run could not go on for a reason that may pass; `mistake` where it looks like one of ours.

    `counts`: as a failure, after which the next pause is longer; not where it only waits for something.
    """

    reason: str
    after_s: float | None = None
    mistake: bool = False
    counts: bool = True


Outcome = Done | Again
Perform = Callable[[Hold], Awaitable[Outcome]]
"""Performs a run. Whatever it raises but CancelledError and LeaseLost is taken for a mistake."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker goes by. `room`: kind → how many at once; `formats`: kind → those it knows, the newest last.

    It leaves by itself after `idle_s` without a run, or `idle_scheduled_s` if there were only appointments; None: never.
    """

    room: Mapping[str, int]
    formats: Mapping[str, tuple[int, ...]]
    calendar: tuple[Appointment, ...] = ()
    places: tuple[str, ...] = ()
    look_every_s: float = 0.2
    look_anyway_s: float = 1.0
    beat_every_s: float = 4.0
    dead_after_s: float = 20.0
    grace_s: float = 5.0
    idle_s: float | None = None
    idle_scheduled_s: float = 2.0


class Worker:
    """One process's worker.

    Args:
        name: unlike any other's; the supervisor that started it knows it.
        changed: whether the store may have changed since it was last asked; may block, so it is asked in a thread.
    """

    def __init__(
        self, name: str, terms: Terms, storage: Storage, perform: Perform, now: Callable[[], datetime],
        changed: Callable[[], bool],
    ) -> None:  # fmt: skip
        self._owner = self._name = name
        self._names = 0
        self._terms = terms
        self._storage = storage
        self._perform = perform
        self._now = now
        self._changed = changed
        self._holds: dict[str, Hold] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._news = asyncio.Event()
        self._ending = asyncio.Event()
        self._lost = False
        self._others: frozenset[str] = frozenset()

    def end(self) -> None:
        """Ask it to end in order; `run` then returns."""
        self._ending.set()
        self._news.set()

    async def run(self) -> None:
        """Work until `end` is called, or until it has been idle for long enough."""
        await self._sign_in()
        watching = [asyncio.create_task(self._beat()), asyncio.create_task(self._watch())]
        try:
            await self._work()
        finally:
            await self._put_down()
            for task in watching:
                task.cancel()
            await self._sign_out()

    # --- the loop ----------------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        idle_since, worked = time.monotonic(), False
        while not self._ending.is_set():
            self._news.clear()
            try:
                if self._lost:
                    await self._start_over()
                await self._look()
            except StoreError as error:
                _say(f"the store could not be used: {error}")
            # What somebody else has may need a hand, should that one die.
            worked = worked or any(kind != SCHEDULED for kind in (*self._others, *self._kinds()))
            if self._holds or self._others:
                idle_since = time.monotonic()
            if self._idle_too_long(time.monotonic() - idle_since, worked=worked):
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._terms.look_anyway_s):
                    await self._news.wait()

    def _idle_too_long(self, idle_s: float, *, worked: bool) -> bool:
        terms = self._terms
        if terms.idle_s is None:
            return False
        return idle_s > (terms.idle_s if worked else min(terms.idle_scheduled_s, terms.idle_s))

    async def _look(self) -> None:
        """Hear of stops and lost leases, say how far runs are, take what is due."""
        owner, now, places, room = self._owner, self._now(), self._terms.places, self._room()
        kinds = [kind for kind in room if room[kind] > 0]
        shown = {hold.arn: hold.progress for hold in self._holds.values() if hold.unshown}
        seen: Glance = await self._storage.read(
            lambda store: store.run(lambda c: lease.glance(c, owner, kinds, places, now))
        )
        self._heed(seen)
        if not (shown or seen.due):
            return

        def write(transaction: Transaction) -> list[Claimed]:
            transaction.run(lambda c: lease.show(c, shown, owner))
            return transaction.run(lambda c: lease.claim(c, owner, room, self._terms.formats, places, now))

        for claimed in await self._storage.keep(write):
            self._take(claimed)
        for arn, progress in shown.items():
            if arn in self._holds and self._holds[arn].progress is progress:
                self._holds[arn].unshown = False

    def _heed(self, seen: Glance) -> None:
        self._others = seen.others
        for arn, hold in self._holds.items():
            if arn not in seen.held:
                self._tasks[arn].cancel()
            elif seen.held[arn]:
                hold.stop_asked.set()

    def _kinds(self) -> Iterable[str]:
        return (hold.run.kind for hold in self._holds.values())

    def _room(self) -> dict[str, int]:
        held = Counter(self._kinds())
        return {kind: max(0, most - held[kind]) for kind, most in self._terms.room.items()}

    # --- a run -------------------------------------------------------------------------------------------------------

    def _take(self, claimed: Claimed) -> None:
        hold = Hold(claimed, self._owner, self._storage, self._now)
        self._holds[hold.arn] = hold
        self._tasks[hold.arn] = asyncio.create_task(self._live(hold), name=hold.arn)

    async def _live(self, hold: Hold) -> None:
        """Perform a run and write down what became of it."""
        try:
            outcome = await self._outcome(hold)
            await self._settle(hold, outcome)
        except (LeaseLost, asyncio.CancelledError):
            pass  # it is somebody else's now, or the worker ends and lets all its runs go at once
        finally:
            del self._holds[hold.arn], self._tasks[hold.arn]
            self._news.set()

    async def _outcome(self, hold: Hold) -> Outcome:
        try:
            return await self._perform(hold)
        except LeaseLost:
            raise
        except Exception as error:  # the loop must live: a body's mistake is its run's alone
            traceback.print_exc()
            return Again(f"{type(error).__name__}", mistake=True)

    async def _settle(self, hold: Hold, outcome: Outcome) -> None:
        """Write an outcome down, for as long as it takes: the store may be away, but not the right to write."""
        arn, owner, now = hold.arn, hold.owner, self._now()

        def work(transaction: Transaction) -> None:
            if isinstance(outcome, Done):
                back = None if outcome.back_in_s is None else now + timedelta(seconds=outcome.back_in_s)
                shown = {arn: hold.progress}
                transaction.run(lambda c: lease.show(c, shown, owner))
                transaction.run(lambda c: lease.end(c, arn, owner, now, error=outcome.error, back_at=back))
                return
            after_s = pause_s(hold.run.failures) if outcome.after_s is None else outcome.after_s
            due = now + timedelta(seconds=after_s)
            transaction.run(lambda c: lease.put_back(
                c, arn, owner, due, error=outcome.reason, counts=outcome.counts, wait_s=after_s))  # fmt: skip

        await self._persist(work)

    async def _persist(self, work: Callable[[Transaction], T]) -> T:
        while True:
            try:
                return await self._storage.keep(work)
            except StoreError as error:
                _say(f"the store could not be written: {error}")
            await asyncio.sleep(_PAUSE_FIRST_S)

    # --- the lease ---------------------------------------------------------------------------------------------------

    async def _sign_in(self) -> None:
        owner, now, calendar = self._owner, self._now(), self._terms.calendar
        about = f"{socket.gethostname()} process {os.getpid()}"
        await self._persist(lambda tx: tx.run(lambda c: lease.sign_in(c, owner, about, now, calendar)))

    async def _sign_out(self) -> None:
        owner, now = self._owner, self._now()
        with contextlib.suppress(StoreError, TimeoutError):
            async with asyncio.timeout(self._terms.grace_s):
                await self._storage.keep(lambda tx: tx.run(lambda c: lease.release(c, owner, now, crashed=False)))

    async def _start_over(self) -> None:
        """Others took this worker for dead, or everything was reset: drop all and come back under another name."""
        await self._cancel_all()
        self._names += 1
        self._owner = f"{self._name}.{self._names}"
        await self._sign_in()
        self._lost = False

    async def _put_down(self) -> None:
        """Let what is under way end for a moment; what is not done then is done again by somebody else."""
        for hold in self._holds.values():
            hold.leaving.set()
        until = time.monotonic() + self._terms.grace_s
        while any(hold.busy for hold in self._holds.values()) and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(_TICK_S)  # a worker ends once; an event for each step would cost more
        await self._cancel_all()

    async def _cancel_all(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _beat(self) -> None:
        """Say that this worker lives, and look whether the others do; until cancelled."""
        seen: dict[str, tuple[int, float]] = {}
        while True:
            await asyncio.sleep(self._terms.beat_every_s)
            with contextlib.suppress(StoreError):
                await self._beat_once(seen)

    async def _beat_once(self, seen: dict[str, tuple[int, float]]) -> None:
        owner = self._owner
        if self._lost or not await self._storage.keep(lambda tx: tx.run(lambda c: lease.beat(c, owner))):
            self._lost = True
            self._news.set()
            return
        found = await self._storage.read(lambda store: store.run(lease.beats))
        now = time.monotonic()
        for gone in seen.keys() - found.keys():
            del seen[gone]
        for other, count in found.items():
            if other == owner or seen.get(other, (None,))[0] != count:
                seen[other] = (count, now)
            elif now - seen[other][1] > self._terms.dead_after_s:
                await self._bury(other, count)

    async def _bury(self, other: str, count: int) -> None:
        now = self._now()
        freed = await self._storage.keep(lambda tx: tx.run(lambda c: lease.declare_dead(c, other, count, now)))
        if freed:
            _say(f"the worker {other} has not been heard of for a while: {freed} of its runs go on elsewhere")

    async def _watch(self) -> None:
        """Wake the loop when the store has changed; until cancelled."""
        while True:
            await asyncio.sleep(self._terms.look_every_s)
            with contextlib.suppress(StoreError):
                if await asyncio.to_thread(self._changed):
                    self._news.set()


def pause_s(failures: int) -> float:
    """How long a run that failed so often in a row waits, in seconds: twice as long each time, never the same."""
    return min(_PAUSE_MAX_S, _PAUSE_FIRST_S * 2.0 ** min(failures, 10)) * random.uniform(0.8, 1.2)  # noqa: S311


def _say(text: str) -> None:
    print(f"craton: jobs: {text}", file=sys.stderr, flush=True)
