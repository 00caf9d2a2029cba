"""S3's wire as its clients speak it: boto3 in every way it signs and encodes, presigned URLs, forms, plain bytes."""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import json
import socket
import urllib.request
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree as ET

import pytest
from botocore.auth import S3SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.running import ACCESS_KEY, SECRET_KEY, Running

BUCKET = "wire-tests"
ALGORITHMS = ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")
# Every byte that a key may hold, in the order of their values, and what paths are made of.
NAMES = [
    "plain",
    "a//b",
    "/lead",
    "trail/",
    "../up/./here/..",
    "a b+c%20d%2Fe",
    "?question=mark&and#hash",
    "é€😀",
    "".join(chr(at) for at in range(0x20, 0x7F)),
    "\x01\x02\t\x7f",
    "x" * 1024,
    "quo\"te'<&>",
]


@pytest.fixture(scope="module")
def s3(server: Running) -> Iterator[Any]:
    client = server.client("s3")
    client.create_bucket(Bucket=BUCKET)
    yield client
    client.close()


@pytest.fixture
def signed_4(server: Running) -> Any:
    """A client that presigns with version 4, which boto3's default in this region is not."""
    return server.client("s3", config=Config(signature_version="s3v4", retries={"max_attempts": 0}))


def fetch(url: str, method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None) -> Any:
    """A client without any SDK: status, headers, body."""
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.headers, answer.read()
    except HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def code(body: bytes) -> str | None:
    return ET.fromstring(body).findtext("Code")


@pytest.mark.parametrize("key", NAMES)
def test_a_key_is_what_it_was_called(s3: Any, key: str) -> None:
    """Whatever letters a key has, the object is found under it again, and its listing shows it."""
    s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
    assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == key.encode()
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=key)["Contents"]
    assert key in [one["Key"] for one in listed]
    s3.delete_object(Bucket=BUCKET, Key=key)
    with pytest.raises(ClientError):
        s3.head_object(Bucket=BUCKET, Key=key)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("size", [0, 1, 70_000, 1_500_000])
def test_a_stream_with_a_trailing_checksum_arrives(s3: Any, algorithm: str, size: int) -> None:
    """What SDKs send by default for what they read piece by piece."""
    content = bytes(range(256)) * (size // 256 + 1)
    put = s3.put_object(Bucket=BUCKET, Key="t", Body=io.BytesIO(content[:size]), ChecksumAlgorithm=algorithm)
    assert put[f"Checksum{algorithm}"]
    got = s3.get_object(Bucket=BUCKET, Key="t", ChecksumMode="ENABLED")
    assert got["Body"].read() == content[:size]
    assert got[f"Checksum{algorithm}"] == put[f"Checksum{algorithm}"]


@pytest.mark.parametrize(
    "config",
    [
        Config(s3={"payload_signing_enabled": True}),
        Config(s3={"addressing_style": "path"}),
        Config(request_checksum_calculation="when_required"),
        Config(signature_version="s3v4", s3={"use_accelerate_endpoint": False}),
        Config(region_name="eu-central-1"),
    ],
    ids=["signed payload", "path style", "no checksum", "v4", "another region"],
)
def test_clients_may_be_configured_otherwise(server: Running, s3: Any, config: Config) -> None:
    """However a client signs and checks, its object arrives."""
    client = server.client("s3", config=config)
    client.put_object(Bucket=BUCKET, Key="c", Body=b"content")
    assert client.get_object(Bucket=BUCKET, Key="c")["Body"].read() == b"content"


def test_a_host_may_name_the_bucket(server: Running, s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`BUCKET.localhost`, as clients write it that are not told to use paths."""
    found = socket.getaddrinfo
    # Not every system resolves names below localhost; this client is to find the server anyway.
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *rest, **named: found("127.0.0.1", *rest, **named))
    url = f"http://localhost:{server.port}"
    client = server.client("s3", endpoint_url=url, config=Config(s3={"addressing_style": "virtual"}))
    asked: list[str] = []
    client.meta.events.register("before-send.s3", lambda request, **_: asked.append(request.url))
    client.put_object(Bucket=BUCKET, Key="a/h", Body=b"hosted")
    assert s3.get_object(Bucket=BUCKET, Key="a/h")["Body"].read() == b"hosted"
    assert urlsplit(asked[0]).hostname == f"{BUCKET}.localhost"


def hosted(server: Running, method: str, host: str, path: str, headers: dict[str, str] | None = None) -> Any:
    """A signed request whose Host header is chosen freely."""
    url = f"http://{host}{path}"
    request = AWSRequest(method, url, headers=headers or {})
    S3SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "s3", "us-east-1").add_auth(request)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.request(method, path, headers={**dict(request.headers.items()), "Host": host})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    "host", ["{}.localhost", "{}.s3.localhost:1234", "{}.s3.us-east-1.amazonaws.com", "{}.s3.amazonaws.com"]
)
def test_hosts_of_every_form_name_the_bucket(server: Running, s3: Any, host: str) -> None:
    """The host as AWS has it, and as it is on one's own machine."""
    s3.put_object(Bucket=BUCKET, Key="v1/models", Body=b"mine")
    status, _, body = hosted(server, "GET", host.format(BUCKET), "/v1/models")
    assert (status, body) == (200, b"mine")


def test_a_presigned_url_opens_for_whoever_has_it(s3: Any, signed_4: Any) -> None:
    """Both versions of signatures, read and write, with what the URL says beside."""
    for client in (s3, signed_4):
        put = client.generate_presigned_url(
            "put_object", {"Bucket": BUCKET, "Key": "p p/ä", "Metadata": {"who": "me"}, "ContentType": "text/x"}
        )
        told = {"Content-Type": "text/x", "x-amz-meta-who": "me"}
        status, _, body = fetch(put, "PUT", b"presigned", told)
        assert (status, body) == (200, b"")
        get = client.generate_presigned_url(
            "get_object", {"Bucket": BUCKET, "Key": "p p/ä", "ResponseContentType": "text/y"}
        )
        status, headers, body = fetch(get)
        assert (status, body) == (200, b"presigned")
        assert (headers["content-type"], headers["x-amz-meta-who"]) == ("text/y", "me")


def test_a_presigned_url_is_good_for_nothing_else(s3: Any, signed_4: Any) -> None:
    """Another method, key, parameter or time than the one that was signed is refused."""
    s3.put_object(Bucket=BUCKET, Key="only", Body=b"this")
    for client in (s3, signed_4):
        url = client.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": "only"}, ExpiresIn=100)
        assert code(fetch(url, "DELETE")[2]) == "SignatureDoesNotMatch"
        assert code(fetch(url.replace("/only", "/other"))[2]) == "SignatureDoesNotMatch"
        assert code(fetch(url + "&versionId=1")[2]) == "SignatureDoesNotMatch"
    late = s3.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": "only"}, ExpiresIn=-5)
    status, _, body = fetch(late)
    assert (status, code(body)) == (403, "AccessDenied")


def test_a_presigned_url_may_be_about_a_bucket(s3: Any, signed_4: Any) -> None:
    """Listings and settings are presigned like objects, in both versions."""
    for client in (s3, signed_4):
        for operation, method in (
            ("list_objects_v2", "GET"),
            ("get_bucket_versioning", "GET"),
            ("head_bucket", "HEAD"),
        ):
            url = client.generate_presigned_url(operation, {"Bucket": BUCKET})
            assert fetch(url, method)[0] == 200
    assert fetch(s3.generate_presigned_url("list_buckets"))[0] == 200


def test_an_expired_url_says_when(server: Running, s3: Any) -> None:
    """As S3 does: the end, and the server's time."""
    request = AWSRequest("GET", f"{server.url}/{BUCKET}/only")
    signer = SigV4QueryAuth(Credentials(ACCESS_KEY, SECRET_KEY), "s3", "us-east-1", expires=10)
    signer.payload = lambda request: "UNSIGNED-PAYLOAD"
    request.context["timestamp"] = (datetime.now(UTC) - timedelta(seconds=60)).strftime("%Y%m%dT%H%M%SZ")
    signer._modify_request_before_signing(request)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    signer._inject_signature_to_request(request, signer.signature(text, request))
    status, _, body = fetch(request.url)
    root = ET.fromstring(body)
    assert (status, root.findtext("Code"), root.findtext("Message")) == (403, "AccessDenied", "Request has expired")
    assert root.findtext("X-Amz-Expires") == "10"
    assert root.findtext("Expires")


def post_form(url: str, fields: list[tuple[str, str]], content: bytes, filename: str = "f.txt") -> Any:
    """A form as a browser sends it."""
    parts = [f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields]
    head = f'--B\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\nContent-Type: a/b\r\n\r\n'
    body = "".join(parts).encode() + head.encode() + content + b"\r\n--B--\r\n"
    return fetch(url, "POST", body, {"Content-Type": "multipart/form-data; boundary=B"})


@pytest.mark.parametrize("version", ["2", "4"])
def test_a_form_uploads(s3: Any, signed_4: Any, version: str) -> None:
    """What boto3 presigns, posted as a browser would: the file arrives under its name, with its fields."""
    client = s3 if version == "2" else signed_4
    extra = {"Content-Type": "text/html", "success_action_status": "201", "x-amz-meta-a": "b", "acl": "private"}
    form = client.generate_presigned_post(
        BUCKET, "up/${filename}", Fields=extra, Conditions=[{name: value} for name, value in extra.items()]
    )
    content = bytes(range(256)) * 1000
    status, headers, body = post_form(form["url"], list(form["fields"].items()), content, "my file")
    assert (status, ET.fromstring(body).findtext("Key")) == (201, "up/my file")
    assert headers["location"].endswith("/up/my%20file")
    found = s3.get_object(Bucket=BUCKET, Key="up/my file")
    assert found["Body"].read() == content
    assert (found["ContentType"], found["Metadata"]) == ("text/html", {"a": "b"})


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"key": "elsewhere"}, "AccessDenied"),
        ({"x-amz-meta-more": "x"}, "AccessDenied"),
        ({"policy": base64.b64encode(b'{"expiration":"2099-01-01T00:00:00Z","conditions":[]}').decode()}, "SignatureDoesNotMatch"),
        ({"x-amz-credential": "AKIANOBODY/20260101/us-east-1/s3/aws4_request"}, "InvalidAccessKeyId"),
        ({"x-amz-signature": "0" * 64}, "SignatureDoesNotMatch"),
    ],
)  # fmt: skip
def test_a_form_is_held_to_its_policy(signed_4: Any, change: dict[str, str], expected: str) -> None:
    """Neither fields nor policy can be changed by who fills in the form."""
    form = signed_4.generate_presigned_post(BUCKET, "held")
    status, _, body = post_form(form["url"], list({**form["fields"], **change}.items()), b"x")
    assert (code(body), status) == (expected, 403)


def test_a_form_is_held_to_the_size_that_its_policy_allows(s3: Any, signed_4: Any) -> None:
    """Too small and too large are told, and nothing is kept."""
    form = signed_4.generate_presigned_post(BUCKET, "sized", Conditions=[["content-length-range", 2, 4]])
    for content, expected in ((b"1", "EntityTooSmall"), (b"12345", "EntityTooLarge")):
        assert code(post_form(form["url"], list(form["fields"].items()), content)[2]) == expected
        with pytest.raises(ClientError):
            s3.head_object(Bucket=BUCKET, Key="sized")
    assert post_form(form["url"], list(form["fields"].items()), b"123")[0] == 204


class Put:
    """One PutObject put together by hand."""

    def __init__(self, server: Running, content: bytes, headers: dict[str, str], key: str = "raw") -> None:
        url = f"{server.url}/{BUCKET}/{quote(key)}"
        self.port = server.port
        request = AWSRequest("PUT", url, data=content, headers=headers)
        signer = S3SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "s3", "us-east-1")
        request.context["client_config"] = Config()
        signer.add_auth(request)
        if "x-amz-content-sha256" in headers:  # botocore puts its own in its place
            request = AWSRequest("PUT", url, data=content, headers=headers)
            signer.payload = lambda _: headers["x-amz-content-sha256"]  # type: ignore[method-assign]
            signer.add_auth(request)
        self.signer, self.request = signer, request
        lines = [f"PUT {urlsplit(url).path} HTTP/1.1", f"Host: 127.0.0.1:{server.port}"]
        lines += [f"{name}: {value}" for name, value in request.headers.items() if name.lower() != "host"]
        self.head = "\r\n".join(lines).encode()

    def send(self, body: bytes, length: int | None = None, *, ends: bool = False) -> tuple[int, bytes]:
        """Send a body under a declared length; `ends` closes this side after it."""
        declared = len(body) if length is None else length
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as sock:
            sock.sendall(self.head + b"\r\nContent-Length: %d\r\n\r\n" % declared + body)
            if ends:
                sock.shutdown(socket.SHUT_WR)
            answer = http.client.HTTPResponse(sock)
            answer.begin()
            return answer.status, answer.read()


def test_a_body_that_is_not_the_one_that_was_signed_is_refused(server: Running, s3: Any) -> None:
    """The digest of the head is held."""
    put = Put(server, b"signed", {})
    status, body = put.send(b"SIGNED")
    assert (status, code(body)) == (400, "XAmzContentSHA256Mismatch")
    assert put.send(b"signed")[0] == 200


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Content-MD5": base64.b64encode(hashlib.md5(b"other").digest()).decode()}, "BadDigest"),
        ({"Content-MD5": "not base64"}, "InvalidDigest"),
        ({"x-amz-checksum-crc32": base64.b64encode(zlib.crc32(b"o").to_bytes(4, "big")).decode()}, "BadDigest"),
        ({"x-amz-checksum-sha256": "short"}, "InvalidRequest"),
        ({"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-crc32c": "AAAAAA=="}, "InvalidRequest"),
        ({"x-amz-content-sha256": "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"}, "NotImplemented"),
        ({"x-amz-content-sha256": "nonsense"}, "InvalidArgument"),
    ],
)
def test_a_wrong_checksum_is_refused(server: Running, s3: Any, headers: dict[str, str], expected: str) -> None:
    """And what was there stays."""
    s3.put_object(Bucket=BUCKET, Key="raw", Body=b"before")
    _, body = Put(server, b"content", headers).send(b"content")
    assert code(body) == expected
    assert s3.get_object(Bucket=BUCKET, Key="raw")["Body"].read() == b"before"


@pytest.mark.parametrize("cut", [0, 1, 5, 99_999])
def test_an_upload_that_is_cut_leaves_what_was_there(server: Running, s3: Any, cut: int) -> None:
    """Wherever its client ends."""
    s3.put_object(Bucket=BUCKET, Key="raw", Body=b"before")
    content = b"x" * 100_000
    _, body = Put(server, content, {}).send(content[:cut], len(content), ends=True)
    assert code(body) == "IncompleteBody"
    assert s3.get_object(Bucket=BUCKET, Key="raw")["Body"].read() == b"before"


def chunk_signature(put: Put, before: str, content: bytes) -> str:
    """The signature of one piece, by botocore's keys."""
    empty = hashlib.sha256(b"").hexdigest()
    stamp = put.request.context["timestamp"]
    scope = f"{stamp[:8]}/us-east-1/s3/aws4_request"
    digest = hashlib.sha256(content).hexdigest()
    text = f"AWS4-HMAC-SHA256-PAYLOAD\n{stamp}\n{scope}\n{before}\n{empty}\n{digest}"
    return str(put.signer.signature(text, put.request))


def signed_pieces(server: Running, pieces: list[bytes]) -> tuple[Put, list[bytes]]:
    """An upload in signed pieces, the last one empty, each as it stands in the body."""
    length = str(sum(len(one) for one in pieces))
    headers = {
        "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "x-amz-decoded-content-length": length,
        "Content-Encoding": "gzip,aws-chunked",
    }
    put = Put(server, b"", headers)
    before, framed = put.request.headers["Authorization"].rpartition("Signature=")[2], []
    for piece in [*pieces, b""]:
        before = chunk_signature(put, before, piece)
        framed.append(b"%x;chunk-signature=%b\r\n%b\r\n" % (len(piece), before.encode(), piece))
    return put, framed


def test_pieces_with_signatures_arrive(server: Running, s3: Any) -> None:
    """As SDKs send what they cannot hash before; the coding of the transfer is not the object's."""
    put, framed = signed_pieces(server, [b"a" * 70_000, b"b" * 30_000, b"c"])
    assert put.send(b"".join(framed)) == (200, b"")
    found = s3.get_object(Bucket=BUCKET, Key="raw")
    assert found["Body"].read() == b"a" * 70_000 + b"b" * 30_000 + b"c"
    assert found["ContentEncoding"] == "gzip"


def test_no_piece_can_be_changed_moved_or_left_out(server: Running, s3: Any) -> None:
    """Each signature goes on from the one before."""
    s3.put_object(Bucket=BUCKET, Key="raw", Body=b"before")
    put, framed = signed_pieces(server, [b"one!", b"two!"])
    for body in (
        framed[0].replace(b"one!", b"ONE!") + framed[1] + framed[2],
        framed[1] + framed[0] + framed[2],
        framed[0] + framed[2],
        framed[0] + framed[1],
        framed[0],
        b"4\r\none!\r\n4\r\ntwo!\r\n0\r\n\r\n",
    ):
        status, answer = put.send(body)
        assert status in (400, 403)
        assert code(answer) in ("SignatureDoesNotMatch", "IncompleteBody", "InvalidRequest")
    assert s3.get_object(Bucket=BUCKET, Key="raw")["Body"].read() == b"before"


def trailing(server: Running, value: str, name: str = "x-amz-checksum-crc32") -> tuple[int, bytes]:
    """An upload of `content` with an unsigned trailer."""
    put = Put(
        server,
        b"",
        {
            "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            "x-amz-decoded-content-length": "7",
            "x-amz-trailer": "x-amz-checksum-crc32",
        },
    )
    return put.send(b"7\r\ncontent\r\n0\r\n" + f"{name}:{value}\r\n\r\n".encode())


def test_a_trailer_is_held(server: Running, s3: Any) -> None:
    """The right checksum is taken; a wrong, unreadable or absent one is refused."""
    right = base64.b64encode(zlib.crc32(b"content").to_bytes(4, "big")).decode()
    assert trailing(server, right) == (200, b"")
    for value, name, expected in (
        ("AAAAAA==", "x-amz-checksum-crc32", "BadDigest"),
        ("nonsense", "x-amz-checksum-crc32", "InvalidRequest"),
        (right, "x-amz-checksum-crc32c", "MalformedTrailerError"),
        (right, "no header", "MalformedTrailerError"),
    ):
        assert code(trailing(server, value, name)[1]) == expected


def test_errors_are_documents_but_for_head(server: Running, s3: Any) -> None:
    """With the request's ids in them and in headers; HEAD has its status alone."""
    url = s3.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": "nowhere"})
    status, headers, body = fetch(url)
    root = ET.fromstring(body)
    assert (status, root.findtext("Code"), root.findtext("Key")) == (404, "NoSuchKey", "nowhere")
    assert root.findtext("RequestId") == headers["x-amz-request-id"]
    assert root.findtext("HostId") == headers["x-amz-id-2"]
    url = s3.generate_presigned_url("head_object", {"Bucket": BUCKET, "Key": "nowhere"})
    assert fetch(url, "HEAD")[::2] == (404, b"")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"aws_access_key_id": "AKIANOBODY"}, "InvalidAccessKeyId"),
        ({"aws_secret_access_key": "wrong"}, "SignatureDoesNotMatch"),
        ({"aws_session_token": "wrong"}, "InvalidAccessKeyId"),
    ],
)
def test_wrong_keys_are_refused_in_s3s_words(server: Running, options: dict[str, str], expected: str) -> None:
    """By a name that tells what is wrong with them."""
    with pytest.raises(ClientError) as caught:
        server.client("s3", **options).list_buckets()
    assert caught.value.response["Error"]["Code"] == expected


def test_who_does_not_sign_is_nobody(server: Running, s3: Any) -> None:
    """Anonymous requests to a bucket's host are denied as S3 denies them."""
    status, _, body = fetch(f"{server.url}/{BUCKET}/plain", headers={"Host": f"{BUCKET}.s3.localhost"})
    assert (status, code(body)) == (403, "AccessDenied")


def test_a_browser_is_told_what_pages_may_do(server: Running, s3: Any) -> None:
    """Preflights are judged by the bucket's rules, and answers carry what they allow."""
    preflight = {"Origin": "https://a.example", "Access-Control-Request-Method": "PUT"}
    assert fetch(f"{server.url}/{BUCKET}/k", "OPTIONS", headers=preflight)[0] == 403
    rule = {"AllowedOrigins": ["https://*.example"], "AllowedMethods": ["PUT", "GET"], "AllowedHeaders": ["x-*"],
            "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 5}  # fmt: skip
    s3.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": [rule]})
    asked = {**preflight, "Access-Control-Request-Headers": "x-amz-meta-a"}
    status, headers, _ = fetch(f"{server.url}/{BUCKET}/k", "OPTIONS", headers=asked)
    assert (status, headers["access-control-allow-origin"]) == (200, "https://a.example")
    assert headers["access-control-max-age"] == "5"
    assert fetch(f"{server.url}/{BUCKET}/k", "OPTIONS", headers={**preflight, "Origin": "http://a.example"})[0] == 403
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"x")
    url = s3.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": "k"})
    assert fetch(url, headers={"Origin": "https://b.example"})[1]["access-control-expose-headers"] == "ETag"
    s3.delete_bucket_cors(Bucket=BUCKET)
    assert "access-control-allow-origin" not in fetch(url, headers={"Origin": "https://b.example"})[1]


def test_other_doors_keep_their_paths(server: Running, s3: Any) -> None:
    """A bucket called like a path of Craton's takes nothing away from it, nor it from the bucket."""
    s3.create_bucket(Bucket="health")
    s3.put_object(Bucket="health", Key="k", Body=b"x")
    assert s3.head_bucket(Bucket="health")["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert json.loads(fetch(f"{server.url}/health")[2]) == {"status": "ok"}
    rows = json.loads(fetch(f"{server.url}/craton/operations")[2])["operations"]
    assert {"service": "s3", "operation": "PutObject", "status": "real"} in rows
