"""What Terraform's AWS provider does around a role that may call two models, call by call, as the audit log saw it.

The provider itself (5.100) applied, planned without changes and destroyed `examples/terraform`; it cannot be had from a
package index, so here boto3 makes the same calls and looks at what the provider compares.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.identities import CONFIG, HOME_TRUST, MAY_INVOKE, allow, document, refused
from tests.running import Running

ONLY_BEDROCK = document(allow("bedrock:*"))
TAGS = [{"Key": "team", "Value": "analysts"}]


@pytest.fixture(scope="module")
def iam(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with Running(tmp_path_factory.mktemp("home"), CONFIG, "--workers", "2") as running:
        yield running.client("iam")


def apply(iam: Any) -> tuple[str, str]:
    """The ARNs of the policy and of the boundary."""
    boundary = iam.create_policy(PolicyName="boundary", PolicyDocument=ONLY_BEDROCK)["Policy"]["Arn"]
    policy = iam.create_policy(PolicyName="two-models", PolicyDocument=MAY_INVOKE, Tags=TAGS)["Policy"]["Arn"]
    iam.create_role(
        RoleName="analysts",
        Path="/teams/",
        AssumeRolePolicyDocument=HOME_TRUST,
        MaxSessionDuration=7200,
        PermissionsBoundary=boundary,
        Tags=TAGS,
    )
    iam.attach_role_policy(RoleName="analysts", PolicyArn=policy)
    iam.put_role_policy(RoleName="analysts", PolicyName="inline", PolicyDocument=ONLY_BEDROCK)
    return policy, boundary


def test_a_second_plan_finds_nothing_to_change(iam: Any) -> None:
    """Everything that the provider reads back is what it had sent; then it destroys all of it, in its own order."""
    policy, boundary = apply(iam)

    role = iam.get_role(RoleName="analysts")["Role"]
    assert (role["Path"], role["MaxSessionDuration"], role["Tags"]) == ("/teams/", 7200, TAGS)
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary
    assert role["AssumeRolePolicyDocument"] == json.loads(HOME_TRUST)
    assert iam.list_role_policies(RoleName="analysts")["PolicyNames"] == ["inline"]
    inline = iam.get_role_policy(RoleName="analysts", PolicyName="inline")
    assert inline["PolicyDocument"] == json.loads(ONLY_BEDROCK)
    attached = iam.list_attached_role_policies(RoleName="analysts")["AttachedPolicies"]
    assert attached == [{"PolicyName": "two-models", "PolicyArn": policy}]
    found = iam.get_policy(PolicyArn=policy)["Policy"]
    assert (found["DefaultVersionId"], found["Tags"]) == ("v1", TAGS)
    version = iam.get_policy_version(PolicyArn=policy, VersionId="v1")["PolicyVersion"]
    assert version["Document"] == json.loads(MAY_INVOKE)

    assert iam.list_instance_profiles_for_role(RoleName="analysts")["InstanceProfiles"] == []
    iam.delete_role_policy(RoleName="analysts", PolicyName="inline")
    iam.detach_role_policy(RoleName="analysts", PolicyArn=policy)
    iam.delete_role(RoleName="analysts")
    for arn in (policy, boundary):
        versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
        assert [row["VersionId"] for row in versions] == ["v1"]
        iam.delete_policy(PolicyArn=arn)
    with refused("NoSuchEntity", 404):
        iam.get_role(RoleName="analysts")
    with refused("NoSuchEntity", 404):
        iam.get_policy(PolicyArn=policy)
