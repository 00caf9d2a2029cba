"""What the tests of both hosts share: a host in a loop of its own, and the small model servers that it runs."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from craton.infra.compute.port import ModelHost, ModelSpec, ReplicaStatus
from craton.models.providers.http import Pool

T = TypeVar("T")
MODEL = Path(__file__).parents[1] / "supervisor" / "fake_model.py"


class Stage:
    """A host and the loop that it lives in, for several tests: what it does goes on while one of them runs."""

    def __init__(self, make: Callable[[], ModelHost]) -> None:
        self._runner = asyncio.Runner()
        self.changes = 0

        async def made() -> ModelHost:
            return make()

        self.host = self.run(made())
        self.host.on_change = self._changed

    def _changed(self) -> None:
        self.changes += 1

    def run(self, scene: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(scene)

    def close(self) -> None:
        self.run(self.host.close())
        self._runner.close()

    def row(self, replica: str) -> ReplicaStatus | None:
        return next((row for row in self.host.replicas() if row.id == replica), None)

    async def until(self, holds: Callable[[], Any], within_s: float = 90.0) -> None:
        deadline = time.monotonic() + within_s
        while not holds():
            assert time.monotonic() < deadline, self.host.replicas()
            await asyncio.sleep(0.02)

    async def ready(self, replica: str) -> ReplicaStatus:
        """Its row once it serves."""

        def serves() -> bool:
            row = self.row(replica)
            return row is not None and row.state == "ready"

        await self.until(serves)
        found = self.row(replica)
        assert found is not None
        return found


def spec(folder: Path, mode: str, **more: Any) -> ModelSpec:
    """A model server that behaves as the mode says; see `fake_model.py`."""
    command = (sys.executable, str(MODEL), "{uds}", "{threads}", str(folder / "starts"), mode)
    return ModelSpec(id=f"test.{mode}:1", command=command, **{"start_timeout_s": 20.0, "threads": 1, **more})


def starts(folder: Path) -> list[int]:
    """The process ids of all starts."""
    return [int(line) for line in (folder / "starts").read_text().split()]


async def status_of(address: str, path: bytes = b"/health") -> int:
    """What a replica answers at its address. Raises what `Transport` does."""
    pool = Pool(address)
    try:
        answer = await pool.fetch(b"GET", path, deadline=asyncio.get_running_loop().time() + 60)
        return answer.status
    finally:
        await pool.close()
