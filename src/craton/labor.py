"""One worker process for jobs, composed: the store, the tools, the kinds of jobs it knows, and its end.

With `app`, `working` and `supervision`, a place that picks implementations. A supervisor makes such a process when a run
is due (`main`, with an assignment in an inherited file); `craton worker` is one by itself, on any machine that reaches
the store and the gateway (`work`).
"""

from __future__ import annotations

import asyncio
import importlib
import os
import secrets
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import msgspec
import uvloop

from craton.config import Settings
from craton.context import SystemClock
from craton.front.worker import leave
from craton.infra.blobs.opening import open_blobs
from craton.infra.cipher.stored import StoredCipher
from craton.infra.compute.process import die_with_parent, raise_file_limit
from craton.infra.control.client import ControlClient
from craton.infra.control.home import control_path
from craton.infra.control.wire import ControlFault, ControlLost
from craton.infra.heap import settle_heap
from craton.infra.identities.vault import Vault
from craton.infra.jobs.employ import KINDS, Assignment
from craton.infra.jobs.hold import Hold
from craton.infra.jobs.runs import SCHEDULED
from craton.infra.jobs.worker import Again, Done, Outcome, Terms, Worker
from craton.infra.objects.keeper import Keeper
from craton.infra.store.opening import open_store
from craton.infra.store.port import Store
from craton.infra.store.threaded import ThreadedStore
from craton.infra.store.watch import StampWatch, StoreWatch, Watch, database_path
from craton.infra.vectors.opening import open_vectors
from craton.services.passing import trusts
from craton.storing import place_of, shared_secret, store_url
from craton.supervision import open_keyring
from craton.workflows.clients import leave_profiles
from craton.workflows.life import is_passing, perform
from craton.workflows.timetable import TIMETABLE, Entry, appointments
from craton.workflows.toolbox import Shop, Toolbox, gateway_of, open_gateway
from craton.workflows.workflow import Workflow

_ENDING = (signal.SIGTERM, signal.SIGINT)
_SCHEDULED_AT_ONCE = 2


def main() -> None:
    """Run as `python -m craton.labor HANDLE`: the assignment lies in the inherited file HANDLE."""
    with os.fdopen(int(sys.argv[1]), "rb") as file:
        file.seek(0)
        assignment = msgspec.msgpack.decode(file.read(), type=Assignment)
    die_with_parent(assignment.parent_pid)
    settings = msgspec.msgpack.decode(assignment.settings, type=Settings)
    code = 1
    try:
        idle_s = settings.file.jobs.idle_timeout_s
        code = work(settings, url=assignment.url, name=assignment.name, kinds=assignment.kinds, idle_s=idle_s)
    finally:
        leave(code)


def work(
    settings: Settings, *, url: str = "", name: str = "", kinds: str = KINDS, idle_s: float | None = None,
    on_ready: Callable[[], None] = lambda: None,
) -> int:  # fmt: skip
    """Do jobs until SIGTERM, or until there were none for `idle_s`; the exit code. Raises ConfigError, StoreError."""
    leave_profiles()
    raise_file_limit()
    module, _, attribute = kinds.partition(":")
    known = cast("Sequence[Workflow]", getattr(importlib.import_module(module), attribute))
    uvloop.run(_work(settings, url, name or secrets.token_hex(8), known, idle_s, on_ready))
    return 0


async def _work(
    settings: Settings, url: str, name: str, known: Sequence[Workflow], idle_s: float | None,
    on_ready: Callable[[], None],
) -> None:  # fmt: skip
    opened = await open_labor(settings, url, name, known, idle_s)
    loop = asyncio.get_running_loop()
    for signum in _ENDING:
        loop.add_signal_handler(signum, opened.worker.end)
    settle_heap()
    on_ready()
    try:
        await opened.worker.run()
    finally:
        await opened.close()


@dataclass(frozen=True, slots=True)
class Labor:
    """A worker with what it was made of; `close` it after its `run`."""

    worker: Worker
    shop: Shop
    storage: ThreadedStore
    control: ControlClient

    async def close(self) -> None:
        await self.shop.transport.close()
        await self.control.close()
        await self.shop.blobs.close()
        await self.shop.vectors.close()
        self.storage.close()


async def open_labor(
    settings: Settings, url: str, name: str, known: Sequence[Workflow], idle_s: float | None = None,
    table: tuple[Entry, ...] = TIMETABLE,
) -> Labor:  # fmt: skip
    """A worker of the kinds of jobs in `known`. Raises ConfigError, StoreError."""
    gateway = gateway_of(settings, url)
    transport = open_gateway(gateway)
    store = await asyncio.to_thread(open_store, store_url(settings), durable=not settings.ephemeral)
    control = ControlClient(control_path(settings.home_path), role="jobs")
    storage = ThreadedStore(lambda: store, _refresh(control), lambda: shared_secret(settings, "page tokens"))
    clock = SystemClock()
    cipher = StoredCipher(storage, open_keyring(settings), clock.now, settings.region, settings.file.kms.default_key)
    blobs = open_blobs(settings.file.blobs, settings.home_path, ephemeral=settings.ephemeral)
    shop = Shop(
        settings=settings, store=store, storage=storage, clock=clock, cipher=cipher,
        blobs=blobs, objects=Keeper(storage, blobs, _report),
        vault=Vault(lambda purpose: shared_secret(settings, purpose), settings.file.oidc),
        trusts=trusts, gateway=gateway, transport=transport,
        vectors=open_vectors(settings.file.vectors, settings.home_path, ephemeral=settings.ephemeral),
    )  # fmt: skip
    terms = terms_of(settings, known, table, idle_s)
    worker = Worker(name, terms, storage, performer(shop, known, table), clock.now, watch_of(settings, store).changed)
    return Labor(worker, shop, storage, control)


def terms_of(settings: Settings, known: Sequence[Workflow], table: tuple[Entry, ...], idle_s: float | None) -> Terms:
    """How many of each kind at once, and which formats."""
    jobs = settings.file.jobs
    room = {one.kind: jobs.concurrency.get(one.kind, one.room or jobs.default_concurrency) for one in known}
    formats = {kind: tuple(sorted(one.format for one in known if one.kind == kind)) for kind in room}
    return Terms(
        room={**room, SCHEDULED: _SCHEDULED_AT_ONCE},
        formats={**formats, SCHEDULED: (1,)},
        calendar=appointments(table),
        places=(place_of(settings),),
        idle_s=idle_s,
    )


def performer(shop: Shop, known: Sequence[Workflow], table: tuple[Entry, ...]) -> Callable[[Hold], Awaitable[Outcome]]:
    """How a run of any known kind is performed."""
    bodies = {(one.kind, one.format): one for one in known}
    entries = {appointment.arn: entry for appointment, entry in zip(appointments(table), table, strict=True)}

    async def perform_one(hold: Hold) -> Outcome:
        if hold.run.kind == SCHEDULED:
            return await keep_appointment(shop, entries.get(hold.arn))
        return await perform(hold, bodies[hold.run.kind, hold.run.format], Toolbox(shop, hold.run))

    return perform_one


async def keep_appointment(shop: Shop, entry: Entry | None) -> Outcome:
    """Do what the calendar asks for; one that this version does not know is over."""
    if entry is None:
        return Done()
    module, _, attribute = entry.target.partition(":")
    try:
        await getattr(importlib.import_module(module), attribute)(shop)
    except Exception as error:  # a sweep's failure is told, and the sweep done again
        if not is_passing(error):
            print(f"craton: jobs: {entry.name} failed: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return Again(type(error).__name__)
    return Done(back_in_s=entry.every_s)


def watch_of(settings: Settings, store: Store) -> StoreWatch:
    """What tells that somebody wrote to the store."""
    path = database_path(store_url(settings))
    return Watch(Path(path)) if path is not None else StampWatch(lambda: store)


def _report(error: BaseException) -> None:
    print(f"craton: jobs: {type(error).__name__}: {error}", file=sys.stderr, flush=True)


def _refresh(control: ControlClient) -> Callable[[], Awaitable[None]]:
    """Have the server of this home take up what was written; one that is elsewhere sees it by itself."""

    async def refresh() -> None:
        try:
            await control.open(timeout_s=0.5)
            await control.call("refresh", timeout_s=10.0)
        except (ControlFault, ControlLost, TimeoutError):
            return

    return refresh


if __name__ == "__main__":
    main()
