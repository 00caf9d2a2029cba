"""A target's door: so many inside, a line with a bound, the better tier first."""

from __future__ import annotations

import asyncio
from math import inf
from types import SimpleNamespace
from typing import Any

import pytest

from craton.aws.wire.faults import Fault, throttled, unavailable
from craton.features.inference import balance, tiers
from craton.features.inference.targets.gate import Gate
from craton.models.canon.request import ServiceTier
from tests.unit.inference.balancing import Asked, route, target


async def in_line(gate: Gate, ranks: list[int]) -> list[int]:
    """The order in which these are let in, one after the other."""
    await gate.enter(0, inf)
    order: list[int] = []

    async def one(rank: int) -> None:
        await gate.enter(rank, inf)
        order.append(rank)
        gate.leave()

    tasks = [asyncio.create_task(one(rank)) for rank in ranks]
    await asyncio.sleep(0)
    gate.leave()
    await asyncio.gather(*tasks, return_exceptions=True)
    return order


def test_the_better_tier_goes_first() -> None:
    """Reserved, priority, default, flex; within one, as they came."""
    ranks = [tiers.RANKS[name] for name in ("flex", "default", "priority", "flex", "reserved", "default")]
    assert asyncio.run(in_line(Gate(1, 10, 5), ranks)) == [0, 1, 2, 2, 3, 3]


def test_a_full_line_sends_away_the_last_of_a_lesser_tier() -> None:
    """And nobody of the newcomer's own."""
    gate = Gate(1, 2, 5)

    async def scene() -> list[object]:
        await gate.enter(2, inf)
        flex, default = (asyncio.create_task(gate.enter(rank, inf)) for rank in (3, 2))
        await asyncio.sleep(0)
        priority = asyncio.create_task(gate.enter(1, inf))
        await asyncio.sleep(0)
        late = asyncio.create_task(gate.enter(2, inf))
        done, _ = await asyncio.wait([flex, late])
        assert gate.waiting == 2
        gate.leave()
        await priority
        gate.leave()
        await default
        gate.leave()
        return [task.exception() for task in done]

    found = asyncio.run(scene())
    assert all(isinstance(fault, Fault) and fault.name == "ThrottlingException" for fault in found)
    assert gate.inside == 0


def test_waiting_has_an_end() -> None:
    """The queue's own time, or the request's deadline."""

    async def scene() -> Gate:
        gate = Gate(1, 10, 0.01)
        await gate.enter(0, inf)
        with pytest.raises(Fault, match="Too many requests"):
            await gate.enter(0, inf)
        return gate

    gate = asyncio.run(scene())
    assert (gate.waiting, gate.inside) == (0, 1)


def test_who_leaves_the_line_takes_no_place() -> None:
    """Cancelled while waiting, or in the very moment of being let in."""

    async def scene() -> int:
        gate = Gate(1, 10, 5)
        await gate.enter(0, inf)
        waiting, let_in = (asyncio.create_task(gate.enter(0, inf)) for _ in range(2))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        gate.leave()
        let_in.cancel()
        await asyncio.wait([let_in])
        return gate.inside

    assert asyncio.run(scene()) == 0


def test_a_target_takes_no_more_than_it_may() -> None:
    """Forty requests, three at a time, all served."""
    one = target("a", gate=Gate(3, 100, 5))
    most = 0

    async def ask(given: Any) -> int:
        nonlocal most
        most = max(most, given.state.outstanding)
        await asyncio.sleep(0.001)
        return 1

    async def scene() -> int:
        return sum(await asyncio.gather(*(balance.first_answer(route(one), ask) for _ in range(40))))

    assert asyncio.run(scene()) == 40
    assert (most, one.state.outstanding) == (3, 0)


def test_a_full_target_is_passed_by_for_one_with_room() -> None:
    """Who can be served at once does not wait; a fallback is not asked for want of room."""
    full, room, spare = target("a", gate=Gate(1, 5, 5)), target("b"), target("c", fallback=True)

    async def scene() -> set[str]:
        await full.state.gate.enter(0, inf)  # type: ignore[union-attr]
        return {await balance.first_answer(route(full, room, spare), Asked()) for _ in range(20)}

    assert asyncio.run(scene()) == {"b"}


def test_a_line_that_is_too_long_leads_to_the_fallback() -> None:
    """Its refusal is like any other failure of a target."""
    full, spare = target("a", gate=Gate(1, 0, 5)), target("c", fallback=True)

    async def scene() -> str:
        await full.state.gate.enter(0, inf)  # type: ignore[union-attr]
        answer: str = await balance.first_answer(route(full, spare), Asked())
        return answer

    assert asyncio.run(scene()) == "c"


def test_a_failure_frees_the_place() -> None:
    """The next in line comes in."""
    one = target("a", gate=Gate(1, 5, 5))

    async def scene() -> list[object]:
        asked = Asked(a=[unavailable()])
        return await asyncio.gather(
            *(balance.first_answer(route(one), asked) for _ in range(3)), return_exceptions=True
        )

    assert [type(found) for found in asyncio.run(scene())] == [Fault, str, str]


def test_who_waited_does_not_ask_a_target_that_rests_now() -> None:
    """It told another one "come again in 20 seconds" in the meantime; the line empties without its being asked."""
    one = target("a", gate=Gate(1, 5, 5))
    asked = Asked(a=[throttled(retry_after_s=20.0)])
    asked.slow["a"] = 0.01

    async def scene() -> list[object]:
        return await asyncio.gather(
            *(balance.first_answer(route(one), asked) for _ in range(3)), return_exceptions=True
        )

    found = asyncio.run(scene())
    assert [fault.name for fault in found if isinstance(fault, Fault)] == ["ThrottlingException"] * 3
    assert asked.names == ["a"]
    assert (one.state.outstanding, one.state.gate.inside) == (0, 0)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("body", "header", "rank"),
    [
        (None, None, "default"),
        ("priority", None, "priority"),
        (None, b"flex", "flex"),
        (None, b"unheard-of", "default"),
        ("reserved", b"flex", "reserved"),
    ],
)
def test_where_a_request_says_its_tier(body: str | None, header: bytes | None, rank: str) -> None:
    """Converse in the body, InvokeModel in a header."""
    call: Any = SimpleNamespace(headers={b"x-amzn-bedrock-service-tier": header} if header else {})
    tier = ServiceTier(body) if body else None  # type: ignore[arg-type]
    assert tiers.rank(call, tier) == tiers.RANKS[rank]
