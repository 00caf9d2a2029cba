"""What several servers of one place share: the fleet of replicas, the count of quotas, the knowledge of each other.

With `app`, `working` and `supervision`, the only place that picks implementations: where replicas run, whether one
server leads them for all, where quota buckets are. A server alone, on a store of its own, pays for none of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol, TypeVar

from craton.config import ConfigError, Settings, secret
from craton.features.hosting.fleet import Fleet, Publish, Terms
from craton.features.hosting.shared import DUTY, SharedFleet
from craton.infra.compute.local import LocalModelHost
from craton.infra.compute.ray_host import RayHost
from craton.infra.compute.sandbox import Sandbox
from craton.infra.control.home import RunDir
from craton.infra.gateways.census import Census, Seen
from craton.infra.identities.seal import Sealer
from craton.infra.quota.buckets import Buckets
from craton.infra.quota.port import Counter
from craton.infra.store.port import Store, StoreError
from craton.infra.store.watch import database_path
from craton.storing import shared_secret, store_url

T = TypeVar("T")
_REFERENCES = ("env:", "file:")
_PLACEMENTS, _NAMESPACE, _BUCKETS = "placements", "ray namespace", "quota buckets"
"""What the secrets are called from which those of a place follow."""
_SETTLE_S = 2.5


class Ask(Protocol):
    """Does work with the store in the supervisor's thread for it. Raises StoreError."""

    def __call__(self, work: Callable[[Store], T], /) -> Awaitable[T]: ...


class Sharing:
    """A supervisor's part in what its place shares. Raises ConfigError.

    Args:
        alive: this machine's workers, by the names of their reports of load.
    """

    def __init__(self, settings: Settings, run: RunDir, ask: Ask, alive: Callable[[], Iterable[str]]) -> None:
        self._settings = settings
        self._run = run
        self._alive = alive
        self._buckets = Buckets()
        self.counter = open_counter(settings, self._buckets)
        on_ray = settings.file.compute.backend == "ray"
        among_others = not settings.ephemeral and database_path(store_url(settings)) is None
        self.gpus = 0.0
        """Accelerators of this machine: of a cluster's, Ray knows."""
        self.fleet: Fleet | SharedFleet
        self._cluster: RayHost | None = None
        if on_ray and among_others:
            self.fleet = SharedFleet(self._leading_fleet, self._sealer, alive)
        elif on_ray:
            self._cluster = self._ray_host()
            self.fleet = self._ray_fleet(self._cluster)
        else:
            self.fleet = self._local_fleet()
        self._census: Census | None = None
        if among_others:
            shared = self.fleet if isinstance(self.fleet, SharedFleet) else None
            told = shared.told if shared is not None else bytes
            self._census = Census(ask, DUTY if shared is not None else "", told)
            self._census.on_look = self._look
            if shared is not None:
                shared.census = self._census

    async def begin(self, publish: Publish) -> None:
        """Begin, in the supervisor's loop; placements go to `publish`."""
        self.fleet.start(publish)
        if self._cluster is not None:
            self._cluster.wake()
        if self._census is not None:
            await self._census.begin()

    async def reset(self) -> None:
        """Quotas are as after a first start."""
        await self.counter.reset()

    async def end(self) -> None:
        """Leave the others, after the last worker has gone. Replicas on a cluster live on for a while."""
        await self.fleet.close()
        if self._census is not None:
            await self._census.end()
        with contextlib.suppress(StoreError, OSError):
            await self.counter.close()

    async def _look(self, seen: Seen) -> None:
        self._buckets.share(1 + len(seen.others))
        if isinstance(self.fleet, SharedFleet):
            await self.fleet.look(seen)

    def _local_fleet(self) -> Fleet:
        compute, run = self._settings.file.compute, self._run
        sandbox = Sandbox(compute.sandbox, self._settings.home_path)
        host = LocalModelHost(run.models, run.model_logs, sandbox=sandbox)
        self.gpus = host.room().gpus
        terms = Terms(reserve_bytes=compute.memory_reserve_bytes, drain_timeout_s=compute.drain_timeout_s)
        return Fleet(host, terms, self._alive)

    def _leading_fleet(self) -> Fleet:
        """In the loop, at the moment when this server comes to lead."""
        host = self._ray_host()
        host.wake()  # what an earlier leader left is found, also where nothing is to be started
        return self._ray_fleet(host)

    def _ray_host(self) -> RayHost:
        settings, compute = self._settings, self._settings.file.compute
        namespace = f"craton-{shared_secret(settings, _NAMESPACE)[:8].hex()}"
        log = self._run.model_logs / "ray-agent.log"
        return RayHost(compute.address, namespace, log=log, sandbox=compute.sandbox, hidden=settings.home_path)

    def _ray_fleet(self, host: RayHost) -> Fleet:
        compute = self._settings.file.compute
        # Reports of other gateways come with their beats.
        terms = Terms(reserve_bytes=0, drain_timeout_s=compute.drain_timeout_s, settle_s=_SETTLE_S)
        return Fleet(host, terms, self._alive)

    def _sealer(self) -> Sealer:
        return Sealer(shared_secret(self._settings, _PLACEMENTS))


def open_counter(settings: Settings, buckets: Buckets) -> Counter:
    """Where quota buckets are: in Redis if there is one, else here. Raises ConfigError, which never holds the URL."""
    table = settings.file.redis
    if not table.url or settings.ephemeral or not settings.file.quota.limit:
        return buckets
    from craton.infra.quota.redis import RedisBuckets

    url = secret(table.url) if table.url.startswith(_REFERENCES) else table.url
    prefix = f"craton:{shared_secret(settings, _BUCKETS)[:8].hex()}:"
    try:
        return RedisBuckets(url, prefix, buckets, password=secret(table.password), ca=table.ca)
    except ImportError as error:
        raise ConfigError("[redis] needs the client library: install craton[redis]") from error
    except ValueError as error:
        raise ConfigError("[redis] url: it must begin with redis://, rediss:// or unix://") from error
