"""Values in conditions, `= "a*"`, `>= 400`, `= %5[0-9]{2}%`: how they are written and what they are true of.

Owns the comparison of a value from an event (text, number, true, false, null, or something with parts) with one from a
pattern. It must not know where the event's value came from. Source: CloudWatch Logs user guide, "Filter pattern
syntax"; where it is silent, a value is compared as the text that it is written as.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Literal

import msgspec

from craton.aws.wildcards import fits
from craton.features.logs.patterns.regex import Expression
from craton.features.logs.patterns.text import BadPattern, Text

Kind = Literal["bare", "quoted", "regex"]
Test = Callable[[object], bool]
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_ORDERS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
OPERATORS = re.compile(r"!=|>=|<=|=|>|<")
_BARE = re.compile(r'[^\s(){}\[\],&|=<>!"%]+')
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_REGEX = re.compile(r"%((?:[^%\\]|\\.)*)%")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


class Value(msgspec.Struct, frozen=True):
    """A value of a pattern. `parts` are what stands between its asterisks."""

    kind: Kind
    parts: tuple[str, ...]

    @property
    def number(self) -> float | None:
        """The number that a bare value is."""
        if self.kind != "bare" or len(self.parts) != 1 or _NUMBER.fullmatch(self.parts[0]) is None:
            return None
        return float(self.parts[0])

    @property
    def longest(self) -> str:
        """A text that everything equal to this value holds; "" where there is none."""
        return "" if self.kind == "regex" or self.number is not None else max(self.parts, key=len)


def read_value(text: Text) -> Value:
    """The value at this place of a pattern. Raises BadPattern."""
    if (found := text.take(_QUOTED)) is not None:
        return Value("quoted", _parts(found[1]))
    if (found := text.take(_REGEX)) is not None:
        return Value("regex", (found[1],))
    if (found := text.take(_BARE)) is not None:
        return Value("bare", tuple(found[0].split("*")))
    raise BadPattern


def _parts(written: str) -> tuple[str, ...]:
    """The text between asterisks that are not escaped, without the escapes."""
    parts = [""]
    for piece in re.findall(r"\\.|\*|[^\\*]+", written, re.DOTALL):
        if piece == "*":
            parts.append("")
        else:
            parts[-1] += _ESCAPE.sub(r"\1", piece)
    return tuple(parts)


def test_of(sign: str, value: Value) -> Test:
    """Whether a value of an event stands so to this one. Raises BadPattern for an order that is not of numbers."""
    number = value.number
    if sign in _ORDERS:
        if number is None:
            raise BadPattern
        return _ordered(_ORDERS[sign], number)
    equal = _equal(value, number)
    if sign == "=":
        return equal
    return lambda found: found is not None and not isinstance(found, (list, dict)) and not equal(found)


def _ordered(order: Callable[[float, float], bool], number: float) -> Test:
    def holds(found: object) -> bool:
        other = found if type(found) is int else number_of(found)  # most are, and each event is asked
        return other is not None and order(other, number)

    return holds


def number_of(found: object) -> float | None:
    """The number that an event's value is, or is written as."""
    if isinstance(found, str):
        return float(found) if _NUMBER.fullmatch(found) else None
    return found if isinstance(found, (int, float)) and not isinstance(found, bool) else None


def _equal(value: Value, number: float | None) -> Test:
    if value.kind == "regex":
        expression = Expression(value.parts[0])
        return lambda found: (shown := written(found)) is not None and expression.search(shown)
    if number is not None:
        return lambda found: number_of(found) == number
    parts = value.parts
    if len(parts) == 1:
        text = parts[0]
        if value.kind == "quoted":
            return lambda found: found == text
        return lambda found: written(found) == text
    return lambda found: (shown := written(found)) is not None and fits(parts, shown)


def written(found: object) -> str | None:
    """An event's value as text; None for what has parts, or is nothing."""
    if isinstance(found, str):
        return found
    if isinstance(found, bool):
        return "true" if found else "false"
    return str(found) if isinstance(found, (int, float)) else None
