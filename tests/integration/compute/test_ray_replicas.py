"""What is Ray's own: nodes that vanish, agents that die, replicas that are taken over, files that are not there."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from craton.infra.compute.port import ModelHost
from craton.infra.compute.ray_host import RayHost
from tests.integration.compute.hosting import Stage, spec, starts, status_of


@pytest.fixture(scope="module")
def make(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], ModelHost]:
    folder = tmp_path_factory.mktemp("ray")
    return lambda: RayHost(cluster.address, "own", log=folder / "ray.log", sandbox="off", hidden=folder)


@pytest.fixture(scope="module")
def stage(make: Callable[[], ModelHost]) -> Iterator[Stage]:
    made = Stage(make)
    yield made
    made.close()


def agent_of(host: Any) -> int:
    """The agent's process id."""
    pid: int = host._agent.pid
    return pid


def test_files_that_a_node_does_not_have_are_named(stage: Stage, tmp_path: Path) -> None:
    """The replica has failed, and its row says on which node which path is missing."""

    async def scene() -> None:
        stage.host.start("missing#1", spec(tmp_path, "ok", reads=(str(tmp_path / "no-such-model"),)))
        await stage.until(lambda: (row := stage.row("missing#1")) is not None and row.state == "failed")
        row = stage.row("missing#1")
        assert row is not None
        assert "no-such-model" in row.last_error
        await stage.host.stop("missing#1")

    stage.run(scene())


def test_a_replica_for_which_no_node_has_room_waits_and_says_so(stage: Stage, tmp_path: Path) -> None:
    """Until a node has it, or it is stopped."""

    async def scene() -> None:
        stage.host.start("large#1", spec(tmp_path, "ok", threads=64))
        await stage.until(lambda: (row := stage.row("large#1")) is not None and "64 CPU" in row.last_error)
        row = stage.row("large#1")
        assert row is not None
        assert row.state == "starting"
        assert await stage.host.stop("large#1")

    stage.run(scene())


def test_replicas_live_on_when_the_agent_dies(stage: Stage, tmp_path: Path) -> None:
    """The next agent takes them over: the same process, at the same address, and it can be stopped."""

    async def scene() -> None:
        stage.host.start("kept#1", spec(tmp_path, "ok"))
        before = await stage.ready("kept#1")
        old = agent_of(stage.host)
        os.kill(old, signal.SIGKILL)
        assert await status_of(before.address) == 200
        host: Any = stage.host
        await stage.until(lambda: host._agent is not None and host._agent.pid != old)
        uptime_s = before.uptime_s
        await stage.until(lambda: (row := stage.row("kept#1")) is not None and row.uptime_s > uptime_s + 2)
        after = await stage.ready("kept#1")
        assert (after.pid, after.address) == (before.pid, before.address)
        assert len(starts(tmp_path)) == 1
        await stage.host.stop("kept#1")
        await stage.until(lambda: not Path(f"/proc/{before.pid}").exists())

    stage.run(scene())


def test_another_gateway_takes_over_what_one_let_go(
    stage: Stage, make: Callable[[], ModelHost], tmp_path: Path
) -> None:
    """The same spec under another name: nothing is loaded again."""
    first = Stage(make)

    async def one() -> str:
        first.host.start("first#1", spec(tmp_path, "ok"))
        return (await first.ready("first#1")).address

    address = first.run(one())
    first.close()
    second = Stage(make)

    async def other() -> None:
        assert await status_of(address) == 200
        second.host.start("second#7", spec(tmp_path, "ok"))
        row = await second.ready("second#7")
        assert row.address == address
        assert len(starts(tmp_path)) == 1
        await second.host.stop("second#7")

    second.run(other())
    second.close()


def test_a_node_that_vanishes_takes_nothing_for_long(stage: Stage, cluster: Any, tmp_path: Path) -> None:
    """Two replicas are on two nodes; that of the lost one leaves the rows within seconds, and is made anew elsewhere."""

    async def scene() -> None:
        for name in ("lost#1", "lost#2"):
            stage.host.start(name, spec(tmp_path, "ok"))
        rows = {name: await stage.ready(name) for name in ("lost#1", "lost#2")}
        assert len({row.node for row in rows.values()}) == 2
        node = cluster.list_all_nodes()[-1]
        (lost,) = [row for row in rows.values() if row.node.endswith(str(node.node_id)[:8])]
        cluster.remove_node(node, allow_graceful=False)
        await stage.until(lambda: (stage.row(lost.id) or lost).state != "ready", 60)
        again = await stage.ready(lost.id)
        assert again.node != lost.node
        assert again.address != lost.address
        assert await status_of(again.address) == 200
        for name in rows:
            await stage.host.stop(name)

    stage.run(scene())


def test_a_cluster_that_is_not_there_is_said(tmp_path: Path) -> None:
    """The replica's row has the reason, and so has its log; nothing hangs."""
    stage = Stage(lambda: RayHost("127.0.0.1:1", "none", log=tmp_path / "ray.log", sandbox="off", hidden=tmp_path))

    async def scene() -> None:
        stage.host.start("nowhere#1", spec(tmp_path, "ok"))
        await stage.until(lambda: (row := stage.row("nowhere#1")) is not None and row.last_error, 60)
        row = stage.row("nowhere#1")
        assert row is not None
        assert "cannot be joined" in row.last_error
        assert stage.host.log("nowhere#1") == [row.last_error]

    stage.run(scene())
    stage.close()
