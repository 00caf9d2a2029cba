"""A host of replicas that are nothing but rows, and a fleet on a clock that tests move."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from craton.features.hosting.deployment import Deployment, Scale
from craton.features.hosting.fleet import Fleet, Terms
from craton.infra.compute.port import ModelSpec, ReplicaStatus, Room, digest_of
from craton.models.catalog.hosted import Placement

MIB = 1 << 20


class FakeHost:
    """Replicas are `starting` until a test says otherwise; `used` is what they take of the memory."""

    def __init__(self, memory_bytes: int = 1 << 40, gpus: float = 0.0) -> None:
        self.on_change: Callable[[], None] = lambda: None
        self.memory_bytes = memory_bytes
        self.gpus = gpus
        self.rows: dict[str, ReplicaStatus] = {}
        self.specs: dict[str, ModelSpec] = {}
        self.stopped: list[str] = []
        self.closed = False

    def start(self, replica: str, spec: ModelSpec) -> None:
        self.specs[replica] = spec
        address = f"unix:/{replica}"
        self.rows[replica] = ReplicaStatus(
            id=replica, deployment=spec.id, state="starting", address=address, digest=digest_of(spec)
        )

    async def stop(self, replica: str, grace_s: float = 5.0) -> bool:
        self.stopped.append(replica)
        gone = self.rows.pop(replica, None)
        self.on_change()
        return gone is not None

    def replicas(self) -> list[ReplicaStatus]:
        return [self.rows[name] for name in sorted(self.rows)]

    def log(self, replica: str) -> list[str]:
        return [f"log of {replica}"] if replica in self.specs else []

    def room(self) -> Room:
        used = sum(row.pss_bytes for row in self.rows.values())
        return Room(memory_bytes=self.memory_bytes - used, cores=4, gpus=self.gpus)

    async def close(self) -> None:
        self.closed = True

    def change(self, replica: str, **fields: Any) -> None:
        """Something happened to a replica."""
        self.rows[replica] = msgspec.structs.replace(self.rows[replica], **fields)
        self.on_change()

    def ready(self, *replicas: str, pss_bytes: int = 10 * MIB) -> None:
        """These serve now; all, if none is named."""
        for name in replicas or [row.id for row in self.replicas() if row.state == "starting"]:
            self.change(name, state="ready", pid=len(self.specs), pss_bytes=pss_bytes)


class Stage:
    """A fleet on a fake host. `published` are all placements that gateways were told, newest last."""

    def __init__(self, host: FakeHost | None = None, **terms: Any) -> None:
        self.now = 1000.0
        self.host = host or FakeHost()
        self.published: list[list[Placement]] = []
        self.workers = ["worker/0/1", "worker/1/2"]
        self.fleet = Fleet(
            self.host,
            Terms(**{"reserve_bytes": 0, "settle_s": 1.0, "tick_s": 60.0, **terms}),
            alive=lambda: self.workers,
            clock=lambda: self.now,
        )

    async def publish(self, placements: list[Placement]) -> None:
        self.published.append(placements)

    async def turn(self, seconds: float = 0.0) -> None:
        """Let so much time pass, and let the fleet do what follows."""
        self.now += seconds
        for _ in range(4):
            self.fleet.reconcile()
            for _ in range(10):
                await asyncio.sleep(0)

    async def want(self, *deployments: Deployment) -> None:
        self.fleet.want(deployments)
        await self.turn()

    async def load(
        self, deployment: str = "m", worker: int = 0, seats: dict[str, int] | None = None, **row: Any
    ) -> None:
        """A worker's report; figures that are not given are 0."""
        names = ("outstanding", "waiting", "tokens", "arrived", "refused", "oldest_wait_s", "tokens_per_s")
        rows = [[name, count, count] for name, count in (seats or {}).items()]
        told = {"loads": [[deployment, *(row.get(name, 0) for name in names)]], "seats": rows}
        self.fleet.report(self.workers[worker], told)
        await self.turn()

    def states(self) -> dict[str, str]:
        return {row.id: row.state for row in self.host.replicas()}

    def seats(self, deployment: str = "m") -> list[str]:
        """The replicas that gateways were told of last."""
        placed = {one.deployment: one for one in self.published[-1]} if self.published else {}
        return [seat.id for seat in placed[deployment].seats] if deployment in placed else []

    def row(self, deployment: str = "m") -> Any:
        return next(row for row in self.fleet.status() if row.id == deployment)


def deployment(name: str = "m", *, word: str = "v1", memory_bytes: int = 10 * MIB, **more: Any) -> Deployment:
    """A deployment whose spec is `word`; fields of `Scale` among the rest become its scale."""
    scale = {key: more.pop(key) for key in Scale.__struct_fields__ if key in more}
    spec = ModelSpec(id=name, command=(word,), memory_bytes=memory_bytes, gpus=more.pop("gpus", 0.0))
    return Deployment(id=name, spec=spec, scale=Scale(**scale), **more)


def on_stage(play: Callable[[Stage], Awaitable[None]], host: FakeHost | None = None, **terms: Any) -> None:
    """Run a test's play, and end the fleet after it."""

    async def main() -> None:
        stage = Stage(host, **terms)
        stage.fleet.start(stage.publish)
        try:
            await play(stage)
        finally:
            await stage.fleet.close()
        assert stage.host.closed

    asyncio.run(main())
