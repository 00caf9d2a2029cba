"""One deployment's replicas as the fleet sees them, and what should become of them: started, drained, kept after all.

Owns `Member` and `Group`, the names of replicas, and `plan`: numbers and states in, changes out, no time and no memory
of its own. It must not know how a replica is started or whether there is room for one.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable, Iterable

import msgspec

from craton.features.hosting.autoscale import Autoscaler
from craton.features.hosting.deployment import Deployment
from craton.infra.compute.port import ModelSpec, ReplicaStatus, State, digest_of
from craton.models.catalog.hosted import Placement, Seat, Standing

COMING: frozenset[State] = frozenset({"starting", "waiting"})
"""States of replicas that will serve, if all goes well."""


class Member(msgspec.Struct, kw_only=True):
    """A replica. Times are monotonic seconds, 0 where it has not come to that."""

    id: str
    digest: str
    row: ReplicaStatus
    draining_at: float = 0.0
    left_at: float = 0.0
    """When every gateway had been told that it takes nothing new."""
    evicted: bool = False
    """It goes to make room, and is not called back."""
    ending: bool = False
    adapters: dict[str, str] = {}
    """What this very process has loaded."""
    process: tuple[int, int] = (0, 0)
    """By which one knows that it is another process: its number, and how often there was a new one."""
    aligning: bool = False
    align_after: float = 0.0
    fault: str = ""
    """Why an adapter could not be loaded."""

    @property
    def serves(self) -> bool:
        """Whether it takes requests now."""
        return self.row.state == "ready" and not self.draining_at and not self.ending

    @property
    def stays(self) -> bool:
        """Whether nobody has told it to go."""
        return not self.draining_at and not self.ending


class Plan(msgspec.Struct):
    """What is to change: so many more, and the ids of those that are to go or may stay after all."""

    start: int = 0
    drain: list[str] = []
    revive: list[str] = []


class Group:
    """A deployment with replicas, with waiters, or with a reason to have some."""

    def __init__(self, deployment: Deployment, now: float) -> None:
        self.deployment = deployment
        self.spec, self.digest = run_as(deployment)
        self.scaler = Autoscaler(deployment.scale)
        self.members: dict[str, Member] = {}
        self.waiters: list[asyncio.Future[None]] = []
        self.wanted = 0
        self.used_at = now
        self.dropped = False
        """It is not among the desired ones any more."""
        self.failure = ""
        self.failed_until = 0.0
        self.lacks = ""
        """What there is no room for, in words."""

    def become(self, deployment: Deployment) -> None:
        """Take up what is desired now."""
        self.deployment = deployment
        spec, digest = run_as(deployment)
        if digest != self.digest:
            self.failure, self.failed_until = "", 0.0  # that was the other one's
        self.spec, self.digest = spec, digest
        self.scaler.scale = deployment.scale
        self.dropped = False

    def restart_scaling(self) -> None:
        """Forget the load of the past: what was told to go is not wanted back without a new request."""
        self.scaler = Autoscaler(self.deployment.scale)

    def staying(self) -> list[Member]:
        return [member for member in self.members.values() if member.stays]

    def placement(self, now: float) -> Placement:
        """What gateways may use now."""
        seats = [
            Seat(member.id, member.row.address, self.deployment.slots, self._adapters(member))
            for _, member in sorted(self.members.items())
            if member.serves
        ]
        standing = self._standing(now, serves=bool(seats))
        failed = standing == "failed"
        return Placement(
            deployment=self.deployment.id,
            standing=standing,
            seats=seats,
            queue=self.deployment.scale.queue,
            error=self.failure if failed else "",
            retry_after_s=round(max(0.0, self.failed_until - now), 1) if failed else 0.0,
        )

    def _standing(self, now: float, *, serves: bool) -> Standing:
        if serves:
            return "ready"
        if self.failure and now < self.failed_until:
            return "failed"
        coming = any(member.row.state in COMING for member in self.staying())
        return "starting" if coming or self.waiters else "cold"

    def _adapters(self, member: Member) -> list[str]:
        """What it has loaded and is still to have."""
        wanted = self.deployment.adapters
        return sorted(name for name, folder in member.adapters.items() if wanted.get(name) == folder)

    def settle(self, error: Exception | None) -> None:
        """Tell those who wait that it serves, or why it will not."""
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)

    def next_name(self, taken: Iterable[str]) -> str:
        """A name for one more replica: the lowest number that nobody has, so that logs are gone on with."""
        used = {*self.members, *taken}
        stem = stem_of(self.deployment.id)
        number = next(number for number in range(len(used) + 1) if f"{stem}.{number}" not in used)
        return f"{stem}.{number}"


def run_as(deployment: Deployment) -> tuple[ModelSpec, str]:
    """The spec under the deployment's own id, by which a host tells whose a replica is, and its digest."""
    spec = msgspec.structs.replace(deployment.spec, id=deployment.id)
    return spec, digest_of(spec)


def stem_of(deployment: str) -> str:
    """A deployment's id as the beginning of its replicas' names, fit for a file; two ids never have the same."""
    if re.fullmatch(r"[A-Za-z0-9_-]{1,60}", deployment):
        return deployment
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", deployment.rpartition("/")[2])[:48].strip(".-") or "model"
    return f"{plain}-{hashlib.sha256(deployment.encode()).hexdigest()[:6]}"


def plan(members: Iterable[Member], digest: str, wanted: int, busy: Callable[[str], int]) -> Plan:
    """What to change so that `wanted` replicas of the spec `digest` serve.

    Replicas of another spec stay until new ones serve in their place, one more than wanted being there meanwhile; those
    of them that do not serve go at once. Of what is too much go those that do not serve yet, then the least busy.
    """
    all_of_them = list(members)
    staying = [member for member in all_of_them if member.stays]
    new = [member for member in staying if member.digest == digest]
    old = [member for member in staying if member.digest != digest]
    old_serving = sorted((member for member in old if member.serves), key=lambda member: busy(member.id))
    new_serving = sum(member.serves for member in new)
    found = Plan(drain=[member.id for member in old if not member.serves])
    spare = max(0, min(len(old_serving), len(old_serving) + new_serving - wanted))
    found.drain += [member.id for member in old_serving[:spare]]
    short = wanted - len(new)
    if short > 0:
        back = [one for one in all_of_them if one.draining_at and not one.ending and not one.evicted]
        found.revive = [member.id for member in back if member.digest == digest and member.row.state == "ready"][:short]
        short -= len(found.revive)
        left = len(old_serving) - spare
        found.start = short if not left else max(0, min(short, wanted + 1 - left - len(new) - len(found.revive)))
    elif short < 0:
        found.drain += [one.id for one in sorted(new, key=lambda one: (one.serves, busy(one.id)))[:-short]]
    return found
