"""Environments over time: standing still, kept ready, retired, evicted, and the host's own beginning and end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from craton.features.functions.host import watch
from craton.features.functions.host.instance import FREEZE_AFTER_S
from craton.features.functions.host.keeper import HostKeeper
from craton.features.functions.host.making import Unable
from tests.integration.functions.hosting import Host, Role, host, run, told

COUNT = "import os\nseen = []\ndef handler(event, context):\n    seen.append(1)\n    return len(seen)"


def states(at: Host) -> list[str]:
    """How the processes of all environments are (R, S, T …)."""
    found = [pid for one in at.pool.instances for pid in watch.look(one.pid).pids]
    return [Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] for pid in found]


async def until(true: object, *, tries: int = 200) -> None:
    """Wait for something to become true."""
    assert callable(true)
    for _ in range(tries):
        if true():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come")


def test_between_invocations_it_stands_still(tmp_path: Path) -> None:
    """What a function leaves running does not run on after its answer, and goes on with the next invocation."""

    async def work() -> None:
        async with host(tmp_path) as at:
            source = """
                import threading, time
                ticks = []
                def tick():
                    while True:
                        ticks.append(1)
                        time.sleep(0.001)
                threading.Thread(target=tick, daemon=True).start()
                def handler(event, context):
                    return len(ticks)
                """
            plan = at.plan(source)
            await at.invoke(plan)
            await until(lambda: set(states(at)) == {"T"})
            first = told(await at.invoke(plan))
            await asyncio.sleep(FREEZE_AFTER_S + 0.5)
            assert set(states(at)) == {"T"}
            assert told(await at.invoke(plan)) - first < 200

    run(work())


def test_an_idle_environment_goes(tmp_path: Path) -> None:
    """After the idle time nothing of an environment is left: neither process nor memory of it."""

    async def work() -> None:
        async with host(tmp_path, idle_s=0.3) as at:
            plan = at.plan(COUNT)
            assert told(await at.invoke(plan)) == 1
            await until(lambda: at.pool.is_empty)
            assert told(await at.invoke(plan)) == 1

    run(work())


def test_a_new_revision_gets_a_new_environment(tmp_path: Path) -> None:
    """After a change of the function nothing old answers, and what was made for the old one goes."""

    async def work() -> None:
        async with host(tmp_path) as at:
            plan = at.plan(COUNT)
            await at.invoke(plan)
            changed = msgspec.structs.replace(
                plan, configuration=msgspec.structs.replace(plan.configuration, revision="r-next")
            )
            assert told(await at.invoke(changed)) == 1
            await until(lambda: len(at.pool.instances) == 1)

    run(work())


def test_credentials_that_end_take_their_environment_along(tmp_path: Path) -> None:
    """No invocation begins with credentials that may end before it does."""

    async def work() -> None:
        async with host(tmp_path) as at:
            at.ground.role = Role(timedelta(seconds=40))
            plan = at.plan(COUNT)
            assert told(await at.invoke(plan)) == 1
            assert told(await at.invoke(plan)) == 1

    run(work())


def test_too_many_environments_make_room(tmp_path: Path) -> None:
    """Where no more environments may be made, the one that was idle longest goes; while all are busy, the call is refused."""

    async def work() -> None:
        async with host(tmp_path, environments=2) as at:
            plans = [at.plan(COUNT, name) for name in "abc"]
            for plan in plans:
                assert told(await at.invoke(plan)) == 1
            assert told(await at.invoke(plans[2])) == 2
            assert told(await at.invoke(plans[0])) == 1
            slow = at.plan("import time\ndef handler(event, context):\n    time.sleep(0.5)", "slow")
            done = await asyncio.gather(*(at.invoke(slow) for _ in range(3)), return_exceptions=True)
            assert [type(one) for one in done].count(Unable) == 1

    run(work())


def test_environments_are_kept_ready(tmp_path: Path) -> None:
    """Provisioned ones are up before anybody invokes, say so, and are made again when one goes."""

    async def work() -> None:
        async with host(tmp_path, idle_s=0.1) as at:
            source = "import os\ndef handler(event, context):\n    return os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']"
            plan = at.plan(source, provisioned=2)
            await at.pool.ready(plan)
            assert len(at.pool.instances) == 2
            assert told(await at.invoke(plan)) == "provisioned-concurrency"
            next(iter(at.pool.instances)).kill("")
            await until(lambda: len(at.pool.instances) == 2, tries=400)
            await at.pool.ready(msgspec.structs.replace(plan, provisioned=0))
            await until(lambda: at.pool.is_empty, tries=400)

    run(work())


def test_a_killed_launcher_costs_what_was_under_way(tmp_path: Path) -> None:
    """When the process that made the environments dies, invocations under way fail, and the next ones run."""

    async def work() -> None:
        async with host(tmp_path) as at:
            plan = at.plan("import time\ndef handler(event, context):\n    time.sleep(event)\n    return 'well'")
            under_way = asyncio.create_task(at.invoke(plan, 20))
            await until(lambda: any(one.task is not None for one in at.pool.instances))
            await asyncio.sleep(0.2)
            os.kill(next(iter(watch_parents(at))), signal.SIGKILL)
            assert "signal: killed" in told(await under_way)["errorMessage"]
            assert told(await at.invoke(plan, 0)) == "well"

    run(work())


def watch_parents(at: Host) -> set[int]:
    """The processes that made the environments."""
    pids = [one.pid for one in at.pool.instances]
    return {int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1]) for pid in pids}


def test_a_host_is_made_when_somebody_comes(tmp_path: Path) -> None:
    """Connections wait until there is a host; one that ended, or could not be made, is made anew for the next."""
    made: list[int] = []

    def spawn(listener: socket.socket) -> int:
        made.append(1)
        if len(made) == 1:
            raise OSError(12, "no memory")
        pid = os.fork()
        if pid == 0:
            with suppress(OSError):
                listener.setblocking(True)
                line, _ = listener.accept()
                line.sendall(b"here")
            os._exit(0)
        return pid

    async def come(path: Path) -> bytes:
        reader, writer = await asyncio.open_unix_connection(str(path))
        said = await asyncio.wait_for(reader.read(), 60)
        writer.close()
        return said

    async def work() -> None:
        path = tmp_path / "s.sock"
        keeper = HostKeeper(path, spawn)
        assert made == []
        assert await come(path) == b"here"
        assert await come(path) == b"here"
        assert len(made) == 3
        await keeper.stop()
        assert not path.exists()

    run(work())


@pytest.mark.parametrize("mode", ["auto", "off"])
def test_without_walls_it_runs_as_well(tmp_path: Path, mode: str) -> None:
    """With the sandbox switched off a function finds its code, its layers, the SDK and its /tmp by this machine's paths."""

    async def work() -> None:
        async with host(tmp_path, mode=mode) as at:
            source = """
                import os, shared, tempfile, boto3
                def handler(event, context):
                    with tempfile.TemporaryFile() as file:
                        file.write(b'x')
                    return [shared.name, os.path.exists(os.environ['LAMBDA_TASK_ROOT'] + '/main.py'), event]
                """
            plan = at.plan(source, layers={"one": {"python/shared.py": "name = 'one'"}})
            assert told(await at.invoke(plan, 1)) == ["one", True, 1]

    run(work())
