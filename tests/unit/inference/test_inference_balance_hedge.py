"""Hedging: a second ask beside a slow first one; the first good answer counts and nothing else is left over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from craton.aws.wire.faults import Fault, unavailable
from craton.features.inference import balance
from craton.features.inference.routing.routes import Target
from tests.unit.inference.balancing import Asked, route, run, target


def pair(hedge_s: float = 0.01) -> tuple[Target, Target, balance.Route]:
    first, second = target("a"), target("b", fallback=True)
    return first, second, route(first, second, hedge_s=hedge_s)


def test_off_by_default() -> None:
    """A slow target is waited for."""
    asked = Asked()
    asked.slow["a"] = 0.05
    assert run(balance.first_answer(route(target("a"), target("b", fallback=True)), asked)) == "a"
    assert asked.names == ["a"]


def test_a_slow_target_is_overtaken() -> None:
    """The loser is given up and counted so."""
    first, second, both = pair()
    asked = Asked()
    asked.slow["a"] = 5.0
    assert run(balance.first_answer(both, asked)) == "b"
    assert (first.state.left, first.state.outstanding, second.state.answered) == (1, 0, 1)


def test_a_quick_target_is_alone() -> None:
    """Nobody else is troubled."""
    _, _, both = pair(hedge_s=1.0)
    asked = Asked()
    assert run(balance.first_answer(both, asked)) == "a"
    assert asked.names == ["a"]


def test_the_first_may_still_win() -> None:
    """When the second one fails, or is slower yet."""
    _, _, both = pair()
    asked = Asked(b=unavailable())
    asked.slow["a"] = 0.05
    assert run(balance.first_answer(both, asked)) == "a"


def test_both_failing_is_one_failure() -> None:
    """Neither is asked again in this turn."""
    _, _, both = pair()
    asked = Asked(a=unavailable(), b=unavailable())
    asked.slow["a"] = asked.slow["b"] = 0.03
    with pytest.raises(Fault):
        run(balance.first_answer(both, asked))
    assert asked.names == ["a", "b"]


def test_a_caller_who_leaves_ends_both() -> None:
    """Nothing goes on for nobody."""
    first, second, both = pair()

    async def scene() -> None:
        asked = Asked()
        asked.slow["a"] = asked.slow["b"] = 5.0
        task = asyncio.create_task(balance.first_answer(both, asked))
        await asyncio.sleep(0.05)
        assert asked.names == ["a", "b"]
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(scene())
    assert (first.state.outstanding, second.state.outstanding) == (0, 0)


def test_a_stream_that_comes_too_late_is_closed() -> None:
    """Two begin at one moment: one is read, the other ended and freed."""
    first, second, both = pair()
    closed: list[str] = []

    async def stream(given: Target) -> AsyncGenerator[list[str]]:
        try:
            await asyncio.sleep(0.03 if given.model == "a" else 0.02)
            yield [given.model]
            await asyncio.sleep(5)
        finally:
            closed.append(given.model)

    begun: list[str] = []

    async def scene() -> None:
        opened = await balance.first_stream(both, lambda given: (stream(given), lambda: begun.append(given.model)))
        opened.begun()
        winner = (await opened.__anext__())[0]
        assert begun == [winner]
        assert first.state.outstanding + second.state.outstanding == 1
        await opened.aclose()

    asyncio.run(scene())
    assert sorted(closed) == ["a", "b"]
    assert first.state.outstanding + second.state.outstanding == 0
