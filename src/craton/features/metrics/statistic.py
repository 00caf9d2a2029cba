"""The statistics of CloudWatch by their names: sums and averages, percentiles, and means of what is left when the ends are cut.

Owns the names and what each makes of a summary. Percentiles are within the sketch's error (1 %); None where samples that
came summed up leave them unknown. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from craton.features.metrics.faults import invalid
from craton.infra.series.metrics_summary import Summary, bin_of, number_of

Of = Callable[[Summary], float | None]

PLAIN: dict[str, Of] = {
    "SampleCount": lambda one: one.samples,
    "Average": lambda one: one.total / one.samples if one.samples else None,
    "Sum": lambda one: one.total,
    "Minimum": lambda one: one.least,
    "Maximum": lambda one: one.most,
}
_PERCENTILE = re.compile(r"p(100|[0-9]{1,2}(?:\.[0-9]{1,10})?)")
_TRIMMED = re.compile(r"(tm|wm|tc|ts)(100|[0-9]{1,2}(?:\.[0-9]{1,10})?)", re.IGNORECASE)
_RANGE = re.compile(r"(TM|WM|TC|TS|PR)\(([0-9.]*)(%?):([0-9.]*)(%?)\)", re.IGNORECASE)


class Statistic(msgspec.Struct, frozen=True):
    """One of them. `spread`: it needs to know how samples are spread."""

    name: str
    of: Of
    spread: bool = False


def statistic(name: str, place: str = "Stat") -> Statistic:
    """Raises InvalidParameterValue for a name that is none."""
    if name in PLAIN:
        return Statistic(name, PLAIN[name])
    if name.upper() == "IQM":
        return Statistic(name, _between("TM", 0.25, 0.75), spread=True)
    found = _PERCENTILE.fullmatch(name)
    if found is not None:
        share = float(found[1]) / 100
        return Statistic(name, lambda one: one.percentile(share), spread=True)
    found = _TRIMMED.fullmatch(name)
    if found is not None:
        return Statistic(name, _between(found[1].upper(), 0.0, float(found[2]) / 100), spread=True)
    ranged = _ranged(name)
    if ranged is None:
        raise invalid(f"The value {name} for parameter {place} is not supported.")
    return Statistic(name, ranged, spread=True)


def _ranged(name: str) -> Of | None:
    found = _RANGE.fullmatch(name)
    if found is None:
        return None
    kind, low, low_unit, high, high_unit = found.groups()
    try:
        bounds = [float(text) if text else None for text in (low, high)]
    except ValueError:
        return None
    if bounds == [None, None]:
        return None
    if low_unit or high_unit:
        shares = [0.0 if bounds[0] is None else bounds[0] / 100, 1.0 if bounds[1] is None else bounds[1] / 100]
        return _between(kind.upper(), *shares) if 0 <= shares[0] < shares[1] <= 1 else None
    return _within(kind.upper(), bounds[0], bounds[1])


def _between(kind: str, low: float, high: float) -> Of:
    """Of the samples between two shares of all."""

    def of(one: Summary) -> float | None:
        bins = one.spread()
        if bins is None or not one.samples:
            return None
        start, stop, seen = low * one.samples, high * one.samples, 0.0
        parts: list[tuple[float, float]] = []
        for index in sorted(bins):
            count = bins[index]
            inside = min(seen + count, stop) - max(seen, start)
            if inside > 0:
                parts.append((one.within(number_of(index)), inside))
            seen += count
        if kind == "WM":
            ends = (one.percentile(low) or 0.0, one.percentile(high) or 0.0)
            parts += [(ends[0], start), (ends[1], one.samples - stop)]
        return _told(kind, parts, one.samples)

    return of


def _within(kind: str, low: float | None, high: float | None) -> Of:
    """Of the samples between two numbers, the lower one left out, as AWS counts them."""

    def of(one: Summary) -> float | None:
        bins = one.spread()
        if bins is None or not one.samples:
            return None
        parts = []
        first, last = (None if bound is None else bin_of(bound) for bound in (low, high))
        for index, count in bins.items():
            number = one.within(number_of(index))
            if (first is None or index > first) and (last is None or index <= last):
                parts.append((number, count))
            elif kind == "WM":
                parts.append((low if low is not None and first is not None and index <= first else high or 0.0, count))
        return _told(kind, parts, one.samples)

    return of


def _told(kind: str, parts: list[tuple[float, float]], samples: float) -> float | None:
    count = sum(part for _, part in parts)
    total = sum(number * part for number, part in parts)
    if kind == "TC":
        return count
    if kind == "TS":
        return total
    if kind == "PR":
        return 100 * count / samples
    return total / count if count else None
