"""What a request is handled with: `App`, the frozen record of ports and live state, and `Call`, one caller's request.

Names ports only; `app.py`, `working.py` and `supervision.py` alone pick implementations. The hot path reads credentials and routes from `Live`,
whose references are replaced whole when the supervisor publishes a new generation.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from craton.aws.access.authority import Authority
from craton.aws.access.keys import NOTHING

if TYPE_CHECKING:
    from craton.aws.access.credentials import Credentials, Principal
    from craton.aws.access.record import News
    from craton.aws.access.variables import Keys
    from craton.aws.wire.model import Operation
    from craton.config import Settings
    from craton.infra.blobs.port import Blobs
    from craton.infra.cipher.port import Cipher
    from craton.infra.documents.port import Documents
    from craton.infra.objects.keeper import Keeper
    from craton.infra.series.port import SeriesStore
    from craton.infra.store.pages import PageTokens
    from craton.infra.store.port import Reader, Transaction
    from craton.infra.vectors.port import Vectors
    from craton.models.catalog.rows import Catalog

T = TypeVar("T")


class Clock(Protocol):
    """Wall time in UTC and a monotonic time in seconds for deadlines."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...


class SystemClock:
    """The machine's own clock."""

    now = staticmethod(partial(datetime.now, UTC))
    monotonic = staticmethod(time.monotonic)


class Supervisor(Protocol):
    """What a worker asks of the supervisor process, off the hot path."""

    async def deployments(self) -> list[dict[str, Any]]:
        """What is served by replicas and how each of these is doing (`models.status`). Raises Fault."""
        ...

    async def reset(self) -> None:
        """Everything back to the state of a first start; returns when every worker has taken it up."""
        ...

    async def targets(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What is known of the targets in every worker, `rows` being this one's; each row gets its `worker`."""
        ...

    async def calls(self, arn: str) -> News | None:
        """What a principal called in any worker, as far as it was told of; None for nothing."""
        ...

    async def keep_response(self, account: str, ident: str, body: bytes) -> bool:
        """Keep an answer for its account; False if it is too large. The oldest go first."""
        ...

    async def kept_response(self, account: str, ident: str) -> bytes | None:
        """What is kept under this id of this account."""
        ...

    async def forget_response(self, account: str, ident: str) -> bool:
        """Whether it was there."""
        ...


class Storage(Protocol):
    """The store as operations of the control plane use it: off the loop, and never in the path of an inference.

    `work` runs in another thread and must be quick; what it raises is raised to the caller. It may run again from its
    beginning when the database went away before anything was kept, so it must change nothing but the store.
    """

    @property
    def pages(self) -> PageTokens:
        """Issues and opens the nextToken of listings."""
        ...

    async def read(self, work: Callable[[Reader], T]) -> T:
        """The result of reads that need no common moment."""
        ...

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """The result of one transaction; when it is returned, the rows are kept and every worker lives by them."""
        ...

    async def keep(self, work: Callable[[Transaction], T]) -> T:
        """The same for rows that no worker holds in memory (objects, runs of jobs): kept when it is returned."""
        ...


@dataclass(slots=True)
class Live:
    """What changes while the server runs. Each field is replaced, never changed in place."""

    generation: int
    credentials: Credentials
    routes: Any  # features.inference.routes.Routes: a higher floor, so not named here
    authority: Authority = field(default_factory=Authority)


@dataclass(frozen=True, slots=True)
class App:
    settings: Settings
    clock: Clock
    catalog: Catalog
    live: Live
    supervisor: Supervisor
    storage: Storage
    documents: Documents
    operations: Callable[[], list[dict[str, str]]] = field(repr=False)
    audit: Any = None  # front.audited.Audit, where the configuration has one
    quota: Any = None  # features.inference.quota.Quota, where the configuration has limits
    vault: Any = None  # infra.identities.vault.Vault: what seals the keys of users and makes sessions
    cipher: Cipher = None  # type: ignore[assignment]  # a test of the hot path goes without
    blobs: Blobs = None  # type: ignore[assignment]  # likewise
    objects: Keeper = None  # type: ignore[assignment]  # likewise
    series: SeriesStore = None  # type: ignore[assignment]  # likewise
    queries: Any = None  # features.logs.insights.desk.Desk: runs queries over logs
    vectors: Vectors = None  # type: ignore[assignment]  # likewise
    functions: Any = None  # features.functions.line.FunctionsLine: runs functions
    meter: Any = None  # features.metering.meter.Meter: counts invocations
    counting: Any = None  # features.rag.counting.Counting: counts what knowledge bases are asked
    tracer: Any = None  # features.metering.tracing.tracer.Tracer, where the configuration has a collector


class Call(msgspec.Struct, eq=False):
    """One request: who calls, from where, since when, and the headers its answer gets.

    `started_at` is in seconds of the monotonic clock; `report` takes an error that no caller may see. `scope` is the
    connection's, as ASGI has it. `asked` is the decoded request where it is audited. `speaks` names
    the native schema of the request's body; "" is an AWS operation's own. `resolved` is the route that was asked for,
    `named` how, `used` what the answer counted, `images` its pictures and `metadata` what the request says of itself for
    bills, `trace` where it stands in its trace, for who logs and counts. What conditions of policies may ask is
    `aws.access.keys.Circumstances`.
    """

    app: App
    operation: Operation
    caller: Principal
    region: str
    request_id: str
    headers: Mapping[bytes, bytes]
    started_at: float
    report: Callable[[BaseException], None]
    scope: Mapping[str, Any] = {}
    response_headers: list[tuple[bytes, bytes]] = []
    asked: Any = None
    speaks: str = ""
    resolved: Any = None
    used: Any = None
    named: str = ""
    images: int = 0
    metadata: Mapping[str, str] | None = None
    trace: Any = None

    @property
    def account(self) -> str:
        return self.caller.account

    def authorize(self, action: str, *resources: str, given: Keys = NOTHING) -> None:
        """Raise AccessDeniedException unless the caller may do `action` on every one of `resources`.

        `given` are condition keys (in lower case) that the request itself brings, such as its tags.
        """
        self.app.live.authority.judge(self, action, [(resource, NOTHING) for resource in resources], given)

    def authorize_some(self, action: str) -> None:
        """Raise AccessDeniedException unless something lets the caller do `action` on anything at all.

        For where the resource is not known before something was looked up: the resource is judged after that.
        """
        authority = self.app.live.authority
        if not authority.may_sometimes(self.caller, action):
            self.authorize(action, "*")

    # --- what conditions of policies may ask ---

    @property
    def source_ip(self) -> str | None:
        client = self.scope.get("client")
        return client[0] if client else None

    @property
    def secure(self) -> bool:
        return self.scope.get("scheme") == "https"

    def now(self) -> datetime:
        return self.app.clock.now()

    def header(self, name: bytes) -> str | None:
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    def resource_tags(self, resource: str) -> Mapping[str, str]:
        tags: Mapping[str, str] = self.app.live.routes.tags(resource)
        return tags


Handler = Callable[[Call, Any], Awaitable[Any]]


@dataclass(slots=True)
class EventStream:
    """A handler's answer that leaves piece by piece.

    `frames` yields ready event-stream messages, one bytes object per piece; it never raises: a failure after the
    first byte is its last frame. `value` holds the members that travel as headers.
    """

    frames: AsyncGenerator[bytes]
    value: dict[str, Any]
