"""Deployments from nothing to replicas and back: asked for, loaded, idle, failed, stopped, taken over."""

from __future__ import annotations

import asyncio

import pytest

from craton.infra.compute.port import ModelFailed, ModelStopped
from tests.unit.hosting.fleet_fakes import MIB, FakeHost, Stage, deployment, on_stage


def test_two_hundred_idle_deployments_are_nothing_but_rows() -> None:
    """No replica, no word to the gateways, no group to tend."""

    async def play(stage: Stage) -> None:
        await stage.want(*(deployment(f"m{number}") for number in range(200)))
        assert stage.host.specs == {}
        assert stage.published == []
        assert stage.fleet._groups == {}
        assert len(stage.fleet.status()) == 200
        assert stage.row("m7").state == "stopped"

    on_stage(play)


def test_who_asks_together_waits_for_one_start() -> None:
    """Ten calls start one replica and get its placement, which gateways get as well."""

    async def play(stage: Stage) -> None:
        await stage.want(deployment())
        calls = [asyncio.create_task(stage.fleet.ensure("m")) for _ in range(10)]
        await stage.turn()
        assert list(stage.states().values()) == ["starting"]
        assert stage.published[-1][0].standing == "starting"
        stage.host.ready()
        placements = await asyncio.gather(*calls)
        assert {one.seats[0].address for one in placements if one is not None} == {"unix:/m.0"}
        assert stage.seats() == ["m.0"]

    on_stage(play)


def test_an_unknown_deployment_is_none() -> None:
    """Nothing is started for an id that nobody desires."""

    async def play(stage: Stage) -> None:
        assert await stage.fleet.ensure("m") is None

    on_stage(play)


def test_load_brings_as_many_as_it_needs_in_one_step() -> None:
    """Forty requests at a target of eight: five replicas, at most."""

    async def play(stage: Stage) -> None:
        await stage.want(deployment(most=10, target=8))
        await stage.load(waiting=40)
        assert len(stage.states()) == 5
        stage.host.ready()
        await stage.turn()
        assert stage.seats() == [f"m.{number}" for number in range(5)]
        assert stage.row().ready == 5

    on_stage(play)


def test_what_is_to_be_there_always_is() -> None:
    """`least` replicas start without a request."""

    async def play(stage: Stage) -> None:
        await stage.want(deployment(least=3, most=3))
        assert len(stage.states()) == 3

    on_stage(play)


def test_the_idle_go_and_come_back() -> None:
    """After the idle timeout the last replica goes; the next call starts one again."""

    async def play(stage: Stage) -> None:
        await stage.want(deployment(idle_timeout_s=60))
        first = asyncio.create_task(stage.fleet.ensure("m"))
        await stage.turn()
        stage.host.ready()
        await first
        for _ in range(4):
            await stage.turn(10)
        assert stage.states() == {"m.0": "ready"}
        await stage.load(arrived=1)
        await stage.turn(50)
        assert stage.states() == {"m.0": "ready"}
        await stage.turn(61)
        assert stage.seats() == []
        await stage.turn(2)
        assert stage.states() == {}
        assert stage.fleet._groups == {}
        again = asyncio.create_task(stage.fleet.ensure("m"))
        await stage.turn()
        stage.host.ready()
        assert (await again) is not None

    on_stage(play)


def test_one_that_cannot_start_tells_why_and_when_to_ask_again() -> None:
    """A replica that keeps dying is let go; who asks meanwhile is refused at once; after the while it is tried again."""

    async def play(stage: Stage) -> None:
        await stage.want(deployment())
        call = asyncio.create_task(stage.fleet.ensure("m"))
        await stage.turn()
        stage.host.change("m.0", state="failed", last_error="exit code 7\nno weights", retry_after_s=30.0)
        with pytest.raises(ModelFailed, match="no weights") as caught:
            await call
        assert caught.value.retry_after_s == pytest.approx(30, abs=1)
        await stage.turn()
        assert stage.states() == {}
        placement = stage.published[-1][0]
        assert (placement.standing, placement.error) == ("failed", "exit code 7\nno weights")
        assert (stage.row().state, stage.row().last_error) == ("failed", "exit code 7\nno weights")
        with pytest.raises(ModelFailed):
            await stage.fleet.ensure("m")
        assert stage.fleet.log("m") == ["log of m.0"]
        await stage.turn(31)
        again = asyncio.create_task(stage.fleet.ensure("m"))
        await stage.turn()
        assert stage.states() == {"m.0": "starting"}
        stage.host.ready()
        await again
        assert stage.row().last_error == ""

    on_stage(play)


def test_one_that_is_to_be_there_always_is_left_to_its_host() -> None:
    """A provisioned replica that failed stays, for its host to try again."""

    async def play(stage: Stage) -> None:
        await stage.want(deployment(least=1))
        stage.host.change("m.0", state="failed", last_error="no", retry_after_s=30.0)
        await stage.turn(5)
        assert stage.states() == {"m.0": "failed"}
        stage.host.change("m.0", state="ready", pid=9)
        await stage.turn()
        assert stage.seats() == ["m.0"]

    on_stage(play)


def test_a_stop_tells_who_waits_and_the_next_call_starts_again() -> None:
    """`stop` ends all replicas at once; without any it says so."""

    async def play(stage: Stage) -> None:
        await stage.want(deployment())
        assert not await stage.fleet.stop("m")
        call = asyncio.create_task(stage.fleet.ensure("m"))
        await stage.turn()
        assert await stage.fleet.stop("m")
        with pytest.raises(ModelStopped):
            await call
        await stage.turn()
        assert stage.states() == {}
        again = asyncio.create_task(stage.fleet.ensure("m"))
        await stage.turn()
        stage.host.ready()
        await again
        assert stage.seats() == ["m.0"]

    on_stage(play)


def test_one_that_is_not_desired_any_more_drains_away() -> None:
    """Its replicas finish what they have; who waits is told."""

    async def play(stage: Stage) -> None:
        await stage.want(deployment(least=1))
        stage.host.ready()
        await stage.load(outstanding=1, seats={"m.0": 1})
        await stage.want()
        assert stage.seats() == []
        await stage.turn(5)
        assert stage.states() == {"m.0": "ready"}
        await stage.load(outstanding=0)
        assert stage.states() == {}
        assert stage.fleet.status() == []

    on_stage(play)


def test_a_deployment_with_a_fault_is_never_started() -> None:
    """Its row and every call say why."""

    async def play(stage: Stage) -> None:
        await stage.want(deployment(least=1, fault="there are no weights"))
        assert stage.states() == {}
        assert (stage.row().state, stage.row().last_error) == ("broken", "there are no weights")
        with pytest.raises(ModelFailed, match="no weights"):
            await stage.fleet.ensure("m")

    on_stage(play)


def test_replicas_that_outlived_a_supervisor_are_taken_over() -> None:
    """Those of a desired deployment serve on; others are ended."""

    async def play(stage: Stage) -> None:
        wanted = deployment(least=2, most=2)
        stage.host.start("m.4", wanted.spec)
        stage.host.start("x.0", deployment("x").spec)
        stage.host.ready()
        await stage.want(wanted)
        assert stage.host.stopped == ["x.0"]
        assert stage.states() == {"m.0": "starting", "m.4": "ready"}
        assert stage.seats() == ["m.4"]

    on_stage(play)


def test_down_goes_slowly() -> None:
    """One at a time, each after a while in which fewer had been enough."""

    async def play(stage: Stage) -> None:
        await stage.want(deployment(most=4, target=1, down_after_s=100))
        await stage.load(outstanding=4)
        stage.host.ready()
        await stage.load(outstanding=1, seats={"m.1": 1})
        for _ in range(9):
            await stage.turn(10)
        assert len(stage.seats()) == 4
        counts = []
        for _ in range(8):
            await stage.turn(10)
            counts.append(len(stage.seats()))
        assert counts == sorted(counts, reverse=True)
        assert set(counts) >= {3, 2}
        assert "m.1" in stage.seats()

    on_stage(play)


def test_memory_is_asked_for_before_a_start() -> None:
    """The peak of earlier replicas counts more than what the spec says; without room the row says what is missing."""

    async def play(stage: Stage) -> None:
        await stage.want(deployment(least=1, most=3, memory_bytes=100 * MIB))
        stage.host.ready(pss_bytes=700 * MIB)
        await stage.turn()
        await stage.load(waiting=20)
        row = stage.row()
        assert len(stage.states()) == 1
        assert "needs about 700 MiB" in row.lacks
        assert "324 MiB are free: 376 MiB are missing" in row.lacks
        stage.host.memory_bytes += 400 * MIB
        await stage.load(waiting=20)
        assert len(stage.states()) == 2

    on_stage(play, FakeHost(memory_bytes=1024 * MIB))
