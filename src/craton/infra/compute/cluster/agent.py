"""A gateway's agent in a Ray cluster: a child of the supervisor that makes actors, listens to them and ends them.

A program of its own because Ray is heavy (140 MiB, many threads) and the supervisor forks; because Ray ends a driver
whose cluster is gone; and because replicas then live on when it dies: its actors are detached, and the next agent of
the same place takes over what nobody keeps. Orders come as lines on the standard input, reports go out on the standard
output (`messages`). Placing, restarting and counting resources are Ray's. Must not know: deployments, requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import threading
from typing import Any

import msgspec

from craton.infra.compute.cluster.messages import (
    MAX_LINE_BYTES,
    ORDERS,
    Assignment,
    Found,
    Lost,
    News,
    Report,
    Row,
    Space,
    Start,
    Stop,
    Stopped,
    line,
)
from craton.infra.compute.port import ModelSpec, ReplicaStatus, Room
from craton.infra.compute.process import die_with_parent
from craton.infra.compute.relay import new_secret

_BEAT_S = 1.0
_SILENT_S = 3.0
"""No word of an actor for so long: the gateways are told that the replica is not there."""
_PAUSE_S = 0.3
_RETRY_S = 2.0
_PENDING_S = 5.0
_ABOUT_S = 5.0
_CLAIM_AFTER_S = 2.0
_SPACE_EVERY_S = 2.0
_ENDS_WITHIN_S = 15.0
_REACH_S = 5.0
_SLOW_S = 10.0


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Which cluster, which name apart from others' in it, and what walls replicas get on their nodes."""

    address: str
    namespace: str
    sandbox: str
    hidden: str


class Kept(msgspec.Struct, kw_only=True):
    """One replica that the gateway wants: its actor's handle, and what was last heard."""

    order: Start
    task: asyncio.Task[None] | None = None
    actor: Any = None
    heard: ReplicaStatus | None = None
    log: list[str] = []


class Orphan(msgspec.Struct, frozen=True):
    """An actor of this place that an earlier agent left."""

    assignment: Assignment
    actor: Any


class Agent:
    """`run` serves until the orders end. `ray` is the module, connected."""

    def __init__(self, ray: Any, place: Place, out: int) -> None:
        self._ray = ray
        self._place = place
        self._out = out
        self._kept: dict[str, Kept] = {}
        self._orphans: list[Orphan] = []

    async def run(self, orders: asyncio.StreamReader) -> None:
        self._orphans = await self._find_orphans()
        tasks = [asyncio.create_task(self._tell_space()), asyncio.create_task(self._claim())]
        try:
            async for told in orders:
                order = ORDERS.decode(told)
                if isinstance(order, Start):
                    self._start(order)
                else:
                    self._stop(order)
        finally:
            for task in tasks:
                task.cancel()

    def _start(self, order: Start) -> None:
        if order.replica not in self._kept:
            kept = self._kept[order.replica] = Kept(order=order, actor=self._adopted(order))
            kept.task = asyncio.create_task(self._keep(kept))

    async def _claim(self) -> None:
        """Keep what was left and nobody has asked for: whoever gives orders decides what becomes of it."""
        await asyncio.sleep(_CLAIM_AFTER_S)
        left, self._orphans = self._orphans, []
        for orphan in left:
            wanted = orphan.assignment
            name = wanted.replica if wanted.replica not in self._kept else f"{wanted.replica}-{new_secret()[:6]}"
            order = Start(name, wanted.spec, wanted.digest)
            kept = self._kept[name] = Kept(order=order, actor=orphan.actor)
            self._tell(Found(order))
            kept.task = asyncio.create_task(self._keep(kept))

    def _stop(self, order: Stop) -> None:
        kept = self._kept.pop(order.replica, None)
        if kept is None:
            self._tell(Stopped(order.replica))
            return
        if kept.task is not None:
            kept.task.cancel()
        kept.task = asyncio.create_task(self._end(kept, order.grace_s))

    async def _end(self, kept: Kept, grace_s: float) -> None:
        if kept.actor is not None and kept.heard is not None and kept.heard.node:  # else there is nobody to ask
            with contextlib.suppress(self._ray.exceptions.RayError, TimeoutError):
                await asyncio.wait_for(_answer(kept.actor.stop.remote(grace_s)), grace_s + _ENDS_WITHIN_S)
            await asyncio.to_thread(self._kill, kept.actor)
        self._tell(Stopped(kept.order.replica))

    def _kill(self, actor: Any) -> None:
        with contextlib.suppress(self._ray.exceptions.RayError, ValueError):
            self._ray.kill(actor, no_restart=True)

    async def _keep(self, kept: Kept) -> None:
        """Have an actor for the replica, and hand on what it says, until cancelled."""
        while True:
            try:
                if kept.actor is None:
                    kept.actor = await asyncio.to_thread(self._made, kept.order)
                await self._listen(kept)
            except (self._ray.exceptions.RayError, ValueError, OSError) as error:
                # Dead for good, which Ray does not mend: its own process could not be made.
                self._tell_lost(kept, "failed", _first_line(error))
                kept.actor = None
            await asyncio.sleep(_RETRY_S)

    async def _listen(self, kept: Kept) -> None:
        """Hand on news; returns never. Raises RayError when the actor will not come back."""
        gone = self._ray.exceptions
        waiting, incarnation, seen = 0.0, "", 0
        while True:
            try:
                asked = kept.actor.news.remote(incarnation, seen, _BEAT_S)
                incarnation, number, told = await asyncio.wait_for(_answer(asked), _SILENT_S)
            except gone.ActorDiedError:
                raise
            except (gone.ActorUnavailableError, TimeoutError):
                waiting += _SILENT_S
                self._tell_lost(kept, *self._absence(kept, waiting))
                await asyncio.sleep(_PAUSE_S)
                continue
            waiting = 0.0
            if told and number != seen:
                seen = number
                self._hear(kept, msgspec.json.decode(told, type=News))

    def _absence(self, kept: Kept, waiting_s: float) -> tuple[str, str]:
        if kept.heard is None or not kept.heard.node:
            need = ", ".join(f"{amount:g} {name}" for name, amount in resources(kept.order.spec).items())
            return "starting", f"the cluster has no room yet for {need}" if waiting_s >= _PENDING_S else ""
        return "waiting", f"node {kept.heard.node} or its process is gone; another takes its place"

    def _hear(self, kept: Kept, news: News) -> None:
        order = kept.order
        log = news.log if news.log != kept.log else None
        kept.log = news.log
        kept.heard = msgspec.structs.replace(news.status, id=order.replica, digest=order.digest)
        self._tell(Row(kept.heard, log))

    def _tell_lost(self, kept: Kept, state: Any, error: str) -> None:
        heard = kept.heard or ReplicaStatus(
            id=kept.order.replica, deployment=kept.order.spec.id, state="starting", address="", digest=kept.order.digest
        )
        changed = msgspec.structs.replace(heard, state=state, pid=0, last_error=error, stats={})
        if changed != kept.heard:
            kept.heard = changed
            self._tell(Row(changed))

    def _adopted(self, order: Start) -> Any:
        """An actor that an earlier agent left with this very spec, the one of the same name if there is one; or None."""
        same = [orphan for orphan in self._orphans if orphan.assignment.digest == order.digest]
        if not same:
            return None
        found = min(same, key=lambda orphan: orphan.assignment.replica != order.replica)
        self._orphans.remove(found)
        return found.actor

    def _made(self, order: Start) -> Any:
        """A new actor. Raises RayError."""
        from craton.infra.compute.cluster.actor import ReplicaActor

        wanted = Assignment(
            replica=order.replica, spec=order.spec, digest=order.digest, secret=new_secret(),
            sandbox=self._place.sandbox, hidden=self._place.hidden,
        )  # fmt: skip
        needs = resources(order.spec)
        options = {
            "num_cpus": needs.get("CPU", 0),
            "num_gpus": needs.get("GPU", 0),
            "name": f"{order.replica} {new_secret()[:8]}",
            "lifetime": "detached",
            "max_restarts": -1,
            "max_concurrency": 8,
            "scheduling_strategy": "SPREAD",
        }
        if "memory" in needs:
            options["memory"] = needs["memory"]
        made: Any = self._ray.remote(ReplicaActor).options(**options).remote(msgspec.json.encode(wanted))
        return made

    async def _find_orphans(self) -> list[Orphan]:
        """What lives in this place already; who does not answer is left to itself."""
        found: list[Orphan] = []
        names = await asyncio.to_thread(self._ray.util.list_named_actors)

        async def ask(name: str) -> None:
            with contextlib.suppress(self._ray.exceptions.RayError, TimeoutError, ValueError):
                actor = await asyncio.to_thread(self._ray.get_actor, name)
                told = await asyncio.wait_for(_answer(actor.about.remote()), _ABOUT_S)
                found.append(Orphan(msgspec.json.decode(told, type=Assignment), actor))

        await asyncio.gather(*map(ask, names))
        return found

    async def _tell_space(self) -> None:
        while True:
            with contextlib.suppress(self._ray.exceptions.RayError, OSError):
                free = await asyncio.to_thread(self._ray.available_resources)
                nodes = await asyncio.to_thread(self._ray.nodes)
                room = Room(
                    memory_bytes=int(free.get("memory", 0)), cores=free.get("CPU", 0.0), gpus=free.get("GPU", 0.0)
                )
                self._tell(Space(room, sum(1 for node in nodes if node["Alive"])))
            await asyncio.sleep(_SPACE_EVERY_S)

    def _tell(self, report: Report) -> None:
        data = line(report)
        while data:
            data = data[os.write(self._out, data) :]


async def _answer(ref: Any) -> Any:
    """What a call to an actor answers."""
    return await ref


def resources(spec: ModelSpec) -> dict[str, float]:
    """What a replica asks of a node, in Ray's words. Threads are cores; a number that is not given is one."""
    needs: dict[str, float] = {"CPU": float(spec.threads or 1)}
    if spec.gpus:
        needs["GPU"] = spec.gpus
    if spec.memory_bytes:
        needs["memory"] = float(spec.memory_bytes)
    return needs


def reach(address: str) -> None:
    """Raise OSError where nobody listens at `HOST:PORT`; other forms of an address are Ray's to judge."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit() and "/" not in host:
        socket.create_connection((host, int(port)), _REACH_S).close()


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


async def _serve(ray: Any, place: Place, out: int) -> None:
    orders = asyncio.StreamReader(limit=MAX_LINE_BYTES)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    await Agent(ray, place, out).run(orders)


def main() -> None:
    """Join the cluster that the first line of input names, and serve."""
    die_with_parent(os.getppid())  # the end of the input is not heard while Ray is waited for
    out = os.dup(1)
    os.dup2(2, 1)  # Ray prints as it likes; only reports may go to the supervisor
    first = bytearray()
    while not first.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            return
        first += byte
    place = msgspec.json.decode(first, type=Place)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # nothing is told to anybody outside
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    # Ray waits for minutes for a head that is not there.
    late = threading.Timer(_SLOW_S, lambda: os.write(out, line(Lost("it does not answer yet"))))
    late.daemon = True
    try:
        reach(place.address)
        late.start()
        import ray

        ray.init(
            address=place.address or "auto", namespace=place.namespace, log_to_driver=False, configure_logging=False
        )
    except (ImportError, ConnectionError, RuntimeError, ValueError, OSError) as error:
        os.write(out, line(Lost(_first_line(error))))
        return
    finally:
        late.cancel()
    asyncio.run(_serve(ray, place, out))


if __name__ == "__main__":
    main()
