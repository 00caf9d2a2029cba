"""Versions, delete markers and listings by boto3 against a running server."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.s3obj import bucket_of, keys, read, refused
from tests.running import Running


def test_versions_are_kept_and_come_back(server: Running) -> None:
    """Each write is a version of its own; a delete hides the key; removing the marker shows it again."""
    s3, bucket = bucket_of(server, versioning="Enabled")
    ids = [s3.put_object(Bucket=bucket, Key="k", Body=str(n).encode())["VersionId"] for n in range(3)]
    assert len(set(ids)) == 3
    assert [read(s3, bucket, "k", VersionId=ident) for ident in ids] == [b"0", b"1", b"2"]
    assert s3.get_object(Bucket=bucket, Key="k")["VersionId"] == ids[2]
    gone = s3.delete_object(Bucket=bucket, Key="k")
    assert gone["DeleteMarker"] is True
    with refused("NoSuchKey", 404) as caught:
        s3.get_object(Bucket=bucket, Key="k")
    headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert (headers["x-amz-delete-marker"], headers["x-amz-version-id"]) == ("true", gone["VersionId"])
    with refused("405", 405):
        s3.head_object(Bucket=bucket, Key="k", VersionId=gone["VersionId"])
    listed = s3.list_object_versions(Bucket=bucket)
    assert [(one["VersionId"], one["IsLatest"]) for one in listed["DeleteMarkers"]] == [(gone["VersionId"], True)]
    assert [one["VersionId"] for one in listed["Versions"]] == ids[::-1]
    assert keys(s3, bucket) == []
    back = s3.delete_object(Bucket=bucket, Key="k", VersionId=gone["VersionId"])
    assert (back["DeleteMarker"], back["VersionId"]) == (True, gone["VersionId"])
    assert read(s3, bucket, "k") == b"2"
    s3.delete_object(Bucket=bucket, Key="k", VersionId=ids[2])
    assert read(s3, bucket, "k") == b"1"
    with refused("NoSuchVersion", 404):
        s3.get_object(Bucket=bucket, Key="k", VersionId=ids[2])
    with refused("BucketNotEmpty", 409):
        s3.delete_bucket(Bucket=bucket)


def test_a_suspended_bucket_writes_the_null_version(server: Running) -> None:
    """What was there before versioning, and what is written after, share the id null; named versions stay."""
    s3, bucket = bucket_of(server)
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    named = s3.put_object(Bucket=bucket, Key="k", Body=b"named")["VersionId"]
    assert read(s3, bucket, "k", VersionId="null") == b"before"
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    assert s3.put_object(Bucket=bucket, Key="k", Body=b"after")["VersionId"] == "null"
    assert (read(s3, bucket, "k"), read(s3, bucket, "k", VersionId=named)) == (b"after", b"named")
    gone = s3.delete_object(Bucket=bucket, Key="k")
    assert (gone["DeleteMarker"], gone["VersionId"]) == (True, "null")
    listed = s3.list_object_versions(Bucket=bucket)
    assert [one["VersionId"] for one in listed["Versions"]] == [named]


def test_tags_belong_to_versions(server: Running) -> None:
    """Each version has tags of its own."""
    s3, bucket = bucket_of(server, versioning="Enabled")
    old = s3.put_object(Bucket=bucket, Key="k", Tagging="v=1")["VersionId"]
    s3.put_object(Bucket=bucket, Key="k", Tagging="v=2")
    s3.put_object_tagging(Bucket=bucket, Key="k", VersionId=old, Tagging={"TagSet": [{"Key": "v", "Value": "old"}]})
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "v", "Value": "2"}]
    assert s3.get_object_tagging(Bucket=bucket, Key="k", VersionId=old)["TagSet"] == [{"Key": "v", "Value": "old"}]


@pytest.fixture(scope="module")
def filled(server: Running) -> tuple[Any, str, list[str]]:
    """A bucket with keys in folders, and the keys."""
    s3, bucket = bucket_of(server)
    names = sorted(["a", "b/1", "b/2", "b/c/3", "d/4", "e", "f g/ü", "f+g"], key=str.encode)
    for name in names:
        s3.put_object(Bucket=bucket, Key=name, Body=name.encode())
    return s3, bucket, names


@pytest.mark.parametrize("operation", ["list_objects_v2", "list_objects", "list_object_versions"])
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize(
    ("prefix", "delimiter", "expected", "folders"),
    [
        ("", "", None, []), ("b/", "", ["b/1", "b/2", "b/c/3"], []), ("", "/", ["a", "e", "f+g"], ["b/", "d/", "f g/"]),
        ("b/", "/", ["b/1", "b/2"], ["b/c/"]), ("b", "/", [], ["b/"]), ("nothing", "/", [], []),
        ("f", " g", ["f+g"], ["f g"]),
    ],
)  # fmt: skip
def test_listings_page_through_keys_and_folders(
    filled: tuple[Any, str, list[str]], operation: str, size: int, prefix: str, delimiter: str,
    expected: list[str] | None, folders: list[str],
) -> None:  # fmt: skip
    """In pages of any size, each form of listing gives every key and every common prefix once, in order."""
    s3, bucket, names = filled
    found, rolled = [], []
    paginator = s3.get_paginator(operation)
    settings = {"PageSize": size}
    for page in paginator.paginate(Bucket=bucket, Prefix=prefix, Delimiter=delimiter, PaginationConfig=settings):
        rows = page.get("Contents", page.get("Versions", []))
        found += [one["Key"] for one in rows]
        rolled += [one["Prefix"] for one in page.get("CommonPrefixes", [])]
        assert len(rows) + len(page.get("CommonPrefixes", [])) <= size
    assert (found, rolled) == (names if expected is None else expected, folders)


def test_pages_by_hand(filled: tuple[Any, str, list[str]]) -> None:
    """Start-after, tokens, owners, counts and empty pages; a token of nobody's is refused."""
    s3, bucket, names = filled
    page = s3.list_objects_v2(Bucket=bucket, MaxKeys=2, StartAfter="a", FetchOwner=True)
    assert [one["Key"] for one in page["Contents"]] == names[1:3]
    assert (page["KeyCount"], page["IsTruncated"], page["StartAfter"]) == (2, True, "a")
    assert page["Contents"][0]["Owner"]["ID"]
    more = s3.list_objects_v2(Bucket=bucket, ContinuationToken=page["NextContinuationToken"])
    assert [one["Key"] for one in more["Contents"]] == names[3:]
    none = s3.list_objects_v2(Bucket=bucket, MaxKeys=0)
    assert (none["KeyCount"], none["IsTruncated"]) == (0, False)
    plain = s3.list_objects_v2(Bucket=bucket, StartAfter="b/1", Delimiter="/")
    assert [one["Prefix"] for one in plain["CommonPrefixes"]] == ["b/", "d/", "f g/"]
    with refused("InvalidArgument", 400):
        s3.list_objects_v2(Bucket=bucket, ContinuationToken="rubbish")
    with refused("InvalidArgument", 400):
        s3.list_objects_v2(Bucket=bucket, MaxKeys=-1)
    with refused("InvalidArgument", 400):
        s3.list_object_versions(Bucket=bucket, VersionIdMarker="null")


def test_versions_of_one_key_are_paged(server: Running) -> None:
    """A page may end amid the versions of a key, the null version among them."""
    s3, bucket = bucket_of(server)
    s3.put_object(Bucket=bucket, Key="k", Body=b"null")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    ids = ["null"] + [s3.put_object(Bucket=bucket, Key="k")["VersionId"] for _ in range(4)]
    s3.put_object(Bucket=bucket, Key="l")
    for size in (1, 2, 3, 4, 5):
        pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, PaginationConfig={"PageSize": size})
        found = [one for page in pages for one in page.get("Versions", [])]
        assert [one["VersionId"] for one in found if one["Key"] == "k"] == ids[::-1]
        assert len(found) == 6


def test_a_clock_that_goes_back_changes_no_order(server: Running) -> None:
    """What was written last is the current version, even if all versions bear the same second."""
    s3, bucket = bucket_of(server, versioning="Enabled")
    ids = [s3.put_object(Bucket=bucket, Key="k", Body=bytes([n]))["VersionId"] for n in range(20)]
    listed = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert [one["VersionId"] for one in listed] == ids[::-1]
    assert [one["IsLatest"] for one in listed] == [True] + [False] * 19
