"""Metrics inside log events: the embedded metric format, which Powertools and CloudWatch's own libraries write.

Owns the format and its bounds. An event that breaks it gives no sample at all, and is counted in `AWS/Logs` under its
group, as AWS counts it: `EMFParsingErrors` for what cannot be read, `EMFValidationErrors` for what may not be. Pure.
Source: CloudWatch user guide, "Specification: Embedded metric format".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from craton.features.logs.due import EMBEDS
from craton.infra.series.metrics_index import MINUTE_S, UNITS, Dimensions, Metric, Sample
from craton.infra.series.metrics_summary import of_values
from craton.infra.series.port import DAY_MS, Entry

OWN: Final = "AWS/"
_ERRORS, _GROUP = "AWS/Logs", "LogGroupName"
_PARSING, _VALIDATION = "EMFParsingErrors", "EMFValidationErrors"
_MOST_METRICS, _MOST_VALUES, _MOST_DIMENSIONS = 100, 100, 30
_MOST_SETS: Final = 100
_MOST_NAME, _MOST_DIMENSION = 1024, 1024
_LARGEST: Final = 2.0**360
_TOO_OLD_MS, _TOO_NEW_MS = 14 * DAY_MS, 2 * 3600 * 1000


class Definition(msgspec.Struct, rename="pascal"):
    """A metric. Its resolution is read and not kept: minutes are the finest there is."""

    name: str
    unit: str = "None"
    storage_resolution: int = 60


class Directive(msgspec.Struct, rename="pascal"):
    """Some metrics with the same sets of dimensions, which are names of the event's members."""

    namespace: str
    metrics: list[Definition]
    dimensions: list[list[str]]


class Metadata(msgspec.Struct, rename="pascal"):
    """What stands under `_aws`. `timestamp` is in ms since 1970."""

    timestamp: int
    cloud_watch_metrics: list[Directive]


class Broken(ValueError):
    """The event is none that the format allows."""


class Embedded:
    """Counts the samples of one group's events. `now_ms` bounds how old and how new they may be."""

    def __init__(self, account: str, region: str, group: str, now_ms: int) -> None:
        self._owner = (account, region)
        self._group = group
        self._now_ms = now_ms
        self._found: dict[tuple[Metric, int], dict[float, float]] = {}

    def add(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            if EMBEDS not in entry.data:
                continue
            try:
                event = read(entry.data)
                if event is not None:
                    for metric, at_ms, values in list(self._values(*event)):
                        self._count(metric, at_ms, values)
            except Broken as error:
                self._count(self._error(str(error)), entry.at_ms, [1.0])

    def samples(self) -> list[Sample]:
        """What was counted, by metric and minute."""
        return [
            Sample(metric, minute_s, of_values(counts.items())) for (metric, minute_s), counts in self._found.items()
        ]

    def _values(self, about: Metadata, members: dict[str, Any]) -> Iterator[tuple[Metric, int, list[float]]]:
        if not self._now_ms - _TOO_OLD_MS <= about.timestamp <= self._now_ms + _TOO_NEW_MS:
            raise Broken(_VALIDATION)
        for directive in about.cloud_watch_metrics:
            check(directive)
            sets = [dimensions_of(names, members) for names in directive.dimensions or [[]]]
            for one in directive.metrics:
                values = numbers(members.get(one.name))
                for dimensions in sets:
                    metric = Metric(*self._owner, directive.namespace, one.name, dimensions, one.unit)
                    yield metric, about.timestamp, values

    def _count(self, metric: Metric, at_ms: int, values: list[float]) -> None:
        counts = self._found.setdefault((metric, at_ms // 1000 // MINUTE_S * MINUTE_S), {})
        for value in values:
            counts[value] = counts.get(value, 0.0) + 1.0

    def _error(self, name: str) -> Metric:
        return Metric(*self._owner, _ERRORS, name, ((_GROUP, self._group),), "Count")


def read(data: bytes) -> tuple[Metadata, dict[str, Any]] | None:
    """The metadata and the members of an event; None where it has none. Raises Broken."""
    try:
        members = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # a text that speaks of the format
    about = members.get("_aws") if isinstance(members, dict) else None
    if not isinstance(about, dict) or "CloudWatchMetrics" not in about:
        return None
    try:
        return msgspec.convert(about, Metadata), members
    except msgspec.ValidationError:
        raise Broken(_PARSING) from None


def check(directive: Directive) -> None:
    """Raises Broken."""
    name = directive.namespace
    names = [one.name for one in directive.metrics]
    if not name.strip() or len(name) > _MOST_NAME or name.startswith(OWN):
        raise Broken(_VALIDATION)
    if len(names) > _MOST_METRICS or len(directive.dimensions) > _MOST_SETS:
        raise Broken(_VALIDATION)
    if any(not one.strip() or len(one) > _MOST_NAME for one in names):
        raise Broken(_VALIDATION)
    if any(one.unit not in UNITS for one in directive.metrics):
        raise Broken(_VALIDATION)


def dimensions_of(names: list[str], members: dict[str, Any]) -> Dimensions:
    """Raises Broken where one is no text of the event."""
    if len(names) > _MOST_DIMENSIONS:
        raise Broken(_VALIDATION)
    found: dict[str, str] = {}
    for name in names:
        value = members.get(name)
        if not isinstance(value, str) or not value.strip() or len(value) > _MOST_DIMENSION:
            raise Broken(_VALIDATION)
        found[name] = value
    return tuple(sorted(found.items()))


def numbers(found: Any) -> list[float]:
    """A number or up to a hundred. Raises Broken."""
    values = found if isinstance(found, list) else [found]
    if not values or len(values) > _MOST_VALUES:
        raise Broken(_VALIDATION)
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float) or not -_LARGEST < value < _LARGEST:
            raise Broken(_VALIDATION)
    return [float(value) for value in values if math.isfinite(value)]
