"""What we sign, botocore signs alike, and our own verifier accepts."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from craton.aws.wire.sign import Keys, Signer
from craton.aws.wire.sigv4 import Secret, SignedRequest, Verifier

NOW = datetime.now(UTC)
HEADERS = ((b"content-type", b"application/json"),)
PATHS = [
    "/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse",
    "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fx/invoke",
    "/endpoints/my-endpoint/invocations",
    "/a//b/../c/",
]


def signed(path: str, query: str, body: bytes, token: str) -> dict[str, str]:
    keys = Keys("AKIAUSER", "a/secret+key", token)
    signer = Signer(keys, service="bedrock", region="eu-west-1", authority=b"127.0.0.1:9001")
    fields = signer.sign(b"POST", path.encode(), body, NOW, query=query.encode(), headers=HEADERS)
    return {name.decode(): value.decode() for name, value in fields}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("query", ["", "b=2&a=1&a=0&c=x%20y"])
@pytest.mark.parametrize("token", ["", "session-token/=="])
def test_botocore_signs_alike(path: str, query: str, token: str) -> None:
    """The same request at the same second has the same signature."""
    ours = signed(path, query, b'{"a":1}', token)
    url = f"http://127.0.0.1:9001{path}" + (f"?{query}" if query else "")
    request = AWSRequest("POST", url, {"content-type": "application/json"}, b'{"a":1}')
    request.context["timestamp"] = ours["x-amz-date"]
    signer = auth.SigV4Auth(Credentials("AKIAUSER", "a/secret+key", token or None), "bedrock", "eu-west-1")
    request.headers["X-Amz-Date"] = ours["x-amz-date"]
    if token:
        request.headers["X-Amz-Security-Token"] = token
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    assert ours["authorization"].endswith(f"Signature={signature}")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("token", ["", "session-token/=="])
def test_our_verifier_accepts_it(path: str, token: str) -> None:
    """And refuses nothing for what is signed along."""
    fields = [(name.encode(), value.encode()) for name, value in signed(path, "", b"{}", token).items()]
    sent = SignedRequest("POST", path.encode(), b"", [*HEADERS, (b"host", b"127.0.0.1:9001"), *fields], b"{}")
    secret = Secret("a/secret+key", token or None)
    who = Verifier({"bedrock"}).verify(sent, {"AKIAUSER": secret}.get, NOW)
    assert (who.region, who.service) == ("eu-west-1", "bedrock")


def test_keys_do_not_show_their_secret() -> None:
    """In a log there is the id alone."""
    assert repr(Keys("AKIAUSER", "secret", "token")) == "Keys('AKIAUSER')"
