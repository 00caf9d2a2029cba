"""What the supervisor does besides keeping HTTP workers: model processes, and the truth that workers live by.

Owns the `Snapshot` (keys and local models) and the moments at which a new one is published: at the start, when the
store changed (by whichever process), after a reset. Runs in the supervisor's loop; knows no request.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from craton.aws.access.credentials import AccessKey, Credentials
from craton.config import ConfigError, Settings
from craton.exporting import Exporting, open_budgets, open_exporting
from craton.features.functions.host.keeper import SOCKET, HostKeeper
from craton.features.hosting import registry
from craton.features.hosting.deployment import Deployment
from craton.features.hosting.desired import Desires
from craton.features.inference.routing import agreements, profiles, prompt_router, retention
from craton.features.inference.routing.agreements import StoredAgreement
from craton.features.inference.routing.retention import StoredMode
from craton.features.invocations import terms
from craton.features.invocations.terms import StoredTerms
from craton.features.metering.tally import Tally
from craton.infra.audit.keeper import Keeper
from craton.infra.audit.log import Rules
from craton.infra.cipher.keyring import Keyring
from craton.infra.cipher.port import RootUnavailable
from craton.infra.cipher.root import RootKey, check_table, load_root
from craton.infra.cipher.rows import ALIAS, KEY
from craton.infra.control.board import Board
from craton.infra.control.called import Called
from craton.infra.control.home import RunDir
from craton.infra.control.models import model_methods, worker_source
from craton.infra.control.quota import quota_methods
from craton.infra.control.responses import KeptResponses
from craton.infra.control.server import Call, ControlServer, Methods
from craton.infra.control.wire import ControlFault
from craton.infra.identities.seal import ACCESS_KEYS, Sealer
from craton.infra.identities.snapshot import Directory, Known
from craton.infra.jobs.foreman import Foreman
from craton.infra.jobs.runs import Appointment
from craton.infra.store.mirror import Mirror
from craton.infra.store.opening import open_store
from craton.infra.store.parcels import Packing, Shelf
from craton.infra.store.port import Store, StoreError
from craton.infra.store.threaded import persistent
from craton.infra.store.watch import StampWatch, StoreWatch, Watch, database_path
from craton.models.catalog.hosted import Placement
from craton.models.catalog.local import LocalModel, boxed_models
from craton.sharing import Sharing
from craton.storing import ROOT_PURPOSE, check_shared_secret, place_of, root_is_shared, shared_secret, store_url

T = TypeVar("T")

_LOOK_EVERY_S = 0.25
_PATIENCE_S = 4.0
"""How long a start or a write that is to be spread waits for a database that is away; workers wait longer for both."""


class Snapshot(msgspec.Struct, frozen=True):
    """All that changes while workers run; after a reset workers forget what they know of targets and quotas.

    It travels a private socket only, for it holds secrets. What there may be many of are names of parcels, which a
    worker asks for (`parcels`) when it does not have them.
    """

    roots: list[AccessKey]
    models: list[LocalModel]
    known: Known = Known()
    profiles: list[bytes] = []
    routers: list[bytes] = []
    modes: list[StoredMode] = []
    agreements: list[StoredAgreement] = []
    logging: list[StoredTerms] = []
    keys: tuple[int, ...] = ()  # moves when a KMS key or alias changes: by it workers know how long they may hold one
    hosted: list[bytes] = []
    placements: list[Placement] = []
    resets: int = 0


def open_keyring(settings: Settings) -> Keyring:
    """The keys' own encryption; the root key is read when it is first needed."""
    if root_is_shared(settings):
        return Keyring(lambda: RootKey(shared_secret(settings, ROOT_PURPOSE)))
    return Keyring(lambda: load_root(settings.home_path, settings.file.kms))


def check_root(settings: Settings) -> None:
    """A root key that the configuration names must be there at the start. Raises ConfigError, OSError."""
    check_table(settings.file.kms)
    if settings.file.kms.root_key or settings.file.kms.endpoint_url:
        try:
            load_root(settings.home_path, settings.file.kms)
        except RootUnavailable as error:
            raise ConfigError(f"[kms] {error}") from error


def open_audit(settings: Settings) -> Keeper:
    """The audit log, whose files are opened by its first record."""
    table = settings.file.audit
    rules = Rules(segment_bytes=table.max_segment_bytes, keep_days=table.retention_days, durable=not settings.ephemeral)
    return Keeper(settings.audit_path, rules, lambda: datetime.now(UTC), settings.account, settings.region)


class Supervision:
    """The duties of one supervisor (`front.server.Duties`)."""

    def __init__(self, settings: Settings, run: RunDir, roots: Credentials) -> None:
        self._settings = settings
        self._roots = roots
        self._sharing = Sharing(settings, run, self._ask_opened, self._workers)
        self._fleet = self._sharing.fleet
        self._desires = Desires(settings, self._sharing.gpus)
        self._control: ControlServer | None = None
        self._audit = open_audit(settings)
        self._url = store_url(settings)
        path = database_path(self._url)
        self._watch: StoreWatch = Watch(path) if path is not None else StampWatch(self._opened)
        # All that may wait for the store; the loop, on which quotas and model processes live, must not.
        self._reading = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._store: Store | None = None
        self._mirror = Mirror()
        self._directory = Directory(self._mirror)
        self._profiles, self._routers, self._hosted = Packing(), Packing(), Packing()
        self._deployments: tuple[Deployment, ...] = ()
        self._placements: list[Placement] = []
        self._current: Snapshot | None = None
        self._shelf = Shelf()
        self._published = b""
        self._turn = asyncio.Lock()
        self._resets = 0
        self._responses = KeptResponses()
        self._board = Board()
        self._called = Called()
        self._tally = Tally(self._ask_opened, self._watch.exists)
        self._counting: asyncio.Task[None] | None = None
        self._exporting: Exporting | None = open_exporting(settings)
        self._budgets = open_budgets(settings, self._tally, self._ask_opened)
        self._recounting: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._run = run
        self._foreman: Foreman | None = None
        self._functions: HostKeeper | None = None

    @property
    def methods(self) -> Methods:
        own = {"reset": self._reset, "refresh": self._refresh, "parcels": self._find_parcels}
        kept = {
            **self._responses.methods,
            **self._board.methods,
            **self._called.methods,
            **quota_methods(self._sharing.counter),
        }
        kept.update({**self._audit.methods, **self._tally.methods})
        if self._exporting is not None:
            kept.update(self._exporting.methods)
        if self._budgets is not None:
            kept.update(self._budgets.methods)
        return {**model_methods(self._fleet), **kept, **own}

    async def start(self, control: ControlServer) -> None:
        if not isinstance(self._watch, Watch):
            await self._ask(lambda: check_shared_secret(self._opened(), self._settings), _PATIENCE_S)
        self._control = control
        await self._publish(control, _PATIENCE_S)
        await self._sharing.begin(self._place)
        self._looking = asyncio.create_task(self._look(control), name="store watch")
        self._counting = asyncio.create_task(self._tally.run(), name="tally")
        if self._exporting is not None:
            self._exporting.start(self._tally)
        if self._budgets is not None:
            await self._budgets.recount()
            self._recounting = asyncio.create_task(self._budgets.run(), name="budgets")

    def serve_jobs(self, spawn: Callable[[str], int], calendar: Sequence[Appointment]) -> None:
        """From now on there are workers for jobs whenever there is something to do; `spawn` makes one of a name."""
        count, names = self._settings.file.jobs.workers, self._run.home / "run" / "jobs"
        self._foreman = Foreman(count, spawn, self._ask_opened, names, place_of(self._settings), calendar)

    def serve_functions(self, spawn: Callable[[socket.socket], int]) -> None:
        """From now on there is a host for functions whenever somebody invokes one; `spawn` makes it."""
        self._functions = HostKeeper(self._run.sockets / SOCKET, spawn)

    async def stop(self) -> None:
        if self._functions is not None:
            await self._functions.stop()
        if self._foreman is not None:
            await self._foreman.stop()
        if self._looking is not None:
            self._looking.cancel()
        if self._counting is not None:
            self._counting.cancel()
            await self._tally.keep()
        if self._recounting is not None:
            self._recounting.cancel()
        if self._exporting is not None:
            await self._exporting.stop()
        await self._sharing.end()
        await self._audit.close()
        self._reading.shutdown(wait=False, cancel_futures=True)
        if self._store is not None:
            self._store.close()

    async def _look(self, control: ControlServer) -> None:
        """Take up what other processes and other servers wrote, within a moment."""
        behind = lost = False
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            try:
                behind = await self._ask(self._watch.changed) or behind
                if self._foreman is not None and self._watch.exists():
                    await self._foreman.look(changed=behind)
                if behind:
                    await self._publish(control)
                if lost:
                    print("craton: the store can be read again", file=sys.stderr, flush=True)
                behind = lost = False
            except StoreError as error:
                # The last good snapshot holds; the next look tries again.
                if not lost:
                    print(f"craton: the store could not be read: {error}", file=sys.stderr, flush=True)
                lost = True

    async def _ask(self, work: Callable[[], T], patience_s: float = 0.0) -> T:
        """The result of work with the store, tried for so long while the database is away."""
        until = time.monotonic() + patience_s
        return await asyncio.get_running_loop().run_in_executor(self._reading, persistent, work, until)

    async def _ask_opened(self, work: Callable[[Store], T]) -> T:
        return await self._ask(lambda: work(self._opened()))

    async def _publish(self, control: ControlServer, patience_s: float = 0.0) -> None:
        """Tell the workers, if there is news; returns when all of them live by it.

        One at a time: who finds its own write published already must not return before the workers have taken it up.
        """
        async with self._turn:
            self._current = await self._ask(self._snapshot, patience_s)
            self._fleet.want(self._deployments)
            await self._tell(control, self._current)

    async def _place(self, placements: list[Placement]) -> None:
        """Tell the workers where replicas are now; the store is not asked."""
        async with self._turn:
            self._placements = placements
            if self._control is not None and self._current is not None:
                self._current = msgspec.structs.replace(self._current, placements=placements)
                await self._tell(self._control, self._current)

    async def _tell(self, control: ControlServer, snapshot: Snapshot) -> None:
        payload = msgspec.msgpack.encode(snapshot)
        if payload != self._published:
            self._published = payload
            await control.publish(payload)

    def _workers(self) -> list[str]:
        """The workers that there are, by the names of their reports of load."""
        peers = self._control.peers if self._control is not None else []
        return [worker_source(peer.index, peer.pid) for peer in peers if peer.role == "worker"]

    def _snapshot(self) -> Snapshot:
        models = {model.id: model for model in boxed_models()}
        roots = list(self._roots.secrets.values())
        if not self._watch.exists():  # nothing is made just to be looked at
            hosted = self._desire(None)
            self._shelf.put((self._hosted,))
            return Snapshot(
                roots, list(models.values()), hosted=hosted, placements=self._placements, resets=self._resets
            )
        store = self._opened()
        self._mirror.look(store)
        own = self._mirror.read(store, registry.KIND, registry.registration_of)
        models.update((model.id, model) for account, model in own if account == self._settings.account)
        snapshot = Snapshot(
            roots=roots,
            models=list(models.values()),
            profiles=self._profiles.pack(self._mirror.read(store, profiles.KIND, profiles.profile_of)),
            routers=self._routers.pack(self._mirror.read(store, prompt_router.KIND, prompt_router.router_of)),
            known=self._directory.known(store, self._sealer),
            modes=list(self._mirror.read(store, retention.KIND, retention.mode_of)),
            agreements=list(self._mirror.read(store, agreements.KIND, agreements.agreement_of)),
            logging=list(self._mirror.read(store, terms.KIND, terms.terms_of)),
            keys=(self._mirror.stamp(KEY), self._mirror.stamp(ALIAS)),
            hosted=self._desire(store),
            placements=self._placements,
            resets=self._resets,
        )
        self._shelf.put((self._profiles, self._routers, self._hosted, *self._directory.packings))
        return snapshot

    def _desire(self, store: Store | None) -> list[bytes]:
        """What is to be served now; the names of the parcels of hosted models."""
        desired = self._desires.look(self._mirror, store)
        self._deployments = desired.deployments
        names = self._hosted.pack(desired.hosted)
        return names if desired.hosted else []

    def _sealer(self) -> Sealer:
        """What opens the secrets of users' access keys."""
        return Sealer(shared_secret(self._settings, ACCESS_KEYS))

    def _opened(self) -> Store:
        """The store; called in its thread alone."""
        if self._store is None:
            self._store = open_store(self._url, durable=not self._settings.ephemeral)
        return self._store

    async def _refresh(self, call: Call) -> None:
        """`{}` → None once every worker lives by what the store holds now."""
        await self._publish(call.server, _PATIENCE_S)

    async def _find_parcels(self, call: Call) -> list[bytes]:
        """`{names}` → the parcels of these names."""
        try:
            return self._shelf.find(call.params["names"])
        except KeyError:
            raise ControlFault("gone", "a newer generation has other parcels") from None

    async def _reset(self, call: Call) -> None:
        """`{}` → None once everything is as after a first start. Model processes stay: they hold no state."""
        self._responses.clear()
        await self._sharing.reset()
        await self._tally.clear()
        self._called.clear()
        if self._functions is not None:
            self._functions.renew()
        self._resets += 1  # by which workers know that what they hold of their own must go as well
        if self._watch.exists():
            await self._ask(lambda: self._opened().reset())
        await self._publish(call.server)
        await self._tally.clear()  # what workers told before they took it up
        if self._budgets is not None:
            self._budgets.clear()
        if self._exporting is not None:
            self._exporting.clear()
