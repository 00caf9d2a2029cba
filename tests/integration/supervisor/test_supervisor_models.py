"""Model processes: started when asked for, watched, restarted, given up, stopped, and never left behind."""

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
from craton.infra.compute.port import ModelFailed, ModelSpec, ModelStopped
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


async def until(condition: Callable[[], bool], within_s: float = 20.0) -> None:
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


def test_concurrent_calls_share_one_start(tmp_path: Path) -> None:
    """Ten calls at once start one process, and all get its address."""

    async def body(host: LocalModelHost) -> None:
        wanted = spec(tmp_path, "slow", threads=3)
        addresses = await asyncio.gather(*(host.ensure(wanted) for _ in range(10)))
        assert len(set(addresses)) == 1
        assert addresses[0].startswith("unix:/")
        assert len(starts(tmp_path)) == 1
        assert host.log(wanted.id)[0].startswith("start 1 with 3 threads")

    in_host(tmp_path, body)


def test_status_shows_the_process(tmp_path: Path) -> None:
    """A row has state, process, memory and threads, and after a stop no process."""

    async def body(host: LocalModelHost) -> None:
        wanted = spec(tmp_path, "ok", threads=2)
        await host.ensure(wanted)
        row = host.status()[0]
        assert (row.id, row.state, row.pid, row.threads) == (wanted.id, "ready", starts(tmp_path)[0], 2)
        assert 1_000_000 < row.pss_bytes <= row.rss_bytes
        assert await host.stop(wanted.id)
        row = host.status()[0]
        assert (row.state, row.pid, row.rss_bytes) == ("stopped", 0, 0)
        assert not is_alive(starts(tmp_path)[0])
        assert not await host.stop(wanted.id)

    in_host(tmp_path, body)


def test_secrets_stay_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child's environment holds no credentials of the server."""
    monkeypatch.setenv("CRATON_ROOT_SECRET_ACCESS_KEY", "very-secret")

    async def body(host: LocalModelHost) -> None:
        await host.ensure(spec(tmp_path, "ok"))
        assert "secret=none" in host.log("test.ok:1")[0]

    in_host(tmp_path, body)


def test_a_killed_model_comes_back_by_itself(tmp_path: Path) -> None:
    """A model in use that is killed is started again at the same address, and the restart is counted."""

    async def body(host: LocalModelHost) -> None:
        wanted = spec(tmp_path, "ok")
        address = await host.ensure(wanted)
        os.kill(starts(tmp_path)[0], signal.SIGKILL)
        await until(lambda: len(starts(tmp_path)) == 2 and host.status()[0].state == "ready")
        assert await host.ensure(wanted) == address
        row = host.status()[0]
        assert row.restarts == 1
        assert "SIGKILL" in row.last_error

    in_host(tmp_path, body)


def test_a_model_that_nobody_wants_stays_down(tmp_path: Path) -> None:
    """A model that dies long after its last use is not started again before somebody asks."""

    async def body(host: LocalModelHost) -> None:
        wanted = spec(tmp_path, "ok")
        await host.ensure(wanted)
        os.kill(starts(tmp_path)[0], signal.SIGKILL)
        await until(lambda: host.status()[0].state == "stopped")
        assert len(starts(tmp_path)) == 1
        await host.ensure(wanted)
        assert len(starts(tmp_path)) == 2

    in_host(tmp_path, body, Rules(start_poll_s=0.01, wanted_for_s=0))


def test_a_crash_at_start_is_tried_again(tmp_path: Path) -> None:
    """One failed start is not seen by the caller, who gets the second one's address."""

    async def body(host: LocalModelHost) -> None:
        await host.ensure(spec(tmp_path, "crash_once"))
        assert len(starts(tmp_path)) == 2

    in_host(tmp_path, body)


def test_a_crash_loop_is_given_up_with_its_reason(tmp_path: Path) -> None:
    """A model that dies at every start is failed with its last words, refused at once for a while, then tried again."""

    async def body(host: LocalModelHost) -> None:
        wanted = spec(tmp_path, "crash")
        with pytest.raises(ModelFailed, match="no such weights") as caught:
            await host.ensure(wanted)
        assert "exit code 7" in str(caught.value)
        assert caught.value.retry_after_s > 0
        assert host.status()[0].state == "failed"
        tries = len(starts(tmp_path))
        assert tries == QUICK.crash_limit
        with pytest.raises(ModelFailed):
            await host.ensure(wanted)
        assert len(starts(tmp_path)) == tries
        await asyncio.sleep(QUICK.cool_down_s)
        with pytest.raises(ModelFailed):
            await host.ensure(wanted)
        assert len(starts(tmp_path)) > tries

    in_host(tmp_path, body)


def test_a_command_that_does_not_exist_is_a_reason(tmp_path: Path) -> None:
    """A program that is not there fails the model, not the supervisor."""

    async def body(host: LocalModelHost) -> None:
        with pytest.raises(ModelFailed, match="cannot be started"):
            await host.ensure(ModelSpec(id="none", command=("/does/not/exist",)))

    in_host(tmp_path, body)


def test_a_start_that_takes_too_long_fails(tmp_path: Path) -> None:
    """A process that never gets healthy is ended after the start timeout."""

    async def body(host: LocalModelHost) -> None:
        with pytest.raises(ModelFailed, match=r"not healthy within 0\.3 s"):
            await host.ensure(spec(tmp_path, "never", start_timeout_s=0.3))
        assert not any(map(is_alive, starts(tmp_path)))

    in_host(tmp_path, body)


def test_a_hung_model_is_replaced(tmp_path: Path) -> None:
    """A process that stops answering its health question is ended and started again."""

    async def body(host: LocalModelHost) -> None:
        await host.ensure(spec(tmp_path, "hang"))
        await until(lambda: len(starts(tmp_path)) >= 2)
        assert "hung" in host.status()[0].last_error
        assert not is_alive(starts(tmp_path)[0])

    in_host(tmp_path, body, Rules(start_poll_s=0.01, health_every_s=0.1, health_timeout_s=0.2, backoff_first_s=0.02))


def test_a_model_over_its_memory_limit_is_ended(tmp_path: Path) -> None:
    """The limit counts the resident bytes of the process tree."""

    async def body(host: LocalModelHost) -> None:
        await host.ensure(spec(tmp_path, "eat", memory_limit_bytes=100 << 20))
        await until(lambda: "memory limit" in host.status()[0].last_error)

    in_host(tmp_path, body)


def test_an_idle_model_is_stopped_and_comes_back(tmp_path: Path) -> None:
    """Without use a model ends after its idle timeout; the next call starts it again."""

    async def body(host: LocalModelHost) -> None:
        wanted = spec(tmp_path, "ok", idle_timeout_s=0.3)
        await host.ensure(wanted)
        await until(lambda: host.status()[0].state == "stopped")
        assert host.status()[0].last_error == ""
        await host.ensure(wanted)
        assert len(starts(tmp_path)) == 2

    in_host(tmp_path, body)


@pytest.mark.parametrize("mode", ["busy", "ok"])
def test_a_model_in_use_is_not_idle(tmp_path: Path, mode: str) -> None:
    """A running request, told by the health reply or by `touch`, keeps a model alive past its idle timeout."""

    async def body(host: LocalModelHost) -> None:
        wanted = spec(tmp_path, mode, idle_timeout_s=1.0)
        await host.ensure(wanted)
        for _ in range(30):
            if mode == "ok":
                host.touch(wanted.id)
            await asyncio.sleep(0.05)
        assert host.status()[0].state == "ready"

    in_host(tmp_path, body)


def test_stopping_takes_grandchildren_along(tmp_path: Path) -> None:
    """What the model itself started ends with it."""

    async def body(host: LocalModelHost) -> None:
        await host.ensure(spec(tmp_path, "family"))
        child = int((tmp_path / "starts.child").read_text())
        assert is_alive(child)
        assert host.status()[0].rss_bytes > 0
        await host.stop("test.family:1")
        await until(lambda: not is_alive(child))

    in_host(tmp_path, body)


def test_a_killed_model_takes_grandchildren_along(tmp_path: Path) -> None:
    """A crash leaves nothing behind either."""

    async def body(host: LocalModelHost) -> None:
        await host.ensure(spec(tmp_path, "family"))
        child = int((tmp_path / "starts.child").read_text())
        os.kill(starts(tmp_path)[0], signal.SIGKILL)
        await until(lambda: not is_alive(child))

    in_host(tmp_path, body)


def test_a_deaf_model_is_killed(tmp_path: Path) -> None:
    """A process that ignores SIGTERM is killed after the grace."""

    async def body(host: LocalModelHost) -> None:
        await host.ensure(spec(tmp_path, "deaf"))
        await host.stop("test.deaf:1")
        assert not is_alive(starts(tmp_path)[0])

    in_host(tmp_path, body)


def test_a_stop_during_a_start_tells_who_waits(tmp_path: Path) -> None:
    """Whoever waits for a model that is stopped meanwhile hears of it."""

    async def body(host: LocalModelHost) -> None:
        waiting = asyncio.create_task(host.ensure(spec(tmp_path, "never")))
        await until(lambda: (tmp_path / "starts").exists() and bool(starts(tmp_path)))
        await host.stop("test.never:1")
        with pytest.raises(ModelStopped):
            await waiting

    in_host(tmp_path, body)


def test_a_changed_spec_replaces_the_process(tmp_path: Path) -> None:
    """The same id with another command runs the other command."""

    async def body(host: LocalModelHost) -> None:
        await host.ensure(spec(tmp_path, "ok", threads=1))
        await asyncio.gather(*(host.ensure(spec(tmp_path, "ok", threads=2)) for _ in range(3)))
        assert len(starts(tmp_path)) == 2
        assert not is_alive(starts(tmp_path)[0])
        assert host.status()[0].threads == 2

    in_host(tmp_path, body)


def children() -> set[str]:
    """The process ids below this one, zombies included; other tests' servers may be among them."""
    return {child for task in Path("/proc/self/task").glob("*/children") for child in task.read_text().split()}


def test_closing_leaves_nothing(tmp_path: Path) -> None:
    """After `close` no process, no zombie, no socket is left, and logs are private."""

    async def body(host: LocalModelHost) -> None:
        await asyncio.gather(host.ensure(spec(tmp_path, "ok")), host.ensure(spec(tmp_path, "family")))

    before = children()
    in_host(tmp_path, body)
    assert not any(map(is_alive, starts(tmp_path)))
    assert not (tmp_path / "s").exists()
    assert children() == before  # a zombie would still be one
    assert (tmp_path / "logs" / "test.ok_1.log").stat().st_mode & 0o777 == 0o600


def test_the_guard_is_replaced_when_somebody_kills_it(tmp_path: Path) -> None:
    """A new guard learns of all living groups, and closing leaves no process of either."""

    async def body(host: LocalModelHost) -> None:
        await host.ensure(spec(tmp_path, "ok"))
        first = host._guard._process
        assert first is not None
        first.kill()
        first.wait()
        await host.ensure(spec(tmp_path, "family"))
        second = host._guard._process
        assert second is not None
        assert second.pid != first.pid
        assert is_alive(second.pid)

    in_host(tmp_path, body)
    assert not any(map(is_alive, starts(tmp_path)))
