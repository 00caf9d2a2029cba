"""The circuit breaker of a target: when it opens, who knocks, and when it closes."""

from __future__ import annotations

import pytest

from craton.aws.wire.faults import Fault, model_not_ready, throttled, unavailable, validation
from craton.features.inference import balance
from craton.features.inference.targets.choice import choose
from craton.features.inference.targets.state import BreakerRules, Standing, TargetState, Ticket
from tests.unit.inference.balancing import Asked, route, run, target

RULES = BreakerRules(failures=3, rate=0.5, least=10, window_s=30, open_s=5, open_max_s=20)


def succeed(state: TargetState) -> None:
    state.answered += 1
    state.consecutive = 0


def fail(state: TargetState, times: int, now: float = 0.0, ticket: Ticket = Ticket.PLAIN) -> None:
    for _ in range(times):
        state.failed_with(unavailable(), ticket, now)


def test_failures_in_a_row_open_it() -> None:
    """A success in between begins the count anew."""
    state = TargetState(RULES)
    fail(state, 2)
    succeed(state)
    fail(state, 2)
    assert state.calm
    fail(state, 1)
    assert state.standing(0.1) is Standing.OPEN


def test_a_rate_of_failures_opens_it() -> None:
    """Every other one fails, never three in a row."""
    state = TargetState(RULES)
    for _ in range(4):
        fail(state, 1)
        succeed(state)
    assert state.calm
    fail(state, 1)
    succeed(state)
    fail(state, 1)
    assert state.standing(0.1) is Standing.OPEN


def test_old_failures_are_forgotten() -> None:
    """A window later a rate begins anew."""
    state = TargetState(RULES)
    for now in range(0, 400, 40):
        fail(state, 1, float(now))
        succeed(state)
    assert state.calm


@pytest.mark.parametrize("fault", [validation("no"), model_not_ready(), Fault("AccessDeniedException", "no")])
def test_the_callers_faults_do_not_open_it(fault: Fault) -> None:
    """Nor do they close it: they tell nothing."""
    state = TargetState(RULES)
    for _ in range(20):
        state.failed_with(fault, Ticket.PLAIN, 0.0)
    assert (state.calm, state.failed, state.refused) == (True, 0, 20)


def test_one_probe_at_a_time_and_success_closes() -> None:
    """After its time one request knocks, the others do not; its answer lets all in again."""
    state = TargetState(RULES)
    fail(state, 3)
    assert state.standing(4.0) is Standing.OPEN
    assert state.standing(6.0) is Standing.DUE
    assert state.begin(6.0) is Ticket.PROBE
    assert (state.standing(6.0), state.begin(6.0)) == (Standing.OPEN, Ticket.LAST_RESORT)
    state.close_breaker()
    assert state.standing(6.0) is Standing.READY


def test_a_failed_probe_doubles_the_time() -> None:
    """Up to the configured most."""
    state, now = TargetState(RULES), 0.0
    fail(state, 3, now)
    times = []
    for _ in range(4):
        times.append(state.open_until - now)
        now = state.open_until
        assert state.begin(now) is Ticket.PROBE
        fail(state, 1, now, Ticket.PROBE)
    for seen, expected in zip(times, (5, 10, 20, 20), strict=True):
        assert expected * 0.9 <= seen <= expected * 1.1


def test_a_probe_that_was_given_up_leaves_its_place() -> None:
    """Its caller went: the next request may knock."""
    state = TargetState(RULES)
    fail(state, 3)
    assert state.begin(6.0) is Ticket.PROBE
    state.dropped(Ticket.PROBE)
    assert state.begin(6.0) is Ticket.PROBE


def test_an_open_target_is_passed_by() -> None:
    """As long as there is another, be it a fallback."""
    ill, well = target("a", RULES), target("b", fallback=True)
    fail(ill.state, 3, now=1e12)
    asked = Asked()
    assert {run(balance.first_answer(route(ill, well), asked)) for _ in range(5)} == {"b"}
    assert set(asked.names) == {"b"}


def test_an_open_target_is_the_last_resort() -> None:
    """Nobody is turned away because of a breaker alone; an answer closes it."""
    ill = target("a", RULES)
    fail(ill.state, 3, now=1e12)
    assert run(balance.first_answer(route(ill), Asked())) == "a"
    assert ill.state.calm


def test_a_request_knocks_at_an_open_target_only_once() -> None:
    """Further turns pass it by, so that an outage is not met with a multiple of the load."""
    ill, other = target("a", RULES), target("b", RULES)
    for one in (ill, other):
        fail(one.state, 3, now=1e12)
    asked = Asked(a=unavailable(), b=unavailable())
    with pytest.raises(Fault):
        run(balance.first_answer(route(ill, other, retries=5), asked))
    assert sorted(asked.names) == ["a", "b"]


def test_the_due_probe_goes_first() -> None:
    """Else a target that is well again would wait for the others to fail."""
    ill, well = target("a", RULES, weight=1), target("b", weight=1000)
    fail(ill.state, 3, now=0.0)
    assert choose([ill, well], 100.0) is ill
    ill.state.begin(100.0)
    assert choose([ill, well], 100.0) is well


def test_rest_is_not_ended_by_an_older_answer() -> None:
    """What was asked before the upstream said "wait" may still be answered."""
    state = TargetState(RULES)
    state.failed_with(throttled(retry_after_s=9.0), Ticket.PLAIN, 0.0)
    succeed(state)
    assert state.standing(5.0) is Standing.RESTING
    assert state.standing(9.5) is Standing.READY


def test_waits_can_be_ignored() -> None:
    """`heed_retry_after = false`."""
    state = TargetState(BreakerRules(heed_waits=False))
    state.failed_with(throttled(retry_after_s=9.0), Ticket.PLAIN, 0.0)
    assert state.calm


def test_no_failures_means_no_breaker() -> None:
    """`breaker_failures = 0` turns it off."""
    state = TargetState(BreakerRules(failures=0))
    fail(state, 500)
    assert state.calm
