"""What the gateways' processes see of the load: each tells its own, here it is added up.

Owns the form of a report, the sums, the rates, and what each process is told of all others. It must not know what
follows from a load.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import exp
from typing import Any

import msgspec

from craton.features.hosting.autoscale import Load

_RATE_OVER_S = 2.0
_NEXT_TO_NOTHING = 0.1
"""A rate below it counts as none: else one request would fade for ever."""
_STRANGERS_FOR_S = 5.0
_MOST_ROWS = 100_000


class LoadRow(msgspec.Struct, frozen=True, array_like=True):
    """A deployment as one process sees it now.

    `outstanding`: requests at replicas; `waiting`: in line; `tokens`: the estimated work of both. `arrived` and
    `refused` are counts since that process's last report, `tokens_per_s` what its answers bring now.
    """

    deployment: str
    outstanding: int = 0
    waiting: int = 0
    tokens: int = 0
    arrived: int = 0
    refused: int = 0
    oldest_wait_s: float = 0.0
    tokens_per_s: float = 0.0


class SeatRow(msgspec.Struct, frozen=True, array_like=True):
    """What one process has under way at a replica."""

    replica: str
    requests: int = 0
    tokens: int = 0


class Report(msgspec.Struct, frozen=True):
    """All that a process has to tell; what is missing is nothing. Whoever goes quiet tells so once."""

    loads: list[LoadRow] = []
    seats: list[SeatRow] = []


class _Heard(msgspec.Struct, frozen=True):
    """A report when it came, by what one asks for."""

    at: float
    loads: dict[str, LoadRow]
    seats: dict[str, SeatRow]


class Rate:
    """Things per second, the last `_RATE_OVER_S` seconds counting most."""

    __slots__ = ("_at", "_sum")

    def __init__(self) -> None:
        self._sum = self._at = 0.0

    def add(self, now: float, count: float) -> None:
        self._sum = self._faded(now) + count
        self._at = now

    def value(self, now: float) -> float:
        rate = self._faded(now) / _RATE_OVER_S
        return rate if rate > _NEXT_TO_NOTHING else 0.0

    def _faded(self, now: float) -> float:
        return self._sum * exp((self._at - now) / _RATE_OVER_S) if self._sum else 0.0


class Pace(msgspec.Struct):
    """A deployment's rates."""

    arrived: Rate = msgspec.field(default_factory=Rate)
    refused: Rate = msgspec.field(default_factory=Rate)


class Loads:
    """Reports by source. `alive` says which of this machine's own processes there still are."""

    def __init__(self, alive: Callable[[], Iterable[str]] | None = None) -> None:
        self._alive = alive
        self._reports: dict[str, _Heard] = {}
        self._paces: dict[str, Pace] = {}
        # Requests and tokens by replica, over all sources: kept, for many workers ask for them many times a second.
        self._sums: dict[str, tuple[int, int]] = {}

    def hear(self, source: str, told: dict[str, Any], now: float) -> list[str]:
        """Take up a report; the deployments that it names. Raises ValueError."""
        try:
            report = msgspec.convert(told, Report)
        except msgspec.ValidationError as error:
            raise ValueError(f"no report: {error}") from None
        if len(report.loads) + len(report.seats) > _MOST_ROWS:
            raise ValueError(f"a report has at most {_MOST_ROWS} rows")
        seats = {seat.replica: seat for seat in report.seats}
        self._forget_seats(source)
        self._reports[source] = _Heard(now, {row.deployment: row for row in report.loads}, seats)
        for seat in seats.values():
            requests, tokens = self._sums.get(seat.replica, (0, 0))
            self._sums[seat.replica] = requests + seat.requests, tokens + seat.tokens
        for row in report.loads:
            if row.arrived or row.refused:
                pace = self._paces.setdefault(row.deployment, Pace())
                pace.arrived.add(now, row.arrived)
                pace.refused.add(now, row.refused)
        return [row.deployment for row in report.loads]

    def others(self, source: str) -> list[list[Any]]:
        """What all but this source have under way: `[replica, requests, tokens]`."""
        heard = self._reports.get(source)
        own = heard.seats if heard is not None else {}
        rows: list[list[Any]] = []
        for replica, (requests, tokens) in self._sums.items():
            if seat := own.get(replica):
                requests, tokens = requests - seat.requests, tokens - seat.tokens
            if requests or tokens:
                rows.append([replica, requests, tokens])
        return rows

    def prune(self, now: float) -> None:
        """Forget sources that are gone: own processes that ended, strangers that went silent."""
        own = set(self._alive()) if self._alive is not None else None
        for source, heard in list(self._reports.items()):
            is_own = source.startswith("worker/")
            if (own is not None and source not in own) if is_own else now - heard.at > _STRANGERS_FOR_S:
                self._forget_seats(source)
                del self._reports[source]

    def load(self, deployment: str, now: float) -> Load:
        """A deployment's load, added up."""
        total = Load()
        for heard in self._reports.values():
            if row := heard.loads.get(deployment):
                total.outstanding += row.outstanding
                total.waiting += row.waiting
                total.tokens += row.tokens
                total.oldest_wait_s = max(total.oldest_wait_s, row.oldest_wait_s)
                total.tokens_per_s += row.tokens_per_s
        if pace := self._paces.get(deployment):
            total.arrived_per_s = pace.arrived.value(now)
        return total

    def refused_per_s(self, deployment: str, now: float) -> float:
        """Requests that found the line full."""
        pace = self._paces.get(deployment)
        return pace.refused.value(now) if pace else 0.0

    def at(self, replica: str) -> tuple[int, int]:
        """Requests and tokens under way at a replica."""
        return self._sums.get(replica, (0, 0))

    def forget(self, deployments: Iterable[str]) -> None:
        """Drop the rates of deployments that are no more."""
        for deployment in deployments:
            self._paces.pop(deployment, None)

    def _forget_seats(self, source: str) -> None:
        """Take what a source had under way out of the sums."""
        heard = self._reports.get(source)
        for seat in heard.seats.values() if heard is not None else ():
            requests, tokens = self._sums.get(seat.replica, (0, 0))
            if requests > seat.requests or tokens > seat.tokens:
                self._sums[seat.replica] = requests - seat.requests, tokens - seat.tokens
            else:
                self._sums.pop(seat.replica, None)
