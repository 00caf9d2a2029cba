"""The promises of `ModelHost`, kept by children of this machine and by actors of a Ray cluster alike."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from craton.infra.compute.local import LocalModelHost
from craton.infra.compute.probe import ask
from craton.infra.compute.ray_host import RayHost
from craton.models.providers.transport import ConnectError, ConnectionLost
from tests.integration.compute.hosting import Stage, spec, starts, status_of


@pytest.fixture(scope="module", params=["local", "ray"])
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("host")
    with contextlib.ExitStack() as stack:
        if request.param == "local":
            made = Stage(lambda: LocalModelHost(folder / "s", folder / "logs"))
        else:
            address = request.getfixturevalue("cluster").address
            made = Stage(lambda: RayHost(address, "suite", log=folder / "ray.log", sandbox="off", hidden=folder))
        stack.callback(made.close)
        yield made


def test_a_replica_serves_at_its_address(stage: Stage, tmp_path: Path) -> None:
    """Started, healthy, shown with its process and its digest, and answering where its row says."""

    async def scene() -> None:
        before = stage.changes
        stage.host.start("serves#1", spec(tmp_path, "ok"))
        row = await stage.ready("serves#1")
        assert (row.deployment, row.pid) == ("test.ok:1", starts(tmp_path)[0])
        assert row.digest
        assert await status_of(row.address) == 200
        assert (await ask(row.address, "GET", "/health", timeout_s=60.0)).status == 200
        assert stage.changes > before
        assert await stage.host.stop("serves#1")

    stage.run(scene())


def test_replicas_of_a_model_are_apart(stage: Stage, tmp_path: Path) -> None:
    """Two of one spec: two processes, two addresses; a start of a name that is there changes nothing."""

    async def scene() -> None:
        for name in ("twin#1", "twin#2", "twin#1"):
            stage.host.start(name, spec(tmp_path, "ok"))
        one, two = await stage.ready("twin#1"), await stage.ready("twin#2")
        assert one.address != two.address
        assert {one.pid, two.pid} == set(starts(tmp_path))
        for name in ("twin#1", "twin#2"):
            await stage.host.stop(name)

    stage.run(scene())


def test_a_killed_process_comes_back(stage: Stage, tmp_path: Path) -> None:
    """kill -9: shown as gone at once, then as ready with another process, and one more restart."""

    async def scene() -> None:
        stage.host.start("killed#1", spec(tmp_path, "ok"))
        before = await stage.ready("killed#1")
        os.kill(before.pid, signal.SIGKILL)
        await stage.until(lambda: (row := stage.row("killed#1")) is not None and row.state != "ready")
        after = await stage.ready("killed#1")
        assert after.pid == starts(tmp_path)[1]
        assert after.restarts == 1
        assert await status_of(after.address) == 200
        await stage.host.stop("killed#1")

    stage.run(scene())


def test_a_stopped_replica_is_gone_with_all_that_it_started(stage: Stage, tmp_path: Path) -> None:
    """Neither a row nor a process is left, nor an address that answers; stopping it again says so."""

    async def scene() -> None:
        stage.host.start("stopped#1", spec(tmp_path, "family"))
        row = await stage.ready("stopped#1")
        assert await stage.host.stop("stopped#1", 1.0)
        assert stage.row("stopped#1") is None
        for pid in (row.pid, int((tmp_path / "starts.child").read_text())):
            gone = Path(f"/proc/{pid}")
            await stage.until(partial(_is_gone, gone))
        with pytest.raises((ConnectError, ConnectionLost)):
            await status_of(row.address)
        assert not await stage.host.stop("stopped#1")

    stage.run(scene())


def test_one_that_dies_on_load_says_why(stage: Stage, tmp_path: Path) -> None:
    """It is tried a few times, left alone for a while, and its last words are there, also after it was stopped."""

    async def scene() -> None:
        stage.host.start("broken#1", spec(tmp_path, "crash"))
        await stage.until(lambda: (row := stage.row("broken#1")) is not None and row.state == "failed")
        row = stage.row("broken#1")
        assert row is not None
        assert "no such weights" in row.last_error
        assert row.retry_after_s > 0
        await stage.host.stop("broken#1")
        assert any("no such weights" in line for line in stage.host.log("broken#1"))

    stage.run(scene())


def test_the_log_of_a_replica_can_be_read(stage: Stage, tmp_path: Path) -> None:
    """What it wrote at its start; nothing of this process's secrets was handed to it."""

    async def scene() -> None:
        stage.host.start("log#1", spec(tmp_path, "ok", threads=2))
        await stage.ready("log#1")
        await stage.until(lambda: stage.host.log("log#1"))
        assert stage.host.log("log#1")[0] == "start 1 with 2 threads, secret=none"
        assert stage.host.log("never#1") == []
        await stage.host.stop("log#1")

    stage.run(scene())


def test_there_is_room(stage: Stage) -> None:
    """Memory and cores that further replicas could have."""
    assert stage.host.room().memory_bytes > 0
    assert stage.host.room().cores > 0


def _is_gone(path: Path) -> bool:
    return not path.exists()
