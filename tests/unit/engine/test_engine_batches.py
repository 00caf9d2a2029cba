"""Which texts are computed together, and whose turn it is."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from craton.engine.backend import EngineFault
from craton.engine.embeddings.batches import BATCH_TOKENS, FILLED, Batches, choose
from craton.engine.embeddings.beside import FIRST_TEXTS, NICE, Beside, Yielding
from craton.engine.embeddings.session import Results
from craton.engine.embeddings.tokens import Row

LIMIT_S = 20


def row(length: int, mark: int = 1) -> Row:
    return Row([mark] * length, [0] * length)


class Model:
    """Answers each row with its mark and its length; waits at a gate if there is one; keeps what it was given."""

    def __init__(self, gate: threading.Semaphore | None = None, fault: Exception | None = None) -> None:
        self.gate, self.fault = gate, fault
        self.batches: list[list[tuple[int, int]]] = []

    def __call__(self, rows: Sequence[Row]) -> Results:
        if self.gate is not None:
            assert self.gate.acquire(timeout=LIMIT_S)
        self.batches.append([(each.ids[0], len(each.ids)) for each in rows])
        if self.fault is not None:
            raise self.fault
        return np.array(self.batches[-1], np.float32)


class Never:
    def run(self, rows: Sequence[Row]) -> Results:
        raise AssertionError(rows)


def driven(model: Model, act: Callable[[Batches], object], lanes: int = 1) -> object:
    async def run() -> object:
        batches = Batches(model, 2, 1, asyncio.get_running_loop(), lanes=lanes)
        batches.start()
        try:
            async with asyncio.timeout(LIMIT_S):
                return await act(batches)  # type: ignore[misc]
        finally:
            if model.gate is not None:
                model.gate.release(1000)
            await asyncio.to_thread(batches.stop, LIMIT_S)

    return asyncio.run(run())


def test_results_come_in_the_order_of_the_texts() -> None:
    """Whatever was computed with what."""
    model = Model()
    lengths = [9, 200, 3, 50, 9, 400, 1, 48]

    async def act(batches: Batches) -> Results:
        return await batches.submit([row(length, mark) for mark, length in enumerate(lengths)])

    found = driven(model, act)
    assert isinstance(found, np.ndarray)
    assert found.tolist() == [[mark, length] for mark, length in enumerate(lengths)]
    assert sum(len(each) for each in model.batches) == len(lengths)


def test_a_short_request_passes_a_long_one() -> None:
    """One text that comes behind a thousand is in the very next batch."""
    model = Model(threading.Semaphore(0))

    async def act(batches: Batches) -> None:
        many = batches.submit([row(20)] * 1000)
        while not batches.look().step_s:
            await asyncio.sleep(0.001)
        one = batches.submit([row(20, 2)])
        assert model.gate is not None
        model.gate.release(3)
        await one
        assert not many.done()
        model.gate.release(1000)
        await many

    driven(model, act)
    assert any(mark == 2 for each in model.batches[:3] for mark, _ in each)


def test_what_nobody_waits_for_comes_last() -> None:
    """Of two requests the one that came later is computed first, if somebody waits for it alone."""
    model = Model(threading.Semaphore(0))

    async def act(batches: Batches) -> None:
        first = batches.submit([row(300)])
        while not batches.look().step_s:
            await asyncio.sleep(0.001)
        found = [batches.submit([row(20, 2)] * 50, unhurried=True), batches.submit([row(200, 3)] * 5)]
        assert model.gate is not None
        model.gate.release(1000)
        await asyncio.gather(first, *found)

    driven(model, act)
    marks = [each[0][0] for each in model.batches[1:]]
    assert marks == sorted(marks, reverse=True)


def test_a_session_beside_gives_way_and_is_let_go() -> None:
    """It is opened by the thread that computes with it, at a lower priority, once; after a rest another is opened."""
    seen: list[tuple[int, int]] = []

    class Other:
        def run(self, rows: Sequence[Row]) -> Results:
            return np.zeros((len(rows), 2), np.float32)

    def opening() -> Other:
        seen.append((threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, threading.get_native_id())))
        return Other()

    own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    yielding = Yielding(opening, Other())
    worker = threading.Thread(target=lambda: [yielding([row(3)]), yielding([row(3)])])
    worker.start()
    worker.join(LIMIT_S)
    assert len(seen) == 1
    assert seen[0][1] >= NICE
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == own
    yielding.let_go()
    worker = threading.Thread(target=lambda: yielding([row(3)]))
    worker.start()
    worker.join(LIMIT_S)
    assert len(seen) == 2


def test_without_room_for_another_session_the_one_in_front_computes() -> None:
    """A model that cannot be opened twice fails nobody."""

    class Front:
        def run(self, rows: Sequence[Row]) -> Results:
            return np.ones((len(rows), 2), np.float32)

    def opening() -> Front:
        raise EngineFault("no memory")

    found: list[Results] = []
    worker = threading.Thread(target=lambda: found.append(Yielding(opening, Front())([row(3)])))
    worker.start()
    worker.join(LIMIT_S)
    assert found[0].tolist() == [[1.0, 1.0]]


def test_few_texts_are_no_reason_for_a_session_beside() -> None:
    """The first of them are computed in front; when there are many, those behind are not."""

    async def act(_: Batches) -> list[bool]:
        beside = Beside(Yielding(Never, Never()), 2, 1, asyncio.get_running_loop())
        return [beside.takes(FIRST_TEXTS), beside.takes(1)]

    assert driven(Model(), act) == [False, True]


def test_lanes_compute_at_once_and_nothing_twice() -> None:
    """Each has a batch of its own, also of one request; every text comes back in its place."""
    together, met = threading.Barrier(3), set[int]()

    class Meeting(Model):
        def __call__(self, rows: Sequence[Row]) -> Results:
            if threading.get_ident() not in met:
                met.add(threading.get_ident())
                together.wait(LIMIT_S)
            return super().__call__(rows)

    model = Meeting()

    async def act(batches: Batches) -> list[list[list[float]]]:
        asked = [batches.submit([row(250, 100 * job + mark) for mark in range(20)]) for job in range(3)]
        return [found.tolist() for found in await asyncio.gather(*asked)]

    found = driven(model, act, lanes=3)
    assert found == [[[100 * job + mark, 250] for mark in range(20)] for job in range(3)]
    assert sorted(mark for each in model.batches for mark, _ in each) == [
        100 * job + mark for job in range(3) for mark in range(20)
    ]


def test_a_lane_that_fails_is_there_for_the_next() -> None:
    """What it computed is refused; the same lanes compute what comes then."""
    model = Model(fault=RuntimeError())

    async def act(batches: Batches) -> tuple[list[str], list[int]]:
        first = [batches.submit([row(250)]) for _ in range(2)]
        said = [str(found) for found in await asyncio.gather(*first, return_exceptions=True)]
        model.fault = None
        return said, [len(found) for found in await asyncio.gather(*[batches.submit([row(250)] * 4) for _ in range(2)])]

    assert driven(model, act, lanes=2) == (["the model runtime failed"] * 2, [4, 4])


def test_a_request_that_left_is_not_computed() -> None:
    """Its texts leave the queue; those behind it are computed."""
    model = Model(threading.Semaphore(0))

    async def act(batches: Batches) -> None:
        first = batches.submit([row(300)])
        gone = batches.submit([row(20, 3)] * 50)
        kept = batches.submit([row(20, 4)])
        gone.cancel()
        assert model.gate is not None
        model.gate.release(1000)
        await first
        await kept
        assert batches.look().waiting == 0

    driven(model, act)
    assert not any(mark == 3 for each in model.batches for mark, _ in each)


def test_a_failing_model_is_told_and_breaks_at_the_third_time() -> None:
    """Each request gets the fault without its text; health says broken after three in a row."""
    model = Model(fault=RuntimeError("secret"))

    async def act(batches: Batches) -> None:
        for expected in ("ready", "ready", "broken"):
            with pytest.raises(EngineFault, match="^the model runtime failed$"):
                await batches.submit([row(3)])
            assert batches.look().state == expected

    driven(model, act)


def test_stopping_refuses_what_waits() -> None:
    """Nobody waits for ever."""
    model = Model(threading.Semaphore(0))

    async def act(batches: Batches) -> None:
        waiting = [batches.submit([row(300)]), batches.submit([row(300)])]
        stopping = asyncio.create_task(asyncio.to_thread(batches.stop, LIMIT_S))
        await asyncio.sleep(0.01)
        assert model.gate is not None
        model.gate.release(1)
        await stopping
        told = await asyncio.gather(*waiting, return_exceptions=True)
        assert any(isinstance(each, EngineFault) for each in told)

    driven(model, act)


@given(st.lists(st.integers(1, 600), min_size=1, max_size=80), st.data())
def test_a_batch_is_full_of_its_like(lengths: list[int], data: st.DataObject) -> None:
    """It holds the text that is due, keeps the budget, wastes little on padding, and is never empty."""
    lengths.sort()
    anchor = data.draw(st.integers(0, len(lengths) - 1))
    low, high = choose(lengths, anchor, BATCH_TOKENS)
    assert low <= anchor < high
    batch = lengths[low:high]
    assert len(batch) == 1 or len(batch) * batch[-1] <= BATCH_TOKENS
    assert batch[0] >= batch[-1] * FILLED
