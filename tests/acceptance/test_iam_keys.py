"""Keys of users: access keys, rotated, and long-term API keys of Bedrock, through boto3 against a whole server."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.identities import (
    CONFIG,
    MAY_INVOKE,
    NOVA,
    allow,
    by_bearer,
    converse,
    document,
    refused,
    unsigned,
    user_key,
    with_key,
)
from tests.running import Running

SERVICE = "bedrock.amazonaws.com"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("home"), CONFIG, "--workers", "2") as running:
        yield running


@pytest.fixture(scope="module")
def iam(server: Running) -> Any:
    return server.client("iam")


def test_rotation(server: Running, iam: Any) -> None:
    """Two keys, the old one switched off, switched on again for want of courage, and deleted."""
    old = user_key(server, "ann", MAY_INVOKE)
    new = iam.create_access_key(UserName="ann")["AccessKey"]
    assert re.fullmatch(r"AKIA[A-Z2-7]{16}", new["AccessKeyId"])
    assert len(new["SecretAccessKey"]) == 40
    with refused("LimitExceeded", 409, "AccessKeysPerUser: 2"):
        iam.create_access_key(UserName="ann")
    assert converse(server, old) > 0
    assert converse(server, new) > 0
    iam.update_access_key(UserName="ann", AccessKeyId=old["AccessKeyId"], Status="Inactive")
    states = {key["AccessKeyId"]: key["Status"] for key in iam.list_access_keys(UserName="ann")["AccessKeyMetadata"]}
    assert states == {old["AccessKeyId"]: "Inactive", new["AccessKeyId"]: "Active"}
    for _ in range(4):
        with refused("UnrecognizedClientException", 403):
            converse(server, old)
        with refused("InvalidClientTokenId", 403):
            with_key(server, old, "sts").get_caller_identity()
    iam.update_access_key(UserName="ann", AccessKeyId=old["AccessKeyId"], Status="Active")
    assert converse(server, old) > 0
    iam.delete_access_key(UserName="ann", AccessKeyId=old["AccessKeyId"])
    with refused("UnrecognizedClientException", 403):
        converse(server, old)
    with refused("DeleteConflict", 409, "access keys"):
        iam.delete_user(UserName="ann")
    with refused("NoSuchEntity", 404, "Access Key with id"):
        iam.delete_access_key(UserName="ann", AccessKeyId=old["AccessKeyId"])


def test_when_a_key_was_used(server: Running, iam: Any) -> None:
    """Never at first; then the day, the service and the region. A wrong signature is no use."""
    key = user_key(server, "used", MAY_INVOKE)
    ident = key["AccessKeyId"]
    assert iam.get_access_key_last_used(AccessKeyId=ident)["AccessKeyLastUsed"]["ServiceName"] == "N/A"
    with refused("InvalidSignatureException", 403):
        converse(server, {**key, "SecretAccessKey": "x" * 40})
    assert iam.get_access_key_last_used(AccessKeyId=ident)["AccessKeyLastUsed"]["ServiceName"] == "N/A"
    # A worker that saw the use tells it when it is asked, or within a minute: ask on new connections until it is that one.
    for _ in range(40):
        converse(server, key)
        found = server.client("iam").get_access_key_last_used(AccessKeyId=ident)
        if found["AccessKeyLastUsed"]["ServiceName"] != "N/A":
            break
    assert found["UserName"] == "used"
    assert found["AccessKeyLastUsed"]["ServiceName"] == "bedrock"
    assert found["AccessKeyLastUsed"]["Region"] == "us-east-1"
    assert found["AccessKeyLastUsed"]["LastUsedDate"] >= key["CreateDate"]
    iam.delete_access_key(UserName="used", AccessKeyId=ident)
    with refused("NoSuchEntity", 404):
        iam.get_access_key_last_used(AccessKeyId=ident)


def test_a_key_of_another_user_is_not_ones_own(server: Running, iam: Any) -> None:
    """Who may change its own keys cannot reach another's through its own name."""
    own = document(allow("iam:*AccessKey*", "arn:aws:iam::*:user/${aws:username}"))
    eve, victim = user_key(server, "eve", own), user_key(server, "victim", MAY_INVOKE)
    mine = with_key(server, eve, "iam")
    for steal in (
        lambda: mine.update_access_key(AccessKeyId=victim["AccessKeyId"], Status="Inactive"),
        lambda: mine.delete_access_key(UserName="eve", AccessKeyId=victim["AccessKeyId"]),
    ):
        with refused("NoSuchEntity", 404):
            steal()
    with refused("AccessDenied", 403):
        mine.delete_access_key(UserName="victim", AccessKeyId=victim["AccessKeyId"])
    assert converse(server, victim) > 0


def test_no_secret_is_kept_readable(server: Running, iam: Any) -> None:
    """Neither in the database nor in anything the server wrote."""
    secret = user_key(server, "sealed")["SecretAccessKey"].encode()
    iam.create_service_specific_credential(UserName="sealed", ServiceName=SERVICE)
    with sqlite3.connect(server.home / "craton.db") as database:
        database.execute("select count(*) from resources").fetchone()
    for path in server.home.rglob("*"):
        if path.is_file():
            assert secret not in path.read_bytes(), path
    assert (server.home / "secret").stat().st_mode & 0o077 == 0


def test_an_api_key(server: Running, iam: Any) -> None:
    """Made for a user, shown once, used with the user's permissions, reset, switched off, deleted."""
    may = document(allow("bedrock:InvokeModel", f"arn:aws:bedrock:*::foundation-model/{NOVA}"),
                   allow("bedrock:CallWithBearerToken"))  # fmt: skip
    user_key(server, "bea", may)
    made = iam.create_service_specific_credential(UserName="bea", ServiceName=SERVICE, CredentialAgeDays=30)
    made = made["ServiceSpecificCredential"]
    assert made["ServiceCredentialAlias"] == "bea-at-000000000000"
    assert made["ServiceSpecificCredentialId"].startswith("ACCA")
    assert (made["ExpirationDate"] - made["CreateDate"]).days == 30
    key, ident = made["ServiceCredentialSecret"], made["ServiceSpecificCredentialId"]
    for _ in range(4):
        assert by_bearer(server, key) == 200
        assert by_bearer(server, key, "amazon.nova-pro-v1:0") == 403
    listed = iam.list_service_specific_credentials(UserName="bea")["ServiceSpecificCredentials"]
    assert [one["ServiceSpecificCredentialId"] for one in listed] == [ident]
    assert "ServiceCredentialSecret" not in listed[0]
    fresh = iam.reset_service_specific_credential(UserName="bea", ServiceSpecificCredentialId=ident)
    fresh = fresh["ServiceSpecificCredential"]["ServiceCredentialSecret"]
    assert by_bearer(server, key) == 403
    assert by_bearer(server, fresh) == 200
    iam.update_service_specific_credential(UserName="bea", ServiceSpecificCredentialId=ident, Status="Inactive")
    assert by_bearer(server, fresh) == 403
    iam.update_service_specific_credential(UserName="bea", ServiceSpecificCredentialId=ident, Status="Active")
    assert by_bearer(server, fresh) == 200
    iam.update_user(UserName="bea", NewUserName="bia")
    assert by_bearer(server, fresh) == 200
    with refused("DeleteConflict", 409, "must delete"):
        iam.delete_user(UserName="bia")
    iam.delete_service_specific_credential(UserName="bia", ServiceSpecificCredentialId=ident)
    assert by_bearer(server, fresh) == 403


def test_limits_of_api_keys(server: Running, iam: Any) -> None:
    """Two for each user, and for Bedrock alone."""
    iam.create_user(UserName="two")
    with refused("NotSupportedService", 404):
        iam.create_service_specific_credential(UserName="two", ServiceName="codecommit.amazonaws.com")
    for _ in range(2):
        iam.create_service_specific_credential(UserName="two", ServiceName=SERVICE)
    with refused("LimitExceeded", 409):
        iam.create_service_specific_credential(UserName="two", ServiceName=SERVICE)
    assert len(iam.list_service_specific_credentials(AllUsers=True)["ServiceSpecificCredentials"]) >= 2


def test_an_api_key_opens_bedrock_only(server: Running) -> None:
    """IAM does not take one, whoever it belongs to."""
    headers = {"Authorization": "Bearer ABSKx", "Content-Type": "application/x-www-form-urlencoded"}
    assert unsigned(server, "/", b"Action=ListUsers&Version=2010-05-08", headers).status in (403, 404)


def test_keys_live_through_a_restart(tmp_path: Any) -> None:
    """kill -9 after the answer loses no key, and a session goes on."""
    with Running(tmp_path, CONFIG) as server:
        key = user_key(server, "ann", MAY_INVOKE)
        session = with_key(server, key, "sts").get_session_token()["Credentials"]
        assert server.process is not None
        server.process.kill()
        server.process.wait()
    with Running(tmp_path, CONFIG) as server:
        assert converse(server, key) > 0
        assert converse(server, session) > 0
