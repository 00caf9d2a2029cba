"""Metrics from log events: which events count, as how much, with which dimensions, in which minute.

Owns the row's body and the rules: a value is a number, or a field of the event that holds one; a dimension is a field. An
event without one of them counts for nothing. In a minute with events of which none matches, the default value is
reported, where there is one. Pure. Source: CloudWatch Logs user guide, "Configuring metric values for a metric filter".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from craton.features.logs.patterns.delimited import Delimited
from craton.features.logs.patterns.json_fields import Json, object_of, reached, read_path, shown_path
from craton.features.logs.patterns.sieve import sieve_of
from craton.features.logs.patterns.text import BadPattern
from craton.features.logs.patterns.values import number_of, written
from craton.infra.series.metrics_index import MINUTE_S, Metric, Sample
from craton.infra.series.metrics_summary import of_values
from craton.infra.series.port import Entry, Sieve

KIND: Final = "log-metric-filter"
SYSTEM_FIELDS: Final = ("@aws.account", "@aws.region")
_LARGEST: Final = 2.0**360
_MOST_DIMENSION: Final = 1024

Field = Callable[[bytes], Any]


class MetricFilter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`value` is a number or a field, `dimensions` are names with fields, `emitted` fields that the system has."""

    group: str
    name: str
    pattern: str
    metric: str
    namespace: str
    value: str
    default: float | None = None
    dimensions: dict[str, str] = {}
    unit: str = "None"
    emitted: tuple[str, ...] = ()


class BadMetric(ValueError):
    """The value or a dimension is nothing that an event of this pattern has."""


class Measure:
    """A filter at work. Raises BadPattern, BadMetric."""

    def __init__(self, wanted: MetricFilter, account: str, region: str) -> None:
        self._filter = wanted
        self._owner = (account, region)
        self._sieve = sieve_of(wanted.pattern)
        constant = number_of(wanted.value)
        self._value: Field = (lambda _: constant) if constant is not None else field_of(self._sieve, wanted.value)
        self._dimensions = [(name, field_of(self._sieve, field)) for name, field in sorted(wanted.dimensions.items())]
        system = dict(zip(SYSTEM_FIELDS, self._owner, strict=True))
        self._fixed = [(name, system[name]) for name in wanted.emitted]
        self._found: dict[tuple[Any, int], dict[float, float]] = {}
        self._minutes: dict[int, bool] = {}

    def add(self, entries: Iterable[Entry]) -> None:
        """Count events."""
        sieve = self._sieve
        for entry in entries:
            minute_s = entry.at_ms // 1000 // MINUTE_S * MINUTE_S
            matches = sieve is None or sieve.matches(entry.data)
            self._minutes[minute_s] = self._minutes.get(minute_s, False) or matches
            if matches:
                self._count(entry.data, minute_s)

    def samples(self) -> list[Sample]:
        """What was counted, by metric and minute."""
        found = dict(self._found)
        if self._filter.default is not None:
            for minute_s, has_matched in self._minutes.items():
                if not has_matched:
                    found[tuple(self._fixed), minute_s] = {self._filter.default: 1.0}
        return [
            Sample(self._metric(dimensions), minute_s, of_values(counts.items()))
            for (dimensions, minute_s), counts in found.items()
        ]

    def _count(self, data: bytes, minute_s: int) -> None:
        value = number_of(self._value(data))
        if value is None or not -_LARGEST < value < _LARGEST:
            return
        dimensions = list(self._fixed)
        for name, field in self._dimensions:
            shown = written(field(data))
            if shown is None or not shown.strip() or len(shown) > _MOST_DIMENSION:
                return
            dimensions.append((name, shown))
        counts = self._found.setdefault((tuple(sorted(dimensions)), minute_s), {})
        counts[float(value)] = counts.get(float(value), 0.0) + 1.0

    def _metric(self, dimensions: tuple[tuple[str, str], ...]) -> Metric:
        account, region = self._owner
        wanted = self._filter
        return Metric(account, region, wanted.namespace, wanted.metric, dimensions, wanted.unit)


def field_of(sieve: Sieve | None, name: str) -> Field:
    """What takes a field out of an event: `$.path` of JSON, `$name` of a pattern that names fields. Raises BadMetric."""
    if name.startswith(("$.", "$[")) and not isinstance(sieve, Delimited):
        try:
            path = read_path(name)
        except BadPattern:
            raise BadMetric(name) from None

        def found(data: bytes) -> Any:
            event = object_of(data)
            values = [] if event is None else reached(event, path)
            return values[0] if values else None

        return found
    if isinstance(sieve, Delimited) and name.startswith("$") and name[1:] in sieve.names:
        return lambda data: sieve.values(data).get(name[1:])
    raise BadMetric(name)


def extracted(sieve: Sieve | None, data: bytes) -> dict[str, str]:
    """The fields that a pattern names, from an event that matches it."""
    if isinstance(sieve, Delimited):
        return {f"${name}": value for name, value in sieve.values(data).items()}
    if not isinstance(sieve, Json):
        return {}
    event = object_of(data) or {}
    found = {shown_path(path): reached(event, path) for path in sieve.paths}
    shown = {name: written(values[0]) for name, values in found.items() if values}
    return {name: value for name, value in shown.items() if value is not None}
