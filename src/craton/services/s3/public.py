"""Whether a bucket's policy lets the public in, as S3 means it: what the public access block goes by.

A statement is public that allows everyone, unless a condition holds it to fixed values of a key that names somebody or
some place. Pure. Source: S3 user guide, "Blocking public access": "The meaning of public".
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import Final

from craton.aws.access.policy import Condition, Policy, Statement

_FIXING: Final = frozenset({
    "aws:principalorgid", "aws:principalorgpaths", "aws:principalaccount", "aws:principalarn", "aws:sourcearn",
    "aws:sourcevpc", "aws:sourcevpce", "aws:sourceowner", "aws:sourceaccount", "aws:sourceorgid", "aws:userid",
    "s3:dataaccesspointarn", "s3:dataaccesspointaccount", "s3:x-amz-server-side-encryption-aws-kms-key-id",
})  # fmt: skip
_POSITIVE: Final = frozenset(
    {"stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike", "foranyvalue:stringequals",
     "foranyvalue:stringlike", "foranyvalue:arnequals", "foranyvalue:arnlike"}
)  # fmt: skip
# Broader ranges than these are everyone's.
_LEAST_PREFIX: Final = {4: 8, 6: 32}


def is_public(policy: Policy) -> bool:
    """Whether any statement allows whoever comes."""
    return any(_is_public(one) for one in policy.statements)


def _is_public(statement: Statement) -> bool:
    if statement.effect != "Allow":
        return False
    everyone = bool(statement.not_principals) or any(
        one.value == "*" and one.type in ("*", "AWS", "Service") for one in statement.principals
    )
    return everyone and not any(_fixes(one) for one in statement.conditions)


def _fixes(condition: Condition) -> bool:
    operator, key = condition.operator.lower(), condition.key.lower()
    if key == "aws:sourceip":
        return operator == "ipaddress" and all(_is_narrow(value) for value in condition.values)
    if key not in _FIXING or operator not in _POSITIVE or not condition.values:
        return False
    # An ARN may leave its resource open, if it says whose it is; a user id may stand for all sessions of one role.
    return all(not _is_open(key, value) for value in condition.values)


def _is_open(key: str, value: str) -> bool:
    if "${" in value:
        return True
    if key in ("aws:sourcearn", "aws:principalarn", "s3:dataaccesspointarn") and value.count(":") >= 5:
        account = value.split(":", 5)[4]
        return not (account and "*" not in account and "?" not in account)
    return "*" in value or "?" in value


def _is_narrow(value: str) -> bool:
    try:
        network = ip_network(value, strict=False)
    except ValueError:
        return False
    return network.is_private or network.prefixlen >= _LEAST_PREFIX[network.version]
