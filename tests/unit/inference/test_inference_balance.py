"""Who is asked, who is asked next, and when nobody is asked any more."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest

from craton.aws.wire.faults import (
    Fault,
    model_error,
    model_not_ready,
    model_timeout,
    throttled,
    unavailable,
    validation,
)
from craton.features.inference import balance
from craton.features.inference.routing.routes import Target
from craton.features.inference.targets.choice import choose
from tests.unit.inference.balancing import Asked, route, run, target


def test_weights_decide_among_idle_targets() -> None:
    """Nine to one over many draws, and a fallback never first."""
    three = [target("a", weight=9), target("b", weight=1), target("c", fallback=True)]
    firsts = Counter(found.model for _ in range(2000) if (found := choose(three, 0.0)))
    assert 0.85 < firsts["a"] / 2000 < 0.95
    assert firsts["c"] == 0


def test_the_busier_of_two_is_not_taken() -> None:
    """Of two drawn, the one with less to do for its weight goes first."""
    heavy, light = target("a", weight=4), target("b", weight=1)
    heavy.state.outstanding, light.state.outstanding = 4, 2
    assert {choose([heavy, light], 0.0).model for _ in range(50)} == {"a"}
    heavy.state.outstanding = 12
    assert {choose([heavy, light], 0.0).model for _ in range(50)} == {"b"}


def test_a_weight_of_nothing_is_never_asked() -> None:
    """It takes a target out, even when all others failed."""
    asked = Asked(a=unavailable())
    with pytest.raises(Fault, match="ServiceUnavailable"):
        run(balance.first_answer(route(target("a"), target("b", weight=0)), asked))
    assert asked.names == ["a"]


@pytest.mark.parametrize("fault", [throttled(), model_error(), unavailable(), model_timeout(), model_not_ready()])
def test_the_next_target_is_tried_after_an_upstreams_fault(fault: Fault) -> None:
    """Throttling, unavailability, timeouts and model errors may be one upstream's own."""
    asked = Asked(a=fault)
    assert run(balance.first_answer(route(target("a"), target("b", fallback=True)), asked)) == "b"
    assert asked.names == ["a", "b"]


def test_the_callers_own_fault_is_not_tried_again() -> None:
    """A request that is wrong is wrong everywhere."""
    asked = Asked(a=validation("no"))
    with pytest.raises(Fault, match="no"):
        run(balance.first_answer(route(target("a"), target("b", fallback=True), retries=3), asked))
    assert asked.names == ["a"]


def test_fallbacks_come_in_the_order_in_which_they_stand() -> None:
    """Each only after those before it failed."""
    asked = Asked(a=unavailable(), b=unavailable())
    targets = target("a"), target("b", fallback=True), target("c", fallback=True)
    assert run(balance.first_answer(route(*targets), asked)) == "c"
    assert asked.names == ["a", "b", "c"]


def test_all_are_asked_again_as_often_as_configured() -> None:
    """Another turn after a pause, the last fault when all is spent."""
    asked = Asked(a=unavailable(), b=throttled())
    with pytest.raises(Fault, match="Throttling"):
        run(balance.first_answer(route(target("a"), target("b", fallback=True), retries=2), asked))
    assert asked.names == ["a", "b"] * 3


def test_a_sole_target_is_asked_again_only_where_it_is_configured() -> None:
    """SDKs try again by themselves; a gateway that did it too would multiply."""
    once, thrice = Asked(a=[unavailable()] * 2), Asked(a=[unavailable()] * 2)
    with pytest.raises(Fault):
        run(balance.first_answer(route(target("a")), once))
    assert run(balance.first_answer(route(target("a"), retries=2), thrice)) == "a"
    assert (len(once.names), len(thrice.names)) == (1, 3)


def test_a_wrong_key_is_not_tried_twice() -> None:
    """What the operator must mend does not mend itself within a request."""
    asked = Asked(a=model_error(original_status=401), b=unavailable())
    with pytest.raises(Fault):
        run(balance.first_answer(route(target("a"), target("b", fallback=True), retries=1), asked))
    assert asked.names == ["a", "b", "b"]


def test_no_try_begins_after_the_deadline() -> None:
    """The route's deadline counts from the request's start and bounds all tries together."""
    asked = Asked(a=unavailable(), b=unavailable())
    asked.slow = {"a": 0.03, "b": 0.03}
    pair = route(target("a"), target("b"), retries=50, deadline_s=5.0)
    for began_s_ago, tries, name in ((4.95, 2, "ServiceUnavailable"), (10.0, 0, "ModelTimeout")):
        call: Any = SimpleNamespace(started_at=monotonic() - began_s_ago, headers={})
        with pytest.raises(Fault, match=name):
            run(balance.first_answer(pair, asked, call))
        assert len(asked.names) <= tries
        asked.names.clear()


def test_an_upstream_that_says_wait_is_left_alone() -> None:
    """The next requests go past it; when it is the only one, they hear how long to wait without its being asked."""
    alone = route(target("a"))
    asked = Asked(a=[throttled(retry_after_s=20.0)])
    with pytest.raises(Fault):
        run(balance.first_answer(alone, asked))
    for _ in range(3):
        with pytest.raises(Fault, match="Too many requests") as caught:
            run(balance.first_answer(alone, asked))
        assert caught.value.name == "ThrottlingException"
        assert 19 < (caught.value.retry_after_s or 0) <= 20
    assert asked.names == ["a"]
    pair = route(*alone.targets, target("b"))
    assert {run(balance.first_answer(pair, asked)) for _ in range(20)} == {"b"}


def test_a_short_wait_is_waited_for() -> None:
    """Where every target asks for a moment and retries are left, the request waits it out."""
    asked = Asked(a=[throttled(retry_after_s=0.03)])
    begun = monotonic()
    assert run(balance.first_answer(route(target("a"), retries=1), asked)) == "a"
    assert monotonic() - begun >= 0.03


def test_what_is_outstanding_is_counted_and_given_back() -> None:
    """Whether an ask answers, fails or is given up."""
    one = target("a")

    async def scene() -> list[int]:
        asked = Asked(a=[unavailable()])
        asked.slow["a"] = 0.01
        seen = []
        for cancels in (False, False, True):
            task = asyncio.create_task(balance.first_answer(route(one), asked))
            await asyncio.sleep(0)
            seen.append(one.state.outstanding)
            if cancels:
                task.cancel()
            await asyncio.wait([task])
            assert task.cancelled() or task.exception() or task.result()
            seen.append(one.state.outstanding)
        return seen

    assert asyncio.run(scene()) == [1, 0, 1, 0, 1, 0]
    assert (one.state.answered, one.state.failed, one.state.left) == (1, 1, 1)


async def _opened(given: Target) -> AsyncGenerator[list[str]]:
    if given.model == "a":
        raise throttled()
    yield [given.model]
    raise unavailable()


def _open(given: Target) -> balance.Opening[str]:
    return _opened(given), int


def test_a_stream_moves_on_only_before_its_first_piece() -> None:
    """After it, the fault belongs to the stream, and to its target's record."""
    first, second = target("a"), target("b", fallback=True)

    async def scene() -> list[str]:
        stream = await balance.first_stream(route(first, second), _open)
        assert second.state.outstanding == 1
        seen = []
        with pytest.raises(Fault, match="ServiceUnavailable"):
            async with stream as pieces:
                async for piece in pieces:
                    seen += piece
        return seen

    assert asyncio.run(scene()) == ["b"]
    assert (second.state.outstanding, second.state.answered, second.state.failed) == (0, 1, 1)


def test_a_stream_that_nobody_reads_frees_its_place() -> None:
    """Its reader left before the first piece was asked for."""
    one = target("b")

    async def scene() -> None:
        stream = await balance.first_stream(route(one), _open)
        assert one.state.outstanding == 1
        del stream

    asyncio.run(scene())
    assert one.state.outstanding == 0
