"""One worker process, composed: the application behind its connections, with everything that its handlers need.

With `app` and `supervision`, the only place that picks implementations. What changes while it runs comes from the
supervisor as a `Snapshot` (`take_up`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from craton import measuring
from craton.aws.access.authority import Authority
from craton.aws.access.credentials import AccessKey, Credentials
from craton.aws.access.organization import Organization
from craton.aws.access.policy import Policy, parse
from craton.aws.wire.faults import Fault
from craton.aws.wire.model import load
from craton.aws.wire.restjson import RestJson
from craton.aws.wire.route import Router
from craton.config import ConfigError, Settings
from craton.context import App, Live, SystemClock
from craton.features.functions.line import FunctionsLine
from craton.features.inference.replicas.seats import Seats
from craton.features.inference.routing.agreements import StoredAgreement
from craton.features.inference.routing.compile import Compiler
from craton.features.inference.routing.profiles import StoredProfile
from craton.features.inference.routing.prompt_router import StoredRouter
from craton.features.inference.routing.retention import StoredMode
from craton.features.inference.routing.routes import Routes
from craton.features.inference.targets.report import rows as target_rows
from craton.features.logs.insights.desk import Desk
from craton.features.logs.insights.desk import Limits as QueryLimits
from craton.front import log_doors, worker
from craton.front.audited import Audit
from craton.front.authenticate import VERIFIERS
from craton.front.doors import Door, Doors
from craton.front.pipeline import Pipeline
from craton.front.report import Reporter
from craton.front.rooted import Rooted
from craton.front.turn import Receive, Scope, Send
from craton.infra.audit.ring import Ring
from craton.infra.blobs.opening import open_blobs
from craton.infra.cipher.stored import StoredCipher
from craton.infra.control.client import ControlClient
from craton.infra.control.home import control_path
from craton.infra.control.line import WorkerSupervisor
from craton.infra.documents.child import ChildDocuments
from craton.infra.identities.everybody import Everybody
from craton.infra.identities.vault import Vault
from craton.infra.objects.keeper import Keeper
from craton.infra.series.engine import SealedSeries
from craton.infra.spool.folder import owners
from craton.infra.store.opening import open_store
from craton.infra.store.parcels import Unpacking
from craton.infra.store.port import Store, microseconds
from craton.infra.store.threaded import ThreadedStore
from craton.infra.vectors.deferred import DeferredVectors
from craton.infra.vectors.opening import open_vectors
from craton.models.catalog.hosted import Hosted
from craton.models.catalog.local import LocalModel
from craton.models.catalog.rows import load as load_catalog
from craton.models.dialects.all import dialect_named
from craton.models.providers.cassettes.taping import MATCH_ON, Taping
from craton.models.providers.local import LocalProvider
from craton.models.providers.provider import Provider, Upstream
from craton.models.providers.seats import Replicas
from craton.offering import (
    SERVICES,
    at_root,
    function_urls,
    json_doors,
    objects_door,
    operation_rows,
    other_doors,
    query_doors,
    s3_way,
    served,
)
from craton.services.all import labels
from craton.services.iam.key_uses import KeyUses
from craton.storing import place_of, shared_secret, store_url
from craton.supervision import Snapshot, open_keyring

if TYPE_CHECKING:
    from craton.features.invocations.notice import Notice
    from craton.features.invocations.terms import StoredTerms
    from craton.front.logged import InvocationLog
    from craton.front.vendor_doors import VendorDoors
    from craton.models.providers.scripts.script import Script
    from craton.models.providers.stage import Stage

# Name → file and class. One is loaded when a target names it: a start should not pay for vendors that nobody uses.
PROVIDERS: dict[str, tuple[str, str]] = {
    "openai": ("openai", "OpenAIProvider"),
    "anthropic": ("anthropic", "AnthropicProvider"),
    "ai21": ("ai21", "AI21Provider"),
    "cohere": ("cohere", "CohereProvider"),
    "mistral": ("mistral", "MistralProvider"),
    "gemini": ("gemini", "GeminiProvider"),
    "bedrock": ("bedrock", "BedrockProvider"),
    "sagemaker": ("sagemaker", "SageMakerProvider"),
    "container": ("container", "ContainerProvider"),
    "stability": ("stability", "StabilityProvider"),
    "replay": ("replay", "ReplayProvider"),
    "script": ("script", "ScriptProvider"),
}


class Worker:
    """The application of one HTTP worker (`front.worker.WorkerApp`)."""

    def __init__(self, settings: Settings, control: ControlClient) -> None:
        self._control = control
        self.settings = settings
        self.supervisor = supervisor = WorkerSupervisor(control)
        catalog = load_catalog()
        self.seats = Seats(supervisor.placement, workers=settings.file.server.workers)
        self.telling: list[asyncio.Task[None]] = []
        self.stage, self.resets = open_stage(settings), 0
        self.compiler = Compiler(settings, catalog, lambda up: make_provider(up, self.seats), dialect_named, self.stage)
        self.routes = Routes(catalog, (), relaxed=False)
        self.models: list[LocalModel] | None = None
        self.profiles, self.routers, self.hosted = Unpacking(StoredProfile), Unpacking(StoredRouter), Unpacking(Hosted)
        self.modes: list[StoredMode] = []
        self.agreements: list[StoredAgreement] = []
        self.organization = open_organization(settings)
        self.live = Live(0, Credentials(), self.routes, Authority(organization=self.organization))
        self.everybody, self.roots = Everybody(), list[AccessKey]()
        self.vault = Vault(lambda name: shared_secret(settings, name), settings.file.oidc)
        services = [load(name) for name in SERVICES]
        rows = cache(lambda: operation_rows(services, labels()) + at_root())
        self.storage = open_storage(settings, supervisor)
        app = App(settings, SystemClock(), catalog, self.live, supervisor, self.storage, ChildDocuments(), rows)
        self.quota = measuring.open_quota(settings, control)
        self.cipher = open_cipher(settings, app)
        audit = open_audit(settings, control)
        self.ring, app = audit[0], replace(app, quota=self.quota, vault=self.vault, cipher=self.cipher, audit=audit[1])
        self.blobs = open_blobs(settings.file.blobs, settings.home_path, ephemeral=settings.ephemeral)
        app = replace(app, blobs=self.blobs, objects=Keeper(self.storage, self.blobs))
        app = replace(app, series=SealedSeries(self.storage, self.cipher, Reporter()))
        self.queries = open_queries(settings, app)
        place = settings.file.vectors, settings.home_path
        self.vectors = DeferredVectors(lambda: open_vectors(*place, ephemeral=settings.ephemeral))
        self.functions = FunctionsLine(control_path(settings.home_path).parent)
        app = replace(app, queries=self.queries, vectors=self.vectors, functions=self.functions)
        self.spans, self.meter = measuring.open_lines(settings, app.clock, control)
        self.counting = measuring.open_counting(self.storage, app.clock)
        app = replace(app, meter=self.meter.meter, tracer=self.spans and self.spans.tracer, counting=self.counting)
        report = Reporter()
        self.pipeline = pipeline = Pipeline(app, Router(services), RestJson(), partial(served, app), report)
        self.opened_vendors: VendorDoors | None = None
        self.log: InvocationLog | None = None
        self.noticing: Notice | None = None
        self.logging: list[StoredTerms] = []

        @cache
        def vendors() -> VendorDoors:
            from craton.front.vendor_doors import VendorDoors  # many servers never need them

            made = VendorDoors(app, services, report)
            self.opened_vendors = made
            if self.log is not None:
                self.log.join_doors(made)
            return made

        self.vault.uses = KeyUses(self.storage, lambda: self.live.credentials, app.clock.now)
        self.vault.uses.verifiers += VERIFIERS
        rooted = Rooted({**query_doors(app, report), **json_doors(app, report), **other_doors(app, report)}, pipeline)
        self.doors = Doors(app, pipeline, vendors, self.more_doors(settings), rooted, s3_way(pipeline, self.vault))
        self.doors.functions, self.doors.objects = function_urls(app, report), objects_door(app, report)
        self.doors.metrics = measuring.prometheus_door(app, self.meter, control, report)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Coroutine[Any, Any, None]:
        return self.doors(scope, receive, send)

    async def take_up(self, generation: int, payload: bytes) -> None:
        snapshot = msgspec.msgpack.decode(payload, type=Snapshot)
        self.seats.take_up(snapshot.placements)
        wanted = self.everybody.wanted(snapshot.known)
        wanted |= self.profiles.wanted(snapshot.profiles) | self.routers.wanted(snapshot.routers)
        wanted |= self.hosted.wanted(snapshot.hosted)
        parcels = await self.supervisor.parcels(wanted)
        keys, people = self.everybody.take(snapshot.known, parcels)
        if keys or snapshot.roots != self.roots:
            self.roots = snapshot.roots
            self.live.credentials = self.everybody.credentials(self.roots, self.vault.sessions.open)
        owned = [self.profiles.take(snapshot.profiles, parcels), self.routers.take(snapshot.routers, parcels)]
        owned.append(self.hosted.take(snapshot.hosted, parcels))
        ruled = snapshot.modes != self.modes or snapshot.agreements != self.agreements
        if any(owned) or ruled or snapshot.models != self.models:
            if snapshot.models != self.models:
                self.models, self.routes = snapshot.models, self.compiler.routes(snapshot.models)
            self.modes, self.agreements = snapshot.modes, snapshot.agreements
            held = self.profiles.held, self.routers.held
            self.live.routes = self.routes.owning(*held, self.modes, self.agreements, self.hosted.held)
        if people:
            self.live.authority = Authority(self.everybody.identities(), self.organization, self.live.authority)
        self.cipher.follow(snapshot.keys)
        if snapshot.logging != self.logging:
            self.logging = snapshot.logging
            self.take_up_log()
        if snapshot.resets != self.resets:
            self.resets = snapshot.resets
            self.live.authority = Authority(self.live.authority.identities, self.organization)
            self.rewind()
        self.live.generation = generation

    def notice(self) -> Notice:
        """What says that logs wait; kept, so that it is heard out at the end."""
        if self.noticing is None:
            from craton.features.invocations.notice import Notice

            self.noticing = Notice(self.storage, SystemClock(), place_of(self.settings))
        return self.noticing

    def resume_logs(self) -> None:
        """Have delivered what an earlier process left in the spool."""
        for account, region in owners(self.settings.spool_path):
            self.notice().give(account, region)

    def take_up_log(self) -> None:
        """Log invocations as accounts have it; who never does pays nothing."""
        if self.log is None:
            from craton.front.logged import open_log

            self.log = open_log(self.settings, self.cipher, self.notice())
            self.log.join_pipeline(self.pipeline)
            if self.opened_vendors is not None:
                self.log.join_doors(self.opened_vendors)
        self.log.take_up(self.logging)

    def more_doors(self, settings: Settings) -> Mapping[tuple[str, str], Door]:
        """How logs stand, and the paths by which tests steer an ephemeral server."""
        logs: dict[tuple[str, str], Door] = {log_doors.PATH: log_doors.LogDoor(settings.spool_path)}
        if self.stage is None or not settings.ephemeral:
            return logs
        from craton.front.stage_doors import StageDoors

        return {**logs, **StageDoors(self.stage, self.scripts, settings.file.server.workers).rows}

    def scripts(self) -> list[Script]:
        """The scripts of targets."""
        return [provider.script for provider in self.compiler.providers.values() if provider.name == "script"]  # type: ignore[attr-defined]

    def rewind(self) -> None:
        """Scripts and cassettes, what is known of targets, and quotas as at the start."""
        self.compiler.states.forget()
        self.meter.meter.forget()
        self.counting.forget()
        if self.quota is not None:
            self.quota.forget()
        for script in self.scripts():
            script.reset()
        for provider in self.compiler.providers.values():
            if provider.name == "replay":
                provider.cassette.rewind()  # type: ignore[attr-defined]
        for cassette in self.compiler.cassettes.values():
            cassette.rewind()
        if self.stage is not None:
            self.stage.reset()

    def tell(self) -> None:
        """Begin to tell the supervisor what it wants to hear now and then."""
        self.resume_logs()
        self.telling.append(asyncio.create_task(self.meter.run(), name="meter"))
        if self.spans is not None:
            self.telling.append(asyncio.create_task(self.spans.run(), name="spans"))
        if isinstance(self.quota, measuring.Following):
            self.telling.append(asyncio.create_task(self.quota.follow(), name="budgets"))
        self.telling.append(asyncio.create_task(self.vault.uses.tell(), name="key uses"))
        self.telling.append(asyncio.create_task(self.seats.tell(self.supervisor.report), name="load"))
        if self.settings.file.server.workers > 1:
            rows = lambda: msgspec.to_builtins(target_rows(self.live.routes, time.monotonic()))  # noqa: E731
            self.telling.append(asyncio.create_task(self.supervisor.tell_targets(rows), name="control targets"))
            record = lambda: self.live.authority.record  # noqa: E731
            self.telling.append(asyncio.create_task(self.supervisor.tell_calls(record), name="control calls"))

    async def close(self) -> None:
        for telling in self.telling:
            telling.cancel()
        await self.meter.tell()
        await self.counting.close()
        if self.spans is not None:
            await self.spans.tell()
        for provider in self.compiler.providers.values():
            await provider.close()
        await self.seats.close()
        if self.ring is not None:
            await self.ring.close()
        if self.log is not None:
            await self.log.close()
        if self.noticing is not None:
            await self.noticing.close()
        await self.blobs.close()
        await self.vectors.close()
        await self.functions.close()
        await self.queries.close()
        await self.doors.app.series.close()
        self.storage.close()


def open_queries(settings: Settings, app: App) -> Desk:
    """What runs queries over log groups."""
    logs = settings.file.logs
    limits = QueryLimits(logs.query_timeout_s, logs.query_scan_bytes)
    return Desk(app.storage, app.series, app.cipher, lambda: microseconds(app.clock.now()) // 1000, limits, Reporter())


async def open_worker(seat: worker.Seat) -> Worker:
    """Make the application and wait for the first snapshot."""
    opened = Worker(msgspec.msgpack.decode(seat.settings, type=Settings), seat.control)
    first = asyncio.Event()

    async def take_up(generation: int, payload: bytes) -> None:
        await opened.take_up(generation, payload)
        first.set()

    seat.control.subscribe(take_up)
    await first.wait()
    if opened.settings.file.kms.endpoint_url:  # an outside KMS may take its time, and no request should wait for it
        await asyncio.to_thread(lambda: opened.cipher.keyring.root)
    opened.tell()
    return opened


def open_storage(settings: Settings, supervisor: WorkerSupervisor) -> ThreadedStore:
    """A worker's way to the store, which is opened when the control plane first needs it."""

    def opened() -> Store:
        return open_store(store_url(settings), durable=not settings.ephemeral)

    return ThreadedStore(opened, supervisor.refresh, lambda: shared_secret(settings, "page tokens"))


def open_audit(settings: Settings, control: ControlClient) -> tuple[Ring | None, Audit | None]:
    """The audit of this worker, if there is to be one, and the ring by which its records leave."""
    table = settings.file.audit
    if not table.enabled:
        return None, None
    ring = Ring(control.call)
    return ring, Audit(ring, data_events=table.data_events)


def open_organization(settings: Settings) -> Organization:
    """The guard policies of `[organization]`. Raises ConfigError for one that cannot be read."""
    table = settings.file.organization

    def read(path: str, kind: Literal["scp", "rcp"]) -> Policy:
        try:
            return parse(Path(path).read_text(encoding="utf-8"), kind, Path(path).name)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"[organization] {path}: cannot be read: {error}") from None
        except Fault as fault:
            raise ConfigError(f"[organization] {path}: {fault.message}") from None

    callers = [read(path, "scp") for path in table.policies]
    return Organization(table.id or None, callers, [read(path, "rcp") for path in table.resource_policies])


def open_cipher(settings: Settings, app: App) -> StoredCipher:
    """What seals customers' content; the root key is read when something is first sealed."""
    keyring, default_key = open_keyring(settings), settings.file.kms.default_key
    return StoredCipher(app.storage, keyring, app.clock.now, settings.region, default_key)


def open_stage(settings: Settings) -> Stage | None:
    """What may stand before every model: on an ephemeral server and for `craton record`. Raises ConfigError."""
    if not settings.ephemeral and settings.record is None:
        return None
    from craton.models.providers.stage import Stage

    record = settings.record
    stage = Stage(settings.file.testing.cassettes, record.models if record is not None else ())
    if record is not None:
        terms = Taping(path=record.path, mode=record.mode, match_on=record.match_on or MATCH_ON)
        stage.insert(terms, always=True)
    return stage


def make_provider(upstream: Upstream, replicas: Replicas) -> Provider:
    """The provider that the upstream names. Raises ConfigError for one that is not built."""
    if upstream.provider == "local":
        return LocalProvider(upstream, replicas)
    if upstream.provider == "container" and not upstream.base_url:  # of our own
        from craton.models.providers.containers import ContainersProvider

        return ContainersProvider(upstream, replicas)
    if upstream.provider not in PROVIDERS:
        raise ConfigError(f"the provider {upstream.provider!r} is not built yet")
    file, kind = PROVIDERS[upstream.provider]
    made: Provider = getattr(import_module(f"craton.models.providers.{file}"), kind)(upstream)
    return made
