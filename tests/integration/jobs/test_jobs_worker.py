"""A worker in a loop: it takes what is due, takes over from the dead, gives back what it cannot finish."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from craton.infra.jobs import lease, runs
from craton.infra.jobs.hold import Hold
from craton.infra.jobs.lease import LeaseLost
from craton.infra.jobs.runs import Appointment, Run
from craton.infra.jobs.worker import Again, Done, Outcome, Terms, Worker, pause_s
from craton.infra.store.opening import open_store
from craton.infra.store.port import Store
from craton.infra.store.threaded import ThreadedStore

KIND = "toy"
QUICK = Terms(
    room={KIND: 3}, formats={KIND: (1,), runs.SCHEDULED: (1,)}, places=("here",), look_every_s=0.01, look_anyway_s=0.05,
    beat_every_s=0.05, dead_after_s=0.4, grace_s=1.0,
)  # fmt: skip
Perform = Callable[[Hold], Awaitable[Outcome]]


def now() -> datetime:
    return datetime.now(UTC)


class Bench:
    """A store and its workers."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.workers: list[tuple[Worker, asyncio.Task[None]]] = []

    async def nothing(self) -> None:
        pass

    def hire(self, name: str, perform: Perform, terms: Terms = QUICK) -> Worker:
        storage = ThreadedStore(lambda: self.store, self.nothing, lambda: b"x" * 32)
        worker = Worker(name, terms, storage, perform, now, lambda: True)
        self.workers.append((worker, asyncio.create_task(worker.run())))
        return worker

    def put(self, *names: str, kind: str = KIND) -> None:
        for name in names:
            with self.store.transaction() as transaction:
                transaction.run(lambda c, name=name: runs.enqueue(c, name, kind, now()))

    def do(self, work: Callable[[Any], Any]) -> Any:
        with self.store.transaction() as transaction:
            return transaction.run(work)

    def run(self, name: str) -> Run:
        found = self.store.run(lambda c: runs.find(c, name))
        assert found is not None
        return found

    async def until(self, name: str, *states: str) -> Run:
        async with asyncio.timeout(8):
            while self.run(name).state not in states:
                await asyncio.sleep(0.01)
        return self.run(name)

    async def close(self) -> None:
        for worker, _ in self.workers:
            worker.end()
        await asyncio.gather(*(task for _, task in self.workers), return_exceptions=True)


@pytest.fixture
def bench(tmp_path: Path) -> Callable[[Callable[[Bench], Coroutine[Any, Any, None]]], None]:
    def play(scene: Callable[[Bench], Coroutine[Any, Any, None]]) -> None:
        async def whole() -> None:
            made = Bench(open_store(tmp_path / "store.db"))
            try:
                await scene(made)
            finally:
                await made.close()
                made.store.close()

        asyncio.run(whole())

    return play


async def done(hold: Hold) -> Outcome:
    return Done()


def test_runs_are_performed_and_end(bench: Any) -> None:
    """Each run once, those that fail by their own word with it, and their progress stays to be seen."""

    async def scene(made: Bench) -> None:
        seen: list[str] = []

        async def perform(hold: Hold) -> Outcome:
            seen.append(hold.arn)
            hold.show(3, 3, "records")
            return Done(error="no such file" if hold.arn == "b" else "")

        made.put("a", "b")
        made.hire("w1", perform)
        made.hire("w2", perform)
        assert (await made.until("a", runs.DONE, runs.FAILED)).how_far.done == 3
        ended = await made.until("b", runs.DONE, runs.FAILED)
        assert (ended.state, ended.error, ended.owner) == (runs.FAILED, "no such file", "")
        assert sorted(seen) == ["a", "b"]

    bench(scene)


def test_what_may_pass_is_tried_again(bench: Any) -> None:
    """Whether the body says so or raises what nobody expected."""

    async def scene(made: Bench) -> None:
        seen: list[int] = []

        async def perform(hold: Hold) -> Outcome:
            seen.append(hold.run.failures)
            if len(seen) == 1:
                return Again("away", after_s=0.05)
            if len(seen) == 2:
                raise KeyError("x")
            return Done()

        made.put("a")
        made.hire("w1", perform)
        await made.until("a", runs.DONE)
        assert seen == [0, 1, 2]
        assert made.run("a").attempts == 3

    bench(scene)


def test_pauses_grow_and_have_an_end() -> None:
    """A store that is away for an hour is asked once a minute at last."""
    assert 0.8 <= pause_s(0) <= 1.2
    assert 12 <= pause_s(4) <= 20
    assert pause_s(5000) <= 72


def test_a_worker_takes_over_from_one_that_fell_silent(bench: Any) -> None:
    """Its beat stood still; when it comes back it learns that the run is another's, and works on under a new name."""

    async def scene(made: Bench) -> None:
        stuck, lost = asyncio.Event(), asyncio.Event()

        async def first(hold: Hold) -> Outcome:
            if hold.arn == "b":
                return Done()
            await stuck.wait()
            try:
                await hold.keep_step("one", b"")
            except LeaseLost:
                lost.set()
                raise
            return Done()

        made.put("a")
        deaf = made.hire("w1", first, msgspec.structs.replace(QUICK, beat_every_s=0.9, look_every_s=5, look_anyway_s=5))
        await made.until("a", runs.RUNNING)
        made.hire("w2", done, msgspec.structs.replace(QUICK, room={}))
        await made.until("a", runs.WAITING)
        made.hire("w3", done, msgspec.structs.replace(QUICK))
        await made.until("a", runs.DONE)
        stuck.set()
        async with asyncio.timeout(5):
            await lost.wait()
        assert deaf is made.workers[0][0]
        assert made.run("a").crashes == 0 or made.run("a").attempts == 2

    bench(scene)


def test_a_worker_that_ends_finishes_its_step_and_gives_the_run_back(bench: Any) -> None:
    """What is under way is kept; the next step does not begin; nobody counts it as a death."""

    async def scene(made: Bench) -> None:
        begun: list[str] = []

        async def perform(hold: Hold) -> Outcome:
            for name in ("one", "two"):
                if name not in hold.steps:
                    async with hold.working():
                        begun.append(name)
                        await asyncio.sleep(0.2)
                        await hold.keep_step(name, b"")
            return Done()

        made.put("a")
        worker = made.hire("w1", perform)
        while not begun:
            await asyncio.sleep(0.01)
        worker.end()
        await asyncio.gather(*(task for _, task in made.workers))
        assert begun == ["one"]
        given_back = made.run("a")
        assert (given_back.state, given_back.crashes, given_back.owner) == (runs.WAITING, 0, "")
        made.hire("w2", perform)
        await made.until("a", runs.DONE)
        assert begun == ["one", "two"]

    bench(scene)


def test_a_stop_is_heard(bench: Any) -> None:
    """By the body, which ends the job in its own way."""

    async def scene(made: Bench) -> None:
        async def perform(hold: Hold) -> Outcome:
            await hold.stop_asked.wait()
            return Done()

        made.put("a")
        made.hire("w1", perform)
        await made.until("a", runs.RUNNING)
        made.do(lambda c: runs.ask_stop(c, "a"))
        await made.until("a", runs.DONE)

    bench(scene)


def test_a_deleted_run_is_let_go(bench: Any) -> None:
    """Its body is cancelled, and the worker goes on with others."""

    async def scene(made: Bench) -> None:
        cancelled = asyncio.Event()

        async def perform(hold: Hold) -> Outcome:
            if hold.arn == "b":
                return Done()
            try:
                await asyncio.sleep(60)
            finally:
                cancelled.set()
            return Done()

        made.put("a")
        made.hire("w1", perform)
        await made.until("a", runs.RUNNING)
        made.do(lambda c: runs.forget(c, "a"))
        async with asyncio.timeout(5):
            await cancelled.wait()
        made.put("b")
        await made.until("b", runs.DONE)

    bench(scene)


def test_a_worker_survives_a_reset(bench: Any) -> None:
    """It signs in anew and does what comes then."""

    async def scene(made: Bench) -> None:
        async def perform(hold: Hold) -> Outcome:
            if hold.arn == "a":
                await asyncio.sleep(60)
            return Done()

        made.put("a")
        made.hire("w1", perform)
        await made.until("a", runs.RUNNING)
        made.store.reset()
        await asyncio.sleep(0.2)
        made.put("b")
        await made.until("b", runs.DONE)
        assert set(made.store.run(lease.beats)) == {"w1.1"}

    bench(scene)


def test_room_is_kept_by_kind(bench: Any) -> None:
    """No more of a kind at once than there is room for."""

    async def scene(made: Bench) -> None:
        now_running, most = 0, 0

        async def perform(hold: Hold) -> Outcome:
            nonlocal now_running, most
            now_running += 1
            most = max(most, now_running)
            await asyncio.sleep(0.05)
            now_running -= 1
            return Done()

        names = [f"r{number}" for number in range(7)]
        made.put(*names)
        made.hire("w1", perform)
        for name in names:
            await made.until(name, runs.DONE)
        assert most == 3

    bench(scene)


def test_appointments_are_kept_by_one_of_all_workers(bench: Any) -> None:
    """Once in a period, and a worker that has nothing else leaves soon."""

    async def scene(made: Bench) -> None:
        kept: list[str] = []

        async def perform(hold: Hold) -> Outcome:
            kept.append(hold.arn)
            return Done(back_in_s=600)

        terms = msgspec.structs.replace(
            QUICK, room={runs.SCHEDULED: 2}, calendar=(Appointment("sweep", 600, ()),), idle_s=30, idle_scheduled_s=0.3
        )
        for number in range(3):
            made.hire(f"w{number}", perform, terms)
        async with asyncio.timeout(8):
            await asyncio.gather(*(task for _, task in made.workers))
        assert kept == ["craton:scheduled:sweep"]

    bench(scene)


def test_an_idle_worker_leaves(bench: Any) -> None:
    """But not while somebody else has a run, for that one may die."""

    async def scene(made: Bench) -> None:
        release = asyncio.Event()

        async def slow(hold: Hold) -> Outcome:
            await release.wait()
            return Done()

        made.put("a")
        made.hire("w1", slow)
        await made.until("a", runs.RUNNING)
        made.hire("w2", done, msgspec.structs.replace(QUICK, idle_s=0.2, idle_scheduled_s=0.2))
        await asyncio.sleep(0.6)
        assert not made.workers[1][1].done()
        release.set()
        async with asyncio.timeout(5):
            await made.workers[1][1]

    bench(scene)
