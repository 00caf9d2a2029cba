"""A deployment's line: who gets a seat, who waits, in which order, and who is sent away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

import pytest

from craton.aws.wire.faults import Fault, model_not_ready
from craton.features.inference.replicas.line import UNTOLD_SLOTS, Line
from craton.models.catalog.hosted import Placement, Seat
from craton.models.providers.ranks import RANKS
from craton.models.providers.seats import Terms

BODY = b'{"messages":[]}'
PLAIN = Terms()


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(main())


def line(*seats: Seat, queue: int = 64, workers: int = 1, brought: list[Line] | None = None) -> Line:
    """A line whose seats are there; the connections to them are never used here."""
    made = Line("m", (brought if brought is not None else []).append, lambda _: None, workers, Random(1))  # type: ignore[arg-type,return-value]
    if seats:
        made.take_up(placed(*seats, queue=queue))
    return made


def placed(*seats: Seat, queue: int = 64) -> Placement:
    return Placement(deployment="m", standing="ready", seats=list(seats), queue=queue)


def seat(name: str, slots: int = 4, *adapters: str) -> Seat:
    return Seat(name, f"unix:/{name}", slots, list(adapters))


async def waits(made: Line, terms: Terms = PLAIN, within_s: float = 60.0) -> Any:
    """A seat, taken or waited for."""
    taken = made.take(10, BODY, terms)
    return taken or await made.wait(10, BODY, terms, asyncio.get_running_loop().time() + within_s)


async def begun(*coroutines: Coroutine[Any, Any, Any]) -> list[asyncio.Task[Any]]:
    """Tasks that have come as far as they can."""
    tasks = [asyncio.create_task(each) for each in coroutines]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


def test_the_least_work_gets_the_request() -> None:
    """Of three replicas each gets as many of equal requests."""
    made = line(seat("a", 90), seat("b", 90), seat("c", 90))
    for _ in range(90):
        assert made.take(10, BODY, PLAIN) is not None
    assert [(one.requests, one.tokens) for one in made.seats] == [(30, 300)] * 3


def test_a_seat_holds_what_it_computes_and_of_few_one_more() -> None:
    """Four slots take five requests and sixteen sixteen; who says nothing of slots has many."""
    made = line(seat("a", 4))
    assert [made.take(10, BODY, PLAIN) is not None for _ in range(7)] == [True] * 5 + [False] * 2
    untold = line(seat("a", 0))
    assert untold.seats[0].slots == UNTOLD_SLOTS
    assert line(seat("a", 16)).seats[0].slots == 16


def test_who_waits_comes_by_tier_and_then_in_turn() -> None:
    """Reserved before priority before default before flex; the first of a tier first."""

    async def main() -> None:
        made, order = line(seat("a", 1)), list[str]()
        held = [made.take(10, BODY, PLAIN) for _ in range(2)]

        async def one(name: str, tier: str) -> None:
            taken = await waits(made, Terms(rank=RANKS[tier]))
            order.append(name)
            taken.leave(10)

        names = [("f", "flex"), ("d1", "default"), ("p", "priority"), ("r", "reserved"), ("d2", "default")]
        tasks = await begun(*(one(*each) for each in names))
        assert made.waiting == 5
        for each in held:
            each.leave(10)  # type: ignore[union-attr]
        await asyncio.gather(*tasks)
        assert order == ["r", "p", "d1", "d2", "f"]
        assert (made.waiting, made.seats[0].requests, made.seats[0].tokens) == (0, 0, 0)

    run(main)


def test_a_full_line_throttles_and_says_when_to_come_again() -> None:
    """Past the bound it is ThrottlingException with a time; a better tier takes the place of the last of a lesser."""

    async def main() -> None:
        made = line(seat("a", 1), queue=2)
        while made.take(10, BODY, PLAIN):
            pass
        waiting = await begun(*(waits(made, Terms(rank=RANKS["flex"])) for _ in range(2)))
        with pytest.raises(Fault) as refused:
            await waits(made, Terms(rank=RANKS["flex"]))
        assert (refused.value.name, refused.value.retry_after_s) == ("ThrottlingException", 1.0)
        better = await begun(waits(made, Terms(rank=RANKS["priority"])))
        assert waiting[1].done()
        assert not waiting[0].done()
        with pytest.raises(Fault, match="Too many requests"):
            await waiting[1]
        assert made.refused == 2
        made.seats[0].leave(10)
        await better[0]
        waiting[0].cancel()

    run(main)


def test_who_leaves_the_line_leaves_nothing_behind() -> None:
    """A caller who goes while he waits, and one who goes in the moment in which he is let in."""

    async def main() -> None:
        made = line(seat("a", 1))
        while made.take(10, BODY, PLAIN):
            pass
        first, second, third = await begun(*(waits(made) for _ in range(3)))
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert made.waiting == 2
        made.seats[0].leave(10)  # lets the second in, who does not know yet
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        assert (await third) is made.seats[0]
        assert (made.waiting, made.seats[0].requests) == (0, 2)

    run(main)


def test_a_cold_deployment_is_started_and_waited_for() -> None:
    """Without a replica the supervisor is asked, and whoever waits gets the seat that comes."""

    async def main() -> None:
        brought: list[Line] = []
        made = line(brought=brought)
        tasks = await begun(*(waits(made) for _ in range(3)))
        assert set(brought) == {made}
        made.take_up(placed(seat("a")))
        assert await asyncio.gather(*tasks) == [made.seats[0]] * 3

    run(main)


def test_cold_for_too_long_is_not_ready() -> None:
    """After the time that a hosted model's caller waits it is ModelNotReadyException, with a time to wait."""

    async def main() -> None:
        made = line()
        with pytest.raises(Fault) as raised:
            await waits(made, Terms(waits_s=0.01))
        assert (raised.value.name, raised.value.retry_after_s, made.waiting) == ("ModelNotReadyException", 1.0, 0)

    run(main)


def test_a_start_that_fails_tells_those_who_wait() -> None:
    """Each gets the supervisor's fault; those who have seats do not notice."""

    async def main() -> None:
        made = line()
        tasks = await begun(*(waits(made) for _ in range(2)))
        made.fail(model_not_ready(retry_after_s=7.0))
        for each in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(each, Fault)
            assert (each.name, each.retry_after_s) == ("ModelNotReadyException", 7.0)

    run(main)


def test_nobody_in_line_is_lost_with_a_replica() -> None:
    """The only replica dies: those in line wait for the next one, past the time for a cold start."""

    async def main() -> None:
        brought: list[Line] = []
        made = line(seat("a", 1), brought=brought)
        while made.take(10, BODY, PLAIN):
            pass
        tasks = await begun(waits(made, Terms(waits_s=0.01)))
        made.seats[0].shun()
        made.seats[0].leave(10)
        await asyncio.sleep(0.03)
        assert brought
        assert not tasks[0].done()
        made.take_up(placed(seat("b")))
        assert (await tasks[0]).id == "b"

    run(main)


def test_a_shunned_seat_gets_nothing_until_the_next_placement() -> None:
    """Requests go to the other one, then to both again."""
    made = line(seat("a", 90), seat("b", 90))
    made.seats[0].shun()
    taken = [made.take(10, BODY, PLAIN) for _ in range(4)]
    assert {one.id for one in taken if one} == {made.seats[1].id}
    made.take_up(placed(seat("a", 90), seat("b", 90)))
    assert made.take(10, BODY, PLAIN) is made.seats[0]


def test_a_seat_that_drains_keeps_its_requests() -> None:
    """What is under way goes on to its end, and nobody new comes."""
    made = line(seat("a"), seat("b"))
    old = made.take(10, BODY, PLAIN)
    assert old is not None
    left = "b" if old.id == "a" else "a"
    made.take_up(placed(seat(left)))
    assert made.former == [old]
    assert {made.take(10, BODY, PLAIN).id for _ in range(3)} == {left}  # type: ignore[union-attr]
    old.leave(10)
    assert old.requests == 0


def test_an_adapter_goes_where_it_is_loaded() -> None:
    """Requests for it wait until a replica has it; others pass them in the line."""

    async def main() -> None:
        made = line(seat("a", 1, "x"), seat("b", 1))
        x = Terms(adapter="x")
        taken = [made.take(10, BODY, x) for _ in range(3)]
        assert [one.id if one else None for one in taken] == ["a", "a", None]
        (tuned,) = await begun(waits(made, x))
        held = [made.take(10, BODY, PLAIN) for _ in range(2)]
        (plain,) = await begun(waits(made))
        held[0].leave(10)  # type: ignore[union-attr]
        assert (await plain).id == "b"
        assert not tuned.done()
        made.take_up(placed(seat("a", 1, "x"), seat("b", 2, "x")))
        assert (await tuned).id == "b"

    run(main)


def test_what_others_have_counts_but_a_share_is_ones_own() -> None:
    """A replica that others fill is full but for this worker's share, by which none starves."""
    made = line(seat("a", 8), seat("b", 8), workers=2)
    made.hear({"a": (10, 5000)})
    assert {made.take(10, BODY, PLAIN).id for _ in range(5)} == {"b"}  # type: ignore[union-attr]
    made.hear({"a": (10, 5000), "b": (10, 5000)})
    assert sum(made.take(10, BODY, PLAIN) is not None for _ in range(20)) == 4
    made.hear({})
    assert made.take(10, BODY, PLAIN) is not None


def test_a_conversation_comes_back_to_its_replica() -> None:
    """What it said before is in that replica's cache; other conversations spread."""
    made = line(*(seat(name, 90) for name in "abcd"))
    long = b"tell me of the sea " * 60

    def body(who: int, turns: int) -> bytes:
        said = b'{"role":"user","content":"%d %b"}' % (who, long)
        return b'{"model":"m","messages":[%b]}' % b",".join([said] + [b'{"role":"assistant","content":"aye"}'] * turns)

    homes = set()
    for who in range(40):
        places = []
        for turn in range(4):
            taken = made.take(500, body(who, turn), PLAIN)
            assert taken is not None
            places.append(taken.id)
            taken.leave(500)
        assert len(set(places)) == 1
        homes.add(places[0])
    assert len(homes) == 4
