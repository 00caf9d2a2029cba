"""ARN operators. Equals and Like are one: both take wildcards, and compare each of the six fields by itself.

Source: IAM user guide, "Amazon Resource Name (ARN) condition operators".
"""

from __future__ import annotations

from typing import Final

from craton.aws.access.conditions.operator import Compare, Operator
from craton.aws.access.match import ARN_FIELDS, arn

_EVERY: Final = "*"


def like(values: tuple[str, ...], variables: bool) -> Compare:  # noqa: FBT001 - the family's one signature
    """Whether the request's ARN fits one of the policy's. A lone star stands for every ARN."""
    for text in values:
        # With variables the fields may come with the value.
        if text != _EVERY and not (text.startswith("arn:") and text.count(":") >= ARN_FIELDS - 1) and "${" not in text:
            raise ValueError(f"{text[:100]!r} is not an ARN")
    patterns = tuple(
        arn(":".join("*" * ARN_FIELDS) if text == _EVERY else text, variables=variables) for text in values
    )
    return lambda value, keys: any(pattern.matches(value, keys) for pattern in patterns)


OPERATORS = {
    "ArnEquals": Operator(like, variables=True),
    "ArnLike": Operator(like, variables=True),
    "ArnNotEquals": Operator(like, negated=True, variables=True),
    "ArnNotLike": Operator(like, negated=True, variables=True),
}
