"""What the tests of containers share: one replica in its container, spoken to over its socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from craton.infra.compute.containers.relay import Relay  # noqa: F401 - shows that the program can be imported, too
from craton.infra.compute.local import LocalModelHost
from craton.infra.compute.port import Container, ModelSpec, ReplicaStatus
from craton.infra.compute.probe import ask
from craton.infra.compute.replica import Rules
from craton.infra.compute.sandbox import Mode, Sandbox

SERVER = Path(__file__).with_name("container_server.py")
QUICK = Rules(
    start_poll_s=0.01,
    start_poll_max_s=0.05,
    health_every_s=0.2,
    health_timeout_s=5.0,
    backoff_first_s=0.02,
    backoff_max_s=0.1,
    crash_limit=1,
    cool_down_s=30.0,
    stop_grace_s=2.0,
)


@cache
def has_walls() -> bool:
    """Whether bubblewrap works here: some systems give no namespaces to whoever is not root."""
    if shutil.which("bwrap") is None:
        return False
    words = ["bwrap", "--unshare-user", "--unshare-pid", "--unshare-net", "--ro-bind", "/", "/", "true"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


walled = pytest.mark.skipif(not has_walls(), reason="bubblewrap is not there, or is not allowed to do anything")


def spec(mode: str = "ok", container: Container | None = None, **more: Any) -> ModelSpec:
    """A container that is this interpreter running the test server."""
    env = {"MODE": mode, **more.pop("env", {})}
    given = {"reads": (str(SERVER.parent),), "health": "/ping", "start_timeout_s": 20.0, **more}
    return ModelSpec(
        id=f"test.{mode}",
        command=given.pop("command", (sys.executable, "-I", "-S", str(SERVER))),
        env=env,
        container=container or Container(scratch_bytes=1 << 20),
        **given,
    )


class Kept:
    """A host with one replica."""

    def __init__(self, host: LocalModelHost) -> None:
        self.host = host

    @property
    def status(self) -> ReplicaStatus:
        return self.host.replicas()[0]

    def log(self) -> str:
        return "\n".join(self.host.log("one"))

    async def until(self, *states: str, within_s: float = 90.0) -> ReplicaStatus:
        """Wait for one of the states."""
        deadline = time.monotonic() + within_s
        while self.status.state not in states:
            lost = self.status.state == "failed" or time.monotonic() > deadline
            assert not lost, f"{self.status}\n{self.log()}"
            await asyncio.sleep(0.02)
        return self.status

    async def invoke(self, **asked: Any) -> Any:
        """One invocation; its JSON."""
        body = json.dumps(asked).encode()
        answer = await ask(self.status.address, "POST", "/invocations", body, timeout_s=20.0)
        assert answer.status == 200, answer
        return json.loads(answer.body)

    async def attempt(self, what: str) -> str:
        """How it went when the container tried something."""
        outcome: str = (await self.invoke(attempt=what))["outcome"]
        return outcome


@contextlib.asynccontextmanager
async def kept(wanted: ModelSpec, mode: Mode = "auto", rules: Rules = QUICK) -> AsyncIterator[Kept]:
    # pytest's folders are too deep for the 107 bytes of a socket's path.
    with tempfile.TemporaryDirectory(prefix="c-") as name:
        folder = Path(name)
        host = LocalModelHost(folder / "s", folder / "logs", rules, Sandbox(mode, folder))
        host.start("one", wanted)
        try:
            yield Kept(host)
        finally:
            await host.close()


def with_replica(wanted: ModelSpec, body: Callable[[Kept], Awaitable[None]], mode: Mode = "auto") -> None:
    """Run `body` with a replica that has been started."""

    async def main() -> None:
        async with kept(wanted, mode) as one:
            await body(one)

    asyncio.run(main())
