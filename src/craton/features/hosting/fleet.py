"""The fleet: makes the replicas that are there those that are desired, again and again.

Owns the loop: desired deployments, reports of load and the host's replicas go in; starts, drains and stops come out, and
the placements that gateways live by. How many there should be is `autoscale`'s, what changes first `group`'s, whether
there is room `admission`'s. Nothing is written down: after a restart the desired state says all, and replicas that a
host still has are taken over. It lives in the supervisor's loop and knows no request.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import msgspec

from craton.features.hosting import rows
from craton.features.hosting.adapters import align
from craton.features.hosting.admission import Budget, Peaks, Sleeper, evicted, may_evict
from craton.features.hosting.deployment import Deployment
from craton.features.hosting.group import COMING, Group, Member, plan
from craton.features.hosting.loads import Loads
from craton.infra.compute.port import ModelFailed, ModelHost, ModelStopped, ReplicaStatus
from craton.models.catalog.hosted import Placement

_log = logging.getLogger(__name__)

Publish = Callable[[list[Placement]], Awaitable[None]]
"""Tells every gateway; returns when all of them live by it."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """How patient a fleet is; the tests are less patient."""

    reserve_bytes: int = 256 << 20
    drain_timeout_s: float = 600.0
    settle_s: float = 1.0
    """How long after all gateways know that a replica goes their reports surely tell what is still under way there."""
    tick_s: float = 0.5
    stop_grace_s: float = 5.0
    no_room_retry_s: float = 5.0
    align_retry_s: float = 10.0


class Fleet:
    """All deployments of one host. `alive` says which workers there are, by the names of their reports."""

    def __init__(
        self,
        host: ModelHost,
        terms: Terms | None = None,
        alive: Callable[[], Iterable[str]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.loads = Loads(alive)
        self._host = host
        self._terms = terms or Terms()
        self._clock = clock
        self._desired: dict[str, Deployment] = {}
        self._groups: dict[str, Group] = {}
        self._peaks = Peaks()
        self._wake, self._news = asyncio.Event(), asyncio.Event()
        self._told: list[Placement] = []
        self._strays: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._aside: set[asyncio.Task[Any]] = set()
        host.on_change = self._wake.set

    # --- from outside ---

    def start(self, publish: Publish) -> None:
        """Begin; placements go to `publish`."""
        self._tasks = [
            asyncio.create_task(self._run(), name="fleet"),
            asyncio.create_task(self._spread(publish), name="placements"),
        ]

    def want(self, deployments: Iterable[Deployment]) -> None:
        """From now on these are to be served, and no others."""
        now = self._clock()
        self._desired = {one.id: one for one in deployments}
        for key, group in self._groups.items():
            deployment = self._desired.get(key)
            if deployment is None or deployment.fault:
                group.dropped = True
            else:
                group.become(deployment)
        for key, deployment in self._desired.items():
            if deployment.scale.least > 0 and not deployment.fault and key not in self._groups:
                self._groups[key] = Group(deployment, now)
        self._wake.set()

    async def ensure(self, deployment: str) -> Placement | None:
        """Where its replicas are, once one serves; None if there is no such deployment. Raises ModelError."""
        found = self._desired.get(deployment)
        if found is None:
            return None
        if found.fault:
            raise ModelFailed(found.fault)
        now = self._clock()
        group = self._group(found, now)
        group.used_at = now
        placement = group.placement(now)
        if placement.seats:
            return placement
        if placement.standing == "failed":
            raise ModelFailed(group.failure, group.failed_until - now)
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        group.waiters.append(waiter)
        self._wake.set()
        try:
            await waiter
        finally:
            if waiter in group.waiters:
                group.waiters.remove(waiter)
        return group.placement(self._clock())

    def report(self, source: str, told: dict[str, Any]) -> list[Any]:
        """Take up what a gateway's process sees; what all others have under way. Raises ValueError."""
        now = self._clock()
        for name in self.loads.hear(source, told, now):
            found = self._desired.get(name)
            if found is not None and not found.fault:
                self._group(found, now)
        self._wake.set()
        return self.loads.others(source)

    def status(self) -> list[Any]:
        """One row per desired deployment, and those that are on their way out."""
        now = self._clock()
        gone = [group.deployment for key, group in self._groups.items() if key not in self._desired]
        both = [*self._desired.values(), *gone]
        return [
            rows.row(one, self._groups.get(one.id), self.loads, now) for one in sorted(both, key=lambda one: one.id)
        ]

    async def stop(self, deployment: str) -> bool:
        """End all its replicas at once; False when none ran. What is to have replicas gets new ones."""
        group = self._groups.get(deployment)
        if group is None:
            return False
        group.settle(ModelStopped(f"model {deployment} was stopped"))
        group.restart_scaling()
        group.failure, group.failed_until = "", 0.0
        members = [member for member in group.members.values() if not member.ending]
        await asyncio.gather(*(self._end(member) for member in members))
        self._wake.set()
        return bool(members)

    def log(self, deployment: str, replica: str = "") -> list[str]:
        """The last lines of a replica; without a name, of one that failed, else of the newest that wrote something."""
        if replica:
            return self._host.log(replica)
        group = self._groups.get(deployment)
        members = list(group.members.values()) if group else []
        failed = [member.id for member in members if member.row.last_error and not member.serves]
        first = Group(self._desired[deployment], 0.0).next_name(()) if deployment in self._desired else ""
        names = [*failed, *(member.id for member in reversed(members)), first]
        return next((lines for name in names if (lines := self._host.log(name))), [])

    async def close(self) -> None:
        """Stop everything; whoever waits is told."""
        for task in [*self._tasks, *self._aside]:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._aside, return_exceptions=True)
        for group in self._groups.values():
            group.settle(ModelStopped("the server ends"))
        await self._host.close()

    # --- the loop ---

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._terms.tick_s if self._groups else None):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            try:
                self.reconcile()
            except Exception:  # the loop must live: the next pass begins anew from what is there
                _log.exception("the fleet could not be tended")
                await asyncio.sleep(self._terms.tick_s)

    def reconcile(self) -> None:
        """One pass over all deployments that have replicas or are asked for."""
        now = self._clock()
        self.loads.prune(now)
        seen = {row.id: row for row in self._host.replicas()}
        self._adopt(seen, now)
        for group in self._groups.values():
            self._take_up(group, seen)
        budget = self._budget(seen)
        for group in sorted(self._groups.values(), key=lambda one: (-one.deployment.priority, one.used_at)):
            self._tend(group, budget, now)
        for key in [key for key, group in self._groups.items() if self._is_over(group, now)]:
            del self._groups[key]
            self.loads.forget((key,))
        if self._placements(now) != self._told:
            self._news.set()

    def _adopt(self, seen: Mapping[str, ReplicaStatus], now: float) -> None:
        """Replicas that the host has and nobody here started: they outlived another supervisor."""
        self._strays &= seen.keys()
        known = {name for group in self._groups.values() for name in group.members}
        for row in seen.values():
            if row.id in known or row.id in self._strays or row.state == "stopping":
                continue
            deployment = self._desired.get(row.deployment)
            if deployment is None or deployment.fault:
                self._strays.add(row.id)
                self._later(self._host.stop(row.id, self._terms.stop_grace_s))
                continue
            group = self._group(deployment, now)
            group.members[row.id] = Member(id=row.id, digest=row.digest, row=row)

    def _take_up(self, group: Group, seen: Mapping[str, ReplicaStatus]) -> None:
        """What the host says of each member; one that it does not have any more is gone."""
        for member in list(group.members.values()):
            row = seen.get(member.id)
            if row is None:
                del group.members[member.id]
                continue
            member.row = row
            process = (row.pid, row.restarts)
            if row.state == "ready" and process != member.process:
                member.process, member.adapters, member.align_after = process, {}, 0.0
            self._peaks.see(member.digest, row)

    def _budget(self, seen: Mapping[str, ReplicaStatus]) -> Budget:
        promised = coming = 0
        for group in self._groups.values():
            for member in group.members.values():
                taken = member.row.pss_bytes
                if not member.stays:
                    coming += taken
                elif member.row.state == "starting":
                    promised += max(0, self._expected(group, member.digest) - taken)
        return Budget(self._host.room(), self._terms.reserve_bytes, promised, coming)

    def _expected(self, group: Group, digest: str = "") -> int:
        return self._peaks.expected_bytes(digest or group.digest, group.deployment.spec)

    def _tend(self, group: Group, budget: Budget, now: float) -> None:
        """One deployment: what its load wants, what of that there is room for."""
        group.wanted = self._wanted(group, now)
        self._note_failures(group, now)
        todo = plan(group.members.values(), "" if group.dropped else group.digest, group.wanted, self._busy)
        for name in todo.revive:
            group.members[name].draining_at = group.members[name].left_at = 0.0
        for name in todo.drain:
            self._drain(group.members[name], now)
        group.lacks = ""
        if todo.start and now >= group.failed_until:
            self._start(group, todo.start, budget, now)
        for member in group.members.values():
            self._finish(member, now)
            if member.serves:
                self._align(group, member, now)
        self._answer(group, now)

    def _wanted(self, group: Group, now: float) -> int:
        if group.dropped:
            return 0
        load = self.loads.load(group.deployment.id, now)
        staying = group.staying()
        if any(member.row.stats.get("running") for member in staying):
            load.arrived_per_s = max(load.arrived_per_s, 0.1)
        if group.waiters:
            load.waiting = max(load.waiting, 1)
        if load.outstanding or load.waiting or load.arrived_per_s:
            group.used_at = now
        running = sum(member.serves for member in staying)
        starting = sum(member.row.state in COMING for member in staying)
        return group.scaler.wanted(now, load, running, starting)

    def _note_failures(self, group: Group, now: float) -> None:
        """One that keeps dying is told to go, unless it is to be there always: then its host tries it again."""
        for member in group.staying():
            if member.row.state != "failed":
                continue
            group.failure = member.row.last_error
            group.failed_until = max(group.failed_until, now + member.row.retry_after_s)
            if len(group.staying()) > group.deployment.scale.least:
                self._end_later(member)
        if group.failure and any(member.serves and member.digest == group.digest for member in group.staying()):
            group.failure, group.failed_until = "", 0.0

    def _start(self, group: Group, count: int, budget: Budget, now: float) -> None:
        deployment, needed = group.deployment, self._expected(group)
        taken = [member.id for other in self._groups.values() for member in other.members.values()]
        for _ in range(count):
            group.lacks = budget.lacks(needed, deployment.spec.gpus)
            if group.lacks:
                self._make_room(group, needed, budget, now)
                return
            name = group.next_name(taken)
            self._host.start(name, group.spec)
            row = ReplicaStatus(id=name, deployment=deployment.id, state="starting", address="", digest=group.digest)
            group.members[name] = Member(id=name, digest=group.digest, row=row)
            budget.take(needed, deployment.spec.gpus)
            self._wake.set()

    def _make_room(self, group: Group, needed: int, budget: Budget, now: float) -> None:
        """Let idle replicas of others go, or one of our own that is of a former spec; else it stays as it is."""
        missing = budget.missing_bytes(needed) - budget.coming_bytes
        missing_gpus = group.deployment.spec.gpus - budget.gpus
        leaving = any(not member.stays for other in self._groups.values() for member in other.members.values())
        if leaving and missing <= 0:
            return  # who is on its way out will have made room
        chosen = evicted(self._sleepers(group), missing, missing_gpus)
        if not chosen:
            self._exchange(group, needed, budget, now)
        for other in self._groups.values():
            for name in chosen:
                if name in other.members:
                    other.members[name].evicted = True
                    self._drain(other.members[name], now)
                    other.restart_scaling()
        budget.coming_bytes += max(0, missing) if chosen else 0

    def _sleepers(self, mine: Group) -> list[Sleeper]:
        found: list[Sleeper] = []
        for other in self._groups.values():
            load = self.loads.load(other.deployment.id, self._clock())
            if other is mine or other.waiters or load.outstanding or load.waiting:
                continue
            serving = [member for member in other.members.values() if member.serves]
            for left, member in zip(range(len(serving), 0, -1), serving, strict=True):
                if may_evict(mine.deployment, other.deployment, left) and not self._busy(member.id):
                    gpus = other.deployment.spec.gpus
                    found.append(Sleeper(member.id, other.used_at, member.row.pss_bytes, gpus))
        return found

    def _exchange(self, group: Group, needed: int, budget: Budget, now: float) -> None:
        """No room for an old and a new replica side by side: one of the old goes first, one at a time."""
        old = [member for member in group.members.values() if member.serves and member.digest != group.digest]
        if not old or any(not member.stays for member in group.members.values()):
            return
        if any(member.row.state in COMING for member in group.staying()):
            return
        least_busy = min(old, key=lambda member: self._busy(member.id))
        if budget.missing_bytes(needed) <= least_busy.row.pss_bytes:
            self._drain(least_busy, now)

    def _busy(self, replica: str) -> int:
        return self.loads.at(replica)[0]

    def _drain(self, member: Member, now: float) -> None:
        """It takes nothing new; one that never served ends at once."""
        if member.row.state != "ready":
            self._end_later(member)
        elif not member.draining_at:
            member.draining_at = now
            self._news.set()

    def _finish(self, member: Member, now: float) -> None:
        """End one that drains and has nothing left to do, or has taken too long."""
        if not member.draining_at or member.ending:
            return
        stats = member.row.stats
        quiet = not self._busy(member.id) and not stats.get("running") and not stats.get("waiting")
        told = member.left_at and now - member.left_at >= self._terms.settle_s
        late = now - member.draining_at >= self._terms.drain_timeout_s
        if (told and quiet) or late or member.row.state != "ready":
            self._end_later(member)

    def _answer(self, group: Group, now: float) -> None:
        """Those who wait hear that a replica serves, or why none will."""
        if not group.waiters:
            return
        staying = group.staying()
        if any(member.serves for member in staying):
            group.settle(None)
        elif group.dropped:
            group.settle(ModelStopped(f"there is no model {group.deployment.id} any more"))
        elif any(member.row.state in COMING for member in staying):
            return
        elif group.failure and now < group.failed_until:
            group.settle(ModelFailed(group.failure, group.failed_until - now))
        elif group.lacks and not any(
            not one.stays for other in self._groups.values() for one in other.members.values()
        ):
            group.settle(ModelFailed(f"there is no room: {group.lacks}", self._terms.no_room_retry_s))

    def _is_over(self, group: Group, now: float) -> bool:
        if group.members or group.waiters:
            return False
        if group.dropped:
            return True
        return not group.wanted and not group.deployment.scale.least and now >= group.failed_until

    # --- things that take time ---

    def _end_later(self, member: Member) -> None:
        if not member.ending:
            member.ending = True
            self._later(self._host.stop(member.id, self._terms.stop_grace_s))
            self._wake.set()

    async def _end(self, member: Member) -> None:
        member.ending = True
        self._news.set()
        await self._host.stop(member.id, self._terms.stop_grace_s)

    def _align(self, group: Group, member: Member, now: float) -> None:
        wanted = group.deployment.adapters
        if member.adapters == wanted or member.aligning or now < member.align_after:
            return
        if not member.align_after and not wanted.items() - member.adapters.items():
            member.align_after = now + self._terms.settle_s  # nothing to load: who uses what goes has a moment
            return
        member.aligning = True
        self._later(self._aligned(member, dict(wanted)))

    async def _aligned(self, member: Member, wanted: dict[str, str]) -> None:
        process, loaded = member.process, dict(member.adapters)
        try:
            member.fault = await align(member.row.address, loaded, wanted)
        finally:
            member.aligning = False
        if member.process == process:
            member.adapters = loaded
        member.align_after = self._clock() + self._terms.align_retry_s if member.fault else 0.0
        self._wake.set()

    def _later(self, work: Awaitable[Any]) -> None:
        task = asyncio.ensure_future(work)
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)

    # --- what gateways are told ---

    def _placements(self, now: float) -> list[Placement]:
        """Of all that is not cold, by id; the time until a retry is as it was when it was told first."""
        told = {one.deployment: one for one in self._told}
        found: list[Placement] = []
        for key in sorted(self._groups):
            placement = self._groups[key].placement(now)
            before = told.get(key)
            if before is not None and before.error and before.error == placement.error:
                placement = msgspec.structs.replace(placement, retry_after_s=before.retry_after_s)
            if placement.standing != "cold":
                found.append(placement)
        return found

    async def _spread(self, publish: Publish) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            now = self._clock()
            placements = self._placements(now)
            leaving = [
                member
                for group in self._groups.values()
                for member in group.members.values()
                if member.draining_at and not member.left_at
            ]
            if placements != self._told:
                self._told = placements
                try:
                    await publish(placements)
                except Exception:  # the loop must live; nobody has been told, so it is told again
                    _log.exception("placements could not be published")
                    self._told = []
                    await asyncio.sleep(self._terms.tick_s)
                    self._news.set()
                    continue
            for member in leaving:
                if member.draining_at and not member.left_at:
                    member.left_at = self._clock()

    def _group(self, deployment: Deployment, now: float) -> Group:
        group = self._groups.get(deployment.id)
        if group is None:
            group = self._groups[deployment.id] = Group(deployment, now)
        return group
