"""KMS keys, aliases, tags and rotation, as boto3 and the AWS CLI use them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.kms import ACCOUNT, made, others, refused, serving_keys
from tests.acceptance.test_judge_awscli import answer, aws
from tests.running import Running

NOBODY = "11111111-2222-3333-4444-555555555555"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving_keys(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="module")
def kms(server: Running) -> Any:
    return server.client("kms")


def test_a_key_is_made_and_described(kms: Any) -> None:
    """What CreateKey answers is what DescribeKey says of the key id and of its ARN."""
    metadata = kms.create_key(Description="mine", Tags=[{"TagKey": "team", "TagValue": "red"}])["KeyMetadata"]
    assert metadata["Arn"] == f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{metadata['KeyId']}"
    expected = {
        "AWSAccountId": ACCOUNT, "Description": "mine", "Enabled": True, "KeyState": "Enabled", "KeyManager": "CUSTOMER",
        "KeyUsage": "ENCRYPT_DECRYPT", "KeySpec": "SYMMETRIC_DEFAULT", "Origin": "AWS_KMS", "MultiRegion": False,
    }  # fmt: skip
    assert {name: metadata[name] for name in expected} == expected
    assert abs(metadata["CreationDate"] - datetime.now(UTC)) < timedelta(minutes=1)
    for name in (metadata["KeyId"], metadata["Arn"]):
        assert kms.describe_key(KeyId=name)["KeyMetadata"] == metadata


def test_keys_are_listed_by_page(kms: Any) -> None:
    """Every key once, with a marker between pages that no other listing takes."""
    wanted = {made(kms) for _ in range(5)}
    pages = list(kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 2}))
    listed = [key["KeyArn"] for page in pages for key in page["Keys"]]
    assert wanted <= set(listed)
    assert len(listed) == len(set(listed))
    marker = kms.list_keys(Limit=1)["NextMarker"]
    refused("InvalidMarkerException", "marker", kms.list_aliases, Marker=marker)


def test_a_key_changes_its_state_and_description(kms: Any) -> None:
    """Disabled and enabled again, described anew."""
    arn = made(kms)
    kms.disable_key(KeyId=arn)
    kms.update_key_description(KeyId=arn, Description="later")
    metadata = kms.describe_key(KeyId=arn)["KeyMetadata"]
    assert (metadata["KeyState"], metadata["Enabled"], metadata["Description"]) == ("Disabled", False, "later")
    kms.enable_key(KeyId=arn)
    assert kms.describe_key(KeyId=arn)["KeyMetadata"]["Enabled"]


def test_a_deletion_is_announced_and_called_off(kms: Any) -> None:
    """Meanwhile the key does nothing; called off, it is disabled."""
    arn = made(kms)
    announced = kms.schedule_key_deletion(KeyId=arn, PendingWindowInDays=7)
    assert announced["KeyState"] == "PendingDeletion"
    assert abs(announced["DeletionDate"] - datetime.now(UTC) - timedelta(days=7)) < timedelta(minutes=1)
    refused("KMSInvalidStateException", "pending deletion", kms.encrypt, KeyId=arn, Plaintext=b"x")
    refused("KMSInvalidStateException", "pending deletion", kms.enable_key, KeyId=arn)
    assert kms.cancel_key_deletion(KeyId=arn)["KeyId"] == arn
    assert kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] == "Disabled"
    refused("KMSInvalidStateException", "disabled", kms.cancel_key_deletion, KeyId=arn)
    refused("ValidationException", "pendingWindowInDays", kms.schedule_key_deletion, KeyId=arn, PendingWindowInDays=3)


def test_names_that_lead_nowhere(kms: Any) -> None:
    """Each form of a name has its own text, and nothing else happens."""
    refused("NotFoundException", NOBODY, kms.describe_key, KeyId=NOBODY)
    refused("NotFoundException", "alias/none is not found", kms.describe_key, KeyId="alias/none")
    refused("NotFoundException", "Invalid keyId", kms.disable_key, KeyId="alias/none")
    elsewhere = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/{NOBODY}"
    refused("NotFoundException", "Invalid arn eu-west-1", kms.describe_key, KeyId=elsewhere)
    refused("ValidationException", "keyId", kms.describe_key, KeyId="x" * 2049)


def test_regions_and_accounts_have_keys_of_their_own(server: Running, kms: Any) -> None:
    """A key of one is none of the other's."""
    arn = made(kms)
    ident = arn.rpartition("/")[2]
    refused("NotFoundException", ident, server.client("kms", region_name="eu-west-1").describe_key, KeyId=ident)
    refused("NotFoundException", ident, others(server).describe_key, KeyId=ident)
    refused("AccessDeniedException", "kms:DescribeKey", others(server).describe_key, KeyId=arn)


def test_aliases_lead_to_keys(kms: Any) -> None:
    """Made, moved, listed by key, removed; an alias works wherever a key may be named by one."""
    one, two = made(kms), made(kms)
    kms.create_alias(AliasName="alias/app/main", TargetKeyId=one)
    assert kms.describe_key(KeyId="alias/app/main")["KeyMetadata"]["Arn"] == one
    assert kms.describe_key(KeyId=f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/app/main")["KeyMetadata"]["Arn"] == one
    kms.update_alias(AliasName="alias/app/main", TargetKeyId=two)
    assert kms.encrypt(KeyId="alias/app/main", Plaintext=b"x")["KeyId"] == two
    assert [alias["AliasName"] for alias in kms.list_aliases(KeyId=two)["Aliases"]] == ["alias/app/main"]
    assert kms.list_aliases(KeyId=one)["Aliases"] == []
    refused("AlreadyExistsException", "already exists", kms.create_alias, AliasName="alias/app/main", TargetKeyId=one)
    kms.delete_alias(AliasName="alias/app/main")
    refused("NotFoundException", "alias/app/main", kms.delete_alias, AliasName="alias/app/main")


def test_aliases_have_rules(kms: Any) -> None:
    """The prefix, the reserved names, the signs, and no alias of an alias."""
    arn = made(kms)
    refused("ValidationException", "Invalid identifier", kms.create_alias, AliasName="mine", TargetKeyId=arn)
    refused("NotAuthorizedException", "reserved", kms.create_alias, AliasName="alias/aws/mine", TargetKeyId=arn)
    refused("InvalidAliasNameException", "invalid", kms.create_alias, AliasName="alias/a:b", TargetKeyId=arn)
    refused("ValidationException", "Not aliases", kms.create_alias, AliasName="alias/x", TargetKeyId="alias/y")


def test_the_managed_key_is_there_when_it_is_asked_for(kms: Any) -> None:
    """aws/bedrock comes by itself, can be looked at, and changed by nobody."""
    metadata = kms.describe_key(KeyId="alias/aws/bedrock")["KeyMetadata"]
    assert metadata["KeyManager"] == "AWS"
    assert kms.describe_key(KeyId="alias/aws/bedrock")["KeyMetadata"] == metadata
    denied = "because no resource-based policy allows"
    refused("AccessDeniedException", denied, kms.schedule_key_deletion, KeyId=metadata["KeyId"])
    refused("AccessDeniedException", denied, kms.encrypt, KeyId="alias/aws/bedrock", Plaintext=b"x")
    assert "kms:ViaService" in kms.get_key_policy(KeyId=metadata["KeyId"])["Policy"]


def test_tags(kms: Any) -> None:
    """Added, replaced, listed by page, removed; AWS's own prefix and doubles are refused."""
    arn = made(kms, Tags=[{"TagKey": "a", "TagValue": "1"}])
    kms.tag_resource(KeyId=arn, Tags=[{"TagKey": "a", "TagValue": "2"}, {"TagKey": "b", "TagValue": ""}])
    pages = list(kms.get_paginator("list_resource_tags").paginate(KeyId=arn, PaginationConfig={"PageSize": 1}))
    assert [tag for page in pages for tag in page["Tags"]] == [
        {"TagKey": "a", "TagValue": "2"},
        {"TagKey": "b", "TagValue": ""},
    ]
    kms.untag_resource(KeyId=arn, TagKeys=["a", "nothing"])
    assert kms.list_resource_tags(KeyId=arn)["Tags"] == [{"TagKey": "b", "TagValue": ""}]
    refused("TagException", "aws:", kms.tag_resource, KeyId=arn, Tags=[{"TagKey": "aws:x", "TagValue": ""}])
    twice = [{"TagKey": "x", "TagValue": "1"}, {"TagKey": "x", "TagValue": "2"}]
    refused("TagException", "Duplicate", kms.tag_resource, KeyId=arn, Tags=twice)
    many = [{"TagKey": f"k{at}", "TagValue": ""} for at in range(51)]
    refused("LimitExceededException", "50", kms.tag_resource, KeyId=arn, Tags=many)


def test_rotation(kms: Any) -> None:
    """Switched on with a period, done on demand; old ciphertexts still decrypt and name their material."""
    arn = made(kms)
    assert not kms.get_key_rotation_status(KeyId=arn)["KeyRotationEnabled"]
    kms.enable_key_rotation(KeyId=arn, RotationPeriodInDays=90)
    status = kms.get_key_rotation_status(KeyId=arn)
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 90)
    before = kms.encrypt(KeyId=arn, Plaintext=b"old")["CiphertextBlob"]
    assert kms.rotate_key_on_demand(KeyId=arn)["KeyId"] == arn
    opened = kms.decrypt(CiphertextBlob=before)
    assert opened["Plaintext"] == b"old"
    rotations = kms.list_key_rotations(KeyId=arn)["Rotations"]
    assert [row["RotationType"] for row in rotations] == ["ON_DEMAND"]
    assert kms.describe_key(KeyId=arn)["KeyMetadata"]["CurrentKeyMaterialId"] == rotations[0]["KeyMaterialId"]
    assert opened["KeyMaterialId"] != rotations[0]["KeyMaterialId"]
    everything = kms.list_key_rotations(KeyId=arn, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    assert [row["KeyMaterialState"] for row in everything] == ["NON_CURRENT", "CURRENT"]
    kms.disable_key_rotation(KeyId=arn)
    kms.disable_key(KeyId=arn)
    refused("DisabledException", "is disabled", kms.enable_key_rotation, KeyId=arn)


@pytest.mark.parametrize(
    "given",
    [{"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"}, {"Origin": "EXTERNAL"}, {"MultiRegion": True}],
    ids=["asymmetric", "imported", "multi-region"],
)
def test_kinds_of_keys_that_are_not_built_say_so(kms: Any, given: dict[str, Any]) -> None:
    """No key is made that could not do what was asked for."""
    refused("UnsupportedOperationException", "not implemented by this server", kms.create_key, **given)


def test_operations_that_are_not_built_say_so(kms: Any) -> None:
    """A client error, so that no SDK tries again."""
    refused("UnsupportedOperationException", "GetPublicKey is not implemented", kms.get_public_key, KeyId=NOBODY)


def test_the_aws_cli(server: Running, tmp_path: Path) -> None:
    """A key's life from the shell."""
    arn = answer(aws(server, "kms", "create-key", "--description", "from the shell"))["KeyMetadata"]["Arn"]
    assert aws(server, "kms", "create-alias", "--alias-name", "alias/shell", "--target-key-id", arn).returncode == 0
    secret, sealed = tmp_path / "secret", tmp_path / "sealed"
    secret.write_bytes(b"from a file")
    words = ("--key-id", "alias/shell", "--plaintext", f"fileb://{secret}", "--query", "CiphertextBlob")
    blob = answer(aws(server, "kms", "encrypt", *words))
    sealed.write_bytes(base64.b64decode(blob))
    opened = answer(aws(server, "kms", "decrypt", "--ciphertext-blob", f"fileb://{sealed}"))
    assert (opened["KeyId"], opened["Plaintext"]) == (arn, "ZnJvbSBhIGZpbGU=")
    assert json.loads(answer(aws(server, "kms", "get-key-policy", "--key-id", arn))["Policy"])["Id"] == "key-default-1"
    failed = aws(server, "kms", "describe-key", "--key-id", "alias/none")
    assert "NotFoundException" in failed.stderr
