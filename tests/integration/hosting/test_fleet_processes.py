"""The fleet over real processes, with a gateway's seats in front: deaths, rolls, adapters, and no request lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from craton.aws.wire.faults import Fault
from craton.features.hosting.deployment import Deployment, Scale
from craton.features.hosting.fleet import Fleet, Terms
from craton.features.inference.replicas.seats import Seats
from craton.infra.compute.local import LocalModelHost
from craton.infra.compute.port import ModelError, ModelSpec
from craton.infra.compute.replica import Rules
from craton.infra.compute.sandbox import Sandbox
from craton.models.canon.request import ConverseRequest
from craton.models.catalog.hosted import Placement
from craton.models.dialects.dialect import Ledger
from craton.models.providers.local import LocalProvider
from craton.models.providers.provider import Attempt, Upstream

SERVER = Path(__file__).parents[2] / "fakes" / "fleet_replica.py"
RULES = Rules(start_poll_s=0.01, start_poll_max_s=0.05, health_every_s=0.5, backoff_first_s=0.02, stop_grace_s=1.0)
REQUEST = msgspec.convert(
    {"modelId": "m", "messages": [{"role": "user", "content": [{"text": "Hi"}]}]}, ConverseRequest
)


def deployed(
    word: str = "one", delay_s: float = 0.05, adapters: dict[str, str] | None = None, **scale: Any
) -> Deployment:
    command = (sys.executable, "-S", str(SERVER), "{uds}", word, str(delay_s))
    spec = ModelSpec(id="m", command=command, memory_bytes=32 << 20, start_timeout_s=30)
    return Deployment(id="m", spec=spec, scale=Scale(**scale), adapters=adapters or {}, slots=8)


class Place:
    """A supervisor and one gateway in a process: what would go over the control channel goes by a call."""

    def __init__(self, folder: Path, sandbox: Sandbox | None = None) -> None:
        self.fleet = Fleet(
            LocalModelHost(folder / "s", None, RULES, sandbox),
            Terms(reserve_bytes=0, settle_s=0.4, tick_s=0.05, align_retry_s=0.1),
            alive=lambda: ["worker/0/1"],
        )
        self.seats = Seats(self._ask)
        self.provider = LocalProvider(Upstream("local", "", "m"), self.seats)

    async def _ask(self, deployment: str) -> Any:
        try:
            return msgspec.to_builtins(await self.fleet.ensure(deployment))
        except ModelError as error:
            raise Fault("ModelNotReadyException", str(error)) from error

    async def publish(self, placements: list[Placement]) -> None:
        self.seats.take_up(placements)

    async def report(self, told: dict[str, Any]) -> Any:
        return self.fleet.report("worker/0/1", told)

    async def say(self, model: str = "m", **quirks: Any) -> str:
        """One request as a gateway sends it; the text of the answer."""
        attempt = Attempt(model, Ledger(), asyncio.get_running_loop().time() + 30, "r", quirks=quirks)
        reply = await self.provider.converse(REQUEST, attempt)
        return str(reply.output.message.content[0].text)

    def row(self) -> Any:
        return next(row for row in self.fleet.status() if row.id == "m")

    async def until(self, condition: Callable[[Any], bool], within_s: float = 90.0) -> None:
        """Wait for a state of the deployment's row."""
        deadline = time.monotonic() + within_s
        while not condition(self.row()):
            assert time.monotonic() < deadline, self.row()
            await asyncio.sleep(0.01)

    @contextlib.asynccontextmanager
    async def loaded(self, streams: int = 12) -> AsyncIterator[list[str]]:
        """So many callers without a pause; what they were answered."""
        texts: list[str] = []
        over = asyncio.Event()

        async def caller() -> None:
            while not over.is_set():
                texts.append(await self.say())

        callers = [asyncio.create_task(caller()) for _ in range(streams)]
        try:
            yield texts
        finally:
            over.set()
            await asyncio.gather(*callers)


def in_place(folder: Path, play: Callable[[Place], Awaitable[None]], sandbox: Sandbox | None = None) -> None:
    async def main() -> None:
        place = Place(folder, sandbox)
        place.fleet.start(place.publish)
        telling = asyncio.create_task(place.seats.tell(place.report))
        try:
            await play(place)
        finally:
            telling.cancel()
            await place.seats.close()
            await place.fleet.close()

    asyncio.run(main())


def pids(texts: list[str]) -> Counter[str]:
    return Counter(text.split()[-1].partition("-")[0] for text in texts)


def test_a_killed_replica_costs_no_request(tmp_path: Path) -> None:
    """Of three replicas under load one is killed: every request is answered, and the third comes back by itself."""

    async def play(place: Place) -> None:
        place.fleet.want([deployed(least=3, most=3)])
        await place.until(lambda row: row.ready == 3)
        victim = place.row().replicas[0].pid
        async with place.loaded() as texts:
            await asyncio.sleep(0.5)
            os.kill(victim, signal.SIGKILL)
            await place.until(lambda row: row.ready == 3 and row.restarts == 1)
            await asyncio.sleep(0.3)
        assert len(pids(texts)) == 4
        assert str(victim) in pids(texts)
        assert "SIGKILL" in place.row().last_error

    in_place(tmp_path, play)


def test_a_changed_spec_loses_no_request(tmp_path: Path) -> None:
    """Two replicas roll to another version under load: old and new answer, then only new."""

    async def play(place: Place) -> None:
        place.fleet.want([deployed("old", least=2, most=2)])
        await place.until(lambda row: row.ready == 2)
        async with place.loaded() as texts:
            await asyncio.sleep(0.3)
            place.fleet.want([deployed("new", least=2, most=2)])
            await place.until(lambda row: [one.current for one in row.replicas] == [True, True] and row.ready == 2)
            count = len(texts)
            await asyncio.sleep(0.3)
        assert {text.split()[0] for text in texts} == {"old", "new"}
        assert {text.split()[0] for text in texts[count + 12 :]} == {"new"}

    in_place(tmp_path, play)


def test_to_nothing_and_back(tmp_path: Path) -> None:
    """The first request starts a replica, silence ends it, the next starts one again."""

    async def play(place: Place) -> None:
        place.fleet.want([deployed(idle_timeout_s=0.5)])
        assert (await place.say()).startswith("one")
        await place.until(lambda row: row.state == "stopped")
        assert (await place.say()).startswith("one")

    in_place(tmp_path, play)


def test_adapters_come_and_go_without_a_new_process(tmp_path: Path) -> None:
    """Each replica loads what is desired, also after its death; what cannot be loaded is said."""
    folder = str(tmp_path / "tuned")
    Path(folder).mkdir()

    async def play(place: Place) -> None:
        place.fleet.want([deployed(least=2, most=2, adapters={"tuned": folder})])
        await place.until(lambda row: [one.adapters for one in row.replicas] == [["tuned"], ["tuned"]])
        before = {one.pid for one in place.row().replicas}
        assert (await place.say(adapter="tuned")).startswith("tuned one")
        os.kill(place.row().replicas[0].pid, signal.SIGKILL)
        await place.until(lambda row: row.restarts == 1 and row.replicas[0].adapters == ["tuned"])
        place.fleet.want([deployed(least=2, most=2, adapters={"absent": folder + "x"})])
        await place.until(lambda row: all("absent could not be loaded" in one.last_error for one in row.replicas))
        assert [one.adapters for one in place.row().replicas] == [[], []]
        assert len(before & {one.pid for one in place.row().replicas}) == 1

    in_place(tmp_path, play)


def test_load_brings_replicas_and_their_absence_lets_them_go(tmp_path: Path) -> None:
    """More callers than the target: more replicas; none: fewer, one after the other."""

    async def play(place: Place) -> None:
        place.fleet.want([deployed(least=1, most=3, target=4, down_after_s=0.5)])
        await place.until(lambda row: row.ready == 1)
        async with place.loaded(12):
            await place.until(lambda row: row.ready == 3)
        await place.until(lambda row: row.ready == 1 and len(row.replicas) == 1)

    in_place(tmp_path, play)
