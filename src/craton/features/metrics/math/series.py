"""What metric math reckons with: numbers, series of numbers by time, and several series at once.

Owns how an operator meets two of them. Where a series has no point at a moment the result has none. Pure.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec


class MathFault(Exception):
    """An expression that cannot be reckoned; the text says why."""


class Series(msgspec.Struct, frozen=True):
    """`points`: seconds since 1970 → number, in order of time."""

    points: dict[int, float]
    period_s: int = 60
    label: str = ""


class Text(msgspec.Struct, frozen=True):
    """A text in an expression."""

    text: str


Number = float
Value = Number | Series | list[Series] | Text
MOST_SERIES = 500


def each(value: Value, change: Callable[[Series], Series]) -> Value:
    """The change made to every series."""
    if isinstance(value, list):
        return [change(one) for one in value]
    return change(series(value))


def series(value: Value) -> Series:
    if isinstance(value, Series):
        return value
    if isinstance(value, list) and len(value) == 1:
        return value[0]
    raise MathFault("a single time series is needed")


def number(value: Value) -> float:
    if isinstance(value, int | float):
        return float(value)
    raise MathFault("a number is needed")


def several(value: Value) -> list[Series]:
    return value if isinstance(value, list) else [series(value)]


def mapped(one: Series, change: Callable[[float], float | None]) -> Series:
    """Every number changed; a point for which there is none is left out."""
    points = {at_s: new for at_s, old in one.points.items() if (new := change(old)) is not None}
    return msgspec.structs.replace(one, points=points)


def joined(left: Value, right: Value, of: Callable[[float, float], float | None]) -> Value:
    """An operator between two values. Two lists of series have no operator."""
    if isinstance(left, Text) or isinstance(right, Text):
        raise MathFault("a text cannot be reckoned with")
    if isinstance(left, list) and isinstance(right, list):
        raise MathFault("an operator cannot stand between two lists of time series")
    if isinstance(left, list):
        return [series(joined(one, right, of)) for one in left]
    if isinstance(right, list):
        return [series(joined(left, one, of)) for one in right]
    if isinstance(left, Series) and isinstance(right, Series):
        pairs = ((at_s, of(old, right.points[at_s])) for at_s, old in left.points.items() if at_s in right.points)
        points = {at_s: new for at_s, new in pairs if new is not None}
        return Series(points, max(left.period_s, right.period_s), left.label)
    if isinstance(left, Series):
        fixed = number(right)
        return mapped(left, lambda old: of(old, fixed))
    if isinstance(right, Series):
        fixed = number(left)
        return mapped(right, lambda old: of(fixed, old))
    found = of(number(left), number(right))
    if found is None:
        raise MathFault("a number is divided by zero")
    return found
