"""Replicas on this machine: started, watched, started again, left alone for a while, stopped, never left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from craton.infra.compute.local import LocalModelHost
from craton.infra.compute.port import ModelSpec, ReplicaStatus
from craton.infra.compute.replica import Rules

MODEL = Path(__file__).with_name("fake_model.py")
QUICK = Rules(
    start_poll_s=0.01,
    start_poll_max_s=0.05,
    health_every_s=0.1,
    health_timeout_s=3.0,
    health_failures=2,
    backoff_first_s=0.02,
    backoff_max_s=0.1,
    cool_down_s=0.5,
    stop_grace_s=0.5,
)


def spec(folder: Path, mode: str, **more: Any) -> ModelSpec:
    command = (sys.executable, str(MODEL), "{uds}", "{threads}", str(folder / "starts"), mode)
    return ModelSpec(id=f"test.{mode}:1", command=command, **{"start_timeout_s": 20.0, **more})


def starts(folder: Path) -> list[int]:
    return [int(line) for line in (folder / "starts").read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


async def until(condition: Callable[[], bool], within_s: float = 90.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def host_in(folder: Path, rules: Rules = QUICK) -> AsyncIterator[LocalModelHost]:
    host = LocalModelHost(folder / "s", folder / "logs", rules)
    try:
        yield host
    finally:
        await host.close()


def in_host(folder: Path, body: Callable[[LocalModelHost], Awaitable[None]], rules: Rules = QUICK) -> None:
    async def main() -> None:
        async with host_in(folder, rules) as host:
            await body(host)

    asyncio.run(main())


def row(host: LocalModelHost, name: str = "one") -> ReplicaStatus:
    return next(row for row in host.replicas() if row.id == name)


async def ready(host: LocalModelHost, wanted: ModelSpec, name: str = "one") -> ReplicaStatus:
    """Start a replica and wait until it serves."""
    host.start(name, wanted)
    await until(lambda: row(host, name).state == "ready")
    return row(host, name)


def test_a_second_start_of_the_same_name_changes_nothing(tmp_path: Path) -> None:
    """One process, with the threads that it was told, at a socket of its own."""

    async def body(host: LocalModelHost) -> None:
        host.start("one", spec(tmp_path, "slow", threads=3))
        found = await ready(host, spec(tmp_path, "ok"))
        assert found.address.startswith("unix:/")
        assert len(starts(tmp_path)) == 1
        assert host.log("one")[0].startswith("start 1 with 3 threads")

    in_host(tmp_path, body)


def test_replicas_of_one_model_have_addresses_of_their_own(tmp_path: Path) -> None:
    """Three replicas, three processes; one of them stopped leaves the others alone."""

    async def body(host: LocalModelHost) -> None:
        found = await asyncio.gather(*(ready(host, spec(tmp_path, "ok"), name) for name in ("a", "b", "c")))
        assert len({one.address for one in found}) == len({one.pid for one in found}) == 3
        assert {one.deployment for one in found} == {"test.ok:1"}
        assert len({one.digest for one in found}) == 1
        assert await host.stop("b")
        assert [one.id for one in host.replicas()] == ["a", "c"]
        assert all(one.state == "ready" for one in host.replicas())

    in_host(tmp_path, body)


def test_every_change_is_told(tmp_path: Path) -> None:
    """Readiness, death, the next start and the stop each call `on_change`."""

    async def body(host: LocalModelHost) -> None:
        seen: list[list[str]] = []
        host.on_change = lambda: seen.append([one.state for one in host.replicas()])
        await ready(host, spec(tmp_path, "ok"))
        os.kill(starts(tmp_path)[0], signal.SIGKILL)
        await until(lambda: len(starts(tmp_path)) == 2 and row(host).state == "ready")
        await host.stop("one")
        states = [state for states in seen for state in states]
        assert states == ["ready", "waiting", "starting", "ready", "stopping"]
        assert seen[-1] == []

    in_host(tmp_path, body)


def test_a_row_shows_the_process(tmp_path: Path) -> None:
    """A row has state, process, memory, threads and what the server says of itself; a stopped one has none."""

    async def body(host: LocalModelHost) -> None:
        found = await ready(host, spec(tmp_path, "busy", threads=2))
        assert (found.pid, found.threads, found.stats) == (starts(tmp_path)[0], 2, {"running": 1.0})
        assert 1_000_000 < row(host).pss_bytes <= row(host).rss_bytes
        assert await host.stop("one")
        assert host.replicas() == []
        assert not is_alive(starts(tmp_path)[0])
        assert host.log("one")[0].startswith("start 1")
        assert not await host.stop("one")

    in_host(tmp_path, body)


def test_the_room_is_what_is_free(tmp_path: Path) -> None:
    """Memory and cores of this machine, not more than it has."""

    async def body(host: LocalModelHost) -> None:
        room = host.room()
        most = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        assert 0 < room.memory_bytes < most
        assert 1 <= room.cores <= (os.cpu_count() or 1)

    in_host(tmp_path, body)


def test_secrets_stay_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child's environment holds no credentials of the server."""
    monkeypatch.setenv("CRATON_ROOT_SECRET_ACCESS_KEY", "very-secret")

    async def body(host: LocalModelHost) -> None:
        await ready(host, spec(tmp_path, "ok"))
        assert "secret=none" in host.log("one")[0]

    in_host(tmp_path, body)


def test_a_killed_model_comes_back_by_itself(tmp_path: Path) -> None:
    """A replica that is killed is started again at the same address, and the restart is counted."""

    async def body(host: LocalModelHost) -> None:
        before = await ready(host, spec(tmp_path, "ok"))
        os.kill(before.pid, signal.SIGKILL)
        await until(lambda: len(starts(tmp_path)) == 2 and row(host).state == "ready")
        assert row(host).address == before.address
        assert row(host).restarts == 1
        assert "SIGKILL" in row(host).last_error

    in_host(tmp_path, body)


def test_a_crash_at_start_is_tried_again(tmp_path: Path) -> None:
    """One failed start is followed by one that succeeds."""

    async def body(host: LocalModelHost) -> None:
        await ready(host, spec(tmp_path, "crash_once"))
        assert len(starts(tmp_path)) == 2

    in_host(tmp_path, body)


def test_a_crash_loop_is_left_alone_for_a_while(tmp_path: Path) -> None:
    """A model that dies at every start is failed with its last words, then tried again, then left alone for longer."""

    async def body(host: LocalModelHost) -> None:
        host.start("one", spec(tmp_path, "crash"))
        await until(lambda: row(host).state == "failed")
        first = row(host)
        assert "exit code 7" in first.last_error
        assert "no such weights" in first.last_error
        assert 0 < first.retry_after_s <= QUICK.cool_down_s
        assert len(starts(tmp_path)) == QUICK.crash_limit
        await until(lambda: len(starts(tmp_path)) == 2 * QUICK.crash_limit and row(host).state == "failed")
        assert row(host).retry_after_s > QUICK.cool_down_s
        assert await host.stop("one")
        assert host.log("one")

    in_host(tmp_path, body)


def test_a_command_that_does_not_exist_is_a_reason(tmp_path: Path) -> None:
    """A program that is not there fails the replica, not the supervisor."""

    async def body(host: LocalModelHost) -> None:
        host.start("one", ModelSpec(id="none", command=("/does/not/exist",)))
        await until(lambda: row(host).state == "failed")
        assert "cannot be started" in row(host).last_error

    in_host(tmp_path, body)


def test_a_start_that_takes_too_long_fails(tmp_path: Path) -> None:
    """A process that never gets healthy is ended after the start timeout."""

    async def body(host: LocalModelHost) -> None:
        host.start("one", spec(tmp_path, "never", start_timeout_s=0.5))
        await until(lambda: "not healthy within 0.5 s" in row(host).last_error)
        assert not is_alive(starts(tmp_path)[0])

    in_host(tmp_path, body)


def test_a_hung_model_is_replaced(tmp_path: Path) -> None:
    """A process that stops answering its health question is ended and started again."""

    async def body(host: LocalModelHost) -> None:
        await ready(host, spec(tmp_path, "hang"))
        await until(lambda: len(starts(tmp_path)) >= 2)
        assert "hung" in row(host).last_error
        assert not is_alive(starts(tmp_path)[0])

    in_host(tmp_path, body, Rules(start_poll_s=0.01, health_every_s=0.1, health_timeout_s=0.2, backoff_first_s=0.02))


def test_a_model_over_its_memory_limit_is_ended(tmp_path: Path) -> None:
    """The limit counts the resident bytes of the process tree."""

    async def body(host: LocalModelHost) -> None:
        host.start("one", spec(tmp_path, "eat", memory_limit_bytes=100 << 20))
        await until(lambda: "memory limit" in row(host).last_error)

    in_host(tmp_path, body)


def test_stopping_takes_grandchildren_along(tmp_path: Path) -> None:
    """What the model itself started ends with it."""

    async def body(host: LocalModelHost) -> None:
        await ready(host, spec(tmp_path, "family"))
        child = int((tmp_path / "starts.child").read_text())
        assert is_alive(child)
        assert row(host).rss_bytes > 0
        await host.stop("one")
        await until(lambda: not is_alive(child))

    in_host(tmp_path, body)


def test_a_killed_model_takes_grandchildren_along(tmp_path: Path) -> None:
    """A crash leaves nothing behind either."""

    async def body(host: LocalModelHost) -> None:
        await ready(host, spec(tmp_path, "family"))
        child = int((tmp_path / "starts.child").read_text())
        os.kill(starts(tmp_path)[0], signal.SIGKILL)
        await until(lambda: not is_alive(child))

    in_host(tmp_path, body)


def test_a_deaf_model_is_killed(tmp_path: Path) -> None:
    """A process that ignores SIGTERM is killed after the grace."""

    async def body(host: LocalModelHost) -> None:
        await ready(host, spec(tmp_path, "deaf"))
        await host.stop("one")
        assert not is_alive(starts(tmp_path)[0])

    in_host(tmp_path, body)


def test_a_stop_during_a_start_ends_it(tmp_path: Path) -> None:
    """A replica that does not serve yet can be stopped as well."""

    async def body(host: LocalModelHost) -> None:
        host.start("one", spec(tmp_path, "never"))
        await until(lambda: (tmp_path / "starts").exists() and bool(starts(tmp_path)))
        assert await host.stop("one")
        assert not is_alive(starts(tmp_path)[0])

    in_host(tmp_path, body)


def children() -> set[str]:
    """The process ids below this one, zombies included; other tests' servers may be among them."""
    return {child for task in Path("/proc/self/task").glob("*/children") for child in task.read_text().split()}


def test_closing_leaves_nothing(tmp_path: Path) -> None:
    """After `close` no process, no zombie, no socket is left, and logs are private."""

    async def body(host: LocalModelHost) -> None:
        await asyncio.gather(ready(host, spec(tmp_path, "ok")), ready(host, spec(tmp_path, "family"), "two"))

    before = children()
    in_host(tmp_path, body)
    assert not any(map(is_alive, starts(tmp_path)))
    assert not (tmp_path / "s").exists()
    assert children() == before  # a zombie would still be one
    assert (tmp_path / "logs" / "one.log").stat().st_mode & 0o777 == 0o600


def test_the_guard_is_replaced_when_somebody_kills_it(tmp_path: Path) -> None:
    """A new guard learns of all living groups, and closing leaves no process of either."""

    async def body(host: LocalModelHost) -> None:
        await ready(host, spec(tmp_path, "ok"))
        first = host._guard._process
        assert first is not None
        first.kill()
        first.wait()
        await ready(host, spec(tmp_path, "family"), "two")
        second = host._guard._process
        assert second is not None
        assert second.pid != first.pid
        assert is_alive(second.pid)

    in_host(tmp_path, body)
    assert not any(map(is_alive, starts(tmp_path)))
