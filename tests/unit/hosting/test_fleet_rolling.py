"""A changed spec: new replicas serve before old ones go, and none goes while it has work."""

from __future__ import annotations

from craton.infra.compute.port import digest_of
from tests.unit.hosting.fleet_fakes import MIB, FakeHost, Stage, deployment, on_stage


def words(stage: Stage) -> list[str]:
    """What the replicas that gateways may use run."""
    return sorted(stage.host.specs[name].command[0] for name in stage.seats())


async def rolled(stage: Stage, pss_bytes: int = 10 * MIB) -> list[int]:
    """Let a roll go to its end; how many served at each step."""
    counts: list[int] = []
    for _ in range(30):
        await stage.turn(0.5)
        counts.append(len(stage.seats()))
        stage.host.ready(pss_bytes=pss_bytes)
        await stage.turn()
        counts.append(len(stage.seats()))
    return counts


def test_new_ones_serve_before_old_ones_go() -> None:
    """Three replicas are exchanged one by one, four being there at most, and three serve all the time."""

    async def play(stage: Stage) -> None:
        await stage.want(deployment(least=3, most=3))
        stage.host.ready()
        await stage.turn()
        await stage.want(deployment(least=3, most=3, word="v2"))
        assert stage.row().state == "rolling"
        assert len(stage.states()) == 4
        counts = await rolled(stage)
        assert min(counts) == 3
        assert max(counts) <= 4
        assert words(stage) == ["v2"] * 3
        assert len(stage.states()) == 3
        assert stage.row().state == "ready"

    on_stage(play)


def test_an_old_one_with_work_waits_for_its_end() -> None:
    """It takes nothing new, and stays until its last request has ended."""

    async def play(stage: Stage) -> None:
        await stage.want(deployment(least=1))
        stage.host.ready()
        await stage.load(outstanding=1, seats={"m.0": 1})
        await stage.want(deployment(least=1, word="v2"))
        stage.host.ready()
        await stage.turn(5)
        assert stage.seats() == ["m.1"]
        await stage.turn(100)
        assert sorted(stage.states()) == ["m.0", "m.1"]
        await stage.load(outstanding=0)
        assert sorted(stage.states()) == ["m.1"]

    on_stage(play)


def test_a_request_that_never_ends_does_not_hold_up_a_roll() -> None:
    """After the drain's time the old one is ended with what it has."""

    async def play(stage: Stage) -> None:
        await stage.want(deployment(least=1))
        stage.host.ready()
        await stage.load(outstanding=1, seats={"m.0": 1})
        await stage.want(deployment(least=1, word="v2"))
        stage.host.ready()
        await stage.turn()
        await stage.turn(29)
        assert "m.0" in stage.states()
        await stage.turn(2)
        assert sorted(stage.states()) == ["m.1"]

    on_stage(play, drain_timeout_s=30)


def test_a_bad_version_leaves_the_old_one_in_place() -> None:
    """New replicas that never get healthy replace nobody, and the row says why."""

    async def play(stage: Stage) -> None:
        await stage.want(deployment(least=2, most=2))
        stage.host.ready()
        await stage.turn()
        await stage.want(deployment(least=2, most=2, word="broken"))
        stage.host.change("m.2", state="failed", last_error="exit code 1", retry_after_s=30)
        for _ in range(5):
            await stage.turn(2)
        assert words(stage) == ["v1", "v1"]
        assert stage.row().last_error == "exit code 1"
        await stage.want(deployment(least=2, most=2))
        await stage.turn(2)
        assert words(stage) == ["v1", "v1"]
        assert len(stage.states()) == 2
        assert stage.row().state == "ready"

    on_stage(play)


def test_without_room_for_both_they_are_exchanged_one_by_one() -> None:
    """Of two replicas one goes first; the other serves until the new one does."""

    async def play(stage: Stage) -> None:
        await stage.want(deployment(least=2, most=2, memory_bytes=400 * MIB))
        stage.host.ready(pss_bytes=400 * MIB)
        await stage.turn()
        await stage.want(deployment(least=2, most=2, memory_bytes=400 * MIB, word="v2"))
        counts = await rolled(stage, pss_bytes=400 * MIB)
        assert min(counts) == 1
        assert max(counts) == 2
        assert words(stage) == ["v2", "v2"]

    on_stage(play, FakeHost(memory_bytes=900 * MIB))


def test_a_roll_taken_back_keeps_who_still_has_not_gone() -> None:
    """A replica that drains is called back when its spec is the desired one again."""

    async def play(stage: Stage) -> None:
        await stage.want(deployment(least=1))
        stage.host.ready()
        await stage.load(outstanding=1, seats={"m.0": 1})
        await stage.want(deployment(least=1, word="v2"))
        stage.host.ready()
        await stage.turn(1)
        assert stage.seats() == ["m.1"]
        await stage.want(deployment(least=1))
        await stage.turn(2)
        assert stage.seats() == ["m.0"]
        await stage.turn(2)
        assert sorted(stage.states()) == ["m.0"]

    on_stage(play)


def test_a_change_of_scale_alone_exchanges_nobody() -> None:
    """More are started, those that are there stay."""

    async def play(stage: Stage) -> None:
        await stage.want(deployment(least=1))
        stage.host.ready()
        await stage.want(deployment(least=3, most=3))
        stage.host.ready()
        await stage.turn()
        assert stage.seats() == ["m.0", "m.1", "m.2"]
        assert len({digest_of(spec) for spec in stage.host.specs.values()}) == 1

    on_stage(play)
