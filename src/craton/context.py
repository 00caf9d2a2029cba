"""What a request is handled with: `App`, the frozen record of ports and live state, and `Call`, one caller's request.

Names ports only; `app.py` alone picks implementations. The hot path reads credentials and routes from `Live`,
whose references are replaced whole when the supervisor publishes a new generation.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from craton.aws.access.decide import decide

if TYPE_CHECKING:
    from craton.aws.access.credentials import Credentials, Principal
    from craton.aws.wire.model import Operation
    from craton.config import Settings
    from craton.models.catalog.rows import Catalog


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

    async def ensure(self, model_id: str) -> str:
        """Start the model's process if need be; the base URL it answers on."""
        ...

    async def reset(self) -> None:
        """Everything back to the state of a first start; returns when every worker has taken it up."""
        ...


@dataclass(slots=True)
class Live:
    """What changes while the server runs. Each field is replaced, never changed in place."""

    generation: int
    credentials: Credentials
    routes: Any  # features.inference.routes.Routes: a higher floor, so not named here


@dataclass(frozen=True, slots=True)
class App:
    settings: Settings
    clock: Clock
    catalog: Catalog
    live: Live
    supervisor: Supervisor
    operations: Callable[[], list[dict[str, str]]] = field(repr=False)


class Call(msgspec.Struct, eq=False):
    """One request: who calls, from where, since when, and the headers its answer gets.

    `started_at` is in seconds of the monotonic clock; `report` takes an error that no caller may see.
    """

    app: App
    operation: Operation
    caller: Principal
    region: str
    request_id: str
    headers: Mapping[bytes, bytes]
    started_at: float
    report: Callable[[BaseException], None]
    response_headers: list[tuple[bytes, bytes]] = []

    @property
    def account(self) -> str:
        return self.caller.account

    def authorize(self, action: str, *resources: str) -> None:
        """Raise AccessDeniedException unless the caller may do `action` on every one of `resources`."""
        decide(self.caller, action, resources)


Handler = Callable[[Call, Any], Awaitable[Any]]


@dataclass(slots=True)
class EventStream:
    """A handler's answer that leaves piece by piece.

    `frames` yields ready event-stream messages, one bytes object per piece; it never raises: a failure after the
    first byte is its last frame. `value` holds the members that travel as headers.
    """

    frames: AsyncGenerator[bytes]
    value: dict[str, Any]
