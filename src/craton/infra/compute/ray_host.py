"""The host of replicas on a Ray cluster: a `ModelHost` whose replicas are actors, wherever Ray has placed them.

Owns this gateway's agent (a child, started anew when it dies: `cluster.agent`) and what it last said. Requests go to a
replica's own address, never through Ray. Replicas outlive the agent and the gateway: whoever starts one with the same
spec next, here or on another gateway of the place, gets the one that runs. It runs in the supervisor's loop and imports
nothing of Ray. Must not know: deployments, who leads.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from craton.infra.compute.cluster.messages import (
    MAX_LINE_BYTES,
    REPORTS,
    Found,
    Lost,
    Space,
    Start,
    Stop,
    Stopped,
    line,
    portable,
)
from craton.infra.compute.port import ModelSpec, ReplicaStatus, Room, digest_of

_RETRY_FIRST_S, _RETRY_MAX_S = 0.5, 10.0
_MAX_LOGS = 256
_STOP_BEYOND_GRACE_S = 30.0


class RayHost:
    """Replicas as actors of a Ray cluster.

    Args:
        address: of the cluster, as `ray.init` takes it; "" finds the one that this machine belongs to.
        namespace: what sets this place's replicas apart from others' on the cluster.
        log: where the agent and Ray's libraries write what they have to say; None: nowhere.
        sandbox: the walls around a replica on its node.
    """

    def __init__(self, address: str, namespace: str, *, log: Path | None, sandbox: str, hidden: Path) -> None:
        self.on_change: Callable[[], None] = lambda: None
        self.lost = ""
        """Why the cluster cannot be asked; "" while it can."""
        self.nodes = 0
        self._place = {"address": address, "namespace": namespace, "sandbox": sandbox, "hidden": str(hidden)}
        self._log_path = log
        self._wanted: dict[str, Start] = {}
        self._rows: dict[str, ReplicaStatus] = {}
        self._logs: dict[str, list[str]] = {}
        # Until the cluster has told: let Ray judge.
        self._room = Room(memory_bytes=1 << 60, cores=1e6, gpus=1e6)
        self._stopping: dict[str, asyncio.Future[None]] = {}
        self._agent: asyncio.subprocess.Process | None = None
        self._life: asyncio.Task[None] | None = None

    def start(self, replica: str, spec: ModelSpec) -> None:
        """Begin to keep a replica; returns at once. The first one makes the agent."""
        if replica in self._wanted:
            return
        order = Start(replica, portable(spec), digest_of(spec))
        self._wanted[replica] = order
        self._rows[replica] = ReplicaStatus(
            id=replica, deployment=spec.id, state="starting", address="", digest=order.digest, last_error=self.lost
        )
        self._logs.setdefault(replica, [])
        self.wake()
        self._say(line(order))
        self.on_change()

    def wake(self) -> None:
        """Have an agent, so that there is something to say of the cluster."""
        if self._life is None:
            self._life = asyncio.create_task(self._live(), name="ray agent")

    async def stop(self, replica: str, grace_s: float = 5.0) -> bool:
        """End a replica and its actor; False when there was none."""
        order = self._wanted.pop(replica, None)
        if order is None:
            return False
        self._rows[replica] = msgspec.structs.replace(self._rows[replica], state="stopping")
        stopped = self._stopping[replica] = asyncio.get_running_loop().create_future()
        self._say(line(Stop(replica, grace_s)))
        self.on_change()
        with contextlib.suppress(TimeoutError):  # an agent that is away: its actor ends when it is forgotten
            async with asyncio.timeout(grace_s + _STOP_BEYOND_GRACE_S):
                await stopped
        self._stopping.pop(replica, None)
        self._rows.pop(replica, None)
        self._trim_logs()
        self.on_change()
        return True

    def replicas(self) -> list[ReplicaStatus]:
        """One row per replica that was started and not stopped, by id."""
        return [self._rows[name] for name in sorted(self._rows)]

    def log(self, replica: str) -> list[str]:
        """The last lines of a replica, as of the last second; with none of its own, what the cluster says."""
        lines = self._logs.get(replica, [])
        return lines or ([self.lost] if self.lost else [])

    def room(self) -> Room:
        """What all nodes together have not promised to anybody, as Ray counts it."""
        return self._room

    async def close(self) -> None:
        """Let go of everything: replicas live on for whoever takes them over, and end when nobody does."""
        life, self._life = self._life, None
        if life is not None:
            life.cancel()
            await asyncio.wait([life])
        for stopped in self._stopping.values():
            if not stopped.done():
                stopped.set_result(None)
        self._wanted.clear()
        self._rows.clear()

    async def _live(self) -> None:
        """Have an agent, always."""
        pause_s = _RETRY_FIRST_S
        while True:
            try:
                if await self._attend():
                    pause_s = _RETRY_FIRST_S
            except OSError as error:
                self._lose(f"the Ray agent cannot be made: {error.strerror or error}")
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _RETRY_MAX_S)

    async def _attend(self) -> bool:
        """One agent's life; whether it ever had the cluster. Raises OSError."""
        out = self._open_log()
        try:
            agent = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "craton.infra.compute.cluster.agent",
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=out,
                limit=MAX_LINE_BYTES, process_group=0,
            )  # fmt: skip
        finally:
            if out >= 0:
                os.close(out)
        self._agent = agent
        had = False
        try:
            self._say(msgspec.json.encode(self._place) + b"\n")
            for order in self._wanted.values():
                self._say(line(order))
            if agent.stdout is not None:
                async for told in agent.stdout:
                    had = self._hear(told) or had
        finally:
            self._agent = None
            if agent.stdin is not None:
                agent.stdin.close()
            with contextlib.suppress(ProcessLookupError):
                agent.kill()
            await agent.wait()
        return had

    def _hear(self, told: bytes) -> bool:
        report = REPORTS.decode(told)
        if isinstance(report, Lost):
            self._lose(f"the Ray cluster cannot be joined: {report.reason}")
            return False
        if isinstance(report, Space):
            if report.room != self._room:
                self.on_change()
            self._room, self.nodes, self.lost = report.room, report.nodes, ""
        elif isinstance(report, Stopped):
            stopped = self._stopping.get(report.replica)
            if stopped is not None and not stopped.done():
                stopped.set_result(None)
        elif isinstance(report, Found):
            self._find(report.order)
        elif report.status.id in self._wanted:
            self._rows[report.status.id] = report.status
            if report.log is not None:
                self._logs[report.status.id] = report.log
            self.on_change()
        return True

    def _find(self, order: Start) -> None:
        """A replica that an earlier gateway left: shown as if it had been started here."""
        self._wanted.setdefault(order.replica, order)
        row = ReplicaStatus(
            id=order.replica, deployment=order.spec.id, state="starting", address="", digest=order.digest
        )
        self._rows.setdefault(order.replica, row)

    def _lose(self, reason: str) -> None:
        if reason != self.lost:
            print(f"craton: {reason}", file=sys.stderr, flush=True)
        self.lost = reason
        for name, row in self._rows.items():
            if not row.address:  # those that run are reached without Ray
                self._rows[name] = msgspec.structs.replace(row, last_error=reason)
        self.on_change()

    def _say(self, order: bytes) -> None:
        if self._agent is not None and self._agent.stdin is not None:
            self._agent.stdin.write(order)

    def _open_log(self) -> int:
        if self._log_path is None:
            return asyncio.subprocess.DEVNULL
        self._log_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return os.open(self._log_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)

    def _trim_logs(self) -> None:
        ended = [name for name in self._logs if name not in self._wanted]
        for name in ended[: max(0, len(self._logs) - _MAX_LOGS)]:
            del self._logs[name]
