"""What a request of an operation without a handler needs: actions and ARNs, read from its path and body."""

from __future__ import annotations

from typing import Any

import pytest

from craton.aws.access import actions
from craton.aws.access.needs import needs_of
from tests.unit.access.scenes import ACCOUNT
from tests.unit.wire.generate import all_operations

TABLE = actions.load()
HOME = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:"


def needs(
    service: str, operation: str, labels: dict[str, str] | None = None, body: Any = None
) -> list[tuple[str, str]]:
    found = needs_of(TABLE, service, operation, labels or {}, body, "us-east-1", ACCOUNT)
    return [(action, resource) for action, resource, _ in found]


@pytest.mark.parametrize(("service", "operation"), all_operations())
def test_every_operation_needs_something(service: str, operation: str) -> None:
    """Of every operation at least its own action is judged, whatever the body is."""
    for body in (None, [], "x", {"tags": 3}, {"roleArn": None}):
        found = needs(service, operation, {}, body)
        assert found[0][0].startswith("bedrock:")


@pytest.mark.parametrize(
    ("operation", "labels", "resource"),
    [
        ("GetAgentAlias", {"agentId": "A", "agentAliasId": "B"}, "agent-alias/A/B"),
        ("GetAgent", {"agentId": "A"}, "agent/A"),
        ("DeleteFlowAlias", {"flowIdentifier": "F", "aliasIdentifier": "B"}, "flow/F/alias/B"),
        ("GetKnowledgeBase", {"knowledgeBaseId": "K"}, "knowledge-base/K"),
        ("GetPrompt", {"promptIdentifier": "P"}, "prompt/P"),
    ],
)
def test_ids_in_paths(operation: str, labels: dict[str, str], resource: str) -> None:
    """An id becomes the ARN of its kind; an ARN stays what it is."""
    assert needs("bedrock-agent", operation, labels) == [(f"bedrock:{operation}", HOME + resource)]
    if len(labels) == 1:
        assert needs("bedrock-agent", operation, dict.fromkeys(labels, HOME + resource))[0][1] == HOME + resource


def test_roles_and_tags() -> None:
    """Roles, wherever they stand in the body, must be passed; tags, in either form, need TagResource."""
    role = f"arn:aws:iam::{ACCOUNT}:role/r"
    body = {"agentResourceRoleArn": role, "deep": [{"executionRoleArn": role + "2"}], "tags": {"a": "b"}}
    assert needs("bedrock-agent", "CreateAgent", {}, body) == [
        ("bedrock:CreateAgent", "*"),
        ("iam:PassRole", role),
        ("iam:PassRole", role + "2"),
        ("bedrock:TagResource", "*"),
    ]
    listed = {"jobTags": [{"key": "a", "value": "b"}]}
    found = needs_of(TABLE, "bedrock", "CreateModelImportJob", {}, listed, "us-east-1", ACCOUNT)
    assert found[-1][0] == "bedrock:TagResource"
    assert found[-1][2] == {"aws:requesttag/a": "b", "aws:tagkeys": ("a",)}


def test_models_and_knowledge() -> None:
    """RetrieveAndGenerate needs its own action, the knowledge base's and the model's."""
    model = "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0"
    inner = {
        "knowledgeBaseId": "KB",
        "modelArn": model,
        "generationConfiguration": {"guardrailConfiguration": {"guardrailId": "g"}},
    }
    body = {"input": {"text": "x"}, "retrieveAndGenerateConfiguration": {"knowledgeBaseConfiguration": inner}}
    assert needs("bedrock-agent-runtime", "RetrieveAndGenerate", {}, body) == [
        ("bedrock:RetrieveAndGenerate", "*"),
        ("bedrock:Retrieve", HOME + "knowledge-base/KB"),
        ("bedrock:InvokeModel", model),
        ("bedrock:ApplyGuardrail", HOME + "guardrail/g"),
    ]


def test_other_services() -> None:
    """An operation of a service without a table needs its own name on everything."""
    assert needs("iam", "CreateInstanceProfile") == [("iam:CreateInstanceProfile", "*")]


def test_deep_bodies_end() -> None:
    """A body of any depth is read to a bounded one."""
    body: Any = {"roleArn": "r"}
    for _ in range(500):
        body = {"x": [body]}
    assert needs("bedrock-agent", "CreateAgent", {}, body) == [("bedrock:CreateAgent", "*")]
