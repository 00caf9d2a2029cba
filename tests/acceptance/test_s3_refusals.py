"""What S3 refuses, and how it says so: what programs that were written for AWS look at in its errors."""

from __future__ import annotations

import base64
import hashlib
import http.client
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.acceptance.s3obj import bucket_of, refused
from tests.running import ACCESS_KEY, SECRET_KEY, Running

MEGABYTE = 1024 * 1024
DELETE = b"<Delete><Object><Key>gone</Key></Object></Delete>"


@pytest.fixture(scope="module")
def here(server: Running) -> tuple[Any, str]:
    return bucket_of(server)


def plain(server: Running, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, ET.Element]:
    """A signed request without any SDK's own checks and digests; the status and the document of the answer."""
    request = AWSRequest(method, server.url + path, data=body, headers=headers)
    S3SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "s3", "us-east-1").add_auth(request)
    sent = {name: value for name, value in request.headers.items() if name.lower() != "content-md5"} | headers
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        return answer.status, ET.fromstring(answer.read())
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("method", "path", "fields"),
    [
        ("GET", "/{}/nowhere", ["Key"]),
        ("GET", "/no-such-bucket-of-anybody", ["BucketName"]),
        ("GET", "/{}?policy", ["BucketName"]),
        ("GET", "/{}/x?uploadId=none", ["UploadId"]),
        ("PUT", "/", ["Method", "ResourceType"]),
        ("POST", "/{}?delete", []),
    ],
)
def test_an_error_has_the_elements_that_s3s_has(
    server: Running, here: tuple[Any, str], method: str, path: str, fields: list[str]
) -> None:
    """Beside code, message and ids, just those that the error is about."""
    _, root = plain(server, method, path.format(here[1]))
    assert [one.tag for one in root] == ["Code", "Message", *fields, "RequestId", "HostId"]


@pytest.mark.parametrize(
    ("query", "argument", "words"),
    [
        ("list-type=2&max-keys=many", "max-keys", "Provided max-keys not an integer or within integer range"),
        ("max-keys=2147483648", "max-keys", "Provided max-keys not an integer or within integer range"),
        ("max-keys=-1", "maxKeys", "Argument maxKeys must be an integer between 0 and 2147483647"),
        ("uploads&max-uploads=-1", "max-uploads", "Argument max-uploads must be an integer between 0 and 2147483647"),
    ],
)
def test_a_page_of_no_size(server: Running, here: tuple[Any, str], query: str, argument: str, words: str) -> None:
    """The parameter is named, and what it may be."""
    status, root = plain(server, "GET", f"/{here[1]}?{query}")
    assert (status, root.findtext("Code"), root.findtext("Message")) == (400, "InvalidArgument", words)
    assert root.findtext("ArgumentName") == argument


def test_parts_are_counted_from_nought(here: tuple[Any, str]) -> None:
    """Neither the size nor the start of a page of parts can be less."""
    s3, bucket = here
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    for bad in ({"MaxParts": -1}, {"PartNumberMarker": -1}, {"MaxParts": 2**31}):
        with refused("InvalidArgument", 400):
            s3.list_parts(Bucket=bucket, Key="parts", UploadId=upload, **bad)
    assert s3.list_parts(Bucket=bucket, Key="parts", UploadId=upload, MaxParts=0)["MaxParts"] == 0


def test_many_are_deleted_only_with_a_digest(server: Running, here: tuple[Any, str]) -> None:
    """A list of keys that was changed on its way must not be obeyed."""
    path = f"/{here[1]}?delete"
    status, root = plain(server, "POST", path, DELETE)
    assert (status, root.findtext("Code")) == (400, "InvalidRequest")
    digest = base64.b64encode(hashlib.md5(DELETE).digest()).decode()
    status, root = plain(server, "POST", path, DELETE, **{"Content-MD5": digest})
    assert (status, [one.tag.rpartition("}")[2] for one in root]) == (200, ["Deleted"])


def test_a_version_that_is_not_there_and_what_is_no_version(here: tuple[Any, str]) -> None:
    """A version id of the right form is looked for; another is refused."""
    s3, bucket = here
    s3.put_object(Bucket=bucket, Key="v", Body=b"x")
    with refused("NoSuchVersion", 404):
        s3.get_object(Bucket=bucket, Key="v", VersionId="A" * 32)
    for call in (s3.get_object, s3.delete_object):
        with refused("InvalidArgument", 400):
            call(Bucket=bucket, Key="v", VersionId="unknown")


def test_a_copy_in_place_changes_something(server: Running) -> None:
    """Onto itself an object is copied only if that does anything, be it by the bucket's own encryption."""
    s3, bucket = bucket_of(server)
    itself = {"Bucket": bucket, "Key": "k", "CopySource": {"Bucket": bucket, "Key": "k"}}
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    with refused("InvalidRequest", 400):
        s3.copy_object(**itself)
    s3.copy_object(**itself, StorageClass="STANDARD_IA")
    s3.put_bucket_encryption(
        Bucket=bucket,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
    )
    assert s3.copy_object(**itself)["ServerSideEncryption"] == "AES256"


def test_attributes_tell_a_checksum_without_the_number_of_parts(here: tuple[Any, str]) -> None:
    """The headers of the object have it, its attributes have the bare value."""
    s3, bucket = here
    named = {"Bucket": bucket, "Key": "composite"}
    upload = s3.create_multipart_upload(**named, ChecksumAlgorithm="SHA256")["UploadId"]
    sent = s3.upload_part(**named, UploadId=upload, PartNumber=1, Body=b"part", ChecksumAlgorithm="SHA256")
    part = {"PartNumber": 1, "ETag": sent["ETag"], "ChecksumSHA256": sent["ChecksumSHA256"]}
    done = s3.complete_multipart_upload(**named, UploadId=upload, MultipartUpload={"Parts": [part]})
    found = s3.get_object_attributes(**named, ObjectAttributes=["Checksum"])["Checksum"]
    assert done["ChecksumSHA256"] == found["ChecksumSHA256"] + "-1"
    assert found["ChecksumType"] == "COMPOSITE"
