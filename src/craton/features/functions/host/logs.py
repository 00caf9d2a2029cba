"""Events of functions on their way to CloudWatch Logs: gathered for a moment, then sent as the function's own role.

Owns the batches and their limits, the making of groups and streams on first use, and what becomes of events that cannot be
delivered: without rights they are dropped, as AWS does; while the gateway is away they are tried again, up to a bound, and the
number of those lost is told in the log itself. It must not know how a call is signed (`gateway`).
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import deque
from collections.abc import Awaitable
from typing import Final, Protocol

import msgspec

from craton.features.functions.host.gateway import Credentials, RoleRefused
from craton.models.providers.transport import TransportError

GATHER_S: Final = 0.5
_MOST_EVENTS, _MOST_BYTES, _EVENT_BYTES = 10_000, 1_000_000, 26
"""Of one PutLogEvents, as its reference says."""
_HELD_BYTES: Final = 16 * 1024 * 1024
_TRIES, _PAUSE_S = 5, 0.5
_REFUSED_S: Final = 30.0
_MISSING, _THERE = "ResourceNotFoundException", "ResourceAlreadyExistsException"
_PASSING: Final = frozenset({"ThrottlingException", "ServiceUnavailableException", "OperationAbortedException"})


class Calls(Protocol):
    """Calls an operation of CloudWatch Logs (`Gateway.logs`)."""

    def __call__(self, credentials: Credentials, action: str, body: bytes, /) -> Awaitable[tuple[int, bytes]]: ...


class _Failed(Exception):
    """An error of AWS's, by its name."""


class _Error(msgspec.Struct):
    kind: str = msgspec.field(default="", name="__type")


class LogStream:
    """The log of one environment."""

    def __init__(self, calls: Calls, credentials: Credentials, group: str, name: str) -> None:
        self.group = group
        self.name = name
        self._calls = calls
        self._credentials = credentials
        self._events: deque[tuple[int, str]] = deque()
        self._held = 0
        self._lost = 0
        self._sending: asyncio.Task[None] | None = None
        self._made = False
        self._not_before = 0.0

    def put(self, at_ms: int, text: str) -> None:
        """One event; dropped, and counted, where too much waits already."""
        size = len(text) + _EVENT_BYTES
        if not text:
            return  # CloudWatch Logs has no empty events
        if self._held + size > _HELD_BYTES:
            self._lost += 1
            return
        self._held += size
        self._events.append((at_ms, text))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send(), name="function log")

    async def flush(self) -> None:
        """Return when what was put has been sent, or given up."""
        while self._sending is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(self._sending)

    async def _send(self) -> None:
        try:
            await asyncio.sleep(GATHER_S)
            while self._events:
                batch = self._batch()
                try:
                    await self._deliver(batch)
                except (_Failed, RoleRefused, TransportError) as error:
                    print(
                        f"craton: functions: {len(batch)} log events for {self.group} were dropped: "
                        f"{error if isinstance(error, _Failed) else type(error).__name__}",
                        file=sys.stderr, flush=True,
                    )  # fmt: skip
        finally:
            self._sending = None

    def _batch(self) -> list[tuple[int, str]]:
        batch: list[tuple[int, str]] = []
        size = 0
        while self._events and len(batch) < _MOST_EVENTS:
            cost = len(self._events[0][1].encode()) + _EVENT_BYTES
            if batch and size + cost > _MOST_BYTES:
                break
            size += cost
            batch.append(self._events.popleft())
            self._held -= len(batch[-1][1]) + _EVENT_BYTES
        if self._lost:
            batch.append((batch[-1][0], f"[WARN] {self._lost} log events were dropped: too many waited"))
            self._lost = 0
        batch.sort(key=lambda event: event[0])  # what came by two ways; PutLogEvents wants them in order
        return batch

    async def _deliver(self, batch: list[tuple[int, str]]) -> None:
        """Raises _Failed, RoleRefused, TransportError."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._not_before:
            return  # without rights: asked again later, not for every line
        for left in reversed(range(_TRIES)):
            try:
                if not self._made:
                    await self._make()
                events = [{"timestamp": at, "message": text} for at, text in batch]
                await self._call("PutLogEvents", logEvents=events)
            except _Failed as failed:
                name = str(failed)
                if name == _MISSING and left:
                    self._made = False
                    continue
                if name not in _PASSING or not left:
                    self._not_before = loop.time() + _REFUSED_S
                    raise
            except TransportError:
                if not left:
                    raise
            else:
                return
            await asyncio.sleep(_PAUSE_S)

    async def _make(self) -> None:
        """The stream, and the group where there is none."""
        try:
            await self._call("CreateLogStream", spare=_THERE)
        except _Failed as failed:
            if str(failed) != _MISSING:
                raise
            await self._call("CreateLogGroup", spare=_THERE, stream=False)
            await self._call("CreateLogStream", spare=_THERE)
        self._made = True

    async def _call(self, action: str, *, spare: str = "", stream: bool = True, **more: object) -> None:
        asked = {"logGroupName": self.group, **({"logStreamName": self.name} if stream else {}), **more}
        status, body = await self._calls(self._credentials, action, msgspec.json.encode(asked))
        if status == 200:
            return
        try:
            name = msgspec.json.decode(body, type=_Error).kind.rpartition("#")[2]
        except msgspec.DecodeError:
            name = ""
        if not spare or name != spare:
            raise _Failed(name or f"status {status}")
