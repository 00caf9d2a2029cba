"""Bedrock API keys with an unmodified boto3: long-term ones of the store, short-term ones made by the caller alone."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.acceptance.serving import GPT, HELLO, Served, serving
from tests.running import ACCESS_KEY, SECRET_KEY


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("home")) as running:
        yield running


def keys(served: Served, *words: str) -> str:
    """Run `craton keys …` on the server's home."""
    command = [sys.executable, "-m", "craton.cli.main", "keys", *words, "--home", str(served.server.home)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=dict(os.environ)).stdout


@pytest.fixture(scope="module")
def long_term(served: Served) -> str:
    made = keys(served, "create")
    return re.search(r"AWS_BEARER_TOKEN_BEDROCK=(\S+)", made)[1]  # type: ignore[index]


def short_term(region: str = "us-east-1", expires_s: int = 43_200, secret: str = SECRET_KEY) -> str:
    """A key as `aws-bedrock-token-generator` makes it: a presigned request, in base64."""
    request = AWSRequest(
        "POST",
        "https://bedrock.amazonaws.com/",
        headers={"host": "bedrock.amazonaws.com"},
        params={"Action": "CallWithBearerToken"},
    )
    SigV4QueryAuth(Credentials(ACCESS_KEY, secret), "bedrock", region, expires=expires_s).add_auth(request)
    url = str(request.url).removeprefix("https://") + "&Version=1"
    return "bedrock-api-key-" + base64.b64encode(url.encode()).decode()


def client(served: Served, key: str, service: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A boto3 client that has nothing but the key in its environment."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", key)
    return boto3.client(service, endpoint_url=served.server.url, region_name="us-east-1")


def test_a_long_term_key_opens_both_services(
    served: Served, long_term: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key of `craton keys create` works on bedrock and bedrock-runtime, at once, without a restart."""
    reply = client(served, long_term, "bedrock-runtime", monkeypatch).converse(modelId=GPT, messages=HELLO)
    assert reply["output"]["message"]["content"][0]["text"] == "Echo: Hello"
    assert client(served, long_term, "bedrock", monkeypatch).list_foundation_models()["modelSummaries"]


def test_a_key_streams(served: Served, long_term: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams take a key too."""
    stream = client(served, long_term, "bedrock-runtime", monkeypatch).converse_stream(modelId=GPT, messages=HELLO)
    texts = [event["contentBlockDelta"]["delta"]["text"] for event in stream["stream"] if "contentBlockDelta" in event]
    assert "".join(texts) == "Echo: Hello"


def test_a_key_is_no_proof_for_the_agents_services(
    served: Served, long_term: str
) -> None:
    """Its services take signatures alone, so a bearer token counts as no credentials."""
    from tests.acceptance import rawhttp

    target = "/agents/?maxResults=5"
    data = rawhttp.head(
        served.server, "POST", target, [("Authorization", f"Bearer {long_term}"), ("Content-Length", "2")]
    )
    answer = rawhttp.exchange(served.server, data + b"{}")
    rawhttp.refused(answer, 403, "MissingAuthenticationTokenException", "Missing Authentication Token")


def test_a_short_term_key_needs_no_store(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A presigned request proves its maker."""
    runtime = client(served, short_term(), "bedrock-runtime", monkeypatch)
    assert runtime.converse(modelId=GPT, messages=HELLO)["stopReason"] == "end_turn"


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (short_term(secret="x" * 40), "Authentication failed: Please make sure your API Key is valid."),
        (short_term(expires_s=0), "Bearer Token has expired"),
        ("bedrock-api-key-%%%", "Authentication failed: Please make sure your API Key is valid."),
        (
            "ABSK" + base64.b64encode(b"nobody-at-000000000000:c2VjcmV0").decode(),
            "Authentication failed: Please make sure your API Key is valid.",
        ),
        ("sk-something-else", "Invalid API Key format: Must start with pre-defined prefix"),
    ],
    ids=["forged", "expired", "rubbish", "unknown", "prefix"],
)
def test_a_key_that_does_not_hold_is_refused(
    served: Served, monkeypatch: pytest.MonkeyPatch, key: str, message: str
) -> None:
    """AccessDeniedException with AWS's words, and never the key in them."""
    if message == "Bearer Token has expired":
        import time

        time.sleep(1.1)  # a presigned request's times are whole seconds
    with pytest.raises(ClientError) as caught:
        client(served, key, "bedrock-runtime", monkeypatch).converse(modelId=GPT, messages=HELLO)
    assert caught.value.response["Error"] == {"Code": "AccessDeniedException", "Message": message}
    assert key not in served.server.output()


def test_a_key_that_is_switched_off_stops_working(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """`craton keys deactivate` counts in the running server when the command ends."""
    made = re.search(r"AWS_BEARER_TOKEN_BEDROCK=(\S+)", keys(served, "create"))[1]  # type: ignore[index]
    runtime = client(served, made, "bedrock-runtime", monkeypatch)
    runtime.converse(modelId=GPT, messages=HELLO)
    newest = [line.split()[0] for line in keys(served, "list").splitlines() if line.startswith("ACCA")]
    for name in newest:
        keys(served, "deactivate", name)
    with pytest.raises(ClientError, match="AccessDenied"):
        runtime.converse(modelId=GPT, messages=HELLO)
