"""What the supervisor does besides keeping HTTP workers: model processes, and the truth that workers live by.

Owns the `Snapshot` (keys and local models) and the moments at which a new one is published: at the start, when the
store changed (by whichever process), after a reset. Runs in the supervisor's loop; knows no request.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import msgspec

from craton.aws.access.credentials import Credentials
from craton.config import Settings
from craton.features.hosting.registry import registered
from craton.infra.compute.local import LocalModelHost
from craton.infra.compute.port import ModelSpec
from craton.infra.control.home import RunDir
from craton.infra.control.models import model_methods
from craton.infra.control.server import Call, ControlServer, Methods
from craton.infra.keys.bearer import snapshot as key_snapshot
from craton.infra.store.opening import open_store
from craton.infra.store.port import Store, StoreError
from craton.infra.store.watch import Watch, database_path
from craton.models.catalog.local import LocalModel, boxed_models

_LOOK_EVERY_S = 0.25


class Snapshot(msgspec.Struct, frozen=True):
    """All that changes while workers run. `credentials` is a parcel with secrets: it travels a private socket only."""

    credentials: bytes
    models: list[LocalModel]


def store_url(settings: Settings) -> str:
    """The configured store, or the home's own file."""
    return settings.file.store.url or f"sqlite:///{settings.home_path / 'craton.db'}"


class Supervision:
    """The duties of one supervisor (`front.server.Duties`)."""

    def __init__(self, settings: Settings, run: RunDir, roots: Credentials) -> None:
        self._settings = settings
        self._roots = roots
        self._host = LocalModelHost(run.models, run.model_logs)
        self._url = store_url(settings)
        path = database_path(self._url)
        self._watch = Watch(path) if path is not None else None
        self._store: Store | None = None
        self._models: dict[str, LocalModel] = {}
        self._published = b""
        self._looking: asyncio.Task[None] | None = None

    @property
    def methods(self) -> Methods:
        return {**model_methods(self._host, self._spec), "reset": self._reset, "refresh": self._refresh}

    async def start(self, control: ControlServer) -> None:
        await self._publish(control)
        self._looking = asyncio.create_task(self._look(control), name="store watch")

    async def stop(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
        await self._host.close()
        if self._store is not None:
            self._store.close()

    async def _look(self, control: ControlServer) -> None:
        """Take up what other processes wrote, within a moment."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            try:
                if self._watch is not None and self._watch.changed():
                    await self._publish(control)
            except StoreError as error:
                # The last good snapshot holds; the next change, or the next look, tries again.
                print(f"craton: the store could not be read: {error}", file=sys.stderr, flush=True)

    async def _publish(self, control: ControlServer) -> None:
        """Tell the workers, if there is news; returns when all of them live by it."""
        snapshot = self._snapshot()
        payload = msgspec.msgpack.encode(snapshot)
        if payload == self._published:
            return
        self._models = {model.id: model for model in snapshot.models}
        self._published = payload
        await control.publish(payload)

    def _snapshot(self) -> Snapshot:
        models = {model.id: model for model in boxed_models()}
        if self._store is None and (self._watch is None or self._watch.exists()):
            self._store = open_store(self._url, durable=not self._settings.ephemeral)
        if self._store is not None:
            models.update((model.id, model) for model in registered(self._store, self._settings.account))
        return Snapshot(key_snapshot(self._store, self._roots).encode(), list(models.values()))

    async def _refresh(self, call: Call) -> None:
        """`{}` → None once every worker lives by what the store holds now."""
        await self._publish(call.server)

    async def _reset(self, call: Call) -> None:
        """`{}` → None once everything is as after a first start. Model processes stay: they hold no state."""
        if self._store is not None:
            self._store.reset()
        await self._publish(call.server)

    async def _spec(self, model_id: str) -> ModelSpec | None:
        model = self._models.get(model_id)
        if model is None:
            return None
        compute = self._settings.file.compute
        return ModelSpec(
            id=model.id,
            command=engine_command(model),
            env={"OMP_WAIT_POLICY": "PASSIVE", "PYTHONUNBUFFERED": "1"},
            threads=compute.threads,
            idle_timeout_s=compute.idle_timeout_s,
            start_timeout_s=compute.start_timeout_s,
        )


def engine_command(model: LocalModel) -> tuple[str, ...]:
    """The engine is a program of its own: started, never imported."""
    options = {"--model": model.directory, "--name": model.id, "--uds": "{uds}", "--threads": "{threads}"}
    words: list[Any] = [sys.executable, "-P", "-m", "craton.engine"]
    return (*words, *(word for pair in options.items() for word in pair))
