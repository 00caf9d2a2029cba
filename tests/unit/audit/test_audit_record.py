"""Audit records: CloudTrail's members, the caller by its kind, and nothing of what a call was about."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from craton.aws.access.credentials import ANONYMOUS, Principal, root_principal
from craton.aws.wire.faults import Fault, access_denied, validation
from craton.aws.wire.model import Operation, load
from craton.infra.audit import record

ACCOUNT = "111122223333"
ABOUT = record.Circumstances("id-1", "eu-west-1", "10.0.0.7", "boto3", "example", secure=True)
NOW = datetime(2026, 5, 1, 12, 0, 1, 999, tzinfo=UTC)
ROOT = root_principal(ACCOUNT)
CANARY = "CANARY"


def operation(service: str, name: str) -> Operation:
    return load(service).operations[name]


def made(service: str, name: str, caller: Principal = ROOT, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(record.record(operation(service, name), caller, ABOUT, NOW, **more))
    return found


def test_a_record_has_cloudtrails_members() -> None:
    """As CloudTrail's reference lists them for version 1.11."""
    found = made("iam", "CreateUser", request={"UserName": "ann"}, response={"User": {"Arn": "arn:aws:iam::1:x"}})
    assert (found["eventVersion"], found["eventTime"], found["eventType"]) == (
        "1.11", "2026-05-01T12:00:01Z", "AwsApiCall",
    )  # fmt: skip
    assert (found["eventSource"], found["eventName"], found["awsRegion"]) == (
        "iam.amazonaws.com", "CreateUser", "eu-west-1",
    )  # fmt: skip
    assert (found["sourceIPAddress"], found["userAgent"], found["requestID"]) == ("10.0.0.7", "boto3", "id-1")
    assert (found["readOnly"], found["managementEvent"], found["eventCategory"]) == (False, True, "Management")
    assert found["requestParameters"] == {"userName": "ann"}
    assert found["responseElements"] == {"user": {"arn": "arn:aws:iam::1:x"}}
    assert found["recipientAccountId"] == ACCOUNT
    assert found["tlsDetails"] == {"clientProvidedHostHeader": "example"}
    assert "errorCode" not in found
    assert found["eventID"] != made("iam", "CreateUser")["eventID"]


USER = Principal(
    account=ACCOUNT, arn=f"arn:aws:iam::{ACCOUNT}:user/a/ann", kind="user", user_id="AIDA1", name="ann",
    access_key_id="AKIA1",
)  # fmt: skip
SESSION = Principal(
    account=ACCOUNT, arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s", kind="assumed-role", user_id="AROA1:s",
    access_key_id="ASIA1", role_arn=f"arn:aws:iam::{ACCOUNT}:role/p/r", issued_at=NOW, source_identity="me",
)  # fmt: skip


def test_the_caller_is_told_by_its_kind() -> None:
    """Root, user, session of a role, nobody."""
    assert record.identity(ROOT)["type"] == "Root"
    assert record.identity(USER) == {
        "type": "IAMUser", "principalId": "AIDA1", "arn": USER.arn, "accountId": ACCOUNT, "accessKeyId": "AKIA1",
        "userName": "ann",
    }  # fmt: skip
    session: Any = record.identity(SESSION)
    assert session["type"] == "AssumedRole"
    assert session["sessionContext"]["sessionIssuer"] == {
        "type": "Role", "principalId": "AROA1", "arn": SESSION.role_arn, "accountId": ACCOUNT, "userName": "r",
    }  # fmt: skip
    assert session["sessionContext"]["attributes"]["creationDate"] == "2026-05-01T12:00:01Z"
    assert session["sessionContext"]["sourceIdentity"] == "me"
    assert record.identity(ANONYMOUS) == {"type": "Unknown"}


def test_a_bearer_key_is_told() -> None:
    """As AWS tells it."""
    found = made("bedrock", "ListFoundationModels", USER.through("bearer"))
    assert found["additionalEventData"] == {"callWithBearerToken": True}


@pytest.mark.parametrize("service", ["bedrock", "bedrock-runtime", "bedrock-agent", "bedrock-agent-runtime", "kms"])
def test_no_text_that_is_free_is_kept(service: str) -> None:
    """Every operation's every member filled with content: only members that name something keep it."""
    model = load(service)
    for one in model.operations.values():
        shape = one.input_shape()
        if shape is None:
            continue
        filled = fill(model.shapes, shape.name, 4)
        kept = record.shown(one, shape, filled, deep=record.category(one) == "Management")
        for path, text in texts(kept, ""):
            if CANARY in text:
                last = path.rpartition(".")[2]
                assert last.lower().endswith(
                    ("id", "ids", "arn", "arns", "identifier", "identifiers", "name", "names", "version", "versions",
                     "alias", "aliases", "status", "type", "types", "region", "regions", "path", "uri", "uris", "key",
                     "keys", "prefix", "prefixes", "policy", "policydocument")
                ), f"{one.name}{path}"  # fmt: skip
        for word in ("messages", "body", "prompt", "instruction", "secret", "token", "password", "plaintext"):
            assert not any(path.lower().endswith(f".{word}") for path, _ in texts(kept, "")), one.name


def fill(shapes: Any, name: str, depth: int) -> Any:
    shape = shapes[name]
    if shape.type == "structure":
        return {key: fill(shapes, one.shape, depth - 1) for key, one in shape.members.items()} if depth > 0 else {}
    if shape.type == "list":
        return [fill(shapes, shape.element, depth - 1)] if depth > 0 else []
    if shape.type == "map":
        return {CANARY: fill(shapes, shape.value, depth - 1)} if depth > 0 else {}
    return CANARY if shape.type in ("string", "blob") else 1


def texts(value: Any, path: str) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [found for key, one in value.items() for found in texts(one, f"{path}.{key}")]
    if isinstance(value, list):
        return [found for one in value for found in texts(one, path)]
    return [(path, value)] if isinstance(value, str) else []


def test_the_use_of_a_model_names_the_model_alone() -> None:
    """Of an inference only what stands at its top and is an id."""
    found = made(
        "bedrock-runtime", "Converse",
        request={"modelId": "m:1", "messages": [{"role": "user", "content": [{"text": CANARY}]}],
                 "system": [{"text": CANARY}], "guardrailConfig": {"guardrailIdentifier": "g"}},
        response={"output": {"message": {"content": [{"text": CANARY}]}}},
    )  # fmt: skip
    assert found["requestParameters"] == {"modelId": "m:1"}
    assert found["responseElements"] is None
    assert (found["eventCategory"], found["managementEvent"], found["readOnly"]) == ("Data", False, True)
    assert CANARY not in json.dumps(found)


def test_secrets_of_answers_stay_out() -> None:
    """The id of a new access key is kept, its secret is not."""
    key = {"AccessKeyId": "AKIA1", "SecretAccessKey": CANARY, "UserName": "ann", "Status": "Active"}
    found = made("iam", "CreateAccessKey", response={"AccessKey": key})
    assert found["responseElements"] == {
        "accessKey": {"userName": "ann", "accessKeyId": "AKIA1", "status": "Active"},
    }
    assert CANARY not in json.dumps(found)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (access_denied("User: x is not authorized"), "User: x is not authorized"),
        (validation(f"Value '{CANARY}' at 'a' failed"), "withheld: it may quote the request"),
    ],
    ids=["denied", "invalid"],
)
def test_a_failure_is_told_without_what_it_quotes(fault: Fault, said: str) -> None:
    """A denial as it was; a message that may quote the request not at all; and no answer."""
    found = made("iam", "CreateUser", fault=fault, response={"User": {"Arn": "x"}})
    assert (found["errorCode"], found["errorMessage"]) == (fault.name, said)
    assert found["responseElements"] is None


@pytest.mark.parametrize(
    ("service", "name", "reads", "waits"),
    [
        ("bedrock", "CreateGuardrail", False, True),
        ("bedrock", "ListGuardrails", True, False),
        ("bedrock-agent", "DeleteAgent", False, True),
        ("bedrock-runtime", "InvokeModel", True, False),
        ("bedrock-agent-runtime", "Retrieve", True, False),
        ("iam", "GetUser", True, True),
        ("kms", "Decrypt", True, True),
        ("logs", "PutLogEvents", True, False),
        ("logs", "CreateLogGroup", False, True),
        ("cloudwatch", "PutMetricData", True, False),
        ("cloudwatch", "PutMetricAlarm", False, True),
        ("kms", "ScheduleKeyDeletion", False, True),
        ("sts", "AssumeRole", True, True),
    ],
)
def test_what_is_a_read_and_what_must_be_kept_first(service: str, name: str, reads: bool, waits: bool) -> None:
    """Writes, and all that identities and keys are asked, are durable before the reply."""
    one = operation(service, name)
    assert (record.is_read_only(one), record.must_be_kept(one)) == (reads, waits)


def test_resources_are_named_with_their_types() -> None:
    """The ARNs of request and answer, once each."""
    arn = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:guardrail/abc"
    found = made("bedrock", "DeleteGuardrail", request={"guardrailIdentifier": arn})
    assert found["resources"] == [{"ARN": arn, "accountId": ACCOUNT, "type": "AWS::Bedrock::Guardrail"}]
