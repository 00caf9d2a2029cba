"""Bearer keys: the formats that Bedrock's own tools make, and the refusals."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from craton.aws.wire import bearer, faults
from craton.aws.wire.sigv4 import Secret, Verifier

FORM = bearer.KeyFormat("ABSK", "bedrock-api-key-", "bedrock.amazonaws.com")
SECRETS = {"ASIAONE": Secret("secret", "token")}


def short_term(*, secret="secret", expires_s=43_200, host="bedrock.amazonaws.com", region="eu-west-1"):
    """Make a key as aws-bedrock-token-generator does: a presigned POST, its scheme cut off, a version added."""
    request = AWSRequest("POST", f"https://{host}/", headers={"host": host}, params={"Action": "CallWithBearerToken"})
    SigV4QueryAuth(Credentials("ASIAONE", secret, "token"), "bedrock", region, expires=expires_s).add_auth(request)
    text = request.url.removeprefix("https://") + "&Version=1"
    return "bedrock-api-key-" + base64.b64encode(text.encode()).decode()


def verify(key, after_s=0):
    parsed = bearer.parse(key, FORM)
    now = datetime.now(UTC) + timedelta(seconds=after_s)
    return bearer.verify(parsed, FORM, Verifier({"bedrock"}), SECRETS.get, now)


def refusal(key, after_s=0):
    with pytest.raises(faults.AuthFault) as caught:
        verify(key, after_s)
    assert (caught.value.name, caught.value.http_status()) == ("AccessDeniedException", 403)
    return caught.value.message


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([(b"Authorization", b"Bearer abc")], "abc"),
        ([(b"x", b"y"), (b"authorization", b"  bearer   abc ")], "abc"),
        ([(b"authorization", b"AWS4-HMAC-SHA256 Credential=a")], None),
        ([(b"authorization", b"Bearer")], None),
        ([], None),
    ],
)
def test_the_token_is_found_whatever_the_case(headers, expected):
    """The scheme is case-insensitive, and another scheme is not ours."""
    assert bearer.token(headers) == expected


def test_a_short_term_key_is_its_signers():
    """Access key, region and session token are those of the signature inside."""
    verified = verify(short_term())
    assert (verified.access_key_id, verified.region, verified.session_token) == ("ASIAONE", "eu-west-1", "token")


def test_a_short_term_key_ends():
    """Twelve hours at most, and with its own text."""
    assert refusal(short_term(expires_s=60), after_s=120) == "Bearer Token has expired"
    assert refusal(short_term(expires_s=50_000)) == bearer.NOT_VALID


@pytest.mark.parametrize(
    "key",
    [
        short_term(secret="other"),
        short_term(host="elsewhere.example"),
        "bedrock-api-key-",
        "bedrock-api-key-!!!",
        "bedrock-api-key-" + base64.b64encode(b"bedrock.amazonaws.com/?Action=CallWithBearerToken").decode(),
        "bedrock-api-key-" + base64.b64encode(b"\xff\xfe").decode(),
    ],
)
def test_a_short_term_key_that_does_not_verify(key):
    """Wrong secret, wrong host and rubbish get the one text."""
    assert refusal(key) == bearer.NOT_VALID


def test_a_key_without_a_known_prefix():
    """The text that Bedrock gives."""
    assert refusal("sk-something") == "Invalid API Key format: Must start with pre-defined prefix"


def test_a_long_term_key_says_its_alias():
    """What we make we can read; the alias is only a claim."""
    key = bearer.long_term("BedrockAPIKey-ab12-at-000000000000", b"\x01" * 32, FORM)
    assert key.startswith("ABSK")
    parsed = bearer.parse(key, FORM)
    assert parsed == bearer.LongTermKey(key, "BedrockAPIKey-ab12-at-000000000000")
    assert key not in repr(parsed)


@pytest.mark.parametrize(
    "body", ["", "!!!", base64.b64encode(b"noseparator").decode(), base64.b64encode(b":").decode()]
)
def test_a_malformed_long_term_key(body):
    """Not base64, or not alias and secret."""
    with pytest.raises(faults.AuthFault, match="Authentication failed"):
        bearer.parse("ABSK" + body, FORM)
