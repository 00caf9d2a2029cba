"""What gateways are told, and what they tell: seats, deaths, drains, loads."""

from __future__ import annotations

import asyncio

import pytest

from craton.features.hosting.group import stem_of
from craton.models.catalog.hosted import Placement
from tests.unit.hosting.fleet_fakes import FakeHost, Stage, deployment, on_stage


def test_a_dead_replica_leaves_at_once_and_comes_back() -> None:
    """Gateways are told of a death and of the new life, by the same name."""

    async def play(stage: Stage) -> None:
        await stage.want(deployment(least=2, most=2))
        stage.host.ready()
        await stage.turn()
        stage.host.change("m.0", state="waiting", pid=0)
        await asyncio.sleep(0.01)
        assert stage.seats() == ["m.1"]
        stage.host.change("m.0", state="ready", pid=7, restarts=1)
        await asyncio.sleep(0.01)
        assert stage.seats() == ["m.0", "m.1"]

    on_stage(play)


def test_nothing_new_is_not_told() -> None:
    """Passes without a change are silent."""

    async def play(stage: Stage) -> None:
        await stage.want(deployment(least=1))
        stage.host.ready()
        await stage.turn()
        told = len(stage.published)
        for _ in range(5):
            await stage.turn(1)
        assert len(stage.published) == told

    on_stage(play)


def test_a_replica_ends_only_after_gateways_know() -> None:
    """A publication that takes long holds the end up; so does the time in which reports come in."""

    async def play(stage: Stage) -> None:
        gate = asyncio.Event()
        await stage.want(deployment(least=1))
        stage.host.ready()
        await stage.turn()
        plain = stage.publish

        async def slow(placements: list[Placement]) -> None:
            await gate.wait()
            await plain(placements)

        stage.fleet._tasks[1].cancel()
        stage.fleet._tasks[1] = asyncio.create_task(stage.fleet._spread(slow))
        await stage.want(deployment(least=0, idle_timeout_s=1))
        await stage.turn(5)
        await stage.turn(5)
        assert stage.states() == {"m.0": "ready"}
        gate.set()
        await stage.turn()
        assert stage.seats() == []
        assert stage.states() == {"m.0": "ready"}
        await stage.turn(1.5)
        assert stage.states() == {}

    on_stage(play)


def test_a_publication_that_fails_is_made_again() -> None:
    """Nobody lives by what was never told."""

    async def play(stage: Stage) -> None:
        tries: list[int] = []

        async def fickle(placements: list[Placement]) -> None:
            tries.append(len(placements))
            if len(tries) == 1:
                raise OSError("away")
            stage.published.append(placements)

        stage.fleet._tasks[1].cancel()
        stage.fleet._tasks[1] = asyncio.create_task(stage.fleet._spread(fickle))
        await stage.want(deployment(least=1))
        stage.host.ready()
        await stage.turn()
        await asyncio.sleep(0.1)
        await stage.turn()
        assert stage.seats() == ["m.0"]

    on_stage(play, tick_s=0.02)


def test_workers_are_told_of_each_other() -> None:
    """What all others have under way at each replica, and nothing of one's own."""

    async def play(stage: Stage) -> None:
        await stage.want(deployment(least=1))
        one = {"loads": [["m", 3]], "seats": [["m.0", 3, 300]]}
        other = {"loads": [["m", 2]], "seats": [["m.0", 2, 50], ["m.1", 1, 9]]}
        assert stage.fleet.report("worker/0/1", one) == []
        assert stage.fleet.report("worker/1/2", other) == [["m.0", 3, 300]]
        assert stage.fleet.report("worker/0/1", one) == [["m.0", 2, 50], ["m.1", 1, 9]]
        assert stage.row().outstanding == 5

    on_stage(play)


def test_a_worker_that_died_has_nothing_under_way() -> None:
    """Its report goes with it; that of another gateway when it has been silent for a while."""

    async def play(stage: Stage) -> None:
        await stage.want(deployment(least=1))
        await stage.load(outstanding=4, worker=1)
        stage.fleet.report("gateway/b", {"loads": [["m", 2]]})
        assert stage.row().outstanding == 6
        stage.workers.remove("worker/1/2")
        await stage.turn(1)
        assert stage.row().outstanding == 2
        await stage.turn(6)
        assert stage.row().outstanding == 0

    on_stage(play)


@pytest.mark.parametrize("told", [{"loads": [[1]]}, {"loads": "x"}, {"seats": [["a", "b"]]}])
def test_rubbish_is_no_report(told: dict[str, object]) -> None:
    """It is refused with what is wrong."""

    async def play(stage: Stage) -> None:
        with pytest.raises(ValueError, match="no report"):
            stage.fleet.report("worker/0/1", told)

    on_stage(play)


def test_a_row_has_rates() -> None:
    """Requests per second, refused ones, the queue, and how long it is."""

    async def play(stage: Stage) -> None:
        await stage.want(deployment(least=1, most=1))
        for _ in range(20):
            await stage.load(waiting=10, arrived=10, refused=2, tokens_per_s=50.0, oldest_wait_s=1.5)
            await stage.turn(1)
        row = stage.row()
        assert 5 < row.requests_per_s < 12
        assert 1 < row.refused_per_s < 2.4
        assert (row.queue, row.tokens_per_s, row.oldest_wait_s) == (10, 50.0, 1.5)
        assert 0.5 < row.wait_s < 2

    on_stage(play)


def test_names_fit_files_and_are_of_one_deployment() -> None:
    """Ids that look alike when their signs are gone keep different names."""
    ids = ["craton.chat-mini-v1:0", "craton.chat-mini-v1_0", "arn:aws:bedrock:us-east-1:1:imported-model/abc", "a/abc"]
    stems = [stem_of(one) for one in ids]
    assert len(set(stems)) == len(ids)
    assert all(set(stem) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-") for stem in stems)


def test_slots_and_queue_travel_along() -> None:
    """Gateways know how many a replica computes together and how many may wait for it."""

    async def play(stage: Stage) -> None:
        await stage.want(deployment(least=1, slots=16, queue=5))
        stage.host.ready()
        await stage.turn()
        placement = stage.published[-1][0]
        assert (placement.seats[0].slots, placement.queue) == (16, 5)

    on_stage(play, FakeHost())
