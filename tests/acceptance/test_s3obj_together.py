"""Many small objects in one answer (`POST /craton/objects`): only what GetObject would give the caller, each in its place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from tests.acceptance import rawhttp
from tests.acceptance.identities import CONFIG, allow, document, unsigned, user_key
from tests.acceptance.kms import made
from tests.acceptance.resources import OTHER, OTHER_KEY, OTHER_SECRET
from tests.acceptance.s3obj import bucket_of
from tests.running import Running

PATH = "/craton/objects"
ME = {"key": OTHER_KEY, "secret": OTHER_SECRET}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Two accounts with a root each."""
    with Running(tmp_path_factory.mktemp("home"), CONFIG) as running:
        yield running


def asked(server: Running, bucket: str, *objects: str | tuple[str, str], owner: str = "", **signing: Any) -> Any:
    """What is answered: the bytes of each, or None."""
    wanted = [(one, "") if isinstance(one, str) else one for one in objects]
    body = json.dumps({"bucket": bucket, "owner": owner, "objects": wanted}).encode()
    answer = rawhttp.call(server, "POST", PATH, body, **signing)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/vnd.msgpack"), answer
    return [one and one[1] for one in msgspec.msgpack.decode(answer.body)]


def put(s3: Any, bucket: str, **bodies: bytes) -> None:
    for key, body in bodies.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body)


def as_user(server: Running, name: str, *statements: dict[str, Any]) -> dict[str, str]:
    """How a new user with these statements signs."""
    key = user_key(server, name, document(*statements))
    return {"key": key["AccessKeyId"], "secret": key["SecretAccessKey"]}


def test_each_in_its_place(server: Running) -> None:
    """Small objects whole; nothing for one that is not there, changed meanwhile, was deleted, or is large."""
    s3, bucket = bucket_of(server, versioning="Enabled")
    put(s3, bucket, one=b"first", two=b"second", empty=b"", gone=b"g", large=b"x" * 10_000)
    s3.delete_object(Bucket=bucket, Key="gone")
    state = s3.head_object(Bucket=bucket, Key="one")["ETag"].strip('"')
    assert asked(server, bucket, "two", "none", ("one", state), ("two", state), "gone", "large", "empty") == [
        b"second", None, b"first", None, None, None, b"",
    ]  # fmt: skip


def test_each_is_judged_by_itself(server: Running) -> None:
    """A user gets what its policy lets it get one by one; tags count as they do there."""
    s3, bucket = bucket_of(server)
    put(s3, bucket, mine=b"m", yours=b"y", tagged=b"t")
    s3.put_object_tagging(Bucket=bucket, Key="tagged", Tagging={"TagSet": [{"Key": "for", "Value": "all"}]})
    on_tag = {"Condition": {"StringEquals": {"s3:ExistingObjectTag/for": "all"}}}
    here = f"arn:aws:s3:::{bucket}"
    user = as_user(
        server, "together", allow("s3:GetObject", f"{here}/mine"), allow("s3:GetObject", f"{here}/*", **on_tag)
    )
    assert asked(server, bucket, "mine", "yours", "tagged", **user) == [b"m", None, b"t"]


def test_a_bucket_s_policy_counts(server: Running) -> None:
    """It may shut out whom a user's policy lets in, and let in another account."""
    s3, bucket = bucket_of(server)
    put(s3, bucket, one=b"1", two=b"2")
    assert asked(server, bucket, "one", **ME) == [None]
    theirs = {"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "s3:GetObject"}
    shut = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/two"}
    s3.put_bucket_policy(Bucket=bucket, Policy=document({**theirs, "Resource": f"arn:aws:s3:::{bucket}/*"}, shut))
    assert asked(server, bucket, "one", "two", **ME) == [b"1", None]
    assert asked(server, bucket, "one", "two") == [b"1", None]


def test_keys_that_must_be_asked_are_not_used(server: Running) -> None:
    """Objects under a KMS key or the requester's own are for GetObject."""
    s3, bucket = bucket_of(server)
    key = made(server.client("kms"))
    s3.put_object(Bucket=bucket, Key="kms", Body=b"k", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    s3.put_object(Bucket=bucket, Key="own", Body=b"o", SSECustomerAlgorithm="AES256", SSECustomerKey=b"k" * 32)
    assert asked(server, bucket, "kms", "own") == [None, None]


def test_another_owner_than_expected(server: Running) -> None:
    s3, bucket = bucket_of(server)
    put(s3, bucket, one=b"1")
    body = json.dumps({"bucket": bucket, "owner": OTHER, "objects": [["one", ""]]}).encode()
    rawhttp.refused(rawhttp.call(server, "POST", PATH, body), 403, "AccessDenied", "Access Denied")


@pytest.mark.parametrize(
    ("body", "status", "name", "told"),
    [
        (b"{", 400, "SerializationException", "not JSON"),
        (b"{}", 400, "ValidationException", "bucket"),
        (b'{"bucket":"b","objects":[["k"]],"more":1}', 400, "ValidationException", "more"),
        (json.dumps({"bucket": "b", "objects": [["k", ""]] * 65}).encode(), 400, "ValidationException", "64"),
        (b'{"bucket":"no-such-bucket-here","objects":[["k",""]]}', 404, "NoSuchBucket", "does not exist"),
    ],
)
def test_what_cannot_be_asked(server: Running, body: bytes, status: int, name: str, told: str) -> None:
    rawhttp.refused(rawhttp.call(server, "POST", PATH, body), status, name, told)


def test_nobody_gets_anything_unsigned(server: Running) -> None:
    answer = unsigned(server, PATH, b'{"bucket":"b","objects":[]}', {"content-type": "application/json"})
    assert (answer.status, answer.name) == (403, "MissingAuthenticationTokenException")


def test_a_key_for_bedrock_opens_no_bucket(server: Running) -> None:
    """Whoever holds the Bedrock API key of somebody who may read the bucket."""
    s3, bucket = bucket_of(server)
    put(s3, bucket, one=b"1")
    iam = server.client("iam")
    user_key(server, "bearer", document(allow(["s3:*", "bedrock:*"])))
    made_key = iam.create_service_specific_credential(UserName="bearer", ServiceName="bedrock.amazonaws.com")
    secret = made_key["ServiceSpecificCredential"]["ServiceCredentialSecret"]
    body = json.dumps({"bucket": bucket, "objects": [["one", ""]]}).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer {secret}"}
    about = {"action": "s3:GetObject", "resource": f"arn:aws:s3:::{bucket}/one"}
    explained = unsigned(server, "/craton/explain", json.dumps(about).encode(), headers)
    assert explained.status == 200, explained
    answer = unsigned(server, PATH, body, headers)
    assert (answer.status, answer.name) == (403, "MissingAuthenticationTokenException")


def test_where_each_reading_is_recorded_none_goes_together(tmp_path: Any) -> None:
    """Data events have a record for each object: GetObject writes it."""
    with Running(tmp_path, "[audit]\ndata_events = true\n") as server:
        s3, bucket = bucket_of(server)
        put(s3, bucket, one=b"1")
        assert asked(server, bucket, "one") == [None]
