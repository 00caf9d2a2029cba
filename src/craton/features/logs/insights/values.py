"""Values in queries: texts, numbers, truth, nothing, and what JSON has parts of; how they compare and are written.

Owns the rule that what looks like a number is one where a number is asked for, how values are ordered, and the form in
which results leave: everything as text, times in UTC with ms. Pure.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any

import msgspec

_NUMBER = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*")
_MOST_DIGITS = 300
_LARGEST_MS = 253_402_300_799_999
_EXACT = 1 << 53


class Moment(int):
    """Ms since 1970 that are shown as a time."""

    __slots__ = ()


def number(value: Any) -> float | int | None:
    """The number that a value is, or is written as."""
    if value is True or value is False:
        return int(value)
    if isinstance(value, (int, float)):
        return value if math.isfinite(value) else None
    if not isinstance(value, str) or len(value) > _MOST_DIGITS or _NUMBER.fullmatch(value) is None:
        return None
    stripped = value.strip()
    found = float(stripped)
    if not math.isfinite(found):
        return None
    return int(found) if found.is_integer() and abs(found) < _EXACT else found


def is_true(value: Any) -> bool:
    """Whether a condition with this value holds."""
    if isinstance(value, str):
        return value.lower() == "true" or bool(number(value))
    return bool(value)


def text(value: Any) -> str:
    """A value as results show it."""
    if isinstance(value, str):
        return value
    if isinstance(value, Moment):
        return moment_text(value)
    if value is None:
        return ""
    if value is True or value is False:
        return "1" if value else "0"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < _EXACT else repr(value)
    if isinstance(value, int):
        return str(value)
    return msgspec.json.encode(value).decode()


def plain(value: Any) -> str:
    """A value as functions of texts see it: times are numbers."""
    return str(int(value)) if isinstance(value, Moment) else text(value)


def moment_text(at_ms: int) -> str:
    """`2026-01-31 12:00:00.000`; what lies outside the calendar stays a number."""
    if not 0 <= at_ms <= _LARGEST_MS:
        return str(int(at_ms))
    at = datetime.fromtimestamp(at_ms // 1000, UTC)
    return f"{at:%Y-%m-%d %H:%M:%S}.{at_ms % 1000:03d}"


def equal(left: Any, right: Any) -> bool:
    """As numbers where both are, else as texts; nothing equals nothing."""
    if left is None or right is None:
        return False
    if type(left) is type(right) and isinstance(left, str) and left == right:
        return True
    one, other = number(left), number(right)
    if one is not None and other is not None:
        return one == other
    if isinstance(left, bool) or isinstance(right, bool):
        return spelt(left) == spelt(right)
    return plain(left) == plain(right)


def spelt(value: Any) -> str:
    """A value as a text, truth as the word for it."""
    return ("true" if value else "false") if isinstance(value, bool) else plain(value).lower()


def compared(left: Any, right: Any) -> int | None:
    """-1, 0 or 1; None where one of them is nothing."""
    if left is None or right is None:
        return None
    one, other = number(left), number(right)
    if one is not None and other is not None:
        return (one > other) - (one < other)
    first, second = plain(left), plain(right)
    return (first > second) - (first < second)


def order(value: Any) -> tuple[int, float, str]:
    """The place of a value among others: nothing, numbers, texts."""
    if value is None:
        return 0, 0.0, ""
    found = number(value)
    return (1, float(found), "") if found is not None else (2, 0.0, plain(value))
