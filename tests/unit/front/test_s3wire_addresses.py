"""Which requests are S3's, which bucket and object they name, and what a page from elsewhere may do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craton.aws.wire.faults import Fault
from craton.front import s3_cors
from craton.front.s3_address import Hosts
from craton.front.s3_caller import plain, with_query_headers
from craton.front.s3_way import S3Way

HOSTS = Hosts(["s3.example.com", "Example.org"])
SIGNED = {b"authorization": b"AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, S"}


@pytest.mark.parametrize(
    ("host", "bucket"),
    [
        (b"localhost", None),
        (b"localhost:8765", None),
        (b"s3.localhost", None),
        (b"127.0.0.1:80", None),
        (b"[::1]:80", None),
        (b"", None),
        (b"craton", None),
        (b"craton.internal", None),
        (b"s3.amazonaws.com", None),
        (b"s3.us-east-1.amazonaws.com", None),
        (b"s3.example.com", None),
        (b"example.org", None),
        (b"b.localhost", "b"),
        (b"B.LocalHost:8765", "b"),
        (b"b.localhost.", "b"),
        (b"my.dotted.name.s3.localhost", "my.dotted.name"),
        (b"b.s3.us-east-1.amazonaws.com", "b"),
        (b"b.s3-eu-west-1.amazonaws.com", "b"),
        (b"b.s3.example.com", "b"),
        (b"b.example.org:1", "b"),
    ],
)
def test_a_host_names_a_bucket_or_the_server(host: bytes, bucket: str | None) -> None:
    """As AWS writes hosts, as they are here, and as the configuration has them."""
    assert HOSTS.bucket(host) == bucket


@pytest.mark.parametrize(
    ("host", "path", "bucket", "key"),
    [
        (b"h", b"/", None, None),
        (b"h", b"/b", "b", None),
        (b"h", b"/b/", "b", None),
        (b"h", b"/b/k", "b", "k"),
        (b"h", b"/b//k", "b", "/k"),
        (b"h", b"/b/a/../k/.", "b", "a/../k/."),
        (b"h", b"/b/a%2Fk%20+%2B", "b", "a/k ++"),
        (b"h", b"/b/%252F", "b", "%2F"),
        (b"h", b"/b/%C3%A9", "b", "é"),
        (b"h", "/b/é".encode(), "b", "é"),
        (b"x.localhost", b"/", "x", None),
        (b"x.localhost", b"/b/k", "x", "b/k"),
        (b"x.localhost", b"//", "x", "/"),
    ],
)
def test_a_key_is_decoded_once_and_changed_in_nothing(
    host: bytes, path: bytes, bucket: str | None, key: str | None
) -> None:
    """By path and by host."""
    address = HOSTS.address(host, path)
    assert (address.bucket, address.key) == (bucket, key)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (b"/b/%", "InvalidURI"),
        (b"/b/%G0", "InvalidURI"),
        (b"/b/%FF", "InvalidURI"),
        (b"/b/" + b"k" * 1025, "KeyTooLongError"),
    ],
)
def test_a_path_that_is_no_text_is_refused(path: bytes, code: str) -> None:
    """And a key that is too long."""
    with pytest.raises(Fault) as caught:
        HOSTS.address(b"h", path)
    assert (caught.value.name, caught.value.http_status()) == (code, 400)


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_no_address_does_more_than_be_refused(host: bytes, path: bytes) -> None:
    """Whatever stands in a request line."""
    try:
        HOSTS.address(host, b"/" + path)
    except Fault:
        pass


def scope(method: str, path: str, query: bytes = b"", **headers: bytes) -> dict[str, Any]:
    found = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    return {"method": method, "path": path, "raw_path": path.encode(), "query_string": query, "headers": found}


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (scope("GET", "/health"), False),
        (scope("GET", "/health", authorization=SIGNED[b"authorization"]), True),
        (scope("POST", "/v1/messages", authorization=SIGNED[b"authorization"]), True),
        (scope("POST", "/model/m/converse", authorization=b"AWS4 Credential=A/1/r/bedrock/aws4_request"), False),
        (scope("POST", "/v1/messages", authorization=b"Bearer x"), False),
        (scope("GET", "/b/k", b"X-Amz-Credential=A%2F1%2Fr%2Fs3%2Faws4_request"), True),
        (scope("GET", "/b/k", b"X-Amz-Credential=A%2F1%2Fr%2Fbedrock%2Faws4_request"), False),
        (scope("GET", "/b/k", b"AWSAccessKeyId=A&Signature=x"), True),
        (scope("POST", "/b", content_type=b"multipart/form-data; boundary=x"), True),
        (scope("POST", "/openai/v1/images/edits", content_type=b"multipart/form-data; boundary=x"), False),
        (scope("POST", "/", content_type=b"application/x-www-form-urlencoded"), False),
        (scope("OPTIONS", "/b/k", access_control_request_method=b"PUT"), True),
        (scope("OPTIONS", "/b/k"), False),
        (scope("GET", "/b/k", host=b"b.localhost"), True),
        (scope("GET", "/", host=b"b.localhost"), True),
        (scope("GET", "/health", host=b"b.localhost"), False),
        (scope("GET", "/v1/models", host=b"b.localhost"), False),
        (scope("GET", "/b/k"), True),
        (scope("GET", "/known"), False),
        (scope("POST", "/b/k"), False),
        (scope("GET", "/", b"Action=GetCallerIdentity"), False),
    ],
)
def test_what_is_s3s_is_told_from_what_is_not(request_: dict[str, Any], expected: bool) -> None:
    """By signature first; Craton's own paths win over the rest."""
    way = S3Way(lambda: None, HOSTS, lambda _, path, __: path == b"/known")  # type: ignore[arg-type,return-value]
    assert way.takes(request_, {"/health", "/"}) is expected


def test_what_a_presigned_query_says_is_said_in_headers() -> None:
    """But for the signature's own, and never in place of a header that was sent."""
    query = b"X-Amz-Algorithm=a&X-Amz-Expires=1&x-amz-meta-a=b%20c&X-Amz-Acl=private&x-amz-tagging=k%3Dv&versionId=1"
    found = with_query_headers({b"host": b"h", b"x-amz-acl": b"mine"}, query)
    assert found == {b"host": b"h", b"x-amz-acl": b"mine", b"x-amz-meta-a": b"b c", b"x-amz-tagging": b"k=v"}


@pytest.mark.parametrize(
    ("coding", "expected"),
    [(b"aws-chunked", None), (b"gzip,aws-chunked", b"gzip"), (b"aws-chunked, br", b"br"), (b"gzip", b"gzip")],
)
def test_the_coding_of_the_transfer_is_not_the_objects(coding: bytes, expected: bytes | None) -> None:
    """It is taken off before anybody keeps it."""
    assert plain({b"content-encoding": coding}).get(b"content-encoding") == expected


# --- pages from elsewhere ---

RULES = [
    {"AllowedOrigins": ["https://*.a.example"], "AllowedMethods": ["PUT"], "AllowedHeaders": ["x-amz-*", "Content-Type"],
     "MaxAgeSeconds": 60},
    {"AllowedOrigins": ["*"], "AllowedMethods": ["GET"], "ExposeHeaders": ["ETag", "x-y"]},
]  # fmt: skip


def asked(origin: str, method: str, headers: str = "") -> dict[bytes, bytes]:
    found = {b"origin": origin.encode(), b"access-control-request-method": method.encode()}
    return found | ({b"access-control-request-headers": headers.encode()} if headers else {})


def test_the_first_rule_that_fits_answers() -> None:
    """A rule for some origins names the origin and allows credentials; one for all says so."""
    some = dict(s3_cors.preflight(RULES, asked("https://x.a.example", "PUT", "Content-Type, x-amz-date")))
    assert some[b"access-control-allow-origin"] == b"https://x.a.example"
    assert some[b"access-control-allow-headers"] == b"content-type, x-amz-date"
    assert some[b"access-control-allow-credentials"] == b"true"
    assert some[b"access-control-max-age"] == b"60"
    everybody = dict(s3_cors.preflight(RULES, asked("http://anywhere", "GET")))
    assert everybody[b"access-control-allow-origin"] == b"*"
    assert everybody[b"access-control-expose-headers"] == b"ETag, x-y"
    assert b"access-control-allow-credentials" not in everybody


@pytest.mark.parametrize(
    ("rules", "headers", "code"),
    [
        ([], asked("https://x.a.example", "PUT"), "AccessForbidden"),
        (RULES, asked("https://a.example", "PUT"), "AccessForbidden"),
        (RULES, asked("https://x.a.example", "DELETE"), "AccessForbidden"),
        (RULES, asked("https://x.a.example", "PUT", "x-other"), "AccessForbidden"),
        (RULES, {b"origin": b"https://x.a.example"}, "BadRequest"),
        (RULES, {b"access-control-request-method": b"PUT"}, "BadRequest"),
    ],
)
def test_what_no_rule_allows_is_forbidden(rules: list[dict[str, Any]], headers: dict[bytes, bytes], code: str) -> None:
    """And what asks nothing is a bad request."""
    with pytest.raises(Fault) as caught:
        s3_cors.preflight(rules, headers)
    assert caught.value.name == code


def test_an_answer_says_nothing_where_no_rule_fits() -> None:
    """No header at all."""
    assert s3_cors.simple(RULES, "DELETE", {b"origin": b"http://anywhere"}) == []
    assert s3_cors.simple(RULES, "GET", {}) == []
