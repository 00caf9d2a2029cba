"""The boolean operator: true or false, in any case. A request's value that is neither fits nothing.

Source: IAM user guide, "Boolean condition operators".
"""

from __future__ import annotations

from typing import Final

from craton.aws.access.conditions.operator import Compare, Operator

WORDS: Final = frozenset({"true", "false"})


def equals(values: tuple[str, ...], variables: bool) -> Compare:  # noqa: FBT001 - the family's one signature
    """Whether the request's value is the policy's."""
    wanted = frozenset(text.lower() for text in values)
    for text in wanted - WORDS:
        raise ValueError(f"{text[:100]!r} is neither true nor false")
    return lambda value, _keys: value.lower() in wanted


OPERATORS = {"Bool": Operator(equals)}
