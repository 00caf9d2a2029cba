"""Temporary credentials through boto3 against a whole server: who gets them, what they may, when they end."""

from __future__ import annotations

import base64
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from craton.aws.access.credentials import root_principal
from craton.infra.identities.seal import SESSION_TOKENS
from craton.infra.identities.sessions import Sessions
from craton.infra.keys.private import home_secret
from tests.acceptance.identities import (
    ACCOUNT,
    CONFIG,
    HOME_TRUST,
    LLAMA,
    MAY_INVOKE,
    NOVA,
    TITAN,
    allow,
    by_bearer,
    converse,
    document,
    models,
    refused,
    trust,
    unsigned,
    user_key,
    with_key,
)
from tests.acceptance.resources import OTHER, OTHER_KEY, OTHER_SECRET
from tests.running import ACCESS_KEY, SECRET_KEY, Running

MAY_ASSUME = document(allow("sts:*"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("home"), CONFIG, "--workers", "2") as running:
        yield running


@pytest.fixture(scope="module")
def iam(server: Running) -> Any:
    return server.client("iam")


@pytest.fixture(scope="module")
def ann(server: Running) -> dict[str, Any]:
    """A user who may assume whatever trusts its account."""
    return user_key(server, "ann", MAY_ASSUME)


def role(iam: Any, name: str, policy: str = MAY_INVOKE, trusted: str = HOME_TRUST, **more: Any) -> str:
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusted, **more)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy)
    return arn


def assume(server: Running, key: dict[str, Any], arn: str, name: str = "session", **more: Any) -> dict[str, Any]:
    answer = with_key(server, key, "sts").assume_role(RoleArn=arn, RoleSessionName=name, **more)
    credentials: dict[str, Any] = answer["Credentials"]
    return credentials


def test_a_role_that_may_call_two_models(server: Running, iam: Any, ann: dict[str, Any]) -> None:
    """Assumed by a user who may itself do nothing else; both models answer, in every worker, the third refuses."""
    arn = role(iam, "two-models")
    answer = with_key(server, ann, "sts").assume_role(RoleArn=arn, RoleSessionName="s1", DurationSeconds=900)
    session = answer["Credentials"]
    session_arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/two-models/s1"
    assert answer["AssumedRoleUser"]["Arn"] == session_arn
    assert answer["AssumedRoleUser"]["AssumedRoleId"].startswith("AROA")
    assert session["AccessKeyId"].startswith("ASIA")
    identity = with_key(server, session, "sts").get_caller_identity()
    assert (identity["Arn"], identity["Account"]) == (session_arn, ACCOUNT)
    for _ in range(4):
        assert converse(server, session, NOVA) > 0
        assert converse(server, session, LLAMA) > 0
        with refused("AccessDeniedException", 403, f"User: {session_arn} is not authorized"):
            converse(server, session, TITAN)
        with refused("AccessDeniedException", 403):
            converse(server, ann, NOVA)


def test_the_token_belongs_to_the_key(server: Running, iam: Any, ann: dict[str, Any]) -> None:
    """Without it, with another session's, or with a damaged one, the key is unknown."""
    arn = role(iam, "tokens")
    one, two = assume(server, ann, arn), assume(server, ann, arn)
    damaged = one["SessionToken"][:-10] + "AAAAAAAAA="
    for token in (None, two["SessionToken"], damaged, "x", "AQ=="):
        with refused("UnrecognizedClientException", 403):
            converse(server, {**one, "SessionToken": token})
        with refused("InvalidClientTokenId", 403):
            with_key(server, {**one, "SessionToken": token}, "sts").get_caller_identity()
    with refused("InvalidSignatureException", 403):
        converse(server, {**one, "SecretAccessKey": two["SecretAccessKey"]})
    assert converse(server, one) > 0


def test_a_session_policy_only_takes_away(server: Running, iam: Any, ann: dict[str, Any]) -> None:
    """What the role may not, no session policy gives; what the policy leaves out is gone."""
    arn = role(iam, "limited")
    only = document(allow("bedrock:*", models(NOVA, TITAN)))
    session = assume(server, ann, arn, Policy=only)
    assert converse(server, session, NOVA) > 0
    for model in (LLAMA, TITAN):
        with refused("AccessDeniedException", 403):
            converse(server, session, model)
    read_only = assume(server, ann, arn, PolicyArns=[{"arn": "arn:aws:iam::aws:policy/AmazonBedrockReadOnly"}])
    with refused("AccessDeniedException", 403, "no session policy allows"):
        converse(server, read_only)
    with refused("MalformedPolicyDocument", 400):
        assume(server, ann, arn, Policy="{}")


def test_who_is_trusted(server: Running, iam: Any, ann: dict[str, Any]) -> None:
    """The trust policy decides: another user, a role that is not there, a missing ExternalId."""
    bob = user_key(server, "bob")
    only_bob = role(iam, "bobs", trusted=trust({"AWS": f"arn:aws:iam::{ACCOUNT}:user/bob"}))
    denied = f"arn:aws:iam::{ACCOUNT}:user/ann is not authorized to perform: sts:AssumeRole on resource: "
    with refused("AccessDenied", 403, denied + only_bob):
        assume(server, ann, only_bob)
    with refused("AccessDenied", 403, denied):
        assume(server, ann, only_bob.replace("bobs", "nobodys"))
    assert converse(server, assume(server, bob, only_bob)) > 0  # whom the role names itself needs no policy
    with refused("AccessDenied", 403):
        assume(server, bob, role(iam, "homes"))  # whom it trusts through its account does
    secret = trust({"AWS": "*"}, Condition={"StringEquals": {"sts:ExternalId": "shared"}})
    guarded = role(iam, "guarded", trusted=secret)
    for more in ({}, {"ExternalId": "guess"}):
        with refused("AccessDenied", 403):
            assume(server, ann, guarded, **more)
    assert assume(server, ann, guarded, ExternalId="shared")


def test_a_namesake_is_not_trusted(server: Running, iam: Any) -> None:
    """A user made under the name of a deleted one gets neither its roles nor its sessions."""
    first = user_key(server, "zoe", MAY_ASSUME)
    arn = role(iam, "zoes", trusted=trust({"AWS": f"arn:aws:iam::{ACCOUNT}:user/zoe"}))
    old = with_key(server, first, "sts").get_session_token()["Credentials"]
    assert assume(server, first, arn)
    iam.delete_access_key(UserName="zoe", AccessKeyId=first["AccessKeyId"])
    iam.delete_user_policy(UserName="zoe", PolicyName="own")
    iam.delete_user(UserName="zoe")
    second = user_key(server, "zoe", MAY_ASSUME)
    with refused("AccessDenied", 403):
        assume(server, second, arn)
    with refused("InvalidClientTokenId", 403):
        with_key(server, old, "sts").get_caller_identity()


def test_another_accounts_role(server: Running, iam: Any, ann: dict[str, Any]) -> None:
    """Both sides must allow it; the session then is of the role's account."""
    theirs = server.client("iam", aws_access_key_id=OTHER_KEY, aws_secret_access_key=OTHER_SECRET)
    arn = role(theirs, "guests", trusted=trust({"AWS": f"arn:aws:iam::{ACCOUNT}:user/ann"}))
    session = assume(server, ann, arn)
    assert with_key(server, session, "sts").get_caller_identity()["Account"] == OTHER
    bob = user_key(server, "boris")
    both = role(theirs, "both", trusted=trust({"AWS": f"arn:aws:iam::{ACCOUNT}:user/boris"}))
    with refused("AccessDenied", 403):
        assume(server, bob, both)  # its own account has not allowed it


def test_how_long_sessions_live(server: Running, iam: Any, ann: dict[str, Any]) -> None:
    """No longer than the role allows, and an hour where a role assumes a role."""
    arn = role(iam, "long", MAY_ASSUME, MaxSessionDuration=7200)
    with refused("ValidationError", 400, "exceeds the MaxSessionDuration set for this role"):
        assume(server, ann, arn, DurationSeconds=7201)
    session = assume(server, ann, arn, DurationSeconds=7200)
    with refused("ValidationError", 400, "1 hour session limit for roles assumed by role chaining"):
        assume(server, session, arn, DurationSeconds=3601)
    assert assume(server, session, arn, DurationSeconds=3600)


def test_tags_of_a_session(server: Running, iam: Any, ann: dict[str, Any]) -> None:
    """They may decide (aws:PrincipalTag), must be allowed, and follow into the next role if they are transitive."""
    by_tag = document(allow("bedrock:InvokeModel", Condition={"StringEquals": {"aws:PrincipalTag/team": "art"}}),
                      allow("sts:*"))  # fmt: skip
    tagging = trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, ["sts:AssumeRole", "sts:TagSession"])
    arn, untagged = role(iam, "tagged", by_tag, tagging), role(iam, "untagged")
    team = [{"Key": "team", "Value": "art"}]
    with refused("AccessDenied", 403, "sts:TagSession"):
        assume(server, ann, untagged, Tags=team)
    with refused("AccessDeniedException", 403):
        converse(server, assume(server, ann, arn))
    session = assume(server, ann, arn, Tags=team, TransitiveTagKeys=["team"])
    assert converse(server, session) > 0
    assert converse(server, assume(server, session, arn)) > 0
    with refused("InvalidParameterValue", 400, "conflicts"):
        assume(server, session, arn, Tags=team)
    with refused("AccessDeniedException", 403):
        converse(server, assume(server, assume(server, ann, arn, Tags=team), arn))


def test_a_source_identity_stays(server: Running, iam: Any, ann: dict[str, Any]) -> None:
    """Once set it follows through every role and cannot become another's."""
    free = trust({"AWS": "*"}, ["sts:AssumeRole", "sts:SetSourceIdentity"])
    arn = role(iam, "sourced", MAY_ASSUME, free)
    only = trust({"AWS": "*"}, ["sts:AssumeRole", "sts:SetSourceIdentity"],
                 Condition={"StringEquals": {"sts:SourceIdentity": "ann"}})  # fmt: skip
    second = role(iam, "sourced-2", MAY_ASSUME, only)
    session = assume(server, ann, arn, SourceIdentity="ann")
    assert assume(server, session, second)
    with refused("AccessDenied", 403, "source identity"):
        assume(server, session, arn, SourceIdentity="eve")
    with refused("AccessDenied", 403):
        assume(server, assume(server, ann, arn, SourceIdentity="eve"), second)


def test_sessions_end_with_their_role(server: Running, iam: Any, ann: dict[str, Any]) -> None:
    """A deleted role's session is over at once, also when a role of the same name follows."""
    arn = role(iam, "mortal")
    session = assume(server, ann, arn)
    assert converse(server, session) > 0
    iam.delete_role_policy(RoleName="mortal", PolicyName="own")
    iam.delete_role(RoleName="mortal")
    role(iam, "mortal")
    for _ in range(4):
        with refused("UnrecognizedClientException", 403):
            converse(server, session)


def test_session_tokens_of_users_and_root(server: Running, ann: dict[str, Any]) -> None:
    """GetSessionToken needs long-term keys and no permission; the caller stays who it is."""
    bob = user_key(server, "toki", MAY_INVOKE)
    session = with_key(server, bob, "sts").get_session_token(DurationSeconds=900)["Credentials"]
    assert with_key(server, session, "sts").get_caller_identity()["Arn"].endswith(":user/toki")
    assert converse(server, session) > 0
    with refused("AccessDenied", 403, "GetSessionToken with session credentials"):
        with_key(server, session, "sts").get_session_token()
    root = server.client("sts").get_session_token()["Credentials"]
    assert with_key(server, root, "iam").list_users()["Users"]
    assert with_key(server, root, "sts").get_access_key_info(AccessKeyId=root["AccessKeyId"])["Account"] == ACCOUNT
    known = server.client("sts").get_access_key_info(AccessKeyId=OTHER_KEY)
    assert known["Account"] == OTHER


def test_an_expired_session(server: Running) -> None:
    """Each protocol has its name for it; a moment before, it would have been root's."""
    sessions = Sessions(lambda: home_secret(server.home, SESSION_TOKENS))
    made, token = sessions.issue(root_principal(ACCOUNT), ACCOUNT, datetime.now(UTC) - timedelta(seconds=1))
    key = {"AccessKeyId": made.access_key_id, "SecretAccessKey": made.secret, "SessionToken": token}
    with refused("ExpiredToken", 403, "expired"):
        with_key(server, key, "sts").get_caller_identity()
    with refused("ExpiredTokenException", 403, "expired"):
        converse(server, key)


def test_short_term_api_keys_of_a_session(server: Running, iam: Any, ann: dict[str, Any]) -> None:
    """What AWS's generator makes of temporary credentials: it carries the token, and ends with the session's role."""
    may = document(allow(["bedrock:InvokeModel", "bedrock:CallWithBearerToken"]))
    session = assume(server, ann, role(iam, "bearers", may))
    request = AWSRequest("POST", "https://bedrock.amazonaws.com/", headers={"host": "bedrock.amazonaws.com"},
                         params={"Action": "CallWithBearerToken"})  # fmt: skip
    keys = Credentials(session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])
    SigV4QueryAuth(keys, "bedrock", "us-east-1", expires=43200).add_auth(request)
    url = request.url.removeprefix("https://") + "&Version=1"
    key = "bedrock-api-key-" + base64.b64encode(url.encode()).decode()
    assert by_bearer(server, key) == 200
    iam.delete_role_policy(RoleName="bearers", PolicyName="own")
    assert by_bearer(server, key) == 403


def test_a_presigned_question(server: Running) -> None:
    """GET with everything in the query: how a cluster or a vault asks who somebody is."""
    url = server.client("sts").generate_presigned_url("get_caller_identity", HttpMethod="GET")
    with urllib.request.urlopen(url, timeout=30) as answer:
        assert b"<Arn>arn:aws:iam::000000000000:root</Arn>" in answer.read()
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url.replace("GetCallerIdentity", "GetSessionToken"), timeout=30)
    assert b"<Code>SignatureDoesNotMatch</Code>" in caught.value.read()


def test_without_a_signature(server: Running) -> None:
    """Every operation but one wants to know who asks, and says so before anything else."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for body in (b"Action=GetCallerIdentity&Version=2011-06-15", b"Action=Nothing", b"a%zz=b"):
        answer = unsigned(server, "/", body, headers)
        assert answer.status == 403
        assert b"<Code>MissingAuthenticationToken</Code>" in answer.body


def test_a_scope_of_another_service(server: Running) -> None:
    """A signature for IAM opens no other service, whatever the path says."""
    session = boto3.Session(ACCESS_KEY, SECRET_KEY, region_name="us-east-1")
    wrong = session.client("sts", endpoint_url=server.url)
    wrong.meta.events.register("before-sign.sts", lambda **given: given["request"].context.update(
        signing={"signing_name": "iam", "region": "us-east-1"}))  # fmt: skip
    with refused("InvalidAction", 400):
        wrong.get_caller_identity()
