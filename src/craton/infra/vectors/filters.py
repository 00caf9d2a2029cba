"""What a filter means: the reference that every way of finding chunks is held against.

Owns `matches` and nothing else. Pure functions of values; it must not know how a store says the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from craton.infra.vectors.port import Both, Compare, Filter, Value

_MISSING = object()


def matches(where: Filter, metadata: Mapping[str, Value]) -> bool:
    """Whether a chunk with these attributes is let through.

    Types are strict: text, number, boolean and list of texts are never equal to one another. Of another type than what the
    operator compares, or without the attribute, only `notEquals` and `notIn` hold.
    """
    if isinstance(where, Both):
        return all(matches(member, metadata) for member in where.members)
    if not isinstance(where, Compare):
        return any(matches(member, metadata) for member in where.members)
    return _HOLDS[where.op](metadata.get(where.key, _MISSING), where.value)


def _equal(held: Any, value: Any) -> bool:
    """Equal and of one type; an int is a number like a float, a bool is not."""
    if isinstance(held, bool) or isinstance(value, bool):
        return held is value
    if isinstance(held, str):
        return isinstance(value, str) and held == value
    return _number(held) and _number(value) and held == value


def _among(held: Any, values: Any) -> bool:
    return isinstance(values, tuple) and any(_equal(held, value) for value in values)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _ordered(holds: Callable[[float, float], bool]) -> Callable[[Any, Any], bool]:
    return lambda held, value: _number(held) and _number(value) and holds(held, value)


def _contains(held: Any, value: Any) -> bool:
    """A part of a text, or of a member of a list."""
    if not isinstance(value, str):
        return False
    if isinstance(held, tuple):
        return any(value in member for member in held)
    return isinstance(held, str) and value in held


_HOLDS: Mapping[str, Callable[[Any, Any], bool]] = {
    "equals": _equal,
    "notEquals": lambda held, value: not _equal(held, value),
    "greaterThan": _ordered(lambda held, value: held > value),
    "greaterThanOrEquals": _ordered(lambda held, value: held >= value),
    "lessThan": _ordered(lambda held, value: held < value),
    "lessThanOrEquals": _ordered(lambda held, value: held <= value),
    "in": _among,
    "notIn": lambda held, values: not _among(held, values),
    "startsWith": lambda held, value: isinstance(held, str) and isinstance(value, str) and held.startswith(value),
    "stringContains": _contains,
    "listContains": lambda held, value: isinstance(held, tuple) and isinstance(value, str) and value in held,
}
