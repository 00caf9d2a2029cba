"""Whether a role may be passed: the caller's right to, and the role's trust."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from craton.aws.wire.faults import Fault, access_denied
from craton.infra.identities.records import ROLE, USER, Role
from craton.infra.store.port import Resource
from craton.services.passing import check_pass_role, trusts

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ACCOUNT = "111111111111"
ARN = f"arn:aws:iam::{ACCOUNT}:role/service-role/batch"
JOB = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:model-invocation-job/abc"
BEDROCK = {"Service": "bedrock.amazonaws.com"}


def role(principal: Any = BEDROCK, kind: str = ROLE, **condition: Any) -> Resource:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    if condition:
        statement["Condition"] = condition
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    body = msgspec.json.encode(Role(name="batch", trust=trust))
    return Resource(account=ACCOUNT, region="", kind=kind, id="AROA1", arn=ARN, name="batch", created_at=NOW,
                    updated_at=NOW, body=body)  # fmt: skip


class Caller:
    """As much of a call as the checks see; `may` is whether the caller may pass roles."""

    account, region = ACCOUNT, "us-east-1"

    def __init__(self, found: Resource | None = None, *, may: bool = True) -> None:
        self.found, self.may = found, may
        self.asked: list[Any] = []
        self.app = SimpleNamespace(storage=self)

    async def read(self, work: Any) -> Any:
        return work(SimpleNamespace(get=lambda arn: self.found if arn == ARN else None))

    def authorize(self, action: str, *resources: str, given: Any) -> None:
        self.asked.append((action, resources, given))
        if not self.may:
            raise access_denied("You may not.")


def check(caller: Caller, arn: str = ARN, **more: Any) -> None:
    asyncio.run(check_pass_role(caller, arn, **more))  # type: ignore[arg-type]


def test_the_caller_needs_the_right_to_pass_this_role_to_this_service() -> None:
    """iam:PassRole on the role, with the keys by which policies narrow it."""
    caller = Caller(role())
    check(caller, source_arn=JOB)
    keys = {"iam:passedtoservice": "bedrock.amazonaws.com", "iam:associatedresourcearn": JOB}
    assert caller.asked == [("iam:PassRole", (ARN,), keys)]
    with pytest.raises(Fault, match="You may not"):
        check(Caller(role(), may=False))


@pytest.mark.parametrize(
    "found", [None, role({"Service": "lambda.amazonaws.com"}), role({"AWS": ACCOUNT}), role(kind=USER)]
)
def test_a_role_that_bedrock_cannot_assume_is_refused(found: Resource | None) -> None:
    """One that is not there, in the same words as one that trusts somebody else."""
    with pytest.raises(Fault) as caught:
        check(Caller(found))
    assert caught.value.name == "ValidationException"
    assert f"The provided role {ARN} cannot be assumed by bedrock.amazonaws.com" in caught.value.message


@pytest.mark.parametrize("arn", ["x", "arn:aws:iam::111111111111:user/ann", "arn:aws:iam::222222222222:role/r"])
def test_only_a_role_of_the_caller_s_account_can_be_passed(arn: str) -> None:
    """Nothing is looked up for anything else, and no policy asked."""
    caller = Caller(role())
    with pytest.raises(Fault) as caught:
        check(caller, arn)
    assert caught.value.name == "ValidationException"
    assert caller.asked == []


@pytest.mark.parametrize(
    ("condition", "let_in"),
    [
        ({"StringEquals": {"aws:SourceAccount": ACCOUNT}}, True),
        ({"StringEquals": {"aws:SourceAccount": "222222222222"}}, False),
        ({"ArnLike": {"aws:SourceArn": f"arn:aws:bedrock:us-east-1:{ACCOUNT}:model-invocation-job/*"}}, True),
        ({"ArnEquals": {"aws:SourceArn": f"arn:aws:bedrock:*:{ACCOUNT}:model-customization-job/*"}}, False),
        ({"Bool": {"aws:SecureTransport": "true"}}, True),
    ],
)
def test_trust_may_depend_on_what_the_role_is_for(condition: dict[str, Any], let_in: bool) -> None:
    """The two keys of AWS's guides against the confused deputy hold."""
    assert trusts(role(**condition), "bedrock.amazonaws.com", JOB) is let_in


def test_an_explicit_deny_wins() -> None:
    """In a trust policy as everywhere."""
    statements = [
        {"Effect": "Allow", "Principal": BEDROCK, "Action": "sts:AssumeRole"},
        {"Effect": "Deny", "Principal": "*", "Action": "sts:*"},
    ]
    body = msgspec.json.encode(Role(name="batch", trust=json.dumps({"Version": "2012-10-17", "Statement": statements})))
    assert not trusts(msgspec.structs.replace(role(), body=body), "bedrock.amazonaws.com", JOB)
