"""Uploads in parts, and copies, by boto3 against a running server."""

from __future__ import annotations

import base64
import hashlib
import io
import secrets
import zlib
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig

from tests.acceptance.s3obj import bucket_of, keys, read, refused
from tests.running import Running

PART = 5 * 1024 * 1024
BIG = secrets.token_bytes(PART)


@pytest.fixture(scope="module")
def here(server: Running) -> tuple[Any, str]:
    """A client and a bucket for the tests of this file."""
    return bucket_of(server)


def begun(s3: Any, bucket: str, key: str, *parts: bytes, **more: Any) -> tuple[str, list[dict[str, Any]]]:
    """An upload with these parts, and the list that completes it."""
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key, **more)["UploadId"]
    listed = []
    for number, part in enumerate(parts, 1):
        sent = s3.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=part)
        listed.append({"PartNumber": number, "ETag": sent["ETag"]})
    return upload, listed


def complete(s3: Any, bucket: str, key: str, upload: str, parts: list[dict[str, Any]], **more: Any) -> Any:
    return s3.complete_multipart_upload(
        Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}, **more
    )


def test_parts_become_one_object(here: tuple[Any, str]) -> None:
    """The object is the parts in order, with S3's ETag of parts; completing again answers the same."""
    s3, bucket = here
    upload, parts = begun(s3, bucket, "parts", BIG, b"end", Metadata={"a": "b"}, ContentType="x/y")
    assert keys(s3, bucket) == []
    done = complete(s3, bucket, "parts", upload, parts)
    digests = hashlib.md5(BIG).digest() + hashlib.md5(b"end").digest()
    assert done["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-2"'
    assert complete(s3, bucket, "parts", upload, parts)["ETag"] == done["ETag"]
    found = s3.get_object(Bucket=bucket, Key="parts", ChecksumMode="ENABLED")
    assert (found["Metadata"], found["ContentType"]) == ({"a": "b"}, "x/y")
    assert found["ChecksumType"] == "FULL_OBJECT"
    assert found["Body"].read() == BIG + b"end"
    over = read(s3, bucket, "parts", Range=f"bytes={PART - 2}-{PART}")
    assert over == (BIG + b"end")[PART - 2 : PART + 1]
    second = s3.get_object(Bucket=bucket, Key="parts", PartNumber=2)
    assert (second["Body"].read(), second["PartsCount"]) == (b"end", 2)
    with refused("416", 416):
        s3.head_object(Bucket=bucket, Key="parts", PartNumber=3)
    s3.delete_object(Bucket=bucket, Key="parts")


def test_what_does_not_make_an_object(here: tuple[Any, str]) -> None:
    """Missing, unordered, small and foreign parts are refused, each by S3's name, and the upload stays."""
    s3, bucket = here
    upload, parts = begun(s3, bucket, "bad", BIG, b"small", b"end")
    with refused("EntityTooSmall", 400):
        complete(s3, bucket, "bad", upload, parts)
    with refused("InvalidPartOrder", 400):
        complete(s3, bucket, "bad", upload, parts[::-1])
    with refused("InvalidPart", 400):
        complete(s3, bucket, "bad", upload, [*parts[:1], {"PartNumber": 9, "ETag": '"x"'}])
    with refused("InvalidPart", 400):
        complete(s3, bucket, "bad", upload, [{"PartNumber": 1, "ETag": parts[1]["ETag"]}])
    with refused("MalformedXML", 400):
        complete(s3, bucket, "bad", upload, [])
    with refused("InvalidRequest", 400):
        complete(s3, bucket, "bad", upload, parts[:1], MpuObjectSize=7)
    with refused("NoSuchUpload", 404):
        complete(s3, bucket, "other key", upload, parts[:1])
    for number in (0, 10_001):
        with refused("InvalidArgument", 400):
            s3.upload_part(Bucket=bucket, Key="bad", UploadId=upload, PartNumber=number, Body=b"")
    complete(s3, bucket, "bad", upload, [parts[0], parts[2]])
    assert read(s3, bucket, "bad") == BIG + b"end"
    with refused("NoSuchUpload", 404):
        s3.upload_part(Bucket=bucket, Key="bad", UploadId=upload, PartNumber=4, Body=b"")
    s3.delete_object(Bucket=bucket, Key="bad")


def test_uploads_and_parts_are_listed_and_given_up(here: tuple[Any, str]) -> None:
    """What is under way shows until it is aborted; then nothing is left of it."""
    s3, bucket = here
    upload, parts = begun(s3, bucket, "dir/listed", b"one", b"two", b"three")
    other, _ = begun(s3, bucket, "other")
    listed = s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert [(one["Key"], one["UploadId"]) for one in listed] == [("dir/listed", upload), ("other", other)]
    page = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/", MaxUploads=1)
    assert ([one["Prefix"] for one in page["CommonPrefixes"]], page["IsTruncated"]) == (["dir/"], True)
    first = s3.list_parts(Bucket=bucket, Key="dir/listed", UploadId=upload, MaxParts=2)
    assert [one["ETag"] for one in first["Parts"]] == [one["ETag"] for one in parts[:2]]
    assert first["IsTruncated"]
    rest = s3.list_parts(
        Bucket=bucket, Key="dir/listed", UploadId=upload, PartNumberMarker=first["NextPartNumberMarker"]
    )
    assert [one["Size"] for one in rest["Parts"]] == [5]
    for key, ident in (("dir/listed", upload), ("other", other)):
        s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=ident)
        with refused("NoSuchUpload", 404):
            s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=ident)
    with refused("NoSuchUpload", 404):
        s3.list_parts(Bucket=bucket, Key="dir/listed", UploadId=upload)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_checksums_of_parts(here: tuple[Any, str]) -> None:
    """A composite checksum is the checksum of checksums, a full one is that of all bytes; a wrong one is refused."""
    s3, bucket = here
    upload = s3.create_multipart_upload(Bucket=bucket, Key="sums", ChecksumAlgorithm="SHA256")["UploadId"]
    parts, digests = [], b""
    for number, content in enumerate((BIG, b"end"), 1):
        sent = s3.upload_part(
            Bucket=bucket, Key="sums", UploadId=upload, PartNumber=number, Body=content, ChecksumAlgorithm="SHA256"
        )
        digest = hashlib.sha256(content).digest()
        assert sent["ChecksumSHA256"] == base64.b64encode(digest).decode()
        digests += digest
        parts.append({"PartNumber": number, "ETag": sent["ETag"], "ChecksumSHA256": sent["ChecksumSHA256"]})
    with refused("InvalidRequest", 400):
        complete(s3, bucket, "sums", upload, [{key: part[key] for key in ("PartNumber", "ETag")} for part in parts])
    done = complete(s3, bucket, "sums", upload, parts)
    composed = base64.b64encode(hashlib.sha256(digests).digest()).decode()
    assert (done["ChecksumSHA256"], done["ChecksumType"]) == (f"{composed}-2", "COMPOSITE")
    found = s3.get_object_attributes(Bucket=bucket, Key="sums", ObjectAttributes=["ObjectParts", "Checksum"])
    assert found["ObjectParts"]["TotalPartsCount"] == 2
    assert [one["ChecksumSHA256"] for one in found["ObjectParts"]["Parts"]] == [one["ChecksumSHA256"] for one in parts]
    upload = s3.create_multipart_upload(
        Bucket=bucket, Key="full", ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT"
    )["UploadId"]
    parts = []
    for number, content in enumerate((BIG, b"end"), 1):
        sent = s3.upload_part(Bucket=bucket, Key="full", UploadId=upload, PartNumber=number, Body=content)
        parts.append({"PartNumber": number, "ETag": sent["ETag"]})
    full = base64.b64encode(zlib.crc32(BIG + b"end").to_bytes(4, "big")).decode()
    with refused("BadDigest", 400):
        complete(s3, bucket, "full", upload, parts, ChecksumCRC32="AAAAAA==", ChecksumType="FULL_OBJECT")
    done = complete(s3, bucket, "full", upload, parts, ChecksumCRC32=full, ChecksumType="FULL_OBJECT")
    assert done["ChecksumCRC32"] == full
    with refused("InvalidRequest", 400):
        s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="SHA1", ChecksumType="FULL_OBJECT")
    for key in ("sums", "full"):
        s3.delete_object(Bucket=bucket, Key=key)


def test_the_transfer_manager_moves_large_files(here: tuple[Any, str]) -> None:
    """boto3's parallel upload, download and copy agree with each other."""
    s3, bucket = here
    content = BIG * 2 + b"tail"
    config = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, max_concurrency=4)
    s3.upload_fileobj(io.BytesIO(content), bucket, "managed", Config=config)
    back = io.BytesIO()
    s3.download_fileobj(bucket, "managed", back, Config=config)
    assert back.getvalue() == content
    s3.copy({"Bucket": bucket, "Key": "managed"}, bucket, "copied", Config=config)
    assert read(s3, bucket, "copied") == content
    for key in ("managed", "copied"):
        s3.delete_object(Bucket=bucket, Key=key)


def test_a_copy_takes_what_the_request_does_not_replace(here: tuple[Any, str]) -> None:
    """Metadata and tags go along or are replaced, as the directives say."""
    s3, bucket = here
    s3.put_object(Bucket=bucket, Key="src ü+", Body=b"x", Metadata={"a": "1"}, Tagging="t=1", ContentType="a/b")
    source = {"Bucket": bucket, "Key": "src ü+"}
    s3.copy_object(Bucket=bucket, Key="same", CopySource=source)
    found = s3.get_object(Bucket=bucket, Key="same")
    assert (found["Body"].read(), found["Metadata"], found["ContentType"], found["TagCount"]) == (
        b"x", {"a": "1"}, "a/b", 1,
    )  # fmt: skip
    s3.copy_object(
        Bucket=bucket, Key="other", CopySource=source, MetadataDirective="REPLACE", Metadata={"b": "2"},
        TaggingDirective="REPLACE", Tagging="u=2",
    )  # fmt: skip
    found = s3.head_object(Bucket=bucket, Key="other")
    assert (found["Metadata"], found["ContentType"]) == ({"b": "2"}, "binary/octet-stream")
    assert s3.get_object_tagging(Bucket=bucket, Key="other")["TagSet"] == [{"Key": "u", "Value": "2"}]
    with refused("InvalidRequest", 400):
        s3.copy_object(Bucket=bucket, Key="same", CopySource={"Bucket": bucket, "Key": "same"})
    s3.copy_object(Bucket=bucket, Key="same", CopySource={"Bucket": bucket, "Key": "same"}, MetadataDirective="REPLACE")
    assert s3.head_object(Bucket=bucket, Key="same")["Metadata"] == {}
    assert read(s3, bucket, "same") == b"x"


def test_conditions_of_copies(here: tuple[Any, str]) -> None:
    """A copy heeds conditions on its source and on its target."""
    s3, bucket = here
    etag = s3.put_object(Bucket=bucket, Key="source", Body=b"x")["ETag"]
    source = {"Bucket": bucket, "Key": "source"}
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=source, CopySourceIfMatch=etag, IfNoneMatch="*")
    for more in ({"CopySourceIfNoneMatch": etag}, {"CopySourceIfMatch": '"no"'}, {"IfNoneMatch": "*"}):
        with refused("PreconditionFailed", 412):
            s3.copy_object(Bucket=bucket, Key="copy", CopySource=source, **more)
    with refused("NoSuchKey", 404):
        s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "nothing"})
    with refused("NoSuchBucket", 404):
        s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": "no-such-bucket-here", "Key": "k"})
    with refused("InvalidArgument", 400):
        s3.copy_object(Bucket=bucket, Key="copy", CopySource="nobucket")


def test_versions_are_copied_across_buckets(server: Running) -> None:
    """An old version can be copied to another bucket; a delete marker cannot."""
    s3, bucket = bucket_of(server, versioning="Enabled")
    _, target = bucket_of(server)
    old = s3.put_object(Bucket=bucket, Key="k", Body=b"old")["VersionId"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"new")
    made = s3.copy_object(Bucket=target, Key="k", CopySource={"Bucket": bucket, "Key": "k", "VersionId": old})
    assert (made["CopySourceVersionId"], read(s3, target, "k")) == (old, b"old")
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    with refused("InvalidRequest", 400):
        s3.copy_object(Bucket=target, Key="k", CopySource={"Bucket": bucket, "Key": "k", "VersionId": marker})
    with refused("NoSuchKey", 404):
        s3.copy_object(Bucket=target, Key="k", CopySource={"Bucket": bucket, "Key": "k"})


def test_parts_are_copied_by_range(here: tuple[Any, str]) -> None:
    """An object can be put together from ranges of others."""
    s3, bucket = here
    s3.put_object(Bucket=bucket, Key="whole", Body=BIG + b"0123456789")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="cut")["UploadId"]
    source = {"Bucket": bucket, "Key": "whole"}
    parts = []
    for number, asked in enumerate((f"bytes=0-{PART - 1}", f"bytes={PART + 2}-{PART + 4}"), 1):
        sent = s3.upload_part_copy(
            Bucket=bucket, Key="cut", UploadId=upload, PartNumber=number, CopySource=source, CopySourceRange=asked
        )
        parts.append({"PartNumber": number, "ETag": sent["CopyPartResult"]["ETag"]})
    for asked in (f"bytes=0-{PART + 10}", "bytes=5-", "0-1"):
        with refused("InvalidArgument", 400):
            s3.upload_part_copy(
                Bucket=bucket, Key="cut", UploadId=upload, PartNumber=3, CopySource=source, CopySourceRange=asked
            )
    complete(s3, bucket, "cut", upload, parts)
    assert read(s3, bucket, "cut") == BIG + b"234"
