"""The action table against botocore's models."""

from __future__ import annotations

import re
from functools import cache
from string import Formatter

import pytest
from botocore.loaders import Loader

from craton.aws import arn
from craton.aws.access import actions

TABLE = actions.load()
ROLE_MEMBER = re.compile(r"(^|.)(roleArn|executionRole)$", re.IGNORECASE)
# Roles inside what is stored and judged when it is used, not roles that the call passes.
INNER_ROLES = {"CreateGuardrail", "UpdateGuardrail"}


@cache
def model(service: str) -> dict:
    return Loader().load_service_model(service, "service-2")


OPERATIONS = [(service, name) for service in actions.SERVICES for name in model(service)["operations"]]


def members(service: str, operation: str, depth: int) -> set[str]:
    """The names of an input's members down to a depth, structures only."""
    shapes = model(service)["shapes"]
    found: set[str] = set()
    level = [model(service)["operations"][operation].get("input", {}).get("shape")]
    for _ in range(depth):
        inner = [shapes[shape].get("members", {}) for shape in level if shape]
        found |= {name for one in inner for name in one}
        level = [row["shape"] for one in inner for row in one.values()]
    return found


def test_there_are_240_operations() -> None:
    """The four services have 240 operations; the parametrized tests below walk them all."""
    assert len(OPERATIONS) == 240


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
class TestEveryOperation:
    def test_has_an_entry(self, service, operation) -> None:
        """Its own action comes first, is always needed, and has the operation's name or a known other."""
        own, *besides = TABLE.needs(service, operation)
        assert own.when == "always"
        assert own.action == "bedrock:" + actions.INSTEAD.get(operation, operation)
        assert own.resources
        for need in (own, *besides):
            assert need.action == "iam:PassRole" or TABLE.action(need.action) is not None
            assert set(need.resources) <= {*actions.RESOURCES, "*", actions.TAGGABLE, "role"}

    def test_passes_roles_where_its_input_has_one(self, service, operation) -> None:
        """Whoever hands a role to Bedrock in a writing call needs iam:PassRole."""
        gives = (
            any(ROLE_MEMBER.search(name) for name in members(service, operation, 3)) and operation not in INNER_ROLES
        )
        needs = any(need.action == "iam:PassRole" for need in TABLE.needs(service, operation))
        assert needs is gives

    def test_tags_where_its_input_has_tags(self, service, operation) -> None:
        """Whoever tags while creating needs bedrock:TagResource."""
        gives = (
            any(name.lower().endswith("tags") for name in members(service, operation, 1)) and operation != "TagResource"
        )
        needs = any(need.when == "tags" for need in TABLE.needs(service, operation))
        assert needs is gives

    def test_takes_api_keys_where_the_service_does(self, service, operation) -> None:
        """A bearer key needs bedrock:CallWithBearerToken, on the two endpoints that take one."""
        needs = any(need.when == "bearer key" for need in TABLE.needs(service, operation))
        assert needs is (service in ("bedrock", "bedrock-runtime") and "Bidirectional" not in operation)


@pytest.mark.parametrize(
    ("service", "operation", "needed"),
    [
        ("bedrock-runtime", "Converse", {"bedrock:InvokeModel", "bedrock:ApplyGuardrail", "bedrock:RenderPrompt"}),
        ("bedrock-runtime", "ConverseStream", {"bedrock:InvokeModelWithResponseStream", "bedrock:ApplyGuardrail", "bedrock:RenderPrompt"}),
        ("bedrock-agent-runtime", "RetrieveAndGenerateStream", {"bedrock:RetrieveAndGenerate", "bedrock:Retrieve", "bedrock:InvokeModel", "bedrock:ApplyGuardrail"}),
        ("bedrock-agent-runtime", "Rerank", {"bedrock:Rerank", "bedrock:InvokeModel"}),
        ("bedrock-agent", "CreateAgent", {"bedrock:CreateAgent", "iam:PassRole", "bedrock:TagResource"}),
        ("bedrock-agent", "GetAgent", {"bedrock:GetAgent"}),
    ],
)  # fmt: skip
def test_what_the_reference_says(service, operation, needed) -> None:
    """The exceptions of the reference are in the table."""
    found = {need.action for need in TABLE.needs(service, operation)} - {"bedrock:CallWithBearerToken"}
    assert found == needed


@pytest.mark.parametrize(
    ("service", "operation"), [("bedrock", "Nothing"), ("bedrock-agent", "InvokeModel"), ("iam", "GetAgent")]
)
def test_unknown_operations_have_no_entry(service, operation) -> None:
    """An operation that the table does not know is an error, not a free pass."""
    with pytest.raises(KeyError):
        TABLE.needs(service, operation)


def test_every_kind_has_an_arn() -> None:
    """Every kind of resource makes an ARN; fields that AWS leaves empty are empty."""
    for kind, template in actions.RESOURCES.items():
        ids = {name: "x" for _, name, _, _ in Formatter().parse(template) if name}
        made = arn.parse(actions.arn_of(kind, "us-east-1", "111122223333", **ids))
        assert made is not None
        assert (made.region == "") is (kind == "system-tool")
        assert (made.account == "") is (kind == "foundation-model")
    assert set(actions.RESOURCES) >= actions.NOT_TAGGABLE


def test_every_action_is_sound() -> None:
    """Every row names known services and kinds, and its condition keys have a prefix."""
    for name, row in TABLE.actions.items():
        assert set(row.services) <= set(actions.SERVICES), name
        assert set(row.resources) <= {*actions.RESOURCES, "*", actions.TAGGABLE}, name
        assert all(key.startswith(("bedrock:", "aws:")) for key in row.keys), name
    assert TABLE.action("bedrock:InvokeModel").keys[0] == "bedrock:InferenceProfileArn"
    assert TABLE.action("iam:PassRole") is None
    assert TABLE.action("bedrock:Nothing") is None
