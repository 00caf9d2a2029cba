"""Date operators. A moment is written in ISO 8601 (W3C's profile: date, or date and time) or in seconds since 1970.

A date without time is its first second; a time without zone is UTC. A request's value that is no moment fits nothing.
Source: IAM user guide, "Date condition operators".
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from craton.aws.access.conditions.operator import Compare, Operator
from craton.aws.access.variables import Keys

_ISO: Final = re.compile(r"\d{4}-\d\d(?:-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?)?", re.ASCII)
_EPOCH: Final = re.compile(r"-?\d{1,15}(?:\.\d{1,9})?", re.ASCII)


def moment(text: str) -> float | None:
    """Seconds since 1970, to the microsecond; None where the text is no moment."""
    if _EPOCH.fullmatch(text):
        return float(text)
    if not _ISO.fullmatch(text):
        return None
    try:
        read = datetime.fromisoformat(text if len(text) > len("2026-01") else f"{text}-01")
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _comparing(fits: Callable[[float, float], bool]) -> Callable[[tuple[str, ...], bool], Compare]:
    def build(values: tuple[str, ...], variables: bool) -> Compare:  # noqa: FBT001 - the family's one signature
        limits = []
        for text in values:
            limit = moment(text)
            if limit is None:
                raise ValueError(f"{text[:100]!r} is not a date")
            limits.append(limit)

        def compare(value: str, keys: Keys) -> bool:
            given = moment(value)
            return given is not None and any(fits(given, limit) for limit in limits)

        return compare

    return build


OPERATORS = {
    "DateEquals": Operator(_comparing(operator.eq)),
    "DateNotEquals": Operator(_comparing(operator.eq), negated=True),
    "DateLessThan": Operator(_comparing(operator.lt)),
    "DateLessThanEquals": Operator(_comparing(operator.le)),
    "DateGreaterThan": Operator(_comparing(operator.gt)),
    "DateGreaterThanEquals": Operator(_comparing(operator.ge)),
}
