"""What the tests of access share: callers, policies in a line, and one condition put to one context."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from craton.aws.access.compile import PolicySet
from craton.aws.access.conditions import operators
from craton.aws.access.policy import Kind, Policy, parse
from craton.aws.access.request import Request, Subject

ACCOUNT, OTHER = "111122223333", "444455556666"
CLAUDE = "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-v2"
STABILITY = "arn:aws:bedrock:us-east-1::foundation-model/stability.sd3-large-v1:0"
GUARDRAIL = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:guardrail/abcdefghijkl"

USER = Subject(
    kind="user", arn=f"arn:aws:iam::{ACCOUNT}:user/bob", account=ACCOUNT, user_id="AIDAEXAMPLE0000000001", name="bob"
)
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/team/artists"
SESSION = Subject(
    kind="assumed-role",
    arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/artists/monday",
    account=ACCOUNT,
    user_id="AROAEXAMPLE0000000001:monday",
    role_arn=ROLE_ARN,
)
ROOT = Subject(kind="root", arn=f"arn:aws:iam::{ACCOUNT}:root", account=ACCOUNT, user_id=ACCOUNT)
SERVICE = Subject(kind="service", arn="bedrock.amazonaws.com", service="bedrock.amazonaws.com")
ANONYMOUS = Subject(kind="anonymous", arn="")


def statement(effect: str = "Allow", action: Any = "*", resource: Any = "*", **others: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **others}


def document(*statements: Mapping[str, Any], version: str = "2012-10-17") -> str:
    return json.dumps({"Version": version, "Statement": list(statements)})


def policy(
    *statements: Mapping[str, Any], kind: Kind = "identity", name: str = "p", version: str = "2012-10-17"
) -> Policy:
    return parse(document(*statements, version=version), kind, name)


def policies(*statements: Mapping[str, Any], kind: Kind = "identity", name: str = "p") -> PolicySet:
    return PolicySet([policy(*statements, kind=kind, name=name)])


def ask(
    subject: Subject = USER,
    action: str = "bedrock:InvokeModel",
    resource: str = CLAUDE,
    owner: str | None = None,
    **keys: Any,
) -> Request:
    """A request; keys are given as `aws_sourceip=…`."""
    context = {name.replace("_", ":", 1).lower(): value for name, value in keys.items()}
    return Request(subject=subject, action=action, resource=resource, keys=context, resource_account=owner)


def met(
    operator: str, wanted: Sequence[str] | str, given: Any = None, *, variables: bool = True, **context: Any
) -> bool:
    """Whether a condition on the key `t:k` is met; `given` None means that the request has no such key."""
    values = (wanted,) if isinstance(wanted, str) else tuple(wanted)
    keys = {name.replace("_", ":", 1): value for name, value in context.items()}
    if given is not None:
        keys["t:k"] = given
    return operators.build(operator, "T:K", values, variables=variables)(keys)
