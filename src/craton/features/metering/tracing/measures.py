"""Sums of what was served since the server began, as OTLP's metrics want them: counters and histograms that only rise.

Owns the bounds of histograms, which are those that the conventions advise, and that what is beyond so many models is one
series. Nothing waits while the collector is away, for the next sums hold what the last did not tell. Pure. Source:
OpenTelemetry's semantic conventions, "GenAI metrics"; its metrics SDK, "overflow attribute".
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

import msgspec

from craton.features.metering.record import Row, Tallied

SECONDS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
FIRST_SECONDS: Final = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
TOKENS: Final = tuple(4.0**power for power in range(14))
ERRORS: Final = ("client_errors", "server_errors", "throttles")
CACHED: Final = ("cache_read_tokens", "cache_write_tokens")
MOST: Final = 2000

Key = tuple[str, str, str, str, str]
"""Account, region, the model as it was named, the id behind that, its kind; five times "" is what is beyond MOST."""
BEYOND: Final[Key] = ("",) * 5


class Histogram(msgspec.Struct, array_like=True):
    """`found`: how many lie in each span that a bound ends, itself with it, the last one having none."""

    found: list[int]
    total: float = 0.0
    least: float = float("inf")
    most: float = float("-inf")

    def add(self, tallied: Tallied, bounds: tuple[float, ...], per: float) -> None:
        for number, count in tallied.items():
            value = number / per
            self.found[bisect_left(bounds, value)] += count
            self.total += value * count
            self.least, self.most = min(self.least, value), max(self.most, value)


def _empty(bounds: tuple[float, ...]) -> Histogram:
    return Histogram([0] * (len(bounds) + 1))


class Series(msgspec.Struct, array_like=True):
    """Of one key. `errors` are ERRORS, `cached` are CACHED."""

    key: Key
    duration: Histogram
    first: Histogram
    input: Histogram
    output: Histogram
    errors: list[int]
    cached: list[int]
    images: int = 0


def series_of(key: Key) -> Series:
    return Series(
        key, _empty(SECONDS), _empty(FIRST_SECONDS), _empty(TOKENS), _empty(TOKENS), [0] * len(ERRORS), [0] * len(CACHED)
    )  # fmt: skip


class Measures:
    """Of everything."""

    def __init__(self) -> None:
        self._by_key: dict[Key, Series] = {}

    def add(self, rows: Iterable[Row]) -> None:
        for row in rows:
            key = (row.account, row.region, row.model, row.use.served, row.use.kind)
            found = self._by_key.get(key)
            if found is None:
                key = key if len(self._by_key) < MOST else BEYOND
                found = self._by_key.setdefault(key, series_of(key))
            _add(found, row)

    @property
    def series(self) -> list[Series]:
        return list(self._by_key.values())

    def clear(self) -> None:
        self._by_key.clear()


def _add(series: Series, row: Row) -> None:
    record = row.record
    series.duration.add(record.latency_ms, SECONDS, 1000.0)
    series.first.add(record.first_ms, FIRST_SECONDS, 1000.0)
    series.input.add(record.input_tokens, TOKENS, 1.0)
    series.output.add(record.output_tokens, TOKENS, 1.0)
    for place, name in enumerate(ERRORS):
        series.errors[place] += getattr(record, name)
    for place, name in enumerate(CACHED):
        series.cached[place] += sum(number * count for number, count in getattr(record, name).items())
    series.images += record.images
