"""Invocation logs in a log group: checked when configured, delivered with the role's rights alone."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.acceptance.identities import allow, document, trust
from tests.acceptance.serving import GPT, HELLO, Served, serving

ACCOUNT, REGION, GROUP = "000000000000", "us-east-1", "/bedrock/invocations"
STREAM = "aws/bedrock/modelinvocations"
GROUP_ARN = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{GROUP}:log-stream:{STREAM}"
MAY_WRITE = document(allow(["logs:CreateLogStream", "logs:PutLogEvents"], GROUP_ARN))
TRUST = trust(
    {"Service": "bedrock.amazonaws.com"},
    Condition={
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": f"arn:aws:bedrock:{REGION}:{ACCOUNT}:*"},
    },
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("groups")) as one:
        one.client("logs").create_log_group(logGroupName=GROUP)
        yield one


def role(served: Served, name: str, policy: str | None = MAY_WRITE, trusts: str = TRUST) -> str:
    iam = served.client("iam")
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusts)["Role"]["Arn"]
    if policy is not None:
        iam.put_role_policy(RoleName=name, PolicyName="logs", PolicyDocument=policy)
    return str(made)


def put(served: Served, role_arn: str, group: str = GROUP) -> None:
    config = {"cloudWatchConfig": {"logGroupName": group, "roleArn": role_arn}}
    served.client("bedrock").put_model_invocation_logging_configuration(loggingConfig=config)


def messages(served: Served, count: int, within_s: float = 90.0) -> list[dict[str, Any]]:
    logs, until = served.client("logs"), time.monotonic() + within_s
    while True:
        found = logs.get_log_events(logGroupName=GROUP, logStreamName=STREAM, startFromHead=True)["events"]
        if len(found) >= count or time.monotonic() > until:
            return [json.loads(one["message"]) for one in found]
        time.sleep(0.2)


def test_invlog_records_reach_a_log_group(served: Served) -> None:
    """A record is an event of Bedrock's stream, written by the role that is named."""
    put(served, role(served, "writes-logs"))
    answer = served.client().converse(modelId=GPT, messages=HELLO)
    found = messages(served, 1)
    assert [one["requestId"] for one in found] == [answer["ResponseMetadata"]["RequestId"]]
    assert found[0]["input"]["inputBodyJson"] == {"messages": HELLO}


def test_invlog_a_role_that_lost_its_rights_loses_nothing(served: Served) -> None:
    """While the role may not write, records wait; they arrive when it may again."""
    arn = role(served, "loses-rights")
    put(served, arn)
    before = len(messages(served, 0))
    iam = served.client("iam")
    iam.delete_role_policy(RoleName="loses-rights", PolicyName="logs")
    served.client().converse(modelId=GPT, messages=HELLO)
    assert len(messages(served, before + 1, within_s=2.0)) == before
    iam.put_role_policy(RoleName="loses-rights", PolicyName="logs", PolicyDocument=MAY_WRITE)
    assert len(messages(served, before + 1)) == before + 1


@pytest.mark.parametrize("case", ["no group", "no rights", "no trust", "no role"])
def test_invlog_put_refuses_what_cannot_be_written(served: Served, case: str) -> None:
    """A group that is not there, or a role that may not or cannot be taken, is refused as Bedrock refuses it."""
    group, arn = GROUP, f"arn:aws:iam::{ACCOUNT}:role/nobody"
    if case == "no group":
        group, arn = "/not/there", role(served, "no-group", document(allow("logs:*")))
    elif case == "no rights":
        arn = role(served, "no-rights", policy=None)
    elif case == "no trust":
        arn = role(served, "no-trust", trusts=trust({"Service": "lambda.amazonaws.com"}))
    with pytest.raises(ClientError) as caught:
        put(served, arn, group)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    if case in ("no group", "no rights"):
        expected = f"Failed to validate permissions for log group: {group}, with role: {arn}. Verify the IAM role"
        assert expected in caught.value.response["Error"]["Message"]
