"""Where memory and accelerators do not suffice for all: who is let go, who keeps what he has, what is said."""

from __future__ import annotations

import asyncio

import pytest

from craton.features.hosting.admission import Sleeper, evicted
from craton.infra.compute.port import ModelFailed
from tests.unit.hosting.fleet_fakes import MIB, FakeHost, Stage, deployment, on_stage


async def running(stage: Stage, name: str) -> None:
    """Have a deployment started, and let some time pass."""
    call = asyncio.create_task(stage.fleet.ensure(name))
    await stage.turn()
    stage.host.ready(pss_bytes=400 * MIB)
    await call
    await stage.turn(10)


def test_the_longest_unused_makes_room() -> None:
    """Of two idle models the one that was used earlier goes, and the new one starts when its memory is free."""

    async def play(stage: Stage) -> None:
        await stage.want(*(deployment(name, memory_bytes=400 * MIB) for name in "abc"))
        await running(stage, "a")
        await running(stage, "b")
        call = asyncio.create_task(stage.fleet.ensure("c"))
        await stage.turn()
        assert stage.seats("a") == []
        assert stage.seats("b") == ["b.0"]
        await stage.turn(2)
        assert stage.states() == {"b.0": "ready", "c.0": "starting"}
        stage.host.ready(pss_bytes=400 * MIB)
        await call
        await stage.turn(5)
        assert sorted(stage.states()) == ["b.0", "c.0"]

    on_stage(play, FakeHost(memory_bytes=1000 * MIB))


def test_one_at_work_is_not_sent_away() -> None:
    """Without room and without idle ones the caller hears what is missing and when to ask again."""

    async def play(stage: Stage) -> None:
        await stage.want(*(deployment(name, memory_bytes=400 * MIB) for name in "ab"))
        await running(stage, "a")
        await stage.load("a", outstanding=1, seats={"a.0": 1})
        with pytest.raises(ModelFailed, match=r"no room: it needs about 400 MiB.*300 MiB are missing") as caught:
            await asyncio.gather(stage.fleet.ensure("b"), stage.turn())
        assert caught.value.retry_after_s > 0
        assert stage.states() == {"a.0": "ready"}

    on_stage(play, FakeHost(memory_bytes=500 * MIB))


def test_nobody_goes_in_vain() -> None:
    """If all idle ones together were not enough, they stay."""

    async def play(stage: Stage) -> None:
        await stage.want(deployment("a", memory_bytes=400 * MIB), deployment("b", memory_bytes=4000 * MIB))
        await running(stage, "a")
        with pytest.raises(ModelFailed, match="no room"):
            await asyncio.gather(stage.fleet.ensure("b"), stage.turn())
        assert stage.states() == {"a.0": "ready"}

    on_stage(play, FakeHost(memory_bytes=1000 * MIB))


def test_provisioned_ones_take_from_those_on_demand_but_not_the_other_way() -> None:
    """A higher priority evicts even what is to be there always; the lower waits."""

    async def play(stage: Stage) -> None:
        low = deployment("a", memory_bytes=400 * MIB, least=1)
        high = deployment("b", memory_bytes=400 * MIB, least=1, priority=10)
        await stage.want(low)
        stage.host.ready(pss_bytes=400 * MIB)
        await stage.want(low, high)
        await stage.turn(2)
        stage.host.ready(pss_bytes=400 * MIB)
        await stage.turn(10)
        assert stage.states() == {"b.0": "ready"}
        assert stage.row("a").state == "waiting"
        assert "missing" in stage.row("a").lacks

    on_stage(play, FakeHost(memory_bytes=500 * MIB))


def test_replicas_that_start_are_counted_before_they_have_taken_anything() -> None:
    """Two starts at once do not both count on the same memory."""

    async def play(stage: Stage) -> None:
        await stage.want(deployment(most=5, target=1, memory_bytes=400 * MIB))
        await stage.load(waiting=5)
        assert len(stage.states()) == 2
        await stage.turn()
        assert len(stage.states()) == 2

    on_stage(play, FakeHost(memory_bytes=1000 * MIB))


def test_accelerators_are_counted() -> None:
    """A model that needs one is not started where there is none."""

    async def play(stage: Stage) -> None:
        await stage.want(deployment(gpus=1.0))
        with pytest.raises(ModelFailed, match="needs 1 accelerators, and 0 are free"):
            await asyncio.gather(stage.fleet.ensure("m"), stage.turn())

    on_stage(play)


def test_what_is_reserved_stays_free() -> None:
    """The machine's own share is not given away."""

    async def play(stage: Stage) -> None:
        await stage.want(deployment(least=1, memory_bytes=400 * MIB))
        assert stage.states() == {}
        assert "300 MiB are free: 100 MiB are missing" in stage.row().lacks

    on_stage(play, FakeHost(memory_bytes=500 * MIB), reserve_bytes=200 * MIB)


@pytest.mark.parametrize(("missing", "gone"), [(0, []), (10, ["old"]), (50, ["old"]), (60, ["old", "new"]), (200, [])])
def test_no_more_go_than_needed(missing: int, gone: list[str]) -> None:
    """The longest unused first, until it is enough; nobody if it never is."""
    sleepers = [Sleeper("new", 9.0, 50), Sleeper("old", 1.0, 50)]
    assert evicted(sleepers, missing) == gone
