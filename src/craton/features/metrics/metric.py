"""How requests name metrics, times and statistics.

Owns dimensions, periods and how far a time is rounded; the names of statistics are `statistic`'s. It must not know
storage.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from craton.aws.wire.faults import Fault
from craton.features.metrics.faults import combination, invalid
from craton.infra.series.metrics_index import MINUTE_S, UNITS, Dimensions, Metric
from craton.infra.series.metrics_read import Span

SHORT_PERIODS = (1, 5, 10, 20, 30)
DISORDERLY = "The parameter EndTime must be greater than StartTime."
EQUAL = "The parameter StartTime must not equal parameter EndTime."
LONGEST_PERIOD_S = 86_400
_DAY_S = 86_400
# Older than so many days → a start is rounded down to so many seconds, since nothing finer is kept.
ROUNDING = ((63, 3600), (15, 300))


def dimensions_of(given: Sequence[Any] | None, place: str) -> Dimensions:
    """Dimensions in order of their names. Raises InvalidParameterValue for a name that comes twice."""
    pairs = tuple(sorted((one.Name, one.Value) for one in given or ()))
    if len({name for name, _ in pairs}) != len(pairs):
        raise invalid(f"The parameter {place}.Dimensions names a dimension more than once.")
    for name, value in pairs:
        if not name.strip() or not value.strip():
            raise invalid(f"The parameter {place}.Dimensions must have names and values that are not blank.")
    return pairs


def shown(dimensions: Dimensions) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in dimensions]


def ids(metric: Metric, unit: str | None) -> dict[bytes, str]:
    """What the samples of a metric are kept under: those of one unit, or of every one."""
    found = {}
    for one in UNITS if unit is None else (unit,):
        of_unit = Metric(metric.account, metric.region, metric.namespace, metric.name, metric.dimensions, one)
        found[of_unit.id] = one
    return found


def check_period(period_s: int, place: str = "Period") -> None:
    if period_s in SHORT_PERIODS or (period_s % MINUTE_S == 0 and period_s <= LONGEST_PERIOD_S):
        return
    raise invalid(
        f"The parameter {place} must be 1, 5, 10, 20, 30 or a multiple of 60 up to {LONGEST_PERIOD_S}; it is {period_s}."
    )


def is_in_order(start: datetime, stop: datetime) -> bool:
    """Whether a span is one; its ends are told apart by seconds."""
    return int(start.timestamp()) < int(stop.timestamp())


def span_of(start: datetime, stop: datetime, period_s: int, now: datetime) -> Span:
    """The span of a request: its start rounded down to what is kept, its period at least a minute."""
    start_s, stop_s = int(start.timestamp()), int(-(-stop.timestamp() // 1))
    if not is_in_order(start, stop):
        raise Fault("ValidationError", EQUAL if int(stop.timestamp()) == start_s else DISORDERLY, status=400)
    age_days = (now.timestamp() - start_s) / _DAY_S
    step_s = next((step for days, step in ROUNDING if age_days > days), MINUTE_S)
    return Span(start_s - start_s % step_s, stop_s, max(period_s, MINUTE_S))


def check_points(span: Span, most: int) -> None:
    """Raise InvalidParameterCombination for more points than one answer may have."""
    asked = -(-(span.stop_s - span.start_s) // span.period_s)
    if asked > most:
        raise combination(
            f"You have requested up to {asked:,} datapoints, which exceeds the limit of {most:,}. You may reduce the "
            "datapoints requested by increasing Period, or decreasing the time range."
        )


def moment(at_s: int) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)
