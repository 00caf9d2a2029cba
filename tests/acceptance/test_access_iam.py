"""Access with real users and roles: the simulator, escalation, confused deputies, keys that end, many workers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.running import Running

ACCOUNT = "000000000000"
HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"
FM = f"arn:aws:bedrock:us-east-1::foundation-model/{HAIKU}"
INVOKE = "bedrock:InvokeModel"
HELLO = [{"role": "user", "content": [{"text": "Hello"}]}]
# What proves who asks is in these requests themselves; boto3 does not sign them.
UNSIGNED = ("AssumeRoleWithWebIdentity", "AssumeRoleWithSAML")
ROOT = f"arn:aws:iam::{ACCOUNT}:root"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("home"), "", "--workers", "2") as running:
        yield running


@pytest.fixture(scope="module")
def iam(server: Running) -> Any:
    return server.client("iam")


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def trust(**more: Any) -> str:
    return document({"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "sts:AssumeRole", **more})


class User:
    """A user with an access key and an inline policy, and clients that are its own."""

    def __init__(self, server: Running, iam: Any, name: str, *statements: dict[str, Any], **more: Any) -> None:
        self.server, self.iam, self.name = server, iam, name
        iam.create_user(UserName=name, **more)
        self.arn = f"arn:aws:iam::{ACCOUNT}:user/{name}"
        self.grant(*statements)
        self.keys = iam.create_access_key(UserName=name)["AccessKey"]

    def grant(self, *statements: dict[str, Any]) -> None:
        if statements:
            self.iam.put_user_policy(UserName=self.name, PolicyName="own", PolicyDocument=document(*statements))

    def client(self, service: str) -> Any:
        return self.server.client(
            service,
            aws_access_key_id=self.keys["AccessKeyId"],
            aws_secret_access_key=self.keys["SecretAccessKey"],
        )


def refused(call: Any, **request: Any) -> str:
    """The error's code and message; "" for an answer."""
    try:
        call(**request)
    except ClientError as error:
        told = error.response["Error"]
        return f"{told['Code']}: {told['Message']}"
    return ""


def test_a_change_counts_with_the_next_request(server: Running, iam: Any) -> None:
    """In every worker: what is granted is allowed and what is taken away is refused, from the next request on."""
    bob = User(server, iam, "quick")
    models = bob.client("bedrock")
    assert refused(models.list_foundation_models).startswith("AccessDeniedException: User: ")
    for _ in range(3):
        bob.grant(allow("bedrock:ListFoundationModels"))
        assert [refused(models.list_foundation_models) for _ in range(4)] == [""] * 4
        iam.delete_user_policy(UserName="quick", PolicyName="own")
        assert all(refused(models.list_foundation_models) for _ in range(4))


def test_nobody_reaches_iam_unauthorised(server: Running, iam: Any) -> None:
    """A user that may nothing is refused by each operation of IAM and STS but the two that need no permission."""
    nobody = User(server, iam, "nobody")
    for service, open_ones in (("iam", set()), ("sts", {"get_caller_identity", "get_session_token"})):
        client = nobody.client(service)
        for method, name in sorted(client.meta.method_to_api_mapping.items()):
            shape = client.meta.service_model.operation_model(name).input_shape
            given = minimal(shape) if shape is not None else {}
            told = refused(getattr(client, method), **given)
            if method in open_ones:
                assert told == ""
            elif name in UNSIGNED:
                assert told
            else:
                assert told.startswith("AccessDenied: "), (name, told)


def minimal(shape: Any) -> dict[str, Any]:
    """The least input that the model allows."""
    return {name: value(shape.members[name]) for name in shape.required_members}


def value(shape: Any) -> Any:
    if shape.type_name == "structure":
        return minimal(shape)
    if shape.type_name == "list":
        return [value(shape.member)]
    if shape.type_name == "string":
        if shape.enum:
            return shape.enum[0]
        if "url" in shape.name.lower():
            return "https://issuer.example.com"
        if "document" in shape.name.lower():
            return document(allow("*")).ljust(shape.metadata.get("min", 1))
        if shape.name == "policyVersionIdType":
            return "v1"
        if "arn" in shape.name.lower() or "resource" in shape.name.lower():
            return f"arn:aws:iam::{ACCOUNT}:role/some-role"
        return "1" * max(shape.metadata.get("min", 1), 20 if shape.metadata.get("max", 99) > 20 else 1)
    return {"integer": 1000, "boolean": True, "blob": b"x", "timestamp": 0, "map": {}}[shape.type_name]


def test_who_may_edit_its_own_policy_stays_within_its_boundary(server: Running, iam: Any) -> None:
    """It can give itself all that the boundary holds, and neither more, nor another's policy, nor lose the boundary."""
    bound = iam.create_policy(PolicyName="bound", PolicyDocument=document(allow([INVOKE, "iam:PutUserPolicy"])))[
        "Policy"
    ]["Arn"]
    arn = f"arn:aws:iam::{ACCOUNT}:user/climber"
    eve = User(server, iam, "climber", allow("iam:PutUserPolicy", arn), PermissionsBoundary=bound)
    User(server, iam, "victim")
    mine = eve.client("iam")
    everything = document(allow("*"))
    assert refused(mine.put_user_policy, UserName="victim", PolicyName="x", PolicyDocument=everything)
    assert refused(mine.put_user_policy, UserName="climber", PolicyName="x", PolicyDocument=everything) == ""
    assert refused(eve.client("bedrock").list_foundation_models).endswith(
        "because no permissions boundary allows the bedrock:ListFoundationModels action"
    )
    for call, more in (
        (mine.delete_user_permissions_boundary, {}),
        (mine.put_user_permissions_boundary, {"PermissionsBoundary": bound}),
        (mine.create_access_key, {}),
        (mine.attach_user_policy, {"PolicyArn": bound}),
    ):
        assert "permissions boundary" in refused(call, UserName="climber", **more)
    versions = {"PolicyArn": bound, "PolicyDocument": everything, "SetAsDefault": True}
    assert refused(mine.create_policy_version, **versions)


def test_without_a_boundary_it_can_climb_as_on_aws(server: Running, iam: Any) -> None:
    """PutUserPolicy on oneself is everything: that is AWS's rule, and the page about access must not hide it."""
    arn = f"arn:aws:iam::{ACCOUNT}:user/free"
    eve = User(server, iam, "free", allow("iam:PutUserPolicy", arn))
    eve.client("iam").put_user_policy(UserName="free", PolicyName="x", PolicyDocument=document(allow("bedrock:*")))
    assert refused(eve.client("bedrock").list_foundation_models) == ""


def test_sessions_have_no_more_than_both(server: Running, iam: Any) -> None:
    """A session policy narrows a role and cannot widen it."""
    iam.create_role(RoleName="narrow", AssumeRolePolicyDocument=trust())
    iam.put_role_policy(RoleName="narrow", PolicyName="p", PolicyDocument=document(allow("bedrock:List*")))
    arn = f"arn:aws:iam::{ACCOUNT}:role/narrow"
    policy = document(allow(["bedrock:ListFoundationModels", "bedrock:GetFoundationModel"]))
    given = server.client("sts").assume_role(RoleArn=arn, RoleSessionName="monday", Policy=policy)["Credentials"]
    client = session(server, given, "bedrock")
    assert refused(client.list_foundation_models) == ""
    assert "no session policy allows" in refused(client.list_inference_profiles)
    assert "no identity-based policy allows" in refused(client.get_foundation_model, modelIdentifier=HAIKU)
    iam.delete_role_policy(RoleName="narrow", PolicyName="p")
    assert refused(client.list_foundation_models)
    iam.delete_role(RoleName="narrow")
    assert refused(client.list_foundation_models).startswith("UnrecognizedClientException")


def session(server: Running, given: dict[str, Any], service: str) -> Any:
    return server.client(
        service,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )


def test_confused_deputies(server: Running, iam: Any) -> None:
    """A role that demands an ExternalId is not given without it, nor with another's."""
    condition = {"StringEquals": {"sts:ExternalId": "ours-4711"}}
    iam.create_role(RoleName="deputy", AssumeRolePolicyDocument=trust(Condition=condition))
    vendor = User(server, iam, "vendor", allow("sts:AssumeRole"))
    ask = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/deputy", "RoleSessionName": "monday"}
    sts = vendor.client("sts")
    for more in ({}, {"ExternalId": "theirs-1"}):
        assert refused(sts.assume_role, **ask, **more).startswith("AccessDenied: User: ")
    assert refused(sts.assume_role, **ask, ExternalId="ours-4711") == ""


def test_a_service_acts_for_its_own_source_alone(server: Running, iam: Any) -> None:
    """A role trusted to a service for one source is nobody's who merely knows its ARN."""
    condition = {"ArnLike": {"aws:SourceArn": f"arn:aws:bedrock:*:{ACCOUNT}:*"}}
    principal = {"Service": "bedrock.amazonaws.com"}
    iam.create_role(RoleName="service", AssumeRolePolicyDocument=trust(Principal=principal, Condition=condition))
    user = User(server, iam, "insider", allow("*"))
    ask = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/service", "RoleSessionName": "monday"}
    assert refused(user.client("sts").assume_role, **ask).startswith("AccessDenied: ")


def test_simulating_documents(iam: Any) -> None:
    """SimulateCustomPolicy: decisions, the statements that made them, missing keys, limits, by page."""
    near = {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}
    asked = {
        "PolicyInputList": [document(allow(INVOKE, FM, Condition=near), allow("bedrock:List*"))],
        "ActionNames": [INVOKE, "bedrock:ListAgents", "bedrock:DeleteAgent"],
        "ResourceArns": [FM],
    }
    first, second, third = iam.simulate_custom_policy(**asked)["EvaluationResults"]
    assert (first["EvalDecision"], first["MissingContextValues"]) == ("implicitDeny", ["aws:RequestedRegion"])
    assert (second["EvalDecision"], second["MatchedStatements"][0]["SourcePolicyId"]) == (
        "allowed",
        "PolicyInputList.1",
    )
    assert third["EvalDecision"] == "implicitDeny"
    entry = {"ContextKeyName": "aws:RequestedRegion", "ContextKeyValues": ["us-east-1"], "ContextKeyType": "string"}
    levels = [{"ServiceControlPolicyInputList": [document(allow("s3:*"))]}]
    found = iam.simulate_custom_policy(
        **asked,
        ContextEntries=[entry],
        OrderedOrganizationPolicyInputList=levels,
        PermissionsBoundaryPolicyInputList=[document(allow("*"))],
    )["EvaluationResults"][0]
    assert found["EvalDecision"] == "implicitDeny"
    assert found["OrganizationsDecisionDetail"] == {"AllowedByOrganizations": False}
    assert found["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": True}
    pages = iam.get_paginator("simulate_custom_policy").paginate(**asked, PaginationConfig={"PageSize": 1})
    assert [one["EvalActionName"] for page in pages for one in page["EvaluationResults"]] == asked["ActionNames"]
    assert refused(iam.simulate_custom_policy, **{**asked, "PolicyInputList": ["{}"]}).startswith("InvalidInput: ")


def test_simulating_principals(server: Running, iam: Any) -> None:
    """SimulatePrincipalPolicy answers what then happens, for users, their groups and roles."""
    bob = User(server, iam, "simulated", allow("bedrock:ListFoundationModels"))
    iam.create_group(GroupName="team")
    denied = {**allow("bedrock:ListAgents"), "Effect": "Deny"}
    iam.put_group_policy(GroupName="team", PolicyName="g", PolicyDocument=document(denied))
    iam.add_user_to_group(GroupName="team", UserName="simulated")
    actions = ["bedrock:ListFoundationModels", "bedrock:ListAgents", "bedrock:ListInferenceProfiles"]
    found = iam.simulate_principal_policy(PolicySourceArn=bob.arn, ActionNames=actions)["EvaluationResults"]
    assert [one["EvalDecision"] for one in found] == ["allowed", "explicitDeny", "implicitDeny"]
    assert [one["MatchedStatements"][0]["SourcePolicyType"] for one in found[:2]] == ["user", "user"]
    clients = {"bedrock:ListAgents": bob.client("bedrock-agent").list_agents}
    models = bob.client("bedrock")
    calls = [models.list_foundation_models, clients["bedrock:ListAgents"], models.list_inference_profiles]
    assert ["explicit deny" in refused(call) for call in calls] == [False, True, False]
    assert [refused(call) == "" for call in calls] == [True, False, False]
    group = iam.simulate_principal_policy(
        PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:group/team", ActionNames=["bedrock:ListAgents"]
    )["EvaluationResults"][0]
    assert group["EvalDecision"] == "explicitDeny"
    assert refused(iam.simulate_principal_policy, PolicySourceArn=bob.arn + "2", ActionNames=actions).startswith(
        "NoSuchEntity: "
    )
    assert refused(
        bob.client("iam").simulate_principal_policy, PolicySourceArn=bob.arn, ActionNames=actions
    ).startswith("AccessDenied: ")


def test_context_keys(server: Running, iam: Any) -> None:
    """GetContextKeysFor…Policy: what conditions ask for and variables stand for, once each; not what looks like one."""
    where = {
        "StringEquals": {"aws:RequestedRegion": "us-east-1", "AWS:sourceip": "${aws:PrincipalTag/team}"},
        "IpAddress": {"aws:SourceIp": "10.0.0.0/8"},
    }
    one = document(allow("s3:*", "arn:aws:s3:::b/${aws:username, 'nobody'}/${*}", Condition=where))
    old = one.replace("2012-10-17", "2008-10-17")
    keys = ["aws:username", "aws:RequestedRegion", "AWS:sourceip", "aws:PrincipalTag/team"]
    assert iam.get_context_keys_for_custom_policy(PolicyInputList=[one])["ContextKeyNames"] == keys
    found = iam.get_context_keys_for_custom_policy(PolicyInputList=[old])["ContextKeyNames"]
    assert found == ["aws:RequestedRegion", "AWS:sourceip"]
    user = User(server, iam, "keyed", allow("s3:*", Condition={"Bool": {"aws:SecureTransport": "true"}}))
    found = iam.get_context_keys_for_principal_policy(PolicySourceArn=user.arn, PolicyInputList=[old])
    assert found["ContextKeyNames"] == ["aws:SecureTransport", "aws:RequestedRegion", "AWS:sourceip"]
    with_none = user.client("iam").get_context_keys_for_principal_policy
    assert refused(with_none, PolicySourceArn=user.arn).startswith("AccessDenied: ")
    assert refused(iam.get_context_keys_for_custom_policy, PolicyInputList=["{}"]).startswith("InvalidInput: ")


def test_no_message_is_encoded_here(server: Running) -> None:
    """DecodeAuthorizationMessage says so in AWS's words; mere federation and MFA are refused, not made up."""
    sts = server.client("sts")
    told = refused(sts.decode_authorization_message, EncodedMessage="abc")
    assert told.startswith("InvalidAuthorizationMessageException: ")
    assert refused(sts.get_federation_token, Name="bob").startswith("InvalidAction: ")
    mfa = {"SerialNumber": f"arn:aws:iam::{ACCOUNT}:mfa/a", "TokenCode": "123456"}
    assert refused(sts.get_session_token, **mfa).startswith("AccessDenied: ")
    assert refused(server.client("iam").list_mfa_devices).startswith("InvalidAction: ")


def test_api_keys_of_users(server: Running, iam: Any) -> None:
    """A user's long-term Bedrock API key does what the user may, with CallWithBearerToken besides, and ends with it."""
    bob = User(server, iam, "holder", allow("bedrock:ListFoundationModels"))
    made = iam.create_service_specific_credential(UserName="holder", ServiceName="bedrock.amazonaws.com")
    key = made["ServiceSpecificCredential"]["ServiceCredentialSecret"]
    assert call_with(server, key)[0] == 403
    bob.grant(allow(["bedrock:ListFoundationModels", "bedrock:CallWithBearerToken"]))
    assert call_with(server, key)[0] == 200
    iam.delete_service_specific_credential(
        UserName="holder", ServiceSpecificCredentialId=made["ServiceSpecificCredential"]["ServiceSpecificCredentialId"]
    )
    assert call_with(server, key)[0] == 403


def call_with(server: Running, key: str) -> tuple[int, bytes]:
    """GET /foundation-models with an API key: boto3 sends one through TLS only."""
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("GET", "/foundation-models", headers={"Authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
