"""Tricks with paths, hosts and headers that must not change which object of S3 is judged: what is read is what was asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.acceptance import rawhttp
from tests.acceptance.identities import allow, document, user_key, with_key
from tests.running import Running

BUCKET, SECRET = "tricks", b"nobody may read this"
MAY = document(allow(["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::{BUCKET}/public/*"))
Key = dict[str, Any]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A bucket with a secret, and an object whose key looks like a way to it."""
    with Running(tmp_path_factory.mktemp("home")) as running:
        s3 = running.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_object(Bucket=BUCKET, Key="secret/a", Body=SECRET)
        s3.put_object(Bucket=BUCKET, Key="public/../secret/b", Body=b"its own")
        yield running


@pytest.fixture(scope="module")
def key(server: Running) -> Key:
    """Of a user who may do something with `public/` alone."""
    return user_key(server, "trickster", MAY)


def get(server: Running, key: Key, target: str, host: str = "", **headers: str) -> rawhttp.Answer:
    """GET of a target as it is written, signed as S3's clients sign: the path is not touched."""
    url = f"http://{host or f'127.0.0.1:{server.port}'}{target}"
    request = AWSRequest("GET", url, headers=headers)
    S3SigV4Auth(Credentials(key["AccessKeyId"], key["SecretAccessKey"]), "s3", "us-east-1").add_auth(request)
    lines = [f"GET {target} HTTP/1.1", f"Host: {host or f'127.0.0.1:{server.port}'}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    return rawhttp.exchange(server, ("\r\n".join(lines) + "\r\n\r\n").encode(), "GET")


@pytest.mark.parametrize(
    "path",
    [
        "secret/a",
        "%73ecret/a",
        "secret%2Fa",
        "./secret/a",
        "/secret/a",
        "public/../secret/a",
        "public/%2e%2e/secret/a",
        "public/..%2fsecret/a",
        "public%2F..%2Fsecret%2Fa",
        "public/..%252fsecret/a",
        "public/%00/../secret/a",
        "public/..;/secret/a",
        "public\\..\\secret\\a",
        "%EF%BD%93ecret/a",
        "secret/a?prefix=public/",
        "secret/a?versionId=null",
        f"../{BUCKET}/secret/a",
        f"%2e%2e/{BUCKET}/secret/a",
    ],
)
def test_no_path_leads_to_an_object_that_is_not_allowed(server: Running, key: Key, path: str) -> None:
    """Refused, or another object's name under which there is nothing."""
    answer = get(server, key, f"/{BUCKET}/{path}")
    assert answer.status in (400, 403, 404), answer
    assert SECRET not in answer.body


def test_a_key_that_looks_like_a_way_is_a_key(server: Running, key: Key) -> None:
    """`public/../secret/b` lies under `public/`, and what it seems to lead to is not there."""
    answer = get(server, key, f"/{BUCKET}/public/../secret/b")
    assert (answer.status, answer.body) == (200, b"its own")
    assert get(server, key, f"/{BUCKET}/secret/b").status == 403


@pytest.mark.parametrize(
    ("host", "headers"),
    [
        (f"{BUCKET}.localhost", {}),
        ("127.0.0.1", {"X-Forwarded-Host": f"{BUCKET}.localhost"}),
        ("127.0.0.1", {"X-Original-URL": f"/{BUCKET}/secret/a"}),
        ("127.0.0.1", {"X-Rewrite-URL": f"/{BUCKET}/secret/a"}),
        ("127.0.0.1", {"X-HTTP-Method-Override": "PUT"}),
    ],
)
def test_no_host_or_header_turns_a_request_to_another_object(
    server: Running, key: Key, host: str, headers: dict[str, str]
) -> None:
    """The bucket in the host makes the whole path a key; headers that some proxies believe mean nothing."""
    answer = get(server, key, f"/{BUCKET}/public/none", host, **headers)
    assert answer.status in (403, 404)
    answer = get(server, key, "/secret/a", f"{BUCKET}.localhost", **headers)
    assert (answer.status, SECRET in answer.body) == (403, False)


@pytest.mark.parametrize(
    "source", ["secret/a", "/secret/a", "public/../secret/a", "%73ecret/a", "public/..%2Fsecret/a"]
)
def test_no_copy_takes_what_may_not_be_read(server: Running, key: Key, source: str) -> None:
    """The source of a copy is judged under the name by which it is read."""
    s3 = with_key(server, key, "s3")
    where = f"{BUCKET}/{source}"
    with pytest.raises(ClientError) as caught:
        s3.copy_object(Bucket=BUCKET, Key="public/copy", CopySource=where)
    assert caught.value.response["Error"]["Code"] in ("AccessDenied", "NoSuchKey")
