"""The Null operator: whether the request has the key at all, whatever its value. ``true`` means that it must not.

Source: IAM user guide, "Condition operator to check existence of condition keys".
"""

from __future__ import annotations

from collections.abc import Callable

from craton.aws.access.conditions.bool import WORDS
from craton.aws.access.variables import Keys

NAME = "Null"


def absent(key: str, values: tuple[str, ...]) -> Callable[[Keys], bool]:
    """Whether `key` (in lower case) is absent as the policy wants. Raises ValueError for other words than two."""
    wanted = frozenset(text.lower() for text in values)
    for text in wanted - WORDS:
        raise ValueError(f"{text[:100]!r} is neither true nor false")
    if len(wanted) == len(WORDS):
        return lambda _keys: True
    if "true" in wanted:
        return lambda keys: keys.get(key, ()) == ()
    # An empty string is a value; no values at all are none.
    return lambda keys: keys.get(key, ()) != ()
