"""The functions and operators of metric math, as a table.

Owns what each does to numbers and series. METRICS, SEARCH and ids are looked up by `reckon`. Names and meanings are
CloudWatch's ("Using metric math" of its guide). Pure.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import accumulate, pairwise

import msgspec

from craton.features.metrics.math.series import (
    MathFault,
    Series,
    Text,
    Value,
    each,
    joined,
    mapped,
    number,
    series,
    several,
)

Function = Callable[[Sequence[Value]], Value]


def _divided(left: float, right: float) -> float | None:
    return left / right if right else None


def _raised(left: float, right: float) -> float | None:
    try:
        found = left**right
    except (OverflowError, ZeroDivisionError):
        return None
    return found if isinstance(found, float) and math.isfinite(found) else None


OPERATORS: Mapping[str, Callable[[float, float], float | None]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": _divided,
    "^": _raised,
    "<": lambda left, right: float(left < right),
    "<=": lambda left, right: float(left <= right),
    ">": lambda left, right: float(left > right),
    ">=": lambda left, right: float(left >= right),
    "==": lambda left, right: float(left == right),
    "!=": lambda left, right: float(left != right),
    "AND": lambda left, right: float(bool(left) and bool(right)),
    "&&": lambda left, right: float(bool(left) and bool(right)),
    "OR": lambda left, right: float(bool(left) or bool(right)),
    "||": lambda left, right: float(bool(left) or bool(right)),
}
NUMBERS: Mapping[str, Callable[[float], float | None]] = {
    "ABS": abs,
    "CEIL": lambda one: float(math.ceil(one)),
    "FLOOR": lambda one: float(math.floor(one)),
    "LOG": lambda one: math.log(one) if one > 0 else None,
    "LOG10": lambda one: math.log10(one) if one > 0 else None,
    "negated": lambda one: -one,
    "not": lambda one: float(not one),
}
GATHERED: Mapping[str, Callable[[Sequence[float]], float]] = {
    "AVG": lambda ones: math.fsum(ones) / len(ones),
    "MAX": max,
    "MIN": min,
    "SUM": math.fsum,
    "STDDEV": statistics.pstdev,
}
TIMES: Mapping[str, Callable[[datetime], float]] = {
    "EPOCH": lambda at: at.timestamp(),
    "MINUTE": lambda at: float(at.minute),
    "HOUR": lambda at: float(at.hour),
    "DAY": lambda at: float(at.isoweekday()),
    "DATE": lambda at: float(at.day),
    "MONTH": lambda at: float(at.month),
    "YEAR": lambda at: float(at.year),
}


def number_function(of: Callable[[float], float | None]) -> Function:
    def apply(given: Sequence[Value]) -> Value:
        (value,) = exactly(given, 1)
        if isinstance(value, float):
            found = of(value)
            if found is None:
                raise MathFault("the number has no logarithm")
            return found
        return each(value, lambda one: mapped(one, of))

    return apply


def gathered(of: Callable[[Sequence[float]], float]) -> Function:
    """A series becomes one number; several become one series, moment by moment."""

    def apply(given: Sequence[Value]) -> Value:
        (value,) = exactly(given, 1)
        if isinstance(value, Series):
            return of(list(value.points.values())) if value.points else Series({}, value.period_s, value.label)
        rows: dict[int, list[float]] = {}
        for one in several(value):
            for at_s, point in one.points.items():
                rows.setdefault(at_s, []).append(point)
        period_s = max((one.period_s for one in several(value)), default=60)
        return Series({at_s: of(rows[at_s]) for at_s in sorted(rows)}, period_s)

    return apply


def time_function(of: Callable[[datetime], float]) -> Function:
    def apply(given: Sequence[Value]) -> Value:
        (value,) = exactly(given, 1)
        change = lambda one: changed(one, {at_s: of(datetime.fromtimestamp(at_s, UTC)) for at_s in one.points})  # noqa: E731
        return each(value, change)

    return apply


def series_function(change: Callable[[Series], Series]) -> Function:
    return lambda given: each(exactly(given, 1)[0], change)


def changed(one: Series, points: Mapping[int, float]) -> Series:
    return msgspec.structs.replace(one, points=dict(points))


def exactly(given: Sequence[Value], count: int) -> Sequence[Value]:
    if len(given) != count:
        raise MathFault(f"the function needs {count} argument{'s' if count > 1 else ''}")
    return given


def rate(one: Series) -> Series:
    """The change per second from each point to the next."""
    return changed(one, {b: (one.points[b] - one.points[a]) / (b - a) for a, b in pairwise(one.points)})


def diff(one: Series) -> Series:
    return changed(one, {b: one.points[b] - one.points[a] for a, b in pairwise(one.points)})


def diff_time(one: Series) -> Series:
    return changed(one, {b: float(b - a) for a, b in pairwise(one.points)})


def running_sum(one: Series) -> Series:
    return changed(one, dict(zip(one.points, accumulate(one.points.values()), strict=True)))


def fill(given: Sequence[Value]) -> Value:
    """Gaps filled with a number, with what stood before them (REPEAT) or on a straight line (LINEAR)."""
    value, how = exactly(given, 2)
    return each(value, lambda one: changed(one, _filled(one, how)))


def _filled(one: Series, how: Value) -> dict[int, float]:
    if not one.points:
        return {}
    word = how.text.upper() if isinstance(how, Text) else ""
    if isinstance(how, Text) and word not in ("REPEAT", "LINEAR"):
        raise MathFault("FILL takes a number, REPEAT or LINEAR")
    other = several(how)[0].points if isinstance(how, Series | list) else {}
    moments = sorted(one.points)
    found = {moments[0]: one.points[moments[0]]}
    for before, after in pairwise(moments):
        low, high = one.points[before], one.points[after]
        for at_s in range(before + one.period_s, after, one.period_s):
            if word == "REPEAT":
                found[at_s] = low
            elif word:
                found[at_s] = low + (high - low) * (at_s - before) / (after - before)
            elif not isinstance(how, Series | list):
                found[at_s] = number(how)
            elif at_s in other:
                found[at_s] = other[at_s]
        found[after] = high
    return found


def if_(given: Sequence[Value]) -> Value:
    """IF(condition, then) and IF(condition, then, else), moment by moment where there are moments."""
    if len(given) not in (2, 3):
        raise MathFault("IF needs 2 or 3 arguments")
    condition, then, *rest = given
    if isinstance(condition, float):
        return then if condition else rest[0] if rest else Series({})
    found: dict[int, float] = {}
    for at_s, holds in series(condition).points.items():
        chosen = then if holds else rest[0] if rest else None
        point = _at(chosen, at_s)
        if point is not None:
            found[at_s] = point
    label = then.label if isinstance(then, Series) else ""
    return Series(found, series(condition).period_s, label)


def _at(value: Value | None, at_s: int) -> float | None:
    if value is None or isinstance(value, float):
        return value
    return series(value).points.get(at_s)


def ends(position: int) -> Function:
    def apply(given: Sequence[Value]) -> Value:
        found = several(exactly(given, 1)[0])
        if not found:
            raise MathFault("there is no time series")
        return found[position]

    return apply


def period(given: Sequence[Value]) -> Value:
    return float(series(exactly(given, 1)[0]).period_s)


def datapoint_count(given: Sequence[Value]) -> Value:
    return each(exactly(given, 1)[0], lambda one: changed(one, dict.fromkeys(one.points, float(len(one.points)))))


def remove_empty(given: Sequence[Value]) -> Value:
    return [one for one in several(exactly(given, 1)[0]) if one.points]


def sort(given: Sequence[Value]) -> Value:
    """SORT(series, function, ASC or DESC[, how many])."""
    if len(given) not in (3, 4):
        raise MathFault("SORT needs 3 or 4 arguments")
    by, order = (one.text.upper() if isinstance(one, Text) else "" for one in given[1:3])
    if by not in GATHERED or order not in ("ASC", "DESC"):
        raise MathFault("SORT takes AVG, MAX, MIN, SUM or STDDEV, then ASC or DESC")
    found = [one for one in several(given[0]) if one.points]
    found.sort(key=lambda one: GATHERED[by](list(one.points.values())), reverse=order == "DESC")
    return found[: int(number(given[3]))] if len(given) == 4 else found


def slice_(given: Sequence[Value]) -> Value:
    if len(given) not in (2, 3):
        raise MathFault("SLICE needs 2 or 3 arguments")
    start = int(number(given[1]))
    return several(given[0])[start : int(number(given[2])) if len(given) == 3 else start + 1]


FUNCTIONS: Mapping[str, Function] = {
    **{name: number_function(of) for name, of in NUMBERS.items()},
    **{name: gathered(of) for name, of in GATHERED.items()},
    **{name: time_function(of) for name, of in TIMES.items()},
    "RATE": series_function(rate),
    "DIFF": series_function(diff),
    "DIFF_TIME": series_function(diff_time),
    "RUNNING_SUM": series_function(running_sum),
    "FILL": fill,
    "IF": if_,
    "FIRST": ends(0),
    "LAST": ends(-1),
    "PERIOD": period,
    "DATAPOINT_COUNT": datapoint_count,
    "REMOVE_EMPTY": remove_empty,
    "SORT": sort,
    "SLICE": slice_,
}
# Words that stand in calls without quotes, as texts.
WORDS = frozenset({"REPEAT", "LINEAR", "ASC", "DESC", *GATHERED})


def operate(mark: str, values: Iterable[Value]) -> Value:
    left, right = values
    return joined(left, right, OPERATORS[mark])
