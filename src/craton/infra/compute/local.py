"""The local host of replicas: each is a child of this process, kept from its start to its stop.

Owns: the table of replicas, their paths, their logs (which stay readable when a replica has gone), which accelerators
each may use, and what of the machine is left. Must not know: where specs come from, how many replicas there should be.
It runs in the supervisor's event loop; nothing here is safe to call from another thread.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from craton.infra.compute.guard import Guard
from craton.infra.compute.journal import Journal
from craton.infra.compute.port import ModelSpec, ReplicaStatus, Room
from craton.infra.compute.process import available_cores
from craton.infra.compute.replica import Place, Replica, Rules
from craton.infra.compute.room import Accelerators, free_memory_bytes
from craton.infra.compute.sandbox import Sandbox

_MAX_JOURNALS = 256


class LocalModelHost:
    """Replicas as children under the supervisor; a `ModelHost`."""

    def __init__(
        self, socket_dir: Path, log_dir: Path | None, rules: Rules | None = None, sandbox: Sandbox | None = None
    ) -> None:
        """Keep scratch folders under `socket_dir` (short: a socket's path has 107 bytes), logs in `log_dir`.

        Without a `sandbox` the processes may do what this one may.
        """
        self.on_change: Callable[[], None] = lambda: None
        self._socket_dir = socket_dir
        self._log_dir = log_dir
        self._rules = rules or Rules()
        self._guard = Guard()
        self._sandbox = sandbox or Sandbox("off", socket_dir)
        self._replicas: dict[str, Replica] = {}
        self._journals: dict[str, Journal] = {}
        self._accelerators = Accelerators()

    def start(self, replica: str, spec: ModelSpec) -> None:
        """Begin to keep a replica; one of this name that is there already is left as it is."""
        if replica in self._replicas:
            return
        self._socket_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = self._socket_dir / hashlib.sha256(replica.encode()).hexdigest()[:12]
        place = Place(socket=folder / "sock", scratch=folder)
        env = self._accelerators.take(replica, spec.gpus)
        made = self._replicas[replica] = Replica(
            replica, spec, env, place, self._journal(replica), self._guard, self._rules, self._sandbox, self._changed
        )
        made.start()

    async def stop(self, replica: str, grace_s: float = 5.0) -> bool:
        """End a replica and all its processes; False when there was none."""
        found = self._replicas.get(replica)
        if found is None:
            return False
        await found.stop(min(grace_s, self._rules.stop_grace_s))
        if self._replicas.get(replica) is found:
            del self._replicas[replica]
            self._accelerators.give_back(replica)
            self._changed()
        return True

    def replicas(self) -> list[ReplicaStatus]:
        """One row per replica that was started and not stopped, by id."""
        return [self._replicas[name].status() for name in sorted(self._replicas)]

    def log(self, replica: str) -> list[str]:
        """The last lines that a replica wrote, also after it ended; empty for one that never was."""
        journal = self._journals.get(replica)
        return journal.lines() if journal else []

    def room(self) -> Room:
        """What of this machine, and of the group that this process may use of it, is free now."""
        return Room(memory_bytes=free_memory_bytes(), cores=available_cores(), gpus=self._accelerators.free)

    async def close(self) -> None:
        """Stop all replicas at once and remove the sockets' folder."""
        await asyncio.gather(*(self.stop(name) for name in list(self._replicas)))
        self._guard.close()
        shutil.rmtree(self._socket_dir, ignore_errors=True)

    def _changed(self) -> None:
        self.on_change()

    def _journal(self, replica: str) -> Journal:
        """The log of this name, gone on with if there was a replica of it before; the oldest of the ended ones go."""
        journal = self._journals.pop(replica, None)
        if journal is None:
            journal = Journal(self._log_dir / f"{_file_name(replica)}.log" if self._log_dir else None)
        self._journals[replica] = journal
        ended = [name for name in self._journals if name not in self._replicas and name != replica]
        for name in ended[: max(0, len(self._journals) - _MAX_JOURNALS)]:
            del self._journals[name]
        return journal


def _file_name(replica: str) -> str:
    """The name as a file name; nothing may leave the folder."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", replica).strip(".")[:100]
    return name or "replica"
