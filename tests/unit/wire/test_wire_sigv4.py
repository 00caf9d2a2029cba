"""botocore signs, we verify; and whatever is changed on the way is refused in AWS's words."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import msgspec
import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from craton.aws.wire import faults, sigv4
from craton.aws.wire.canonical import canonical_path
from craton.aws.wire.sigv4 import Secret, SignedRequest, Verifier

USER = Credentials("AKIAUSER", "a/secret+key")
SESSION = Credentials("ASIASESSION", "another", "session-token/==")
NOW = datetime.now(UTC)
SECRETS = {
    "AKIAUSER": Secret("a/secret+key"),
    "ASIASESSION": Secret("another", "session-token/==", NOW + timedelta(hours=1)),
    "ASIAOVER": Secret("another", "session-token/==", NOW - timedelta(seconds=1)),
}
BODY = b'{"messages":[]}'
PATH = "/model/anthropic.claude-v2%3A1/converse"
PATHS = [
    PATH,
    "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Afoundation-model%2Fx/invoke",
    "/model/arn:aws:bedrock:us-east-1::foundation-model/x/invoke",
    "/", "", "//a//b/", "/a/./b/../c/", "/a/..", "/a/b/..", "/a/b/.", "/..", "/agents/A/", "/agents/A",
    "/with space", "/é/ü", "/%C3%A9", "/a~b-c_d.e", "/a+b", "/%25", "/%2525",
]  # fmt: skip
QUERIES = ["", "b=2&a=1&a=0", "x=&y", "q=a%20b%2Fc%3A~%2B", "Z=1&z=2&~a=1", "k=%C3%A9", "a=1&b=&b=1&A=3"]


def sign(
    method="POST",
    target=PATH,
    body=BODY,
    *,
    by=USER,
    expires_s=None,
    headers=None,
    service="bedrock",
    region="eu-west-1",
):
    """Return a request as botocore signs it, in the header or (``expires_s``) in the query."""
    request = AWSRequest(
        method, f"http://127.0.0.1:8765{target}", headers or {"content-type": "application/json"}, body
    )
    signer = (
        auth.SigV4QueryAuth(by, service, region, expires=expires_s)
        if expires_s
        else auth.SigV4Auth(by, service, region)
    )
    signer.add_auth(request)
    url = urlsplit(request.url)
    pairs = [(name.encode(), value.encode()) for name, value in request.headers.items()]
    pairs.append((b"Host", b"127.0.0.1:8765"))
    return SignedRequest(method, url.path.encode(), url.query.encode(), pairs, body)


def signed_at(request):
    """Return the moment of signing, so that a slow run of the suite does not age the requests."""
    stamp = re.search(rb"\d{8}T\d{6}Z", request.query + b"".join(b"".join(pair) for pair in request.headers))
    return datetime.strptime(stamp[0].decode(), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) if stamp else NOW


def verify(request, now=None, **options):
    return Verifier({"bedrock"}, **options).verify(request, SECRETS.get, now or signed_at(request))


def refusal(request, now=None, **options):
    with pytest.raises(faults.AuthFault) as caught:
        verify(request, now, **options)
    return caught.value


def changed(request, **parts):
    return msgspec.structs.replace(request, **parts)


def with_header(request, name, value):
    kept = [(key, old) for key, old in request.headers if key.lower() != name.lower()]
    return changed(request, headers=[*kept, (name, value)] if value is not None else kept)


def authorization(request):
    return next(value.decode() for name, value in request.headers if name == b"Authorization")


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("path", PATHS)
def test_what_botocore_signs_is_accepted(path, query):
    """Odd paths and queries verify in both forms."""
    target = f"{path}?{query}" if query else path
    assert verify(sign(target=target)).access_key_id == "AKIAUSER"
    verified = verify(sign("GET", target, b"", expires_s=60))
    assert (verified.region, verified.service, verified.presigned) == ("eu-west-1", "bedrock", True)


@pytest.mark.parametrize("path", [*PATHS, "/a/b/../../../c", "/./a", "//", "/a/./", "/.", "/...", "/a//../b"])
def test_the_canonical_path_is_botocores(path):
    """The path is cleaned and encoded exactly as the signer does it."""
    theirs = auth.SigV4Auth(USER, "bedrock", "us-east-1")._normalize_url_path(path)
    assert canonical_path(path.encode()).decode() == theirs


def test_headers_are_trimmed_and_collapsed():
    """Space in header values is the transport's business, not the signature's."""
    request = sign(headers={"content-type": "application/json", "x-amz-note": "  two   words "})
    assert verify(request)
    assert verify(with_header(request, b"x-amz-note", b"two words"))


def test_temporary_credentials_carry_their_token():
    """A session token is checked in both forms and handed on."""
    assert verify(sign(by=SESSION)).session_token == "session-token/=="
    assert verify(sign("GET", body=b"", by=SESSION, expires_s=60)).session_token == "session-token/=="


@pytest.mark.parametrize(
    "tamper",
    [
        lambda r: changed(r, method="PUT"),
        lambda r: changed(r, body=BODY + b" "),
        lambda r: changed(r, body=b""),
        lambda r: changed(r, body_sha256=hashlib.sha256(b"other").hexdigest()),
        lambda r: changed(r, raw_path=r.raw_path.replace(b"converse", b"invoke")),
        lambda r: changed(r, raw_path=r.raw_path.replace(b"%3A", b":")),
        lambda r: changed(r, raw_path=r.raw_path + b"/"),
        lambda r: changed(r, query=b"a=1"),
        lambda r: changed(r, query=b"X-Amz-Signature=1"),
        lambda r: with_header(r, b"content-type", b"text/plain"),
        lambda r: with_header(r, b"Host", b"elsewhere"),
        lambda r: with_header(r, b"X-Amz-Date", b"20200101T000000Z"),
        lambda r: with_header(r, b"Authorization", authorization(r).replace("eu-west-1", "us-east-1").encode()),
        lambda r: with_header(r, b"Authorization", authorization(r)[:-1].encode() + b"g"),
        lambda r: with_header(r, b"Authorization", authorization(r).replace("content-type;", "").encode()),
        lambda r: with_header(r, b"x-amz-target", b"Other"),
        lambda r: with_header(r, b"x-amz-content-sha256", b"UNSIGNED-PAYLOAD"),
    ],
)
def test_every_tampering_is_refused(tamper):
    """Whatever the signature covers can not be changed."""
    moment = sign()
    assert verify(moment)
    fault = refusal(tamper(moment), signed_at(moment))
    assert (fault.name, fault.http_status()) == ("InvalidSignatureException", 403)


@pytest.mark.parametrize(
    "tamper",
    [
        lambda q: q.replace(b"a=1", b"a=2"),
        lambda q: q + b"&b=1",
        lambda q: q.replace(b"X-Amz-Expires=60", b"X-Amz-Expires=600"),
        lambda q: q.replace(b"eu-west-1", b"us-east-1"),
        lambda q: q + b"&X-Amz-Signature=0",
    ],
)
def test_every_tampering_with_a_presigned_query_is_refused(tamper):
    """The query is covered by its own signature."""
    request = sign("GET", "/guardrails?a=1", b"", expires_s=60)
    assert verify(request)
    assert refusal(changed(request, query=tamper(request.query))).name == "InvalidSignatureException"


def test_a_signature_of_another_secret_is_refused_with_awss_text():
    """The text is the one that people search for."""
    assert refusal(sign(by=Credentials("AKIAUSER", "wrong"))).message == faults.BAD_SIGNATURE


def test_no_credentials_at_all():
    """A request without any is told so."""
    fault = refusal(SignedRequest("GET", b"/", b"", [(b"host", b"h")]))
    assert (fault.name, fault.message) == ("MissingAuthenticationTokenException", "Missing Authentication Token")


@pytest.mark.parametrize(
    "by",
    [
        Credentials("AKIANOBODY", "x"),
        Credentials("ASIASESSION", "another"),
        Credentials("ASIASESSION", "another", "wrong"),
        Credentials("AKIAUSER", "a/secret+key", "made-up"),
    ],
)
def test_unknown_keys_and_wrong_tokens_look_alike(by):
    """Neither tells whether the key exists."""
    fault = refusal(sign(by=by))
    assert (fault.name, fault.message) == ("UnrecognizedClientException", faults.NO_SUCH_CLIENT)


def test_credentials_past_their_end():
    """Temporary credentials end when the store says so."""
    assert refusal(sign(by=Credentials("ASIAOVER", "another", "session-token/=="))).name == "ExpiredTokenException"


def test_a_replayed_date_is_expired():
    """Five minutes either way, with the times in the text."""
    request = sign()
    now = signed_at(request)
    assert verify(request, now + timedelta(seconds=300))
    fault = refusal(request, now + timedelta(seconds=301))
    assert re.fullmatch(
        r"Signature expired: \d{8}T\d{6}Z is now earlier than \d{8}T\d{6}Z \(\d{8}T\d{6}Z - 5 min\.\)", fault.message
    )
    fault = refusal(request, now - timedelta(seconds=301))
    assert re.fullmatch(r"Signature not yet current: \S+ is still later than \S+ \(\S+ \+ 5 min\.\)", fault.message)


def test_a_presigned_request_lasts_as_long_as_it_says():
    """Its own expiry takes the place of the skew."""
    request = sign("GET", body=b"", expires_s=3600)
    now = signed_at(request)
    assert verify(request, now + timedelta(seconds=3600))
    assert "Signature expired" in refusal(request, now + timedelta(seconds=3601)).message


@pytest.mark.parametrize("expires", [b"604801", b"-1", b"abc", b"", b"99999999999999999999", "٣".encode()])
def test_expiries_that_can_not_be(expires):
    """At most a week, and a number."""
    request = sign("GET", body=b"", expires_s=60)
    fault = refusal(changed(request, query=request.query.replace(b"Expires=60", b"Expires=" + expires)))
    assert fault.name == "IncompleteSignatureException"


def test_a_scope_of_another_service_or_no_region():
    """The scope is checked before the signature, and said."""
    assert refusal(sign(service="s3")).message == "Credential should be scoped to correct service: 'bedrock'."
    assert refusal(sign(region="EU West")).message == "Credential should be scoped to a valid region."


def test_the_scopes_day_must_be_the_dates():
    """A key of another day does not sign for this one."""
    request = sign()
    day = signed_at(request).strftime("%Y%m%d")
    old = with_header(request, b"Authorization", authorization(request).replace(f"/{day}/", "/20200101/").encode())
    assert "does not match YYYYMMDD" in refusal(old).message


def test_the_host_must_be_signed():
    """A signature that leaves out the host could be replayed elsewhere."""
    request = sign()
    without = authorization(request).replace("content-type;host;", "content-type;").encode()
    assert "'Host' or ':authority'" in refusal(with_header(request, b"Authorization", without)).message


@pytest.mark.parametrize(
    "value",
    [
        b"", b"AWS4-HMAC-SHA256", b"AWS4-HMAC-SHA256 ", b"AWS4-HMAC-SHA256 Credential=a", b"Basic dXNlcjpwYXNz",
        b"AWS4-HMAC-SHA256 Credential=, SignedHeaders=, Signature=", b"\xff\xfe", b"AWS4-HMAC-SHA256 ,,,,=",
        b"AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=0",
        b"AWS4-ECDSA-P256-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=host, Signature=0",
    ],
)  # fmt: skip
def test_malformed_headers_are_incomplete_and_not_repeated(value):
    """The answer names what is missing and holds only a hash of the header, which may be another scheme's secret."""
    fault = refusal(with_header(sign(), b"Authorization", value))
    assert fault.name == "IncompleteSignatureException"
    assert "dXNlcjpwYXNz" not in fault.message


def test_a_missing_date_is_named():
    """Neither X-Amz-Date nor Date."""
    fault = refusal(with_header(sign(), b"X-Amz-Date", None))
    assert "requires existence of either a 'X-Amz-Date' or a 'Date' header" in fault.message


@pytest.mark.parametrize("date", [b"yesterday", b"20240230T000000Z", b"20241301T000000Z", b"2024-01-01T00:00:00Z"])
def test_dates_that_are_none(date):
    """A date of the wrong form or of no calendar is incomplete, not an exception."""
    assert refusal(with_header(sign(), b"X-Amz-Date", date), NOW).name in {
        "IncompleteSignatureException",
        "InvalidSignatureException",
    }


def test_an_http_date_serves_where_x_amz_date_is_absent():
    """AWS accepts a signed Date header; its signing time is the same second."""
    stamp = NOW.strftime("%Y%m%dT%H%M%SZ")
    headers = {b"date": NOW.strftime("%a, %d %b %Y %H:%M:%S GMT").encode(), b"authorization": (
        f"AWS4-HMAC-SHA256 Credential=AKIAUSER/{stamp[:8]}/x/bedrock/aws4_request, SignedHeaders=date;host, Signature=0"
    ).encode()}  # fmt: skip
    presented = sigv4.parse(headers, b"")
    assert presented is not None
    assert presented.timestamp == stamp


def test_s3s_rules_are_a_choice():
    """Unsigned payloads pass only where the verifier was made for them."""
    signer = auth.S3SigV4Auth(USER, "s3", "us-east-1")
    request = AWSRequest("PUT", "https://h/bucket/a%20b//c", {"Content-MD5": "x"}, b"data")
    request.context["has_streaming_input"] = True
    signer.add_auth(request)
    pairs = [(name.encode(), str(value).encode()) for name, value in request.headers.items()] + [(b"host", b"h")]
    sent = SignedRequest("PUT", b"/bucket/a%20b//c", b"", pairs, b"data")
    for_s3 = Verifier({"s3"}, path_as_is=True, unsigned_payload_ok=True)
    assert for_s3.verify(sent, SECRETS.get, signed_at(sent)).service == "s3"
    with pytest.raises(faults.AuthFault):
        Verifier({"s3"}, path_as_is=True).verify(sent, SECRETS.get, signed_at(sent))


def test_a_stream_of_signed_events_has_no_hash_in_its_head():
    """Bidirectional streams state so instead; anywhere else that statement is refused."""
    request = sign(headers={"x-amz-content-sha256": sigv4.SIGNED_EVENTS})
    assert refusal(request).name == "InvalidSignatureException"


def test_secrets_do_not_show():
    """Not in a repr, so not in a log."""
    assert "a/secret+key" not in repr(SECRETS["AKIAUSER"])
