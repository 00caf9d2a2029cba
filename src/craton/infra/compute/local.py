"""The local host of models: each is a child of this process, made when first asked for.

Owns: the table of replicas, their paths and their logs. Must not know: where specs come from, who asks. It runs in
the supervisor's event loop; nothing here is safe to call from another thread.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import shutil
from pathlib import Path

from craton.infra.compute.guard import Guard
from craton.infra.compute.journal import Journal
from craton.infra.compute.port import ModelSpec, ModelStatus
from craton.infra.compute.replica import Place, Replica, Rules
from craton.infra.compute.sandbox import Sandbox


class LocalModelHost:
    """Model processes as children under the supervisor; a `ModelHost`."""

    def __init__(
        self, socket_dir: Path, log_dir: Path | None, rules: Rules | None = None, sandbox: Sandbox | None = None
    ) -> None:
        """Keep scratch folders under `socket_dir` (short: a socket's path has 107 bytes), logs in `log_dir`.

        Without a `sandbox` the processes may do what this one may.
        """
        self._socket_dir = socket_dir
        self._log_dir = log_dir
        self._rules = rules or Rules()
        self._guard = Guard()
        self._sandbox = sandbox or Sandbox("off", socket_dir)
        self._replicas: dict[str, Replica] = {}

    async def ensure(self, spec: ModelSpec) -> str:
        """Return the address of a healthy process for `spec`; a changed spec replaces the process of the old one."""
        while True:
            replica = self._replicas.get(spec.id)
            if replica is None:
                replica = self._replicas[spec.id] = self._make(spec)
            if replica.spec == spec:
                break
            await replica.stop()
            if self._replicas.get(spec.id) is replica:  # else another call has replaced it meanwhile
                self._replicas[spec.id] = self._make(spec)
        await replica.ensure()
        return replica.address

    def touch(self, model_id: str) -> None:
        """Note a use; an unknown id is ignored."""
        if replica := self._replicas.get(model_id):
            replica.touch()

    async def stop(self, model_id: str) -> bool:
        """Stop one model; False when it did not run."""
        replica = self._replicas.get(model_id)
        return await replica.stop() if replica else False

    def status(self) -> list[ModelStatus]:
        """One row per model ever asked for, by id."""
        return [self._replicas[key].status() for key in sorted(self._replicas)]

    def log(self, model_id: str) -> list[str]:
        """Last lines of the model's standard error and output; empty for an unknown id."""
        replica = self._replicas.get(model_id)
        return replica.journal.lines() if replica else []

    async def close(self) -> None:
        """Stop all models at once and remove the sockets' folder."""
        await asyncio.gather(*(replica.stop() for replica in self._replicas.values()))
        self._guard.close()
        shutil.rmtree(self._socket_dir, ignore_errors=True)

    def _make(self, spec: ModelSpec) -> Replica:
        key = hashlib.sha256(spec.id.encode()).hexdigest()[:12]
        self._socket_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        place = Place(socket=self._socket_dir / key / "sock", scratch=self._socket_dir / key)
        log = self._log_dir / f"{_file_name(spec.id)}.log" if self._log_dir else None
        return Replica(spec, place, Journal(log), self._guard, self._rules, self._sandbox)


def _file_name(model_id: str) -> str:
    """The id as a file name; ids hold `:` and `/`, and nothing may leave the folder."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", model_id).strip(".")[:100]
    return name or "model"
