"""AssumeRoleWithWebIdentity through boto3: tokens of a configured issuer in place of keys."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import jwt
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from tests.acceptance.identities import ACCOUNT, MAY_INVOKE, allow, converse, document, refused, trust, with_key
from tests.running import Running

ISSUER = "https://ci.example/oidc"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/ci.example/oidc"
KEY = rsa.generate_private_key(65537, 2048)
ACTIONS = ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"]


def token(key: Any = KEY, **claims: Any) -> str:
    now = int(time.time())
    given = {"iss": ISSUER, "sub": "repo:craton:main", "aud": "craton", "iat": now, "exp": now + 300, **claims}
    return jwt.encode(given, key, algorithm="RS256", headers={"kid": "1"})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder: Path = tmp_path_factory.mktemp("oidc")
    keys = {"keys": [{**json.loads(RSAAlgorithm.to_jwk(KEY.public_key())), "kid": "1"}]}
    (folder / "jwks.json").write_text(json.dumps(keys))
    config = f'[oidc]\nissuer = "{ISSUER}"\njwks = "{folder / "jwks.json"}"\naudience = ["craton"]\n'
    with Running(tmp_path_factory.mktemp("home"), config) as running:
        iam = running.client("iam")
        only_main = {"StringEquals": {"ci.example/oidc:sub": "repo:craton:main"}}
        trusted = trust({"Federated": PROVIDER}, ACTIONS, Condition=only_main)
        iam.create_role(RoleName="ci", AssumeRolePolicyDocument=trusted)
        iam.put_role_policy(RoleName="ci", PolicyName="own", PolicyDocument=MAY_INVOKE)
        yield running


def assume(server: Running, given: str, role: str = "ci", **more: Any) -> Any:
    """As a program without any keys asks."""
    config = Config(signature_version=UNSIGNED, retries={"max_attempts": 0})
    sts = boto3.client("sts", endpoint_url=server.url, region_name="us-east-1", config=config)
    arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
    return sts.assume_role_with_web_identity(RoleArn=arn, RoleSessionName="job", WebIdentityToken=given, **more)


def test_a_token_in_place_of_keys(server: Running) -> None:
    """The session is the role's, and does what the role may."""
    answer = assume(server, token())
    assert answer["SubjectFromWebIdentityToken"] == "repo:craton:main"
    assert (answer["Provider"], answer["Audience"]) == (PROVIDER, "craton")
    session = answer["Credentials"]
    assert with_key(server, session, "sts").get_caller_identity()["Arn"].endswith(":assumed-role/ci/job")
    assert converse(server, session) > 0
    with refused("AccessDenied", 403):
        with_key(server, session, "iam").list_users()


def test_who_is_not_let_in(server: Running) -> None:
    """The wrong subject, audience, key, issuer or time; a role that trusts no token, and one that is not there."""
    now = int(time.time())
    stranger = rsa.generate_private_key(65537, 2048)
    with refused("AccessDenied", 403, "Not authorized to perform sts:AssumeRoleWithWebIdentity"):
        assume(server, token(sub="repo:craton:evil"))
    with refused("AccessDenied", 403, "Not authorized"):
        assume(server, token(), role="nobody")
    for bad in (token(aud="other"), token(stranger), token(iss="https://evil.example"), "a.b.c.d"):
        with refused("InvalidIdentityToken", 400):
            assume(server, bad)
    with refused("ExpiredTokenException", 400, "expired"):
        assume(server, token(exp=now - 1))
    server.client("iam").create_role(RoleName="plain", AssumeRolePolicyDocument=trust({"AWS": "*"}))
    with refused("AccessDenied", 403):
        assume(server, token(), role="plain")


def test_an_accounts_own_audience(server: Running) -> None:
    """A provider of the account lets in further audiences, until it is deleted."""
    iam = server.client("iam")
    with refused("InvalidIdentityToken", 400, "audience"):
        assume(server, token(aud="mine"))
    arn = iam.create_open_id_connect_provider(Url=ISSUER, ClientIDList=["mine"])["OpenIDConnectProviderArn"]
    assert arn == PROVIDER
    assert assume(server, token(aud=["x", "mine"]))["Audience"] == "mine"
    found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert (found["Url"], found["ClientIDList"]) == ("ci.example/oidc", ["mine"])
    with refused("EntityAlreadyExists", 409):
        iam.create_open_id_connect_provider(Url=ISSUER)
    assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == [{"Arn": arn}]
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    with refused("InvalidIdentityToken", 400):
        assume(server, token(aud="mine"))


def test_tags_in_the_token(server: Running) -> None:
    """The issuer says which tags the session has, and policies may ask for them."""
    by_tag = document(allow("bedrock:InvokeModel", Condition={"StringEquals": {"aws:PrincipalTag/team": "art"}}))
    iam = server.client("iam")
    iam.create_role(RoleName="by-tag", AssumeRolePolicyDocument=trust({"Federated": PROVIDER}, ACTIONS))
    iam.put_role_policy(RoleName="by-tag", PolicyName="own", PolicyDocument=by_tag)
    tags = {"https://aws.amazon.com/tags": {"principal_tags": {"team": ["art"]}, "transitive_tag_keys": ["team"]}}
    assert converse(server, assume(server, token(**tags), "by-tag")["Credentials"]) > 0
    with refused("AccessDeniedException", 403):
        converse(server, assume(server, token(), "by-tag")["Credentials"])


def test_a_session_policy_of_a_web_identity(server: Running) -> None:
    """It takes away here as well."""
    session = assume(server, token(), Policy=document(allow("s3:*")))["Credentials"]
    with refused("AccessDeniedException", 403, "session policy"):
        converse(server, session)
