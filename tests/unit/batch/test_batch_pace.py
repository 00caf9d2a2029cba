"""How hard a batch presses its model: simulated on a clock that nobody has to wait for."""

from __future__ import annotations

import asyncio
import heapq

import pytest

from craton.features.batch.pace import Pace, Verdict, Window


def simulated(window: Window, calls: int, serve: float, slots: int, *, others: int = 0, refuse_over: int = 0) -> float:
    """`calls` on a model with so many slots of `serve` seconds each, first come first served; seconds it took.

    `others` calls of other people are always in line too. Over `refuse_over` at once, the model throttles.
    """
    now, under_way, done = 0.0, 0, 0
    free = [0.0] * slots
    events: list[tuple[float, float, Verdict]] = []
    while done < calls:
        while under_way < int(window.limit):
            under_way += 1
            if refuse_over and under_way > refuse_over:
                heapq.heappush(events, (now + 0.001, now, "throttled"))
                continue
            for _ in range(1 + (others // max(1, int(window.limit)) if others else 0)):
                begin = max(now, heapq.heappop(free))
                heapq.heappush(free, begin + serve)
            heapq.heappush(events, (begin + serve, now, "answered"))
        now, began, verdict = heapq.heappop(events)
        under_way -= 1
        done += verdict == "answered"
        window.note(began, now, verdict)
    return now


def test_it_soon_uses_all_that_helps() -> None:
    """Where calls do not hinder each other, the limit is reached within a few rounds."""
    window = Window(64)
    taken_s = simulated(window, 6400, 0.1, 1000)
    assert window.limit == 64
    assert taken_s < 1.1 * 6400 / 64 * 0.1


def test_it_fills_a_small_model_without_a_long_line() -> None:
    """With eight slots it keeps eight busy, and does not put sixty in line."""
    window = Window(64)
    taken_s = simulated(window, 8000, 0.5, 8)
    assert taken_s < 1.1 * 8000 / 8 * 0.5
    assert window.limit < 40


def test_it_yields_when_others_come() -> None:
    """As answers slow down because of others, the batch takes less."""
    window = Window(32)
    simulated(window, 2000, 0.5, 40)
    assert window.limit == 32
    simulated(window, 2000, 0.5, 40, others=400)
    assert window.limit < 20


def test_throttling_halves_once_a_round() -> None:
    """A storm of refusals of calls that went out together is one message, not sixty."""
    window = Window(64)
    simulated(window, 2000, 0.05, 1000)
    assert window.limit == 64
    for _ in range(30):
        window.note(1000.0, 1001.0, "throttled")
    assert window.limit == 32
    window.note(1002.0, 1003.0, "throttled")
    assert window.limit == 16


def test_it_finds_its_place_under_a_limit() -> None:
    """A model that throttles over twenty at once is kept busy, and refuses few."""
    window = Window(64)
    taken_s = simulated(window, 5000, 0.05, 1000, refuse_over=20)
    assert taken_s < 1.6 * 5000 / 20 * 0.05
    assert 1 <= window.limit <= 40


def test_never_below_one() -> None:
    """However often it is refused, one call at a time goes on."""
    window = Window(64)
    for at in range(50):
        window.note(float(at), at + 0.5, "throttled")
    assert window.limit == 1


def test_pace_lets_in_as_many_as_the_window_says() -> None:
    """No more are inside than the limit; whoever was first in line is first inside; one who left the line is skipped."""

    async def story() -> None:
        pace = Pace(2, lambda: 0.0)
        first, _ = await pace.enter(), await pace.enter()
        order: list[str] = []

        async def come(name: str) -> None:
            await pace.enter()
            order.append(name)

        waiting = [asyncio.create_task(come(name)) for name in "abc"]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
        assert not order
        pace.leave(first)
        pace.leave(first, None)
        await asyncio.gather(*waiting[1:])
        assert order == ["b", "c"]
        assert pace.inside == 2

    asyncio.run(story())


def test_one_cancelled_as_it_was_let_in_gives_the_place_on() -> None:
    """A place is not lost with whoever was called in and cancelled in the same moment."""

    async def story() -> None:
        pace = Pace(1, lambda: 0.0)
        began = await pace.enter()
        unlucky, next_one = asyncio.create_task(pace.enter()), asyncio.create_task(pace.enter())
        await asyncio.sleep(0)
        pace.leave(began)
        unlucky.cancel()
        with pytest.raises(asyncio.CancelledError):
            await unlucky
        async with asyncio.timeout(2):
            await next_one
        assert pace.inside == 1

    asyncio.run(story())
