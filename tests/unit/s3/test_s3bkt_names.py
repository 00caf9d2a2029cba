"""Names of buckets, and the actions of operations."""

from __future__ import annotations

import pytest

from craton.aws.access import s3_actions
from craton.aws.wire.faults import Fault
from craton.aws.wire.model import load
from craton.services.s3.naming import check_bucket_name, owner_of


@pytest.mark.parametrize("name", ["abc", "a-b.c1", "1234", "x" * 63, "my.bucket.name", "a--b"])
def test_good_names(name: str) -> None:
    """Small letters, digits, dots and hyphens make a name."""
    check_bucket_name(name)


@pytest.mark.parametrize(
    "name",
    ["", "ab", "x" * 64, "Abc", "a_b", "-abc", "abc-", ".abc", "abc.", "a..b", "192.168.0.1", "xn--abc", "sthree-a",
     "abc-s3alias", "abc--ol-s3", "abc\n", "a/b", "ünicode", "..", "a b"],
)  # fmt: skip
def test_bad_names(name: str) -> None:
    """Whatever else there is, InvalidBucketName."""
    with pytest.raises(Fault) as raised:
        check_bucket_name(name)
    assert (raised.value.name, raised.value.http_status()) == ("InvalidBucketName", 400)


def test_owners() -> None:
    """An account's canonical id is 64 hex digits, always the same and another for each account."""
    mine = owner_of("111122223333")["ID"]
    assert len(mine) == 64
    assert int(mine, 16)
    assert mine == owner_of("111122223333")["ID"] != owner_of("444455556666")["ID"]


def test_actions_name_operations() -> None:
    """The table knows no operation that S3's model does not have."""
    operations = set(load("s3").operations)
    assert set(s3_actions.INSTEAD) <= operations
    assert s3_actions.action_of("HeadObject") == "s3:GetObject"
    assert s3_actions.action_of("HeadObject", version=True) == "s3:GetObjectVersion"
    assert s3_actions.action_of("PutBucketPolicy") == "s3:PutBucketPolicy"


@pytest.mark.parametrize(
    ("operation", "labels", "arn"),
    [
        ("ListBuckets", {}, "*"),
        ("GetBucketAcl", {"Bucket": "b"}, "arn:aws:s3:::b"),
        ("GetObject", {"Bucket": "b", "Key": "a/ü"}, "arn:aws:s3:::b/a/ü"),
        ("DeleteObjects", {"Bucket": "b"}, "arn:aws:s3:::b/*"),
    ],
)
def test_resources(operation: str, labels: dict[str, str], arn: str) -> None:
    """An operation is done on all buckets, on one, or on an object."""
    assert s3_actions.resource_of(operation, labels) == arn
