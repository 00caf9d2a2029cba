"""S3's signatures and forms' policies: what holds, what does not, and in which words; botocore is the signer."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.auth import HmacV1QueryAuth, S3SigV4Auth, S3SigV4PostAuth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from craton.aws.wire import s3_post, sigv2
from craton.aws.wire.faults import Fault
from craton.aws.wire.s3_auth import S3Verifier
from craton.aws.wire.sigv4 import Secret, SignedRequest

KEY, SECRET, TOKEN = "AKIATEST", "a secret", "a token"
PAIR = Credentials(KEY, SECRET)
SESSION = Credentials("ASIATEST", SECRET, TOKEN)


def lookup(access_key_id: str) -> Secret | None:
    return Secret(SECRET) if access_key_id == KEY else None


def sessions(access_key_id: str, token: str) -> Secret | None:
    return Secret(SECRET, TOKEN) if (access_key_id, token) == ("ASIATEST", TOKEN) else None


def now() -> datetime:
    return datetime.now(UTC)


def wire(request: AWSRequest, method: str = "GET") -> SignedRequest:
    """A request as the server sees it."""
    prepared = request.prepare()
    _, _, rest = prepared.url.partition("://")
    host, _, target = rest.partition("/")
    path, _, query = target.partition("?")
    found = {name.lower().encode(): str(value).encode() for name, value in prepared.headers.items()}
    found.setdefault(b"host", host.encode())
    return SignedRequest(method, b"/" + path.encode(), query.encode(), found)


def verify(signed: SignedRequest, at: datetime | None = None) -> Any:
    return S3Verifier().signed(signed, lookup, at or now(), sessions)


def headed(url: str = "http://h/b/a%2F%20k//..", *, credentials: Credentials = PAIR, **headers: str) -> SignedRequest:
    request = AWSRequest("GET", url, headers={name.replace("_", "-"): value for name, value in headers.items()})
    request.context["client_config"] = Config()
    S3SigV4Auth(credentials, "s3", "eu-west-1").add_auth(request)
    return wire(request)


def presigned(expires: int = 60, credentials: Credentials = PAIR) -> SignedRequest:
    request = AWSRequest("GET", "http://h/b/k+%2B?versionId=1&x-id=GetObject")
    S3SigV4QueryAuth(credentials, "s3", "us-east-1", expires=expires).add_auth(request)
    return wire(request)


def code(caught: pytest.ExceptionInfo[Fault]) -> str:
    return caught.value.name


@pytest.mark.parametrize("credentials", [PAIR, SESSION], ids=["key", "session"])
def test_the_path_is_signed_as_it_is_sent(credentials: Credentials) -> None:
    """No segment is taken out and nothing encoded again."""
    found = verify(headed(credentials=credentials))
    assert (found.verified.access_key_id, found.verified.region) == (credentials.access_key, "eu-west-1")
    assert found.chunks is None


def test_a_presigned_query_says_nothing_of_the_body() -> None:
    """Its content is unsigned."""
    found = verify(presigned())
    assert (found.content, found.verified.presigned) == ("UNSIGNED-PAYLOAD", True)
    assert verify(presigned(credentials=SESSION)).verified.session_token == TOKEN


@pytest.mark.parametrize(
    ("late_s", "expected"),
    [(899, None), (-899, None), (901, "RequestTimeTooSkewed"), (-901, "RequestTimeTooSkewed")],
)
def test_clocks_may_be_a_quarter_of_an_hour_apart(late_s: int, expected: str | None) -> None:
    """Either way."""
    at = now() + timedelta(seconds=late_s)
    if expected is None:
        assert verify(headed(), at) is not None
        return
    with pytest.raises(Fault) as caught:
        verify(headed(), at)
    assert code(caught) == expected
    assert caught.value.fields["MaxAllowedSkewMilliseconds"] == 900_000


def test_a_presigned_query_holds_as_long_as_it_says() -> None:
    """Up to a week, and not before its time."""
    week = presigned(604_800)
    assert verify(week, now() + timedelta(days=6.9)) is not None
    for at, message in (
        (timedelta(days=7.1), "Request has expired"),
        (timedelta(hours=-1), "Request is not yet valid"),
    ):
        with pytest.raises(Fault) as caught:
            verify(week, now() + at)
        assert (code(caught), caught.value.message) == ("AccessDenied", message)


def changed(signed: SignedRequest, **change: Any) -> SignedRequest:
    values = {name: getattr(signed, name) for name in ("method", "raw_path", "query", "headers")}
    return SignedRequest(**{**values, **change})


def without(headers: Any, name: bytes) -> dict[bytes, bytes]:
    return {key: value for key, value in headers.items() if key != name}


def test_what_was_not_signed_does_not_hold() -> None:
    """Each part of a request is covered, and the answer shows no secret and no token."""
    good = headed(x_amz_meta_a="1", credentials=SESSION)
    headers: Any = good.headers
    for bad in (
        changed(good, method="PUT"),
        changed(good, raw_path=good.raw_path + b"x"),
        changed(good, query=b"acl"),
        changed(good, headers={**headers, b"x-amz-meta-a": b"2"}),
        changed(good, headers={**headers, b"x-amz-content-sha256": b"0" * 64}),
    ):
        with pytest.raises(Fault) as caught:
            verify(bad)
        assert code(caught) == "SignatureDoesNotMatch"
        shown = f"{caught.value.message} {caught.value.fields}"
        assert SECRET not in shown
        assert TOKEN not in shown


@pytest.mark.parametrize(
    ("signed", "expected"),
    [
        (lambda: changed(headed(), headers={**headed().headers, b"x-amz-acl": b"x"}), "AccessDenied"),  # type: ignore[dict-item]
        (lambda: changed(headed(), headers=without(headed().headers, b"x-amz-content-sha256")), "InvalidRequest"),
        (lambda: changed(headed(), headers={b"authorization": b"AWS4-HMAC-SHA256 x"}), "AuthorizationHeaderMalformed"),
        (lambda: headed(credentials=Credentials("AKIAOTHER", SECRET)), "InvalidAccessKeyId"),
        (lambda: headed(credentials=Credentials("ASIATEST", SECRET, "no token")), "InvalidAccessKeyId"),
        (lambda: changed(presigned(), query=presigned().query.replace(b"X-Amz-Expires=60", b"X-Amz-Expires=604801")),
         "AuthorizationQueryParametersError"),
        (lambda: changed(presigned(), query=presigned().query.replace(b"X-Amz-Date", b"X-Amz-Date-")),
         "AuthorizationQueryParametersError"),
    ],
)  # fmt: skip
def test_other_refusals_have_their_names(signed: Any, expected: str) -> None:
    """In S3's words for each."""
    with pytest.raises(Fault) as caught:
        verify(signed())
    assert code(caught) == expected


def test_a_signature_for_another_service_is_malformed_here() -> None:
    """And says whose this endpoint is."""
    request = AWSRequest("GET", "http://h/b", headers={"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    request.context["client_config"] = Config()
    S3SigV4Auth(PAIR, "bedrock", "us-east-1").add_auth(request)
    with pytest.raises(Fault) as caught:
        verify(wire(request))
    assert code(caught) == "AuthorizationHeaderMalformed"


def test_who_signs_nothing_is_nobody() -> None:
    """That is no error here."""
    assert verify(SignedRequest("GET", b"/b", b"", {b"host": b"h"})) is None


# --- version 2 ---


def old(
    url: str = "http://h/b/k?versionId=a%2Bb&x-id=1", credentials: Credentials = PAIR, **headers: str
) -> SignedRequest:
    request = AWSRequest("GET", url, headers=headers)
    HmacV1QueryAuth(credentials, expires=60).add_auth(request)
    return wire(request)


def check_old(signed: SignedRequest, at: datetime | None = None) -> sigv2.Key:
    headers: Any = signed.headers
    return sigv2.verify(signed, headers, lookup, at or now(), sessions)


def test_version_2_holds_in_queries() -> None:
    """What botocore presigns where nobody says otherwise, with headers that it moves into the query."""
    assert check_old(old()).access_key_id == KEY
    assert check_old(old(credentials=SESSION)).session_token == TOKEN
    moved = old(**{"x-amz-meta-a": "b c"})
    assert check_old(changed(moved, headers={b"host": b"h"})).access_key_id == KEY
    assert sigv2.is_presigned(moved.query)


def test_version_2_holds_the_type_that_is_sent() -> None:
    """The content type in the URL is nobody's header: a sender that leaves it out has not sent what was signed."""
    typed = old(**{"Content-Type": "a/b"})
    assert check_old(changed(typed, headers={b"host": b"h", b"content-type": b"a/b"})).access_key_id == KEY
    for sent in ({}, {b"content-type": b"a/c"}):
        with pytest.raises(Fault) as caught:
            check_old(changed(typed, headers={b"host": b"h", **sent}))
        assert code(caught) == "SignatureDoesNotMatch"


@pytest.mark.parametrize("url", ["http://h/b/k?versionId=c", "http://h/b/other?versionId=a%2Bb", "http://h/b/k?acl"])
def test_version_2_covers_path_and_subresources(url: str) -> None:
    """As the version has it."""
    mine = old("http://h/b/k")
    theirs = wire(AWSRequest("GET", url))
    with pytest.raises(Fault) as caught:
        check_old(changed(mine, raw_path=theirs.raw_path, query=theirs.query + b"&" + mine.query))
    assert code(caught) == "SignatureDoesNotMatch"


def test_version_2_ends() -> None:
    """At the second that it names."""
    with pytest.raises(Fault) as caught:
        check_old(old(), now() + timedelta(seconds=61))
    assert (code(caught), caught.value.message) == ("AccessDenied", "Request has expired")


# --- forms ---


def posted(conditions: list[Any], expires_s: int = 60, **fields: str) -> dict[str, str]:
    """The fields of a form that botocore signs."""
    end = (now() + timedelta(seconds=expires_s)).strftime("%Y-%m-%dT%H:%M:%SZ")
    request = AWSRequest("POST", "http://h/b")
    given = {name.replace("_", "-"): value for name, value in fields.items()}
    request.context["s3-presign-post-fields"] = given
    request.context["s3-presign-post-policy"] = {"expiration": end, "conditions": conditions}
    S3SigV4PostAuth(PAIR, "s3", "eu-west-1").add_auth(request)
    return {name.lower(): value for name, value in request.context["s3-presign-post-fields"].items()}


def judged(fields: dict[str, str]) -> s3_post.Range | None:
    s3_post.verify(fields, lookup, now(), sessions)
    return s3_post.judge(fields, "b", now())


def test_a_form_that_keeps_to_its_policy_passes() -> None:
    """Exact values, beginnings, lists of types, a range of sizes, fields to be ignored."""
    conditions = [{"bucket": "b"}, ["starts-with", "$key", "up/"], ["content-length-range", 1, "9"],
                  ["starts-with", "$Content-Type", "image/"], ["eq", "$acl", "private"]]  # fmt: skip
    fields = posted(conditions, key="up/me", acl="private", x_ignore_me="x", **{"content-type": "image/a,image/b"})
    assert judged(fields) == s3_post.Range(1, 9)
    assert s3_post.verify(fields, lookup, now(), sessions).region == "eu-west-1"


@pytest.mark.parametrize(
    ("conditions", "fields", "expected"),
    [
        ([{"bucket": "other"}, {"key": "k"}], {}, "AccessDenied"),
        ([{"key": "other"}], {}, "AccessDenied"),
        ([["starts-with", "$key", "other"]], {}, "AccessDenied"),
        ([{"key": "k"}], {"acl": "private"}, "AccessDenied"),
        (
            [{"key": "k"}, ["starts-with", "$content-type", "image/"]],
            {"content-type": "image/a,text/b"},
            "AccessDenied",
        ),
        ([{"key": "k"}, {"acl": "private"}], {}, "AccessDenied"),
        (["key"], {}, "InvalidPolicyDocument"),
        ([["eq", "key", "k"]], {}, "InvalidPolicyDocument"),
        ([["content-length-range", -1, 5]], {}, "InvalidPolicyDocument"),
        ([["matches", "$key", "k"]], {}, "InvalidPolicyDocument"),
    ],
)
def test_a_form_that_does_not_is_refused(conditions: list[Any], fields: dict[str, str], expected: str) -> None:
    """By the condition that fails, or for a policy that is none."""
    with pytest.raises(Fault) as caught:
        judged(posted(conditions, key="k", **fields))
    assert code(caught) == expected


def test_a_policy_ends() -> None:
    """At the moment that it names."""
    with pytest.raises(Fault) as caught:
        judged(posted([{"key": "k"}], expires_s=-1, key="k"))
    assert "expired" in caught.value.message


@pytest.mark.parametrize("policy", ["", "!!!", base64.b64encode(b"[1]").decode(), base64.b64encode(b"{").decode(),
                                    base64.b64encode(json.dumps({"expiration": "soon"}).encode()).decode()])  # fmt: skip
def test_a_policy_that_cannot_be_read_allows_nothing(policy: str) -> None:
    """Whatever it holds."""
    with pytest.raises(Fault):
        s3_post.judge({"policy": policy, "key": "k"}, "b", now())


@pytest.mark.parametrize("name", ["policy", "x-amz-credential", "x-amz-date", "x-amz-algorithm"])
def test_a_signed_form_lacks_nothing(name: str) -> None:
    """Each field of the signature is asked for by name."""
    fields = posted([{"key": "k"}], key="k")
    del fields[name]
    with pytest.raises(Fault) as caught:
        s3_post.verify(fields, lookup, now(), sessions)
    assert (code(caught), caught.value.fields["ArgumentName"]) == ("InvalidArgument", name)
