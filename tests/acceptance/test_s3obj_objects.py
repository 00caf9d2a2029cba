"""Objects put, read and deleted by boto3 against a running server."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.acceptance.s3obj import bucket_of, keys, read, refused
from tests.running import Running


@pytest.fixture(scope="module")
def here(server: Running) -> Iterator[tuple[Any, str]]:
    """A client and a bucket for the tests of this file."""
    return bucket_of(server)


def test_an_object_comes_back_with_all_that_was_said_of_it(here: tuple[Any, str]) -> None:
    """Bytes, headers, metadata, tags, storage class, ETag, checksum and encryption are given back."""
    s3, bucket = here
    expires = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    made = s3.put_object(
        Bucket=bucket, Key="all", Body=b"content", ContentType="text/plain", CacheControl="no-cache",
        ContentDisposition="attachment", ContentLanguage="de", ContentEncoding="identity", Expires=expires,
        Metadata={"one": "1", "two": "zwei"}, Tagging="a=b&c=d%20e", StorageClass="STANDARD_IA",
        WebsiteRedirectLocation="/other",
    )  # fmt: skip
    etag = f'"{hashlib.md5(b"content").hexdigest()}"'
    assert made["ETag"] == etag
    found = s3.get_object(Bucket=bucket, Key="all")
    assert found["Body"].read() == b"content"
    expected = {
        "ContentType": "text/plain", "CacheControl": "no-cache", "ContentDisposition": "attachment",
        "ContentLanguage": "de", "ContentEncoding": "identity", "Metadata": {"one": "1", "two": "zwei"}, "TagCount": 2,
        "StorageClass": "STANDARD_IA", "WebsiteRedirectLocation": "/other", "ETag": etag, "ContentLength": 7,
        "ServerSideEncryption": "AES256", "AcceptRanges": "bytes",
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected
    head = s3.head_object(Bucket=bucket, Key="all", ChecksumMode="ENABLED")
    assert {name: head[name] for name in expected} == expected
    assert head["ExpiresString"] == "Wed, 02 Jan 2030 03:04:05 GMT"
    assert head["ChecksumCRC32"] == made["ChecksumCRC32"]
    assert "VersionId" not in head
    tags = s3.get_object_tagging(Bucket=bucket, Key="all")["TagSet"]
    assert tags == [{"Key": "a", "Value": "b"}, {"Key": "c", "Value": "d e"}]


def test_an_object_without_words_has_the_defaults(here: tuple[Any, str]) -> None:
    """The type of a bare object is S3's own, an empty one is whole, and CRC64NVME is computed where nobody sent one."""
    s3, bucket = here
    s3.put_object(Bucket=bucket, Key="empty", ChecksumAlgorithm="CRC64NVME")
    found = s3.get_object(Bucket=bucket, Key="empty", ChecksumMode="ENABLED")
    assert (found["Body"].read(), found["ContentType"], found["Metadata"]) == (b"", "binary/octet-stream", {})
    assert found["ChecksumCRC64NVME"] == "AAAAAAAAAAA="
    with refused("InvalidRange", 416):
        s3.get_object(Bucket=bucket, Key="empty", Range="bytes=0-")


KEYS = [
    "../../etc/passwd", "/", "//", "a//b", "./.", "a/../b", "%2F", "%", "+ +", "a?b#c&d=e", "é/ü", "\U0001f600",
    "tab\there", "\x7f", "quote\"'<>&", "back\\slash", "x" * 1024,
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=range(len(KEYS)))
def test_keys_are_only_bytes(here: tuple[Any, str], key: str) -> None:
    """A key that looks like a path, a URL or markup is kept, listed and deleted as it is."""
    s3, bucket = here
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert read(s3, bucket, key) == key.encode()
    assert key in keys(s3, bucket)
    s3.delete_object(Bucket=bucket, Key=key)
    assert key not in keys(s3, bucket)


def test_every_byte_makes_a_key(here: tuple[Any, str]) -> None:
    """Each code point below 256 and some above, alone in a key, is a key of its own; a thousand are deleted at once."""
    s3, bucket = here
    names = [f"byte/{chr(code)}" for code in [*range(256), 0x2028, 0xFFFD, 0xFFFF, 0x10FFFF]]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: s3.put_object(Bucket=bucket, Key=name, Body=name.encode()), names))
        found = list(pool.map(lambda name: read(s3, bucket, name), names))
    assert found == [name.encode() for name in names]
    assert sorted(keys(s3, bucket, Prefix="byte/")) == sorted(names)
    for name in names:
        s3.delete_object(Bucket=bucket, Key=name)
    assert keys(s3, bucket, Prefix="byte/") == []


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1), ("bytes=5-9", 5, 10), ("bytes=100000-", 100_000, None), ("bytes=-7", -7, None),
        ("bytes=65535-65536", 65_535, 65_537), ("bytes=0-999999", 0, None), ("bytes=-999999999", 0, None),
    ],
)  # fmt: skip
def test_ranges_are_slices(here: tuple[Any, str], asked: str, start: int, stop: int | None) -> None:
    """A range is answered with 206 and exactly its bytes."""
    s3, bucket = here
    content = bytes(range(256)) * 800
    s3.put_object(Bucket=bucket, Key="ranged", Body=content)
    found = s3.get_object(Bucket=bucket, Key="ranged", Range=asked)
    expected = content[start:stop]
    assert found["Body"].read() == expected
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 206
    first = start if start >= 0 else len(content) + start
    assert found["ContentRange"] == f"bytes {first}-{first + len(expected) - 1}/{len(content)}"


@pytest.mark.parametrize("asked", ["bytes=0-1,3-4", "lines=1-2", "bytes=5-2", "bytes=-", "rubbish"])
def test_what_is_no_range_gives_the_whole(here: tuple[Any, str], asked: str) -> None:
    """Several ranges, other units and nonsense are answered with 200 and everything, as S3 does."""
    s3, bucket = here
    s3.put_object(Bucket=bucket, Key="whole", Body=b"0123456789")
    found = s3.get_object(Bucket=bucket, Key="whole", Range=asked)
    assert (found["Body"].read(), found["ResponseMetadata"]["HTTPStatusCode"]) == (b"0123456789", 200)


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=-0", "bytes=99999999999999999999999-"])
def test_a_range_beyond_the_end_is_416(here: tuple[Any, str], asked: str) -> None:
    """The error names the size."""
    s3, bucket = here
    s3.put_object(Bucket=bucket, Key="whole", Body=b"0123456789")
    with refused("InvalidRange", 416) as caught:
        s3.get_object(Bucket=bucket, Key="whole", Range=asked)
    assert caught.value.response["Error"]["ActualObjectSize"] == "10"


def test_conditions_of_reads(here: tuple[Any, str]) -> None:
    """ETags and times decide between the object, 304 and 412."""
    s3, bucket = here
    etag = s3.put_object(Bucket=bucket, Key="cond", Body=b"x")["ETag"]
    now, hour = datetime.now(UTC), timedelta(hours=1)
    met: list[dict[str, Any]] = [
        {"IfMatch": etag}, {"IfMatch": "*"}, {"IfNoneMatch": '"other"'}, {"IfModifiedSince": now - hour},
        {"IfUnmodifiedSince": now + hour}, {"IfMatch": etag, "IfUnmodifiedSince": now - hour},
        {"IfNoneMatch": '"other"', "IfModifiedSince": now + hour},
    ]  # fmt: skip
    for asked in met:
        assert read(s3, bucket, "cond", **asked) == b"x"
    for name in ("get_object", "head_object"):
        call = getattr(s3, name)
        for asked in ({"IfNoneMatch": etag}, {"IfModifiedSince": now + hour}):
            with refused("304", 304) as caught:
                call(Bucket=bucket, Key="cond", **asked)
            assert caught.value.response["ResponseMetadata"]["HTTPHeaders"]["etag"] == etag
    with refused("PreconditionFailed", 412):
        s3.get_object(Bucket=bucket, Key="cond", IfMatch='"other"')
    with refused("412", 412):
        s3.head_object(Bucket=bucket, Key="cond", IfUnmodifiedSince=now - hour)


def test_one_of_many_that_create_wins(here: tuple[Any, str]) -> None:
    """Of writers that race with `If-None-Match: *` exactly one is told that it made the object, and its bytes are there."""
    s3, bucket = here

    def attempt(number: int) -> int | None:
        try:
            s3.put_object(Bucket=bucket, Key="race", Body=str(number).encode(), IfNoneMatch="*")
        except ClientError as error:
            if error.response["Error"]["Code"] == "PreconditionFailed":
                return None
            raise
        return number

    with ThreadPoolExecutor(8) as pool:
        won = [one for one in pool.map(attempt, range(16)) if one is not None]
    assert len(won) == 1
    assert read(s3, bucket, "race") == str(won[0]).encode()


def test_conditional_overwrites_and_deletes(here: tuple[Any, str]) -> None:
    """If-Match lets only who knows the content change or delete it; a failed one changes nothing."""
    s3, bucket = here
    first = s3.put_object(Bucket=bucket, Key="swap", Body=b"1")["ETag"]
    second = s3.put_object(Bucket=bucket, Key="swap", Body=b"2", IfMatch=first)["ETag"]
    with refused("PreconditionFailed", 412):
        s3.put_object(Bucket=bucket, Key="swap", Body=b"3", IfMatch=first)
    with refused("NoSuchKey", 404):
        s3.put_object(Bucket=bucket, Key="not there", Body=b"3", IfMatch=first)
    with refused("NotImplemented", 501):
        s3.put_object(Bucket=bucket, Key="swap", Body=b"3", IfNoneMatch=first)
    with refused("PreconditionFailed", 412):
        s3.delete_object(Bucket=bucket, Key="swap", IfMatch=first)
    assert read(s3, bucket, "swap") == b"2"
    s3.delete_object(Bucket=bucket, Key="swap", IfMatch=second)
    with refused("NoSuchKey", 404):
        s3.get_object(Bucket=bucket, Key="swap")


def test_what_is_not_there(here: tuple[Any, str], server: Running) -> None:
    """Missing keys, versions and buckets are told apart; deleting what is not there succeeds."""
    s3, bucket = here
    with refused("NoSuchKey", 404) as caught:
        s3.get_object(Bucket=bucket, Key="nothing")
    assert caught.value.response["Error"]["Key"] == "nothing"
    with refused("404", 404):
        s3.head_object(Bucket=bucket, Key="nothing")
    with refused("InvalidArgument", 400):
        s3.get_object(Bucket=bucket, Key="nothing", VersionId="rubbish")
    with refused("NoSuchVersion", 404):
        s3.get_object(Bucket=bucket, Key="nothing", VersionId="null")
    for call in (s3.get_object, s3.put_object, s3.delete_object):
        with refused("NoSuchBucket", 404):
            call(Bucket="no-such-bucket-here", Key="k")
    s3.delete_object(Bucket=bucket, Key="nothing")


def test_a_thousand_are_deleted_in_one_request(here: tuple[Any, str]) -> None:
    """Each key is answered for, those that are not there too; a quiet request hears of errors alone."""
    s3, bucket = here
    names = [f"multi/{number}" for number in range(5)]
    for name in names[:3]:
        s3.put_object(Bucket=bucket, Key=name, Body=b"x")
    wanted = [{"Key": name} for name in names]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": wanted})
    assert [one["Key"] for one in answer["Deleted"]] == names
    assert "Errors" not in answer
    bad = [{"Key": "multi/0", "VersionId": "rubbish"}, {"Key": "multi/1"}]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": bad, "Quiet": True})
    assert "Deleted" not in answer
    assert [(one["Key"], one["Code"]) for one in answer["Errors"]] == [("multi/0", "InvalidArgument")]
    with refused("MalformedXML", 400):
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": str(number)} for number in range(1001)]})
    assert keys(s3, bucket, Prefix="multi/") == []


def test_limits_of_metadata_and_tags(here: tuple[Any, str]) -> None:
    """Two kilobytes of metadata, ten tags, one of each name."""
    s3, bucket = here
    s3.put_object(Bucket=bucket, Key="limits", Metadata={"k": "v" * 2047})
    with refused("MetadataTooLarge", 400):
        s3.put_object(Bucket=bucket, Key="limits", Metadata={"k": "v" * 2048})
    s3.put_object(Bucket=bucket, Key="limits", Tagging="&".join(f"k{n}=v" for n in range(10)))
    with refused("BadRequest", 400):
        s3.put_object(Bucket=bucket, Key="limits", Tagging="&".join(f"k{n}=v" for n in range(11)))
    with refused("InvalidTag", 400):
        s3.put_object(Bucket=bucket, Key="limits", Tagging="a=1&a=2")
    with refused("InvalidStorageClass", 400):
        s3.put_object(Bucket=bucket, Key="limits", StorageClass="COLD")
    with refused("NotImplemented", 501):
        s3.put_object(Bucket=bucket, Key="limits", ObjectLockLegalHoldStatus="ON")
    with refused("AccessControlListNotSupported", 400):
        s3.put_object(Bucket=bucket, Key="limits", ACL="public-read")


def test_tags_change_by_themselves(here: tuple[Any, str]) -> None:
    """Tags are replaced and removed without touching the object."""
    s3, bucket = here
    s3.put_object(Bucket=bucket, Key="tagged", Body=b"x", Tagging="a=1")
    before = s3.head_object(Bucket=bucket, Key="tagged")["LastModified"]
    tags = [{"Key": "b", "Value": "2"}, {"Key": "ü", "Value": ""}]
    s3.put_object_tagging(Bucket=bucket, Key="tagged", Tagging={"TagSet": tags})
    assert s3.get_object_tagging(Bucket=bucket, Key="tagged")["TagSet"] == tags
    s3.delete_object_tagging(Bucket=bucket, Key="tagged")
    assert s3.get_object_tagging(Bucket=bucket, Key="tagged")["TagSet"] == []
    assert s3.head_object(Bucket=bucket, Key="tagged")["LastModified"] == before
    with refused("NoSuchKey", 404):
        s3.put_object_tagging(Bucket=bucket, Key="not there", Tagging={"TagSet": []})


def test_an_answer_can_be_dressed_by_the_request(here: tuple[Any, str]) -> None:
    """`response-…` parameters replace headers of the answer."""
    s3, bucket = here
    s3.put_object(Bucket=bucket, Key="dressed", Body=b"x")
    found = s3.get_object(
        Bucket=bucket, Key="dressed", ResponseContentType="a/b", ResponseContentDisposition="inline; filename=x"
    )
    assert (found["ContentType"], found["ContentDisposition"]) == ("a/b", "inline; filename=x")


def test_attributes_are_what_was_asked_for(here: tuple[Any, str]) -> None:
    """GetObjectAttributes tells those members that are named."""
    s3, bucket = here
    made = s3.put_object(Bucket=bucket, Key="attr", Body=b"12345", ChecksumAlgorithm="SHA256")
    found = s3.get_object_attributes(
        Bucket=bucket, Key="attr", ObjectAttributes=["ETag", "Checksum", "ObjectSize", "StorageClass", "ObjectParts"]
    )
    assert found["ETag"] == made["ETag"].strip('"')
    assert found["Checksum"] == {"ChecksumSHA256": made["ChecksumSHA256"], "ChecksumType": "FULL_OBJECT"}
    assert (found["ObjectSize"], found["StorageClass"]) == (5, "STANDARD")
    assert "ObjectParts" not in found


def test_a_larger_object_streams_both_ways(here: tuple[Any, str]) -> None:
    """Megabytes come back as they went."""
    s3, bucket = here
    content = secrets.token_bytes(9_000_001)
    s3.put_object(Bucket=bucket, Key="large", Body=content)
    assert read(s3, bucket, "large") == content
    assert read(s3, bucket, "large", Range="bytes=8000000-8000010") == content[8_000_000:8_000_011]
