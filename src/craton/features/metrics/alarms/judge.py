"""Which state an alarm's points put it in.

Owns the rules: M of N points beyond a threshold, and what counts where points are missing. Pure; it must not know where
points come from. Source: CloudWatch user guide, "Configuring how CloudWatch alarms treat missing data".
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from craton.features.metrics.alarms.alarm import ALARM, OK, UNKNOWN, Value

COMPARISONS: Final[Mapping[str, tuple[Callable[[float, float], bool], str]]] = MappingProxyType({
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
})  # fmt: skip
MISSING, IGNORE, BREACHING, NOT_BREACHING = "missing", "ignore", "breaching", "notBreaching"
TREATMENTS: Final = (BREACHING, NOT_BREACHING, IGNORE, MISSING)
BEYOND: Final = 2
"""So many periods are looked back at more than are counted, for points that are late or missing."""


class Point(msgspec.Struct, frozen=True):
    """One period's. `samples` where they were asked for."""

    at_s: int
    value: float
    samples: float | None = None


class Terms(msgspec.Struct, frozen=True):
    """When an alarm is raised: `to_alarm` of `periods` points."""

    comparison: str
    threshold: float
    periods: int
    to_alarm: int
    missing: str = MISSING


class Verdict(msgspec.Struct, frozen=True):
    """`value` None: the alarm stays as it is. `points` are those that were counted, the oldest first; `filled` how many
    more were taken for what the treatment of missing ones says, `beyond` how many of all are beyond the threshold.
    """

    value: Value | None
    points: tuple[Point, ...] = ()
    beyond: int = 0
    filled: int = 0


def judge(found: Sequence[Point | None], terms: Terms) -> Verdict:
    """The verdict on the points of the periods looked at, the oldest first and None where there is none."""
    points = [point for point in found if point is not None][-terms.periods :]
    test = COMPARISONS[terms.comparison][0]
    beyond = sum(test(point.value, terms.threshold) for point in points)
    filled = terms.periods - len(points)
    counted = tuple(points)
    if filled == 0:
        return Verdict(ALARM if beyond >= terms.to_alarm else OK, counted, beyond)
    if terms.missing == NOT_BREACHING:
        return Verdict(ALARM if beyond >= terms.to_alarm else OK, counted, beyond, filled)
    if terms.missing == BREACHING:
        return Verdict(ALARM if beyond + filled >= terms.to_alarm else OK, counted, beyond + filled, filled)
    if beyond >= terms.to_alarm:
        return Verdict(ALARM, counted, beyond)
    if beyond < len(points):
        return Verdict(OK, counted, beyond)
    return _of_few(found, counted, terms)


def _of_few(found: Sequence[Point | None], counted: tuple[Point, ...], terms: Terms) -> Verdict:
    """Too few points to raise it, and none that is within the threshold."""
    if terms.missing == IGNORE:
        return Verdict(None, counted, len(counted))
    if not counted:
        return Verdict(UNKNOWN, filled=terms.periods)
    # Its first point is as old as the alarm needs, and nothing since said otherwise.
    oldest = min(index for index, point in enumerate(found) if point is not None)
    age = len(found) - oldest
    return Verdict(ALARM if age >= terms.to_alarm else None, counted, len(counted))


def needed_samples(statistic: str) -> float:
    """How many samples a percentile needs to say anything; 0 for what is no percentile."""
    try:
        share = float(statistic.removeprefix("p")) / 100 if statistic.startswith("p") else None
    except ValueError:
        return 0.0
    if share is None or not 0 < share < 1:
        return 0.0
    return 10 / (1 - share) if share >= 0.5 else 10 / share
