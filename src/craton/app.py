"""The composition root: settings become a running server. With `supervision`, the only place that picks implementations.

Two processes are composed here: the supervisor (`serve`) and each HTTP worker (`open_worker`). What changes while they
run travels from the first to the second as a `Snapshot`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Coroutine
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec

from craton.aws.access.credentials import Credentials
from craton.aws.wire.faults import model_not_ready, unavailable
from craton.aws.wire.model import Service, load
from craton.aws.wire.restjson import RestJson
from craton.aws.wire.route import Router
from craton.config import ConfigError, Settings
from craton.context import App, Live, SystemClock
from craton.features.inference.compile import Compiler
from craton.features.inference.routes import Routes
from craton.front import server, worker
from craton.front.connections import Limits
from craton.front.doors import Doors
from craton.front.pipeline import Pipeline, Served
from craton.front.report import Reporter
from craton.infra.control.client import ControlClient
from craton.infra.control.home import hold_home
from craton.infra.control.wire import ControlFault, ControlLost
from craton.infra.keys.root import RootKey, load_root_key, root_credentials
from craton.models.catalog.rows import load as load_catalog
from craton.models.dialects.all import dialect_named
from craton.models.providers.local import LocalProvider
from craton.models.providers.provider import Provider, Upstream
from craton.services.all import HANDLERS
from craton.services.operation import Label, labelled
from craton.supervision import Snapshot, Supervision

if TYPE_CHECKING:
    from craton.front.vendor_doors import VendorDoors

SERVICES = ("bedrock", "bedrock-runtime", "bedrock-agent", "bedrock-agent-runtime")
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
}
_ENSURE_TIMEOUT_S = 120.0
_TELL_USES_EVERY_S = 20.0


# --- the supervisor process ---


def serve(settings: Settings, on_ready: Callable[[server.Bound], None]) -> int:
    """Serve until SIGTERM; the exit code. Raises ConfigError, BadRootKey, HomeBusy, ListenFailed, OSError."""
    home = settings.home_path
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with hold_home(home) as run:
        roots = root_credentials(root_keys(settings))
        # A mistake in the configuration must end the start, not the first request.
        Compiler(settings, load_catalog(), checked_provider, dialect_named).routes(())
        table = settings.file.server
        plan = server.Plan(
            target="craton.app:open_worker",
            settings=msgspec.msgpack.encode(settings),
            workers=table.workers,
            limits=Limits(body_s=table.body_timeout_s, write_stall_s=table.write_stall_s),
            drain_s=table.drain_timeout_s,
        )
        listen = server.Listen(host=table.host, port=table.port)
        return server.serve(listen, plan, run, Supervision(settings, run, roots), on_ready)


def root_keys(settings: Settings) -> list[RootKey]:
    """The root key of the default account and of each `[[account]]`."""
    first = load_root_key(settings.home_path, os.environ, settings.account)
    return [first, *(RootKey(table.id, table.access_key, table.secret_key) for table in settings.file.account)]


def checked_provider(upstream: Upstream) -> Provider:
    """Any provider the configuration may name, bound to no supervisor."""

    async def nowhere(model_id: str) -> str:
        raise unavailable()

    return make_provider(upstream, nowhere, lambda _: None)


# --- a worker process ---


class WorkerSupervisor:
    """A worker's line to the supervisor (`context.Supervisor`)."""

    def __init__(self, control: ControlClient) -> None:
        self._control = control
        self._used: set[str] = set()

    def used(self, model_id: str) -> None:
        """Note a use; the supervisor hears of it at the next `tell_uses`."""
        self._used.add(model_id)

    async def tell_uses(self) -> None:
        """Tell the supervisor now and then which models are not idle; runs until it is cancelled."""
        while True:
            await asyncio.sleep(_TELL_USES_EVERY_S)
            used, self._used = self._used, set()
            if used:
                with contextlib.suppress(ControlFault, ControlLost, TimeoutError):
                    await self._control.call("models.touch", {"model_ids": sorted(used)})

    async def ensure(self, model_id: str) -> str:
        try:
            answer = await self._control.call("models.ensure", {"model_id": model_id}, timeout_s=_ENSURE_TIMEOUT_S)
        except ControlFault as fault:
            raise model_not_ready(retry_after_s=fault.retry_after_s or None) from fault
        except (ControlLost, TimeoutError) as error:
            raise model_not_ready() from error
        url: str = answer["base_url"]
        return url

    async def reset(self) -> None:
        await self._control.call("reset")


class Worker:
    """The application of one HTTP worker (`front.worker.WorkerApp`)."""

    def __init__(self, settings: Settings, control: ControlClient) -> None:
        self._control = control
        self.supervisor = supervisor = WorkerSupervisor(control)
        catalog = load_catalog()
        make = lambda upstream: make_provider(upstream, supervisor.ensure, supervisor.used)  # noqa: E731
        self.telling: asyncio.Task[None] | None = None
        self.compiler = Compiler(settings, catalog, make, dialect_named)
        self.live = Live(0, Credentials(), Routes(catalog, (), relaxed=False))
        services, labels = [load(name) for name in SERVICES], labelled(HANDLERS)
        rows = operation_rows(services, {key: label for key, (label, _) in labels.items()})
        app = App(settings, SystemClock(), catalog, self.live, supervisor, lambda: rows)
        protocol = RestJson()
        served = {key: Served(handler, label.body) for key, (label, handler) in labels.items()}
        report = Reporter()
        pipeline = Pipeline(app, Router(services), protocol, served, report)

        @cache
        def vendors() -> VendorDoors:
            from craton.front.vendor_doors import VendorDoors  # many servers never need them

            return VendorDoors(app, services, report)

        self.doors = Doors(app, pipeline, vendors)

    def __call__(self, scope: worker.Scope, receive: worker.Receive, send: worker.Send) -> Coroutine[Any, Any, None]:
        return self.doors(scope, receive, send)

    async def take_up(self, generation: int, payload: bytes) -> None:
        snapshot = msgspec.msgpack.decode(payload, type=Snapshot)
        self.live.credentials = Credentials.decode(snapshot.credentials)
        self.live.routes = self.compiler.routes(snapshot.models)
        self.live.generation = generation

    async def close(self) -> None:
        if self.telling is not None:
            self.telling.cancel()
        for provider in self.compiler.providers.values():
            await provider.close()


async def open_worker(seat: worker.Seat) -> Worker:
    """Make the application and wait for the first snapshot."""
    opened = Worker(msgspec.msgpack.decode(seat.settings, type=Settings), seat.control)
    first = asyncio.Event()

    async def take_up(generation: int, payload: bytes) -> None:
        await opened.take_up(generation, payload)
        first.set()

    seat.control.subscribe(take_up)
    await first.wait()
    opened.telling = asyncio.create_task(opened.supervisor.tell_uses(), name="control uses")
    return opened


def make_provider(upstream: Upstream, ensure: Callable[[str], Awaitable[str]], used: Callable[[str], None]) -> Provider:
    """The provider that the upstream names. Raises ConfigError for one that is not built."""
    if upstream.provider == "local":
        return LocalProvider(upstream, ensure, used)
    if upstream.provider not in PROVIDERS:
        raise ConfigError(f"the provider {upstream.provider!r} is not built yet")
    file, kind = PROVIDERS[upstream.provider]
    made: Provider = getattr(import_module(f"craton.models.providers.{file}"), kind)(upstream)
    return made


def operation_rows(services: list[Service], labels: dict[tuple[str, str], Label]) -> list[dict[str, str]]:
    """What each operation of the service models is here: real, partial or refused."""
    return [
        {"service": service.name, "operation": name, "status": labels[key].status if key in labels else "refused"}
        for service in services
        for name in sorted(service.operations)
        for key in ((service.name, name),)
    ]
