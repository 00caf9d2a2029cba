"""Gateways on one store and one cluster, in one process: what the tests of shared fleets stand on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from craton.features.hosting.deployment import Deployment, Scale
from craton.features.hosting.fleet import Fleet, Terms
from craton.features.hosting.shared import DUTY, SharedFleet
from craton.infra.compute.port import ModelSpec, ReplicaStatus, Room, digest_of
from craton.infra.gateways.census import Census, Rhythm
from craton.infra.identities.seal import Sealer
from craton.infra.store.opening import open_store
from craton.infra.store.port import Store
from craton.models.catalog.hosted import Placement

QUICK = Rhythm(look_s=0.02, beat_s=0.05, silent_s=0.5)


class Cluster:
    """Replicas that outlive whoever started them."""

    def __init__(self) -> None:
        self.rows: dict[str, ReplicaStatus] = {}
        self.made = 0


class ClusterHost:
    """A `ModelHost` on it. One that is new finds what another left, a moment later."""

    def __init__(self, cluster: Cluster, start_s: float) -> None:
        self.on_change: Callable[[], None] = lambda: None
        self.open = True
        self._cluster = cluster
        self._start_s = start_s
        self._known: set[str] = set()
        asyncio.get_running_loop().call_later(0.1, self._find)

    def _find(self) -> None:
        if self.open:
            self._known |= self._cluster.rows.keys()
            self.on_change()

    def start(self, replica: str, spec: ModelSpec) -> None:
        self._known.add(replica)
        if replica not in self._cluster.rows:
            self._cluster.made += 1
            row = ReplicaStatus(id=replica, deployment=spec.id, state="starting", address="", digest=digest_of(spec))
            self._cluster.rows[replica] = row
        asyncio.get_running_loop().call_later(self._start_s, self._ready, replica)

    def _ready(self, replica: str) -> None:
        row = self._cluster.rows.get(replica)
        if row is not None and self.open:
            address = row.address or f"http://10.0.0.1:{9000 + self._cluster.made}/secret"
            self._cluster.rows[replica] = msgspec.structs.replace(row, state="ready", address=address, pid=1)
            self.on_change()

    async def stop(self, replica: str, grace_s: float = 5.0) -> bool:
        del grace_s
        self._known.discard(replica)
        return self._cluster.rows.pop(replica, None) is not None

    def replicas(self) -> list[ReplicaStatus]:
        return [self._cluster.rows[name] for name in sorted(self._known & self._cluster.rows.keys())]

    def log(self, replica: str) -> list[str]:
        return [f"log of {replica}"]

    def room(self) -> Room:
        return Room(memory_bytes=1 << 40, cores=64.0)

    async def close(self) -> None:
        self.open = False


class Gateway:
    """One server's end: a store of its own connection, a census, a fleet, and what its workers were told last."""

    def __init__(self, path: Path, cluster: Cluster, *, start_s: float = 0.05) -> None:
        self.store: Store = open_store(f"sqlite:///{path}", durable=False)
        self.placements: list[Placement] = []
        self.frozen = False
        terms = Terms(tick_s=0.02, settle_s=0.05)
        make = lambda: Fleet(ClusterHost(cluster, start_s), terms, lambda: ["worker/0/1"])  # noqa: E731
        self.fleet = SharedFleet(make, lambda: Sealer(bytes(32)), lambda: ["worker/0/1"])
        self.census = Census(self._ask, DUTY, self.fleet.told, QUICK)
        self.census.on_look = self.fleet.look
        self.fleet.census = self.census

    async def _ask(self, work: Callable[[Store], Any]) -> Any:
        while self.frozen:
            await asyncio.sleep(0.01)
        return work(self.store)

    async def _publish(self, placements: list[Placement]) -> None:
        self.placements = placements

    async def begin(self, *deployments: Deployment) -> None:
        self.fleet.want(deployments)
        self.fleet.start(self._publish)
        await self.census.begin()

    @property
    def leads(self) -> bool:
        return self.census.seen.leads

    def seats(self, deployment: str = "m") -> list[str]:
        """The addresses that its workers know."""
        return [seat.address for one in self.placements if one.deployment == deployment for seat in one.seats]

    async def end(self) -> None:
        await self.fleet.close()
        await self.census.end()
        self.store.close()

    async def vanish(self) -> None:
        """As killed: nothing is said to anybody."""
        if self.census._life is not None:
            self.census._life.cancel()
        await self.fleet.close()
        self.store.close()


def model(least: int = 0, most: int = 4, name: str = "m", word: str = "run") -> Deployment:
    """A deployment that scales slowly down and not to zero while a test runs."""
    return Deployment(id=name, spec=ModelSpec(id=name, command=(word,)), scale=Scale(least=least, most=most))


async def until(holds: Callable[[], Any], within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.01)
