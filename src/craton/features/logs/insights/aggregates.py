"""Figures of many records: counts, sums, spreads, firsts and lasts.

Owns how each is built up record by record in bounded memory: distinct values are counted exactly up to 16,384 and within
a percent or two beyond, percentiles exactly up to 4,096 numbers and within 1 % beyond. What is no number is left out of
figures of numbers. Source: CloudWatch Logs user guide, "stats".
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Protocol

from craton.features.logs.insights import syntax
from craton.features.logs.insights.expressions import Has, Value, value_of
from craton.features.logs.insights.record import TIMESTAMP
from craton.features.logs.insights.scanner import BadQuery
from craton.features.logs.insights.values import compared, number, order, plain
from craton.infra.series.metrics_summary import Summary, merged, of_values

_MOST_EXACT = 4096
_MOST_HASHES = 16_384
_HASHES = 1 << 64


class Figure(Protocol):
    """One figure of one group."""

    def add(self, record: Has) -> None: ...

    def result(self) -> Any: ...


class Count:
    """How many records there are, or how many have a value."""

    __slots__ = ("_found", "_value")

    def __init__(self, value: Value | None = None) -> None:
        self._value = value
        self._found = 0

    def add(self, record: Has) -> None:
        if self._value is None or self._value(record) is not None:
            self._found += 1

    def result(self) -> int:
        return self._found


class Distinct:
    """How many different values: a set of hashes, of which only the smallest are kept once there are many."""

    __slots__ = ("_heap", "_seen", "_value")

    def __init__(self, value: Value) -> None:
        self._value = value
        self._seen: set[int] = set()
        self._heap: list[int] = []

    def add(self, record: Has) -> None:
        value = self._value(record)
        if value is None:
            return
        found = int.from_bytes(blake2b(plain(value).encode(), digest_size=8).digest())
        if found in self._seen:
            return
        if len(self._seen) < _MOST_HASHES:
            heapq.heappush(self._heap, -found)
        elif found >= -self._heap[0]:
            return
        else:
            self._seen.discard(-heapq.heapreplace(self._heap, -found))
        self._seen.add(found)

    def result(self) -> int:
        if len(self._seen) < _MOST_HASHES:
            return len(self._seen)
        return round((_MOST_HASHES - 1) * _HASHES / -self._heap[0])


class Moments:
    """Sum, mean and deviation of numbers (Welford)."""

    __slots__ = ("_count", "_kind", "_mean", "_spread", "_total", "_value")

    def __init__(self, kind: str, value: Value) -> None:
        self._kind = kind
        self._value = value
        self._count, self._mean, self._spread = 0, 0.0, 0.0
        self._total: float = 0

    def add(self, record: Has) -> None:
        found = number(self._value(record))
        if found is None:
            return
        self._count += 1
        self._total += found
        if self._kind == "stddev":
            away = found - self._mean
            self._mean += away / self._count
            self._spread += away * (found - self._mean)

    def result(self) -> float | None:
        if self._kind == "sum":
            return self._total
        if not self._count:
            return None
        if self._kind == "avg":
            return self._total / self._count
        return math.sqrt(self._spread / (self._count - 1)) if self._count > 1 else 0.0


class Extreme:
    """The least or largest value; numbers by size, or everything by spelling."""

    __slots__ = ("_best", "_is_text", "_sign", "_value")

    def __init__(self, sign: int, value: Value, *, is_text: bool = False) -> None:
        self._sign = sign
        self._value = value
        self._is_text = is_text
        self._best: Any = None

    def add(self, record: Has) -> None:
        found = self._value(record)
        if found is None:
            return
        if self._is_text:
            is_better = self._best is None or (order(found) > order(self._best)) is (self._sign > 0)
        else:
            is_better = self._best is None or compared(found, self._best) == self._sign
        if is_better:
            self._best = found

    def result(self) -> Any:
        return self._best


class Percentile:
    """The number below which a share of the numbers lies."""

    __slots__ = ("_numbers", "_share", "_summary", "_value")

    def __init__(self, share: float, value: Value) -> None:
        self._share = share
        self._value = value
        self._numbers: list[float] = []
        self._summary: Summary | None = None

    def add(self, record: Has) -> None:
        found = number(self._value(record))
        if found is None:
            return
        self._numbers.append(float(found))
        if len(self._numbers) >= _MOST_EXACT:
            self._fold()

    def result(self) -> float | None:
        if self._summary is not None:
            if self._numbers:
                self._fold()
            return self._summary.percentile(self._share)
        if not self._numbers:
            return None
        rank = max(0, math.ceil(self._share * len(self._numbers)) - 1)
        return sorted(self._numbers)[rank]

    def _fold(self) -> None:
        more = of_values((found, 1.0) for found in self._numbers)
        self._summary = more if self._summary is None else merged([self._summary, more])
        self._numbers.clear()


class Timed:
    """The value of the record with the earliest or the latest moment."""

    __slots__ = ("_at", "_sign", "_value", "_wanted")

    def __init__(self, sign: int, value: Value) -> None:
        self._sign = sign
        self._value = value
        self._at: Any = None
        self._wanted: Any = None

    def add(self, record: Has) -> None:
        found, at = self._value(record), record.get(TIMESTAMP)
        if found is not None and (self._at is None or compared(at, self._at) == self._sign):
            self._at, self._wanted = at, found

    def result(self) -> Any:
        return self._wanted


_OF_ONE: dict[str, Callable[[Value], Figure]] = {
    "count_distinct": Distinct,
    "sum": lambda value: Moments("sum", value),
    "avg": lambda value: Moments("avg", value),
    "stddev": lambda value: Moments("stddev", value),
    "min": lambda value: Extreme(-1, value),
    "max": lambda value: Extreme(1, value),
    "median": lambda value: Percentile(0.5, value),
    "earliest": lambda value: Timed(-1, value),
    "latest": lambda value: Timed(1, value),
    "sortsfirst": lambda value: Extreme(-1, value, is_text=True),
    "sortslast": lambda value: Extreme(1, value, is_text=True),
}


def maker(figure: syntax.Figure) -> Callable[[], Figure]:
    """What begins this figure for a group. Raises BadQuery."""
    name, arguments = figure.function, figure.arguments
    values = [value_of(one) for one in arguments]
    if name == "count" and len(values) <= 1:
        counted = values[0] if values else None
        return lambda: Count(counted)
    if name in ("pct", "percentile") and len(values) == 2:
        share = arguments[1].value if isinstance(arguments[1], syntax.Literal) else None
        if not isinstance(share, (int, float)) or not 0 <= share <= 100:
            raise BadQuery("a percentile is between 0 and 100", *figure.place)
        return lambda: Percentile(share / 100, values[0])
    make = _OF_ONE.get(name)
    if make is None and name not in ("count", "pct", "percentile"):
        raise BadQuery(f"unknown aggregation function '{name}'", *figure.place)
    if make is None or len(values) != 1:
        raise BadQuery(f"the function '{name}' does not take {len(values)} arguments", *figure.place)
    return lambda: make(values[0])
