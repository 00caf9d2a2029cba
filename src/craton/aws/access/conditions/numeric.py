"""Numeric operators, on decimal numbers of any size, exactly: 0.1 is 0.10 and not the float near it.

A request's value that is no number fits nothing. Source: IAM user guide, "Numeric condition operators".
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from craton.aws.access.conditions.operator import Compare, Operator
from craton.aws.access.variables import Keys

# Exponents are bounded so that no comparison can be made to cost more than its text.
_NUMBER: Final = re.compile(r"[+-]?(?:\d{1,100}(?:\.\d{0,100})?|\.\d{1,100})(?:[eE][+-]?\d{1,4})?", re.ASCII)


def number(text: str) -> Decimal | None:
    """The number that a text is, None where it is none."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def _comparing(fits: Callable[[Decimal, Decimal], bool]) -> Callable[[tuple[str, ...], bool], Compare]:
    def build(values: tuple[str, ...], variables: bool) -> Compare:  # noqa: FBT001 - the family's one signature
        limits = []
        for text in values:
            limit = number(text)
            if limit is None:
                raise ValueError(f"{text[:100]!r} is not a number")
            limits.append(limit)

        def compare(value: str, keys: Keys) -> bool:
            given = number(value)
            return given is not None and any(fits(given, limit) for limit in limits)

        return compare

    return build


OPERATORS = {
    "NumericEquals": Operator(_comparing(operator.eq)),
    "NumericNotEquals": Operator(_comparing(operator.eq), negated=True),
    "NumericLessThan": Operator(_comparing(operator.lt)),
    "NumericLessThanEquals": Operator(_comparing(operator.le)),
    "NumericGreaterThan": Operator(_comparing(operator.gt)),
    "NumericGreaterThanEquals": Operator(_comparing(operator.ge)),
}
