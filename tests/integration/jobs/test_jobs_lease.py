"""Who has a run: one worker at a time, whatever clocks say, and nobody writes for a run that is not theirs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest
from sqlalchemy import Connection

from craton.infra.jobs import lease, rows, runs
from craton.infra.jobs.lease import Claimed, LeaseLost
from craton.infra.jobs.runs import Appointment, Progress
from craton.infra.store.port import Resource, Store

T = TypeVar("T")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KIND = "model-invocation-job"
CALENDAR = (Appointment("sweep", 600.0, ("kms-key",)),)


def arn(name: str) -> str:
    return f"arn:aws:bedrock:us-east-1:000000000000:{KIND}/{name}"


def do(store: Store, work: Callable[[Connection], T]) -> T:
    with store.transaction() as transaction:
        return transaction.run(work)


def put(store: Store, *names: str, at: datetime = NOW, place: str = "") -> None:
    for name in names:
        do(store, lambda c, name=name: runs.enqueue(c, arn(name), KIND, at, place=place))


def claim(
    store: Store, owner: str, *, room: int = 9, at: datetime = NOW, formats: tuple[int, ...] = (1,), place: str = "here"
) -> list[Claimed]:
    return do(store, lambda c: lease.claim(c, owner, {KIND: room}, {KIND: formats}, (place,), at))


def sign_in(store: Store, owner: str) -> None:
    do(store, lambda c: lease.sign_in(c, owner, "host", NOW, ()))


def find(store: Store, name: str) -> runs.Run:
    found = store.run(lambda c: runs.find(c, arn(name)))
    assert found is not None
    return found


def test_a_run_is_given_to_one_worker(store: Store) -> None:
    """Those that wait longest go first, and no more than there is room for."""
    put(store, "b", at=NOW)
    put(store, "a", at=NOW - timedelta(seconds=5))
    put(store, "c", at=NOW)
    assert [one.run.arn for one in claim(store, "w1", room=2)] == [arn("a"), arn("b")]
    assert [one.run.arn for one in claim(store, "w2")] == [arn("c")]
    assert claim(store, "w3") == []
    assert (find(store, "a").account, find(store, "a").region) == ("000000000000", "us-east-1")


def test_results_are_kept_and_handed_on(store: Store) -> None:
    """Who takes a run up later gets the steps of whoever had it before."""
    put(store, "a")
    claim(store, "w1")
    do(store, lambda c: lease.keep_step(c, arn("a"), "w1", "one", b"\x01", NOW))
    assert do(store, lambda c: lease.release(c, "w1", NOW, crashed=True)) == 1
    [taken] = claim(store, "w2")
    assert taken.steps == {"one": b"\x01"}
    assert (taken.run.attempts, taken.run.crashes) == (2, 1)


def test_whoever_lost_a_run_writes_nothing(store: Store) -> None:
    """The right to write is asked for in the transaction that writes."""
    put(store, "a")
    claim(store, "w1")
    do(store, lambda c: lease.release(c, "w1", NOW, crashed=True))
    claim(store, "w2")
    for work in (
        lambda c: lease.keep_step(c, arn("a"), "w1", "one", b"", NOW),
        lambda c: lease.put_back(c, arn("a"), "w1", NOW),
        lambda c: lease.end(c, arn("a"), "w1", NOW),
    ):
        with pytest.raises(LeaseLost):
            do(store, work)
    do(store, lambda c: lease.show(c, {arn("a"): Progress(7)}, "w1"))
    assert find(store, "a").progress == ""


def test_a_clock_that_goes_back_holds_nothing_up(store: Store) -> None:
    """A run that was put off is due after its pause, or when the clock has gone back by more than any pause."""
    put(store, "a")
    claim(store, "w1")
    do(store, lambda c: lease.put_back(c, arn("a"), "w1", NOW + timedelta(seconds=30), error="away"))
    assert claim(store, "w1", at=NOW + timedelta(seconds=29)) == []
    assert len(claim(store, "w1", at=NOW - timedelta(hours=5))) == 1
    assert find(store, "a").failures == 1


def test_a_step_makes_up_for_what_failed_before(store: Store) -> None:
    """Only failures and deaths without a step between count."""
    put(store, "a")
    claim(store, "w1")
    do(store, lambda c: lease.put_back(c, arn("a"), "w1", NOW, error="away"))
    do(store, lambda c: lease.release(c, "w1", NOW, crashed=True))
    claim(store, "w2")
    do(store, lambda c: lease.keep_step(c, arn("a"), "w2", "one", b"", NOW))
    assert (find(store, "a").failures, find(store, "a").crashes, find(store, "a").error) == (0, 0, "")


def test_only_a_beat_that_stands_still_ends_a_lease(store: Store) -> None:
    """A worker that has beaten since it was looked at keeps its runs; one that was taken for dead learns of it."""
    sign_in(store, "w1")
    put(store, "a")
    claim(store, "w1")
    seen = store.run(lease.beats)["w1"]
    assert do(store, lambda c: lease.beat(c, "w1"))
    assert do(store, lambda c: lease.declare_dead(c, "w1", seen, NOW)) == 0
    assert do(store, lambda c: lease.declare_dead(c, "w1", seen + 1, NOW)) == 1
    assert not do(store, lambda c: lease.beat(c, "w1"))


def test_a_worker_is_known_by_all_of_its_names(store: Store) -> None:
    """One that had to sign in anew is released under the name that its parent gave it; others are not."""
    for owner in ("w1", "w1.2", "w10"):
        put(store, owner)
        claim(store, owner)
    assert do(store, lambda c: lease.release(c, "w1", NOW, crashed=True)) == 2
    assert store.run(lease.beats) == {"w10": 0}


def test_a_run_asked_for_again_while_it_runs_is_run_once_more(store: Store) -> None:
    """What triggers a run need not know whether it is under way."""
    put(store, "a")
    claim(store, "w1")
    put(store, "a")
    put(store, "a")
    do(store, lambda c: lease.end(c, arn("a"), "w1", NOW))
    assert len(claim(store, "w1")) == 1
    do(store, lambda c: lease.end(c, arn("a"), "w1", NOW))
    assert find(store, "a").state == runs.DONE
    assert claim(store, "w1") == []
    put(store, "a")
    assert len(claim(store, "w1")) == 1


def test_a_stop_reaches_waiting_and_running_runs(store: Store) -> None:
    """What waits to be tried again need not wait for its end; what has ended cannot stop."""
    put(store, "a", "b")
    claim(store, "w1", room=1)
    do(store, lambda c: lease.put_back(c, arn("a"), "w1", NOW + timedelta(seconds=60), error="away"))
    assert do(store, lambda c: runs.ask_stop(c, arn("a")))
    [taken] = claim(store, "w1", room=1)
    assert (taken.run.arn, taken.run.stop_asked) == (arn("a"), 1)
    assert do(store, lambda c: lease.glance(c, "w1", [KIND], (), NOW)).held == {arn("a"): True}
    do(store, lambda c: lease.end(c, arn("a"), "w1", NOW))
    assert not do(store, lambda c: runs.ask_stop(c, arn("a")))
    assert not do(store, lambda c: runs.ask_stop(c, arn("nobody")))


def test_a_newer_format_waits_for_a_newer_worker(store: Store) -> None:
    """A run goes on under the body that began it; where nobody has that one any more, it begins anew."""
    put(store, "a")
    claim(store, "w1", formats=(1, 2))
    do(store, lambda c: lease.keep_step(c, arn("a"), "w1", "one", b"", NOW))
    do(store, lambda c: lease.put_back(c, arn("a"), "w1", NOW))
    assert claim(store, "old", formats=(1,)) == []
    [same] = claim(store, "w2", formats=(2, 3))
    assert (same.run.format, set(same.steps)) == (2, {"one"})
    do(store, lambda c: lease.put_back(c, arn("a"), "w2", NOW))
    [anew] = claim(store, "w3", formats=(3,))
    assert (anew.run.format, anew.steps) == (3, {})


def test_a_run_that_needs_a_home_s_files_waits_for_it(store: Store) -> None:
    """Other homes leave it alone."""
    put(store, "a", place="there")
    assert claim(store, "w1", place="here") == []
    assert len(claim(store, "w2", place="there")) == 1


def test_a_worker_is_needed_when_something_is_due(store: Store) -> None:
    """Now, at some time, or not at all; appointments need one only where there is something that they are for."""
    needed = lambda at=NOW: store.run(lambda c: rows.needed_in(c, at, ("here",), CALENDAR))  # noqa: E731
    assert needed() == float("inf")
    put(store, "a")
    assert needed() == 0
    claim(store, "w1")
    assert needed() == 0
    do(store, lambda c: lease.put_back(c, arn("a"), "w1", NOW + timedelta(seconds=40), error="x"))
    assert needed() == 40
    claim(store, "w1", at=NOW + timedelta(seconds=40))
    do(store, lambda c: lease.end(c, arn("a"), "w1", NOW))
    assert needed() == float("inf")
    put(store, "b", place="there")
    assert needed() == float("inf")
    store.create(Resource(account="1", region="", kind="kms-key", id="k", arn="k", created_at=NOW, updated_at=NOW))
    assert needed() == 0


def test_appointments_come_back_once_for_all_workers(store: Store) -> None:
    """However many workers sign in, there is one run, due again a period after its end."""
    for owner in ("w1", "w2"):
        do(store, lambda c, owner=owner: lease.sign_in(c, owner, "host", NOW, CALENDAR))
    take = lambda at: do(store, lambda c: lease.claim(c, "w1", {runs.SCHEDULED: 5}, {runs.SCHEDULED: (1,)}, (), at))  # noqa: E731
    [taken] = take(NOW)
    do(store, lambda c: lease.end(c, taken.run.arn, "w1", NOW, back_at=NOW + timedelta(seconds=600)))
    assert take(NOW + timedelta(seconds=599)) == []
    assert take(NOW - timedelta(seconds=200)) == []
    assert len(take(NOW + timedelta(seconds=600))) == 1


def test_everything_that_others_wait_for_raises_the_stamp(store: Store) -> None:
    """Watches of servers elsewhere see new runs, stops and runs that were let go; beats and steps disturb nobody."""
    sign_in(store, "w1")
    before = store.stamp(runs.STAMP)
    put(store, "a")
    assert store.stamp(runs.STAMP) > before
    claim(store, "w1")
    before = store.stamp()
    do(store, lambda c: lease.beat(c, "w1"))
    do(store, lambda c: lease.keep_step(c, arn("a"), "w1", "one", b"", NOW))
    assert store.stamp() == before
    do(store, lambda c: lease.release(c, "w1", NOW, crashed=True))
    assert store.stamp(runs.STAMP) > before


def test_a_reset_takes_runs_away(store: Store) -> None:
    """Nothing of them stays, and who works on one can keep nothing."""
    put(store, "a")
    claim(store, "w1")
    store.reset()
    with pytest.raises(LeaseLost):
        do(store, lambda c: lease.keep_step(c, arn("a"), "w1", "one", b"", NOW))
    assert store.run(lambda c: rows.listed(c, limit=5)) == []


def test_runs_that_ended_long_ago_are_forgotten(store: Store) -> None:
    """Those that run or wait stay however old they are."""
    put(store, "a", "b")
    claim(store, "w1", room=1)
    do(store, lambda c: lease.end(c, arn("a"), "w1", NOW, error="no"))
    assert find(store, "a").state == runs.FAILED
    assert do(store, lambda c: rows.prune(c, NOW)) == 0
    assert do(store, lambda c: rows.prune(c, NOW + timedelta(days=1))) == 1
    assert [run.arn for run in store.run(lambda c: rows.listed(c, limit=5))] == [arn("b")]
