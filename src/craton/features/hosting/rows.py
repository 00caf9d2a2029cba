"""What a person is shown of the fleet: one row per deployment, with its replicas.

Owns the form of the rows of `models.status`. It must not know who draws them.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from craton.features.hosting.deployment import Deployment
from craton.features.hosting.group import COMING, Group, Member
from craton.features.hosting.loads import Loads

Standing = Literal["stopped", "starting", "ready", "rolling", "waiting", "failed", "stopping", "broken"]
"""`rolling`: replicas are exchanged for ones of another spec; `waiting`: for room; `broken`: it cannot be run at all."""


class ReplicaRow(msgspec.Struct, frozen=True, kw_only=True):
    """A replica; `state` is the host's, or `draining`. Memory is of its process tree, in bytes, as of a moment ago."""

    id: str
    state: str
    node: str
    address: str
    pid: int
    rss_bytes: int
    pss_bytes: int
    uptime_s: float
    restarts: int
    outstanding: int
    tokens: int
    tokens_per_s: float
    current: bool
    """Whether it runs what is desired now, rather than a former spec."""
    adapters: list[str]
    last_error: str


class DeploymentRow(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment. `queue` is how many wait, `wait_s` how long they do on average (by Little's law), `wanted` how many
    replicas there are to be; the process's figures are summed over its replicas.
    """

    id: str
    origin: str
    note: str
    state: Standing
    wanted: int
    ready: int
    least: int
    most: int
    priority: int
    outstanding: int
    queue: int
    wait_s: float
    oldest_wait_s: float
    requests_per_s: float
    refused_per_s: float
    tokens_per_s: float
    pid: int
    rss_bytes: int
    pss_bytes: int
    uptime_s: float
    restarts: int
    lacks: str
    last_error: str
    retry_after_s: float
    replicas: list[ReplicaRow]


def row(deployment: Deployment, group: Group | None, loads: Loads, now: float) -> DeploymentRow:
    """The row of a deployment; `group` is None while nothing of it runs and nobody asks."""
    load = loads.load(deployment.id, now)
    members = sorted(group.members.values(), key=lambda one: one.id) if group else []
    replicas = [_replica(member, group.digest if group else "", loads) for member in members]
    told = [one.last_error for one in replicas if one.last_error]
    failure = group.failure if group else ""
    return DeploymentRow(
        id=deployment.id,
        origin=deployment.origin,
        note=deployment.note,
        state=_standing(deployment, group, members),
        wanted=group.wanted if group else 0,
        ready=sum(member.serves for member in members),
        least=deployment.scale.least,
        most=deployment.scale.most,
        priority=deployment.priority,
        outstanding=load.outstanding,
        queue=load.waiting,
        wait_s=round(load.waiting / load.arrived_per_s, 3) if load.arrived_per_s else 0.0,
        oldest_wait_s=round(load.oldest_wait_s, 3),
        requests_per_s=round(load.arrived_per_s, 1),
        refused_per_s=round(loads.refused_per_s(deployment.id, now), 1),
        tokens_per_s=round(load.tokens_per_s or sum(one.tokens_per_s for one in replicas), 1),
        pid=next((one.pid for one in replicas if one.pid), 0),
        rss_bytes=sum(one.rss_bytes for one in replicas),
        pss_bytes=sum(one.pss_bytes for one in replicas),
        uptime_s=max((one.uptime_s for one in replicas), default=0.0),
        restarts=sum(one.restarts for one in replicas),
        lacks=group.lacks if group else "",
        last_error=deployment.fault or failure or next(iter(told), ""),
        retry_after_s=round(max(0.0, group.failed_until - now), 1) if group else 0.0,
        replicas=replicas,
    )


def _standing(deployment: Deployment, group: Group | None, members: list[Member]) -> Standing:
    if deployment.fault:
        return "broken"
    if group is None:
        return "stopped"
    ready = any(member.serves for member in members)
    if any(member.stays and member.digest != group.digest for member in members):
        return "rolling"
    if ready:
        return "ready"
    if any(member.stays and member.row.state in COMING for member in members):
        return "starting"
    if group.lacks:
        return "waiting"
    if group.failure:
        return "failed"
    return "stopping" if members else "stopped"


def _replica(member: Member, digest: str, loads: Loads) -> ReplicaRow:
    seen = member.row
    requests, tokens = loads.at(member.id)
    return ReplicaRow(
        id=member.id,
        state="stopping" if member.ending else "draining" if member.draining_at else seen.state,
        node=seen.node,
        address=shown(seen.address),
        pid=seen.pid,
        rss_bytes=seen.rss_bytes,
        pss_bytes=seen.pss_bytes,
        uptime_s=seen.uptime_s,
        restarts=seen.restarts,
        outstanding=requests,
        tokens=tokens,
        tokens_per_s=round(seen.stats.get("tokens_per_s", 0.0), 1),
        current=member.digest == digest,
        adapters=sorted(member.adapters),
        last_error=member.fault or seen.last_error,
    )


def shown(address: str) -> str:
    """An address without its path: on a cluster that is the secret of the replica's door."""
    return address if address.startswith("unix:") else "/".join(address.split("/")[:3])
