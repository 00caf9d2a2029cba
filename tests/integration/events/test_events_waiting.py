"""Runs that sleep for long, as those of schedules do: taken when they are due, not before, and at once when woken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from craton.infra.jobs import lease, rows, runs
from craton.infra.store.port import Store

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ARN = "arn:aws:events:us-east-1:000000000000:rule/r"
KIND = "events-schedule"
DAY_S = 86_400.0


def claimed(store: Store, at: datetime) -> int:
    with store.transaction() as transaction:
        return len(transaction.run(lambda c: lease.claim(c, "w", {KIND: 9}, {KIND: (1,)}, ("here",), at)))


def put_down(store: Store, *, woken: bool = False) -> None:
    """A run that was taken and put back for a day; asked for once more meanwhile if `woken`."""
    with store.transaction() as transaction:
        transaction.run(lambda c: runs.enqueue(c, ARN, KIND, NOW))
    assert claimed(store, NOW) == 1
    with store.transaction() as transaction:
        if woken:
            transaction.run(lambda c: runs.enqueue(c, ARN, KIND, NOW))
        due = NOW + timedelta(seconds=DAY_S)
        transaction.run(lambda c: lease.put_back(c, ARN, "w", due, error="later", counts=False, wait_s=DAY_S))


def test_a_run_may_sleep_for_a_day(store: Store) -> None:
    """It is not taken for one that a clock put off, and no worker is needed before it is due."""
    put_down(store)
    assert claimed(store, NOW + timedelta(hours=1)) == 0
    assert store.run(lambda c: rows.needed_in(c, NOW, ("here",), ())) == DAY_S
    assert claimed(store, NOW + timedelta(seconds=DAY_S)) == 1


def test_a_run_that_was_woken_does_not_sleep(store: Store) -> None:
    """What changed while the run was under way is looked at before it sleeps."""
    put_down(store, woken=True)
    assert claimed(store, NOW) == 1


def test_a_clock_that_went_back_does_not_keep_a_run_asleep(store: Store) -> None:
    """One that seems to be due far later than it was put off for is due."""
    put_down(store)
    assert claimed(store, NOW - timedelta(days=30)) == 1
