"""Many records asked at once: order, bounds, and how all comes to a halt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from typing import Any

import pytest

from craton.features.batch.records import Line, Outcome, Place
from craton.workflows.batch import pipeline
from craton.workflows.batch.pipeline import EndOfFile, Item, Pipeline

Ask = Callable[[Line], Awaitable[Outcome]]


def run(story: Coroutine[Any, Any, None]) -> None:
    async def within() -> None:
        async with asyncio.timeout(10):
            await story

    asyncio.run(within())


async def lines(*counts: int, size: int = 10) -> AsyncGenerator[Item]:
    for file, count in enumerate(counts):
        for number in range(1, count + 1):
            yield Line(file, number, number * size, b"x" * size)
        yield EndOfFile(file)


def outcome(line: Line) -> Outcome:
    return Outcome(line.file, line.number, line.end, b"y" * len(line.data), True)


async def at_once(line: Line) -> Outcome:
    return outcome(line)


async def all_of(made: Pipeline, file: int) -> list[int]:
    found = []
    while (one := await made.next(file)) is not None:
        found.append(one.number)
    return found


def piped(
    items: AsyncGenerator[Item], ask: Ask, workers: int = 4, known: dict[Place, Outcome] | None = None
) -> Pipeline:
    kept: list[Outcome] = []
    made = Pipeline(items, ask, workers, known or {}, kept.append)
    made.kept = kept  # type: ignore[attr-defined]
    return made


def test_answers_in_order_over_files() -> None:
    """Whoever answers first, answers come out in the order of the input; empty files end as others do."""

    async def story() -> None:
        async def ask(line: Line) -> Outcome:
            await asyncio.sleep(0.003 * (line.number % 3))
            return outcome(line)

        made = piped(lines(20, 0, 3), ask)
        assert await all_of(made, 0) == list(range(1, 21))
        assert await all_of(made, 1) == []
        assert await all_of(made, 2) == [1, 2, 3]
        assert await made.next(3) is None

    run(story())


def test_known_answers_are_not_asked_for() -> None:
    """What is known is handed out as it is, and not kept again."""

    async def story() -> None:
        asked = []

        async def ask(line: Line) -> Outcome:
            asked.append(line.number)
            return outcome(line)

        known = {(0, number): Outcome(0, number, 0, b"known", True) for number in (2, 4)}
        made = piped(lines(5), ask, known=known)
        assert await all_of(made, 0) == [1, 2, 3, 4, 5]
        assert sorted(asked) == [1, 3, 5]
        assert len(made.kept) == 3  # type: ignore[attr-defined]

    run(story())


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the first record takes its time, others are taken only up to the window, and all go on afterwards."""
    monkeypatch.setattr(pipeline, "WINDOW_BYTES", 2000)

    async def story() -> None:
        gate = asyncio.Event()
        taken = 0

        async def ask(line: Line) -> Outcome:
            nonlocal taken
            taken += 1
            if line.number == 1:
                await gate.wait()
            return outcome(line)

        made = piped(lines(1000, size=100), ask)
        await asyncio.sleep(0.05)
        assert 15 <= taken <= 25
        gate.set()
        assert len(await all_of(made, 0)) == 1000

    run(story())


def test_one_record_larger_than_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records that do not fit the window pass one by one."""
    monkeypatch.setattr(pipeline, "WINDOW_BYTES", 50)

    async def story() -> None:
        assert len(await all_of(piped(lines(9, size=100), at_once), 0)) == 9

    run(story())


def test_halting_keeps_what_is_under_way() -> None:
    """After a halt no record begins, those under way are handed out, and then there is no more of any file."""

    async def story() -> None:
        begun = asyncio.Event()

        async def ask(line: Line) -> Outcome:
            if line.number == 4:
                begun.set()
            await asyncio.sleep(0.05)
            return outcome(line)

        made = piped(lines(50, 5), ask)
        await begun.wait()
        made.halt()
        assert await all_of(made, 0) == [1, 2, 3, 4]
        assert await all_of(made, 1) == []

    run(story())


def test_halting_gives_up_what_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not answered within the grace is left out, what came behind it is not."""
    monkeypatch.setattr(pipeline, "GRACE_S", 0.1)

    async def story() -> None:
        async def ask(line: Line) -> Outcome:
            await asyncio.sleep(60 if line.number == 2 else 0.02)
            return outcome(line)

        made = piped(lines(3), ask)
        await asyncio.sleep(0.01)
        made.halt()
        assert await all_of(made, 0) == [1, 3]

    run(story())


def test_halted_before_it_began_hands_out_what_is_known() -> None:
    """Answers of an earlier worker are handed out even by a line that was halted at once; nothing is asked."""

    async def story() -> None:
        async def ask(_: Line) -> Outcome:
            raise AssertionError

        known = {(0, number): Outcome(0, number, 0, b"known", True) for number in (2, 4)}
        made = piped(lines(9, 9), ask, known=known)
        made.halt()
        assert await all_of(made, 0) == [2, 4]
        assert await all_of(made, 1) == []

    run(story())


def test_an_error_comes_out_where_answers_are_awaited() -> None:
    """What one call raises ends the whole, and nobody waits for ever."""

    async def story() -> None:
        async def ask(line: Line) -> Outcome:
            if line.number == 7:
                raise ValueError("the seventh")
            return outcome(line)

        made = piped(lines(20), ask, workers=2)
        with pytest.raises(ValueError, match="the seventh"):
            await all_of(made, 0)
        await made.close()

    run(story())
