"""Encryption of objects: the account's key, a KMS key, the requester's own; and who may not."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.kms import made, of_user, others, serving_keys
from tests.acceptance.s3obj import bucket_of, read, refused
from tests.running import Running

SECRET = b"the words that no file may hold in the clear" * 20
KEY, OTHER_OWN = secrets.token_bytes(32), secrets.token_bytes(32)
OWN = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": KEY}
OF_SOURCE = {f"CopySource{name}": value for name, value in OWN.items()}


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with two workers and two accounts."""
    with serving_keys(tmp_path_factory.mktemp("home")) as running:
        yield running


def files_with(home: Path, words: bytes) -> list[Path]:
    return [path for path in home.rglob("*") if path.is_file() and words in path.read_bytes()]


def test_nothing_lies_in_the_clear(keyed: Running) -> None:
    """No file of the server holds an object's bytes, sealed by whichever key."""
    s3, bucket = bucket_of(keyed)
    s3.put_object(Bucket=bucket, Key="plain", Body=SECRET)
    s3.put_object(Bucket=bucket, Key="own", Body=SECRET, **OWN)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    s3.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=SECRET)
    assert read(s3, bucket, "plain") == SECRET
    assert files_with(keyed.home, SECRET[:32]) == []


def test_a_kms_key_rules_its_objects(keyed: Running) -> None:
    """An object under a customer's key tells so, follows the key's state, and comes back with it."""
    s3, bucket = bucket_of(keyed)
    kms = keyed.client("kms")
    arn = made(kms)
    put = s3.put_object(
        Bucket=bucket, Key="k", Body=SECRET, ServerSideEncryption="aws:kms", SSEKMSKeyId=arn, BucketKeyEnabled=True
    )
    assert (put["ServerSideEncryption"], put["SSEKMSKeyId"], put["BucketKeyEnabled"]) == ("aws:kms", arn, True)
    head = s3.head_object(Bucket=bucket, Key="k")
    assert (head["SSEKMSKeyId"], read(s3, bucket, "k")) == (arn, SECRET)
    upload = s3.create_multipart_upload(
        Bucket=bucket, Key="parts", ServerSideEncryption="aws:kms", SSEKMSKeyId=arn
    )["UploadId"]  # fmt: skip
    part = s3.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=SECRET)
    assert part["SSEKMSKeyId"] == arn
    kms.disable_key(KeyId=arn)
    with refused("KMS.DisabledException", 400):
        s3.get_object(Bucket=bucket, Key="k")
    with refused("KMS.DisabledException", 400):
        s3.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=2, Body=SECRET)
    with refused("KMS.DisabledException", 400):
        s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "k"})
    kms.enable_key(KeyId=arn)
    assert read(s3, bucket, "k") == SECRET
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "k"})
    assert s3.head_object(Bucket=bucket, Key="copy")["ServerSideEncryption"] == "AES256"
    assert read(s3, bucket, "copy") == SECRET


def test_the_default_of_a_bucket_seals_what_says_nothing(keyed: Running) -> None:
    """A bucket with a KMS default uses it; a request may still ask for S3's own."""
    s3, bucket = bucket_of(keyed)
    arn = made(keyed.client("kms"))
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": arn}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    assert s3.put_object(Bucket=bucket, Key="k", Body=SECRET)["SSEKMSKeyId"] == arn
    assert "SSEKMSKeyId" not in s3.put_object(Bucket=bucket, Key="l", ServerSideEncryption="AES256")


def test_an_unnamed_kms_key_is_the_accounts_own(keyed: Running) -> None:
    """`aws:kms` without a key id uses the managed key, and says which."""
    s3, bucket = bucket_of(keyed)
    put = s3.put_object(Bucket=bucket, Key="k", Body=SECRET, ServerSideEncryption="aws:kms")
    assert ":key/" in put["SSEKMSKeyId"]
    assert read(s3, bucket, "k") == SECRET
    again = s3.put_object(
        Bucket=bucket, Key="k", Body=SECRET, ServerSideEncryption="aws:kms", SSEKMSKeyId="alias/aws/s3"
    )
    assert again["SSEKMSKeyId"] == put["SSEKMSKeyId"]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "no-such-key"}, "KMS.NotFoundException"),
        ({"ServerSideEncryption": "AES256", "SSEKMSKeyId": "x"}, "InvalidArgument"),
        ({"SSEKMSKeyId": "x"}, "InvalidArgument"),
        ({**OWN, "ServerSideEncryption": "AES256"}, "InvalidArgument"),
        ({**OWN, "SSECustomerKey": b"short"}, "InvalidArgument"),
        ({**OWN, "SSECustomerKey": base64.b64encode(KEY).decode(), "SSECustomerKeyMD5": "A" * 22 + "=="}, "InvalidArgument"),
        ({**OWN, "SSECustomerAlgorithm": "DES"}, "InvalidEncryptionAlgorithmError"),
    ],
)  # fmt: skip
def test_encryption_that_cannot_be(keyed: Running, asked: dict[str, Any], code: str) -> None:
    """Contradictions and unknown keys are refused, and nothing is written."""
    s3, bucket = bucket_of(keyed)
    with refused(code, 400):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", **asked)
    with refused("NoSuchKey", 404):
        s3.get_object(Bucket=bucket, Key="k")


def test_who_may_use_the_bucket_but_not_the_key(keyed: Running) -> None:
    """The right to the object is not the right to its key: both are needed to write and to read."""
    s3, bucket = bucket_of(keyed)
    arn = made(keyed.client("kms"))
    sealed = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": arn}
    s3.put_object(Bucket=bucket, Key="k", Body=SECRET, **sealed)
    every = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    keyless, _ = of_user(keyed, "keyless", every, service="s3")
    through = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
    reading = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": arn, "Condition": through}
    reader, _ = of_user(keyed, "reader", every, reading, service="s3")
    with refused("AccessDenied", 403):
        keyless.get_object(Bucket=bucket, Key="k")
    with refused("AccessDenied", 403):
        reader.put_object(Bucket=bucket, Key="k", Body=b"x", **sealed)
    assert read(reader, bucket, "k") == SECRET


def test_a_key_of_the_requesters_own(keyed: Running) -> None:
    """What is sealed under a brought key opens under that key alone, whole, by range and as the source of a copy."""
    s3, bucket = bucket_of(keyed)
    content = SECRET * 200
    put = s3.put_object(Bucket=bucket, Key="k", Body=content, **OWN)
    assert "ServerSideEncryption" not in put
    assert read(s3, bucket, "k", **OWN) == content
    assert read(s3, bucket, "k", Range="bytes=70000-70009", **OWN) == content[70_000:70_010]
    for call in (s3.get_object, s3.head_object):
        with refused("InvalidRequest" if call == s3.get_object else "400", 400):
            call(Bucket=bucket, Key="k")
        with refused("AccessDenied" if call == s3.get_object else "403", 403):
            call(Bucket=bucket, Key="k", **{**OWN, "SSECustomerKey": OTHER_OWN})
    s3.put_object(Bucket=bucket, Key="plain", Body=b"x")
    with refused("InvalidRequest", 400):
        s3.get_object(Bucket=bucket, Key="plain", **OWN)
    source = {"Bucket": bucket, "Key": "k"}
    with refused("InvalidRequest", 400):
        s3.copy_object(Bucket=bucket, Key="copy", CopySource=source)
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=source, **OF_SOURCE)
    assert read(s3, bucket, "copy") == content
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts", **OWN)["UploadId"]
    with refused("InvalidRequest", 400):
        s3.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=content)
    part = s3.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=content, **OWN)
    parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
    s3.complete_multipart_upload(Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload={"Parts": parts})
    assert read(s3, bucket, "parts", **OWN) == content


def test_another_account_needs_the_buckets_leave(keyed: Running) -> None:
    """A stranger is refused every operation on objects, and a multi-delete key by key."""
    s3, bucket = bucket_of(keyed)
    s3.put_object(Bucket=bucket, Key="k", Body=SECRET)
    theirs = others(keyed, "s3")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    source = {"Bucket": bucket, "Key": "k"}
    given = {"Bucket": bucket, "Key": "k"}
    part = {**given, "UploadId": upload, "PartNumber": 1}
    done = {"UploadId": upload, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": '"x"'}]}}
    calls: list[tuple[Any, dict[str, Any]]] = [
        (theirs.get_object, given), (theirs.put_object, given), (theirs.delete_object, given),
        (theirs.get_object_tagging, given), (theirs.put_object_tagging, {**given, "Tagging": {"TagSet": []}}),
        (theirs.delete_object_tagging, given), (theirs.get_object_acl, given),
        (theirs.get_object_attributes, {**given, "ObjectAttributes": ["ETag"]}),
        (theirs.list_objects_v2, {"Bucket": bucket}), (theirs.list_objects, {"Bucket": bucket}),
        (theirs.list_object_versions, {"Bucket": bucket}), (theirs.list_multipart_uploads, {"Bucket": bucket}),
        (theirs.create_multipart_upload, given), (theirs.upload_part, part),
        (theirs.upload_part_copy, {**part, "CopySource": source}),
        (theirs.complete_multipart_upload, {**given, **done}),
        (theirs.abort_multipart_upload, {**given, "UploadId": upload}),
        (theirs.list_parts, {**given, "UploadId": upload}), (theirs.copy_object, {**given, "CopySource": source}),
    ]  # fmt: skip
    for call, arguments in calls:
        with refused("AccessDenied", 403):
            call(**arguments)
    with refused("AccessDenied", 403):
        theirs.get_object(Bucket=bucket, Key="not there")
    answer = theirs.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k"}, {"Key": "nothing"}]})
    assert [one["Code"] for one in answer["Errors"]] == ["AccessDenied", "AccessDenied"]
    assert read(s3, bucket, "k") == SECRET
