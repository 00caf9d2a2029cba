"""String operators: equal, equal but for case, and like (with wildcards), and their negations.

Wildcards are plain characters to the first two; ``${*}`` says a star in all three. Only strings and ARNs may hold
policy variables. Source: IAM user guide, "String condition operators".
"""

from __future__ import annotations

from collections.abc import Callable

from craton.aws.access.conditions.operator import Compare, Operator
from craton.aws.access.match import glob
from craton.aws.access.variables import Keys, Token, fill, is_fixed, tokens


def equals(values: tuple[str, ...], variables: bool) -> Compare:  # noqa: FBT001 - the family's one signature
    """Whether the request's value is one of the policy's."""
    return _equal(values, variables, str)


def equals_ignoring_case(values: tuple[str, ...], variables: bool) -> Compare:  # noqa: FBT001
    """Whether the request's value is one of the policy's, upper and lower case being the same."""
    return _equal(values, variables, str.lower)


def like(values: tuple[str, ...], variables: bool) -> Compare:  # noqa: FBT001
    """Whether the request's value fits one of the policy's patterns."""
    patterns = tuple(glob(value, variables=variables) for value in values)
    return lambda value, keys: any(pattern.matches(value, keys) for pattern in patterns)


def _equal(values: tuple[str, ...], variables: bool, fold: Callable[[str], str]) -> Compare:  # noqa: FBT001
    cut = [tokens(value, variables=variables, wildcards=False) for value in values]
    fixed = frozenset(fold(_text(parts)) for parts in cut if is_fixed(parts))
    moving = tuple(parts for parts in cut if not is_fixed(parts))
    if not moving:
        return lambda value, _keys: fold(value) in fixed

    def compare(value: str, keys: Keys) -> bool:
        folded = fold(value)
        return folded in fixed or any(_filled(parts, keys, fold) == folded for parts in moving)

    return compare


def _text(parts: tuple[Token, ...]) -> str:
    return "".join(part for part in parts if isinstance(part, str))


def _filled(parts: tuple[Token, ...], keys: Keys, fold: Callable[[str], str]) -> str | None:
    filled = fill(parts, keys)
    return None if filled is None else fold(_text(filled))


OPERATORS = {
    "StringEquals": Operator(equals, variables=True),
    "StringNotEquals": Operator(equals, negated=True, variables=True),
    "StringEqualsIgnoreCase": Operator(equals_ignoring_case, variables=True),
    "StringNotEqualsIgnoreCase": Operator(equals_ignoring_case, negated=True, variables=True),
    "StringLike": Operator(like, variables=True),
    "StringNotLike": Operator(like, negated=True, variables=True),
}
