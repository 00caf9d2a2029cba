"""Several gateways, one fleet: one leads, all live by the same placements, and a leader can be lost at any moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from craton.infra.compute.port import ModelFailed
from tests.integration.hosting.clustered import Cluster, Gateway, model, until

Scene = Callable[[Gateway, Gateway, Cluster], Awaitable[None]]


def play(folder: Path, scene: Scene, least: int = 0) -> None:
    """Run a scene with two gateways, of which the first leads; they are gone afterwards."""

    async def whole() -> None:
        cluster = Cluster()
        one, two = (Gateway(folder / "store.db", cluster) for _ in range(2))
        await one.begin(model(least))
        await two.begin(model(least))
        try:
            await scene(one, two, cluster)
        finally:
            for each in (one, two):
                await each.end()

    asyncio.run(whole())


def test_one_leads_and_all_know_the_replicas(tmp_path: Path) -> None:
    """Replicas are made once, and reach the workers of both."""

    async def scene(one: Gateway, two: Gateway, cluster: Cluster) -> None:
        await until(lambda: len(one.seats()) == len(two.seats()) == 2)
        assert (one.leads, two.leads) == (True, False)
        assert one.seats() == two.seats()
        assert cluster.made == 2
        assert one.census.servers == two.census.servers == 2

    play(tmp_path, scene, least=2)


def test_what_is_said_is_sealed(tmp_path: Path) -> None:
    """Nobody who reads the store learns the secret of a replica's door."""

    async def scene(one: Gateway, two: Gateway, _: Cluster) -> None:
        await until(two.seats)
        assert b"10.0.0.1" not in one.census.seen.said
        assert one.census.seen.said or two.census.seen.said
        assert b"secret" not in two.census.seen.said

    play(tmp_path, scene, least=1)


def test_a_follower_has_a_cold_model_started(tmp_path: Path) -> None:
    """What is asked at the follower is made by the leader, and the follower's caller gets where it is."""

    async def scene(one: Gateway, two: Gateway, cluster: Cluster) -> None:
        assert not cluster.rows
        first, second = await asyncio.wait_for(asyncio.gather(two.fleet.ensure("m"), two.fleet.ensure("m")), 60)
        assert first is not None
        assert first == second
        assert first.seats
        assert await two.fleet.ensure("no-such-model") is None
        await until(lambda: one.seats() == two.seats())

    play(tmp_path, scene)


def test_load_at_a_follower_scales_the_fleet(tmp_path: Path) -> None:
    """Forty requests at the follower are too many for one replica; what it has under way the leader's workers hear."""

    async def scene(one: Gateway, two: Gateway, _: Cluster) -> None:
        placement = await two.fleet.ensure("m")
        assert placement is not None
        (seat,) = placement.seats
        told = {"loads": [["m", 40, 0, 4000, 40, 0, 0.0, 0.0]], "seats": [[seat.id, 40, 4000]]}
        two.fleet.report("worker/0/1", told)
        await until(lambda: len(one.seats()) == 4 and len(two.seats()) == 4)
        assert one.fleet.report("worker/0/1", {}) == [[seat.id, 40, 4000]]

    play(tmp_path, scene)


def test_a_status_is_the_same_at_both(tmp_path: Path) -> None:
    """A follower shows the leader's rows, and says who has the logs."""

    async def scene(one: Gateway, two: Gateway, _: Cluster) -> None:
        await until(two.seats)
        await until(lambda: isinstance(row := two.fleet.status()[0], dict) and row["ready"] == 1)
        assert one.fleet.status()[0].ready == 1
        assert "secret" not in str(two.fleet.status())
        assert one.fleet.log("m") == [f"log of {one.fleet.status()[0].replicas[0].id}"]
        assert "server that leads" in two.fleet.log("m")[0]

    play(tmp_path, scene, least=1)


def test_a_follower_can_have_a_model_stopped(tmp_path: Path) -> None:
    """What a person asks of any gateway is done by the one that leads."""

    async def scene(one: Gateway, two: Gateway, cluster: Cluster) -> None:
        await two.fleet.ensure("m")
        assert await two.fleet.stop("m")
        await until(lambda: not cluster.rows and not one.seats() and not two.seats())

    play(tmp_path, scene)


@pytest.mark.parametrize("way", ["end", "vanish"])
def test_a_leader_that_goes_is_replaced_and_its_replicas_serve_on(tmp_path: Path, way: str) -> None:
    """In order or killed: the other leads within seconds, no seat is ever missing, nothing is loaded again."""

    async def whole() -> None:
        cluster = Cluster()
        one, two = (Gateway(tmp_path / "store.db", cluster) for _ in range(2))
        await one.begin(model(2))
        await two.begin(model(2))
        await until(lambda: len(two.seats()) == 2)
        await one.fleet.ensure("m")
        before, fewest = two.seats(), [2]
        await getattr(one, way)()

        async def watch() -> None:
            while True:
                fewest[0] = min(fewest[0], len(two.seats()))
                await asyncio.sleep(0.005)

        watching = asyncio.create_task(watch())
        await until(lambda: two.leads)
        await asyncio.sleep(0.5)  # it finds the replicas, and says what it has
        watching.cancel()
        assert two.seats() == before
        assert fewest[0] == 2
        assert cluster.made == 2
        assert two.census.servers == 1
        await two.end()

    asyncio.run(whole())


def test_a_leader_that_was_asleep_steps_down(tmp_path: Path) -> None:
    """Taken for dead, it finds another in its place when it wakes: it follows, and what it says is not heard."""

    async def scene(one: Gateway, two: Gateway, cluster: Cluster) -> None:
        await until(lambda: len(two.seats()) == 1)
        one.frozen = True
        await until(lambda: two.leads)
        one.frozen = False
        await until(lambda: not one.leads and two.leads)
        assert not await one.census.say(b"nonsense")
        await until(lambda: one.seats() == two.seats() and len(one.seats()) == 1)
        assert cluster.made == 1

    play(tmp_path, scene, least=1)


def test_a_model_that_cannot_be_run_is_told_to_a_followers_caller(tmp_path: Path) -> None:
    """With the reason that the leader has."""

    async def scene(one: Gateway, two: Gateway, _: Cluster) -> None:
        broken = msgspec.structs.replace(model(name="broken"), fault="no engine for it")
        for each in (one, two):
            each.fleet.want([broken])
        with pytest.raises(ModelFailed, match="no engine for it"):
            await two.fleet.ensure("broken")

    play(tmp_path, scene)


def test_a_gateway_in_the_middle_of_a_wait_that_comes_to_lead_serves_it(tmp_path: Path) -> None:
    """Whoever asked the follower, whose leader died before it answered, is answered by the new leader: itself."""

    async def whole() -> None:
        cluster = Cluster()
        one, two = Gateway(tmp_path / "store.db", cluster, start_s=60.0), Gateway(tmp_path / "store.db", cluster)
        await one.begin(model())
        await two.begin(model())
        asked = asyncio.create_task(two.fleet.ensure("m"))
        await until(lambda: cluster.rows)
        await one.vanish()
        placement = await asyncio.wait_for(asked, 60)
        assert placement is not None
        assert placement.seats
        await two.end()

    asyncio.run(whole())
