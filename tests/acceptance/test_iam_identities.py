"""Users, groups, roles and policies through boto3, unmodified, against a whole server with two workers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.identities import (
    ACCOUNT,
    CONFIG,
    HOME_TRUST,
    LLAMA,
    MAY_INVOKE,
    NOVA,
    TITAN,
    allow,
    converse,
    document,
    models,
    refused,
    trust,
    user_key,
    with_key,
)
from tests.acceptance.resources import OTHER_KEY, OTHER_SECRET
from tests.running import Running

DENY_ALL = document({"Effect": "Deny", "Action": "*", "Resource": "*"})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("home"), CONFIG, "--workers", "2") as running:
        yield running


@pytest.fixture(scope="module")
def iam(server: Running) -> Any:
    return server.client("iam")


def test_a_user_from_birth_to_death(iam: Any) -> None:
    """Made, shown, renamed with its id kept, listed, deleted."""
    made = iam.create_user(UserName="ann", Path="/team/", Tags=[{"Key": "team", "Value": "été"}])["User"]
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/team/ann"
    assert made["UserId"].startswith("AIDA")
    assert iam.get_user(UserName="ann")["User"] == made
    iam.update_user(UserName="ann", NewUserName="bea", NewPath="/other/")
    renamed = iam.get_user(UserName="bea")["User"]
    assert (renamed["UserId"], renamed["CreateDate"]) == (made["UserId"], made["CreateDate"])
    assert renamed["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/other/bea"
    assert renamed["Tags"] == [{"Key": "team", "Value": "été"}]
    assert [user["UserName"] for user in iam.list_users(PathPrefix="/other/")["Users"]] == ["bea"]
    iam.delete_user(UserName="bea")
    with refused("NoSuchEntity", 404, "The user with name bea cannot be found"):
        iam.get_user(UserName="bea")


def test_names_are_one_whatever_their_case(iam: Any) -> None:
    """IAM has one user Ann; an id is found only as it is written."""
    iam.create_user(UserName="Carl")
    with refused("EntityAlreadyExists", 409, "User with name CARL already exists"):
        iam.create_user(UserName="CARL")
    with refused("NoSuchEntity", 404):
        iam.get_user(UserName="carl")
    iam.delete_user(UserName="Carl")


def test_pages(iam: Any) -> None:
    """Every name comes once, whatever the size of the page; a marker of another listing is refused."""
    for at in range(7):
        iam.create_user(UserName=f"page{at}", Path="/pages/")
    pages = iam.get_paginator("list_users").paginate(PathPrefix="/pages/", PaginationConfig={"PageSize": 3})
    names = [[user["UserName"] for user in page["Users"]] for page in pages]
    assert names == [["page0", "page1", "page2"], ["page3", "page4", "page5"], ["page6"]]
    marker = iam.list_users(PathPrefix="/pages/", MaxItems=3)["Marker"]
    with refused("ValidationError", 400, "Marker"):
        iam.list_users(PathPrefix="/", Marker=marker)
    for at in range(7):
        iam.delete_user(UserName=f"page{at}")


def test_groups_and_their_members(iam: Any) -> None:
    """A group's members, a user's groups, and what must be gone first."""
    group = iam.create_group(GroupName="artists")["Group"]
    assert group["GroupId"].startswith("AGPA")
    iam.create_user(UserName="dora")
    iam.add_user_to_group(GroupName="artists", UserName="dora")
    iam.add_user_to_group(GroupName="artists", UserName="dora")
    assert [user["UserName"] for user in iam.get_group(GroupName="artists")["Users"]] == ["dora"]
    iam.update_group(GroupName="artists", NewGroupName="painters")
    assert [one["GroupName"] for one in iam.list_groups_for_user(UserName="dora")["Groups"]] == ["painters"]
    with refused("DeleteConflict", 409, "remove users from group"):
        iam.delete_user(UserName="dora")
    with refused("DeleteConflict", 409, "remove users from group"):
        iam.delete_group(GroupName="painters")
    iam.remove_user_from_group(GroupName="painters", UserName="dora")
    iam.delete_user(UserName="dora")
    iam.delete_group(GroupName="painters")
    assert "painters" not in [one["GroupName"] for one in iam.list_groups()["Groups"]]


def test_a_role(iam: Any) -> None:
    """Made with everything a template may say, changed, and shown as it was made."""
    made = iam.create_role(
        RoleName="reader",
        Path="/svc/",
        AssumeRolePolicyDocument=HOME_TRUST,
        Description="Reads & writes <all>",
        MaxSessionDuration=7200,
        Tags=[{"Key": "a", "Value": "b"}],
    )["Role"]
    assert made["RoleId"].startswith("AROA")
    shown = iam.get_role(RoleName="reader")["Role"]
    assert shown["AssumeRolePolicyDocument"] == json.loads(HOME_TRUST)
    assert (shown["Description"], shown["MaxSessionDuration"]) == ("Reads & writes <all>", 7200)
    iam.update_role(RoleName="reader", Description="Reads")
    assert iam.get_role(RoleName="reader")["Role"]["MaxSessionDuration"] == 3600
    other = trust({"Service": "bedrock.amazonaws.com"})
    iam.update_assume_role_policy(RoleName="reader", PolicyDocument=other)
    assert iam.get_role(RoleName="reader")["Role"]["AssumeRolePolicyDocument"] == json.loads(other)
    assert iam.list_instance_profiles_for_role(RoleName="reader")["InstanceProfiles"] == []
    iam.delete_role(RoleName="reader")


def test_a_trust_policy_names_who_exists(iam: Any) -> None:
    """A user that nobody made cannot be trusted, and the error says where it stands."""
    nobody = trust({"AWS": f"arn:aws:iam::{ACCOUNT}:user/nobody"})
    with refused("MalformedPolicyDocument", 400, r"Invalid principal in policy.*Statement\[0\]"):
        iam.create_role(RoleName="x", AssumeRolePolicyDocument=nobody)
    with refused("MalformedPolicyDocument", 400, "prohibited field Resource"):
        iam.create_role(RoleName="x", AssumeRolePolicyDocument=document({**allow("sts:AssumeRole"), "Principal": "*"}))


def test_a_malformed_policy_says_where(iam: Any) -> None:
    """The place of the first mistake is in the text, and nothing is kept."""
    for text, words in (
        ('{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"x","Resource":"*"}]}', r"Action"),
        ('{"Version":"2012-10-17","Statement":[{"Effect":"Maybe"}]}', r"Statement\[0\].Effect"),
        ('{"Version"', "line 1"),
        (document({**allow("iam:*"), "Principal": "*"}), "should not specify a principal"),
    ):
        with refused("MalformedPolicyDocument", 400, words):
            iam.create_policy(PolicyName="bad", PolicyDocument=text)
    with refused("LimitExceeded", 409, "PolicySize: 6144"):
        iam.create_policy(PolicyName="bad", PolicyDocument=document(allow([f"s3:Get{at}" for at in range(700)])))
    assert "bad" not in [one["PolicyName"] for one in iam.list_policies(Scope="Local")["Policies"]]


def test_versions_of_a_policy(iam: Any) -> None:
    """Five, of which one is in force; the default one goes with the policy."""
    arn = iam.create_policy(PolicyName="v", PolicyDocument=document(allow("s3:Get*")))["Policy"]["Arn"]
    for at in range(4):
        text = document(allow(f"s3:Put{at}"))
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=text, SetAsDefault=at == 3)
    with refused("LimitExceeded", 409, "up to 5 versions"):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=document(allow("s3:*")))
    versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    assert [(one["VersionId"], one["IsDefaultVersion"]) for one in versions][:2] == [("v5", True), ("v4", False)]
    found = iam.get_policy_version(PolicyArn=arn, VersionId="v5")["PolicyVersion"]
    assert found["Document"]["Statement"][0]["Action"] == "s3:Put3"
    with refused("DeleteConflict", 409, "default version"):
        iam.delete_policy_version(PolicyArn=arn, VersionId="v5")
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v2"
    with refused("DeleteConflict", 409, "more than one version"):
        iam.delete_policy(PolicyArn=arn)
    for version in ("v1", "v3", "v4", "v5"):
        iam.delete_policy_version(PolicyArn=arn, VersionId=version)
    with refused("NoSuchEntity", 404, "version v1"):
        iam.get_policy_version(PolicyArn=arn, VersionId="v1")
    iam.delete_policy(PolicyArn=arn)


def test_attachments_hold_both_ends(iam: Any) -> None:
    """Who has the policy, what the identity has, and neither can go while they hold each other."""
    arn = iam.create_policy(PolicyName="held", PolicyDocument=MAY_INVOKE)["Policy"]["Arn"]
    iam.create_user(UserName="emil")
    iam.create_group(GroupName="eg")
    iam.create_role(RoleName="er", AssumeRolePolicyDocument=HOME_TRUST)
    for noun, name in (("user", "emil"), ("group", "eg"), ("role", "er")):
        member = {f"{noun.capitalize()}Name": name}
        getattr(iam, f"attach_{noun}_policy")(**member, PolicyArn=arn)
        listed = getattr(iam, f"list_attached_{noun}_policies")(**member)["AttachedPolicies"]
        assert listed == [{"PolicyName": "held", "PolicyArn": arn}]
    iam.put_role_permissions_boundary(RoleName="er", PermissionsBoundary=arn)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 3
    assert iam.get_policy(PolicyArn=arn)["Policy"]["PermissionsBoundaryUsageCount"] == 1
    who = iam.list_entities_for_policy(PolicyArn=arn)
    assert [who["PolicyUsers"][0]["UserName"], who["PolicyGroups"][0]["GroupName"]] == ["emil", "eg"]
    assert iam.list_entities_for_policy(PolicyArn=arn, EntityFilter="Group")["PolicyUsers"] == []
    for conflict in (
        lambda: iam.delete_policy(PolicyArn=arn),
        lambda: iam.delete_user(UserName="emil"),
        lambda: iam.delete_role(RoleName="er"),
        lambda: iam.delete_group(GroupName="eg"),
    ):
        with refused("DeleteConflict", 409):
            conflict()
    iam.detach_user_policy(UserName="emil", PolicyArn=arn)
    with refused("NoSuchEntity", 404):
        iam.detach_user_policy(UserName="emil", PolicyArn=arn)
    iam.detach_group_policy(GroupName="eg", PolicyArn=arn)
    iam.detach_role_policy(RoleName="er", PolicyArn=arn)
    iam.delete_role(RoleName="er")  # and with it goes its boundary
    iam.delete_policy(PolicyArn=arn)


def test_inline_policies(iam: Any) -> None:
    """Put, replaced, listed, read as documents, deleted; together they have a size."""
    iam.create_user(UserName="fred")
    for name in ("b", "a"):
        iam.put_user_policy(UserName="fred", PolicyName=name, PolicyDocument=MAY_INVOKE)
    assert iam.list_user_policies(UserName="fred")["PolicyNames"] == ["a", "b"]
    assert iam.get_user_policy(UserName="fred", PolicyName="a")["PolicyDocument"] == json.loads(MAY_INVOKE)
    long = document(allow([f"s3:Get{at:04}" for at in range(150)]))
    with refused("LimitExceeded", 409, "Maximum policy size of 2048 bytes exceeded for user fred"):
        iam.put_user_policy(UserName="fred", PolicyName="c", PolicyDocument=long)
    iam.delete_user_policy(UserName="fred", PolicyName="a")
    with refused("NoSuchEntity", 404, "The user policy with name a cannot be found"):
        iam.get_user_policy(UserName="fred", PolicyName="a")


def test_tags(iam: Any) -> None:
    """Of users, roles and policies; keys that differ in case only are one."""
    iam.create_user(UserName="gina")
    iam.tag_user(UserName="gina", Tags=[{"Key": "Team", "Value": "a"}, {"Key": "x", "Value": ""}])
    iam.tag_user(UserName="gina", Tags=[{"Key": "team", "Value": "b"}])
    assert iam.list_user_tags(UserName="gina")["Tags"] == [{"Key": "team", "Value": "b"}, {"Key": "x", "Value": ""}]
    iam.untag_user(UserName="gina", TagKeys=["TEAM", "none"])
    assert iam.list_user_tags(UserName="gina")["Tags"] == [{"Key": "x", "Value": ""}]
    with refused("InvalidInput", 400, "Duplicate tag keys"):
        iam.tag_user(UserName="gina", Tags=[{"Key": "k", "Value": "a"}, {"Key": "K", "Value": "b"}])
    with refused("LimitExceeded", 409, "TagsPerUser: 50"):
        iam.tag_user(UserName="gina", Tags=[{"Key": f"k{at}", "Value": ""} for at in range(50)])


def test_a_policy_works_in_every_worker_at_once(server: Running, iam: Any) -> None:
    """What an answer of IAM promised holds for the next request, whichever worker takes it."""
    key = user_key(server, "hank", MAY_INVOKE)
    for _ in range(6):
        assert converse(server, key, NOVA) > 0
        assert converse(server, key, LLAMA) > 0
        with refused("AccessDeniedException", 403, f"bedrock:InvokeModel on resource: .*{TITAN}"):
            converse(server, key, TITAN)
    iam.put_user_policy(UserName="hank", PolicyName="no", PolicyDocument=DENY_ALL)
    for _ in range(6):
        with refused("AccessDeniedException", 403, "explicit deny"):
            converse(server, key, NOVA)


def test_a_groups_policy_and_a_boundary(server: Running, iam: Any) -> None:
    """A member may what its group may, and never more than its boundary."""
    key = user_key(server, "ida")
    iam.create_group(GroupName="invokers")
    iam.put_group_policy(GroupName="invokers", PolicyName="p", PolicyDocument=document(allow("bedrock:*")))
    with refused("AccessDeniedException", 403, "no identity-based policy"):
        converse(server, key)
    iam.add_user_to_group(GroupName="invokers", UserName="ida")
    assert converse(server, key, TITAN) > 0
    only = document(allow("bedrock:InvokeModel", models(NOVA)))
    arn = iam.create_policy(PolicyName="only-nova", PolicyDocument=only)["Policy"]["Arn"]
    iam.put_user_permissions_boundary(UserName="ida", PermissionsBoundary=arn)
    assert iam.get_user(UserName="ida")["User"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == arn
    assert converse(server, key, NOVA) > 0
    with refused("AccessDeniedException", 403, "no permissions boundary allows"):
        converse(server, key, TITAN)
    iam.delete_user_permissions_boundary(UserName="ida")
    assert converse(server, key, TITAN) > 0


def test_policies_of_awss_names(server: Running, iam: Any) -> None:
    """They can be attached and read, are counted per account, and cannot be changed."""
    arn = "arn:aws:iam::aws:policy/AmazonBedrockFullAccess"
    key = user_key(server, "jack")
    iam.attach_user_policy(UserName="jack", PolicyArn=arn)
    assert converse(server, key) > 0
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
    assert "Craton" in iam.get_policy(PolicyArn=arn)["Policy"]["Description"]
    attached = iam.list_policies(Scope="AWS", OnlyAttached=True)["Policies"]
    assert [one["PolicyName"] for one in attached] == ["AmazonBedrockFullAccess"]
    version = iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]
    assert version["Document"]["Statement"][0]["Action"] == "bedrock:*"
    with refused("InvalidInput", 400):
        iam.delete_policy(PolicyArn=arn)


def test_nobody_without_a_policy_may_anything(server: Running) -> None:
    """Neither look, nor learn whether something is there."""
    nobody = with_key(server, user_key(server, "kim"), "iam")
    for call in (
        nobody.list_users,
        lambda: nobody.get_user(UserName="ann"),
        lambda: nobody.get_user(UserName="surely-not-there"),
        lambda: nobody.create_user(UserName="eve"),
        lambda: nobody.put_user_policy(UserName="kim", PolicyName="p", PolicyDocument=document(allow("*"))),
        lambda: nobody.attach_user_policy(UserName="kim", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"),
        lambda: nobody.create_access_key(UserName="hank"),
        nobody.get_account_authorization_details,
        nobody.list_virtual_mfa_devices,
    ):
        with refused("AccessDenied", 403, "is not authorized to perform: iam:"):
            call()


def test_a_user_of_its_own(server: Running) -> None:
    """GetUser without a name is the caller, and a policy may say so with ${aws:username}."""
    own = document(allow("iam:*AccessKey*", f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}"), allow("iam:GetUser"))
    mine = with_key(server, user_key(server, "lena", own), "iam")
    assert mine.get_user()["User"]["UserName"] == "lena"
    assert len(mine.list_access_keys()["AccessKeyMetadata"]) == 1
    with refused("AccessDenied", 403):
        mine.list_access_keys(UserName="hank")


def test_accounts_do_not_meet(server: Running) -> None:
    """Another account's root sees and changes nothing of ours, and may use the same names."""
    theirs = server.client("iam", aws_access_key_id=OTHER_KEY, aws_secret_access_key=OTHER_SECRET)
    assert theirs.list_users()["Users"] == []
    assert theirs.create_user(UserName="hank")["User"]["Arn"].startswith("arn:aws:iam::222222222222:user/")
    ours = f"arn:aws:iam::{ACCOUNT}:policy/only-nova"
    with refused("NoSuchEntity", 404):
        theirs.attach_user_policy(UserName="hank", PolicyArn=ours)
    assert theirs.get_account_summary()["SummaryMap"]["Users"] == 1


def test_the_account_at_a_glance(iam: Any) -> None:
    """Summary and details speak of the same things."""
    details = list(iam.get_paginator("get_account_authorization_details").paginate(MaxItems=5))
    users = [user for page in details for user in page["UserDetailList"]]
    summary = iam.get_account_summary()["SummaryMap"]
    assert summary["Users"] == len(users) == len({user["UserName"] for user in users})
    ida = next(user for user in users if user["UserName"] == "ida")
    assert ida["GroupList"] == ["invokers"]
    (aws,) = (one for page in details for one in page["Policies"] if one["Arn"].startswith("arn:aws:iam::aws:"))
    assert aws["PolicyVersionList"][0]["Document"]["Statement"]
    assert iam.list_account_aliases()["AccountAliases"] == []
    assert summary["VersionsPerPolicyQuota"] == 5


def test_what_is_not_built_says_so(iam: Any) -> None:
    """No made-up success."""
    with refused("InvalidAction", 400, "CreateVirtualMFADevice is not implemented"):
        iam.create_virtual_mfa_device(VirtualMFADeviceName="x")


def test_quotas(iam: Any) -> None:
    """An account has as many groups as the configuration lets it."""
    with refused("LimitExceeded", 409, "GroupsPerAccount: 40"):
        for at in range(41):
            iam.create_group(GroupName=f"many{at}")
