"""ARN conditions."""

from __future__ import annotations

import pytest

from tests.unit.access.scenes import met

GUARDRAIL = "arn:aws:bedrock:us-east-1:111122223333:guardrail/abc"


@pytest.mark.parametrize("operator", ["ArnEquals", "ArnLike"])
@pytest.mark.parametrize(
    ("wanted", "given", "fits"),
    [
        (GUARDRAIL, GUARDRAIL, True),
        ("arn:aws:bedrock:*:111122223333:guardrail/*", GUARDRAIL, True),
        ("arn:aws:bedrock:*:guardrail/*:x", GUARDRAIL, False),
        ("arn:aws:bedrock:us-*:*:guardrail/a?c", GUARDRAIL, True),
        ("arn:aws:bedrock:*:*:*", GUARDRAIL + ":1", True),
        ("arn:aws:bedrock:*:*:guardrail/abc", GUARDRAIL + ":1", False),
        ("arn:aws:*:*:*:*", GUARDRAIL, True),
        ("*", GUARDRAIL, True),
        ("arn:aws:bedrock:us-east-1:*:guardrail/abc", "abc", False),
        ("arn:aws:bedrock:US-EAST-1:*:guardrail/abc", GUARDRAIL, False),
        ("arn:aws:iam::${aws:principalaccount}:user/*", "arn:aws:iam::111122223333:user/x", True),
        ("arn:aws:iam::${aws:username}:user/*", "arn:aws:iam::1:2:user/x", False),
    ],
)
def test_each_field_is_compared(operator, wanted, given, fits) -> None:
    """Equals and Like are one: six fields, wildcards within each, and no value can shift the fields."""
    context = {"aws_principalaccount": "111122223333", "aws_username": "1:2"}
    assert met(operator, wanted, given, **context) is fits
    assert met(operator.replace("Arn", "ArnNot"), wanted, given, **context) is not fits


@pytest.mark.parametrize("broken", ["guardrail/abc", "", "arn:aws:bedrock", "urn:aws:a:b:c:d"])
def test_values_that_are_no_arns_are_refused(broken) -> None:
    """A policy cannot compare ARNs with something else."""
    with pytest.raises(ValueError, match="is not an ARN"):
        met("ArnEquals", broken, GUARDRAIL)
