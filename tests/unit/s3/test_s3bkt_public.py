"""Which bucket policies S3 calls public."""

from __future__ import annotations

import json
from typing import Any

import pytest

from craton.aws.access.policy import parse
from craton.services.s3.public import is_public


def policy(principal: Any, condition: dict[str, Any] | None = None, effect: str = "Allow") -> Any:
    """A policy of one statement."""
    statement = {"Effect": effect, "Principal": principal, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}
    if condition is not None:
        statement["Condition"] = condition
    return parse(json.dumps({"Version": "2012-10-17", "Statement": [statement]}), "resource", "")


@pytest.mark.parametrize(
    ("principal", "condition", "public"),
    [
        ("*", None, True),
        ({"AWS": "*"}, None, True),
        ({"AWS": "arn:aws:iam::111122223333:root"}, None, False),
        ({"Service": "logging.s3.amazonaws.com"}, None, False),
        ("*", {"StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}}, False),
        ("*", {"StringLike": {"aws:PrincipalOrgID": "o-*"}}, True),
        ("*", {"StringNotEquals": {"aws:SourceVpc": "vpc-1"}}, True),
        ("*", {"StringEquals": {"aws:SourceVpc": "vpc-91237329"}}, False),
        ("*", {"StringEqualsIfExists": {"aws:SourceVpc": "vpc-91237329"}}, True),
        ("*", {"StringLike": {"aws:UserAgent": "mine"}}, True),
        ("*", {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}, False),
        ("*", {"IpAddress": {"aws:SourceIp": "0.0.0.0/1"}}, True),
        ("*", {"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "0.0.0.0/0"]}}, True),
        ("*", {"ArnLike": {"aws:SourceArn": "arn:aws:bedrock:*:111122223333:*"}}, False),
        ("*", {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::*"}}, True),
    ],
)
def test_allows(principal: Any, condition: dict[str, Any] | None, public: bool) -> None:
    """Everyone is public, unless a condition holds everyone to something fixed."""
    assert is_public(policy(principal, condition)) is public


def test_denies() -> None:
    """A statement that denies everyone lets nobody in."""
    assert not is_public(policy("*", effect="Deny"))
