"""Counts since the server began, as Prometheus wants them: numbers that only rise, and histograms.

Owns the bounds of histograms. Pure.
"""

from __future__ import annotations

from bisect import bisect_left

import msgspec

from craton.features.metering.record import COUNTS, Record, Row, Tallied

BOUNDS_MS = (25, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 120_000)
TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
MOST = 20_000
"""Models, accounts and regions together; what comes beyond is counted as one, under no name."""


class Histogram(msgspec.Struct, array_like=True):
    """`found`: how many lie in each span that a bound ends, the last one having none."""

    found: list[int]
    total_ms: int = 0

    def add(self, tallied: Tallied) -> None:
        for number, count in tallied.items():
            self.found[bisect_left(BOUNDS_MS, number)] += count
            self.total_ms += number * count


def empty() -> Histogram:
    return Histogram([0] * (len(BOUNDS_MS) + 1))


class Total(msgspec.Struct, array_like=True):
    """Of one model as it was named, by one account in one region. `counts` are COUNTS, `tokens` TOKENS."""

    account: str
    region: str
    model: str
    counts: list[int]
    tokens: list[int]
    latency: Histogram
    first: Histogram


class Totals:
    """Of everything."""

    def __init__(self) -> None:
        self._by_key: dict[tuple[str, str, str], Total] = {}

    def add(self, row: Row) -> None:
        key = (row.account, row.region, row.model)
        found = self._by_key.get(key)
        if found is None:
            if len(self._by_key) >= MOST:
                key = ("", "", "")
            found = self._by_key.setdefault(key, Total(*key, [0] * len(COUNTS), [0] * len(TOKENS), empty(), empty()))
        _add(found, row.record)

    @property
    def rows(self) -> list[Total]:
        return list(self._by_key.values())

    @property
    def packed(self) -> bytes:
        """All rows as msgpack."""
        return msgspec.msgpack.encode(self.rows)

    def clear(self) -> None:
        self._by_key.clear()


def _add(total: Total, record: Record) -> None:
    for place, name in enumerate(COUNTS):
        total.counts[place] += getattr(record, name)
    for place, name in enumerate(TOKENS):
        total.tokens[place] += sum(number * count for number, count in getattr(record, name).items())
    total.latency.add(record.latency_ms)
    total.first.add(record.first_ms)
