"""Bedrock API keys with an unmodified boto3: long-term ones of the store, short-term ones made by the caller alone."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import boto3
import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.acceptance import rawhttp
from tests.acceptance.serving import CLAUDE, GPT, HELLO, Served, serving
from tests.integration.front import certificates
from tests.running import ACCESS_KEY, SECRET_KEY


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """With TLS, since boto3 sends keys over nothing else."""
    home = tmp_path_factory.mktemp("home")
    certificates.put(home / "tls")
    with serving(home, certificates.config(home / "tls")) as running:
        yield running


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("plain")) as running:
        yield running


def keys(served: Served, *words: str) -> str:
    """Run `craton keys …` on the server's home; all that it said."""
    command = [sys.executable, "-m", "craton.cli.main", "keys", *words, "--home", str(served.server.home)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=dict(os.environ))
    return done.stdout + done.stderr


def create(served: Served) -> tuple[str, str]:
    """A new long-term key: its id and itself."""
    said = keys(served, "create")
    key_id, key = re.search(r"Key (\S+)", said), re.search(r"AWS_BEARER_TOKEN_BEDROCK=(\S+)", said)
    assert key_id
    assert key
    return key_id[1], key[1]


@pytest.fixture(scope="module")
def long_term(served: Served) -> str:
    return create(served)[1]


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


class Program:
    """A user's program: boto3 with nothing but a key in its environment. It sends keys over TLS alone."""

    def __init__(self, url: str, pem: Path, environment: pytest.MonkeyPatch) -> None:
        self.url = url
        self.environment = environment
        environment.setenv("AWS_CA_BUNDLE", str(pem))
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
            environment.delenv(name, raising=False)

    def client(self, key: str, service: str = "bedrock-runtime") -> Any:
        self.environment.setenv("AWS_BEARER_TOKEN_BEDROCK", key)
        return boto3.client(
            service, endpoint_url=self.url, region_name="us-east-1", config=Config(retries={"total_max_attempts": 1})
        )


@pytest.fixture
def program(served: Served, monkeypatch: pytest.MonkeyPatch) -> Program:
    return Program(served.server.url, served.server.home / "tls" / "ca.pem", monkeypatch)


def test_a_long_term_key_opens_both_services(long_term: str, program: Program) -> None:
    """A key of `craton keys create` works on bedrock and bedrock-runtime, at once, without a restart."""
    reply = program.client(long_term).converse(modelId=GPT, messages=HELLO)
    assert reply["output"]["message"]["content"][0]["text"] == "Echo: Hello"
    assert program.client(long_term, "bedrock").list_foundation_models()["modelSummaries"]


def test_a_key_streams(long_term: str, program: Program) -> None:
    """Streams take a key too."""
    stream = program.client(long_term).converse_stream(modelId=GPT, messages=HELLO)
    texts = [event["contentBlockDelta"]["delta"]["text"] for event in stream["stream"] if "contentBlockDelta" in event]
    assert "".join(texts) == "Echo: Hello"


def test_the_anthropic_sdk_takes_a_key(plain: Served) -> None:
    """It sends a key over plain HTTP as well."""
    with anthropic.AnthropicBedrock(
        base_url=plain.server.url, aws_region="us-east-1", api_key=create(plain)[1], max_retries=0
    ) as client:
        reply = client.messages.create(model=CLAUDE, max_tokens=20, messages=[{"role": "user", "content": "Hello"}])
    assert reply.content[0].text == "Echo: Hello"


def test_a_key_is_no_proof_for_the_agents_services(plain: Served) -> None:
    """Its services take signatures alone, so a bearer token counts as no credentials."""
    target = "/agents/?maxResults=5"
    data = rawhttp.head(
        plain.server, "POST", target, [("Authorization", f"Bearer {create(plain)[1]}"), ("Content-Length", "2")]
    )
    answer = rawhttp.exchange(plain.server, data + b"{}")
    rawhttp.refused(answer, 403, "MissingAuthenticationTokenException", "Missing Authentication Token")


def test_a_short_term_key_needs_no_store(program: Program) -> None:
    """A presigned request proves its maker."""
    runtime = program.client(short_term())
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
def test_a_key_that_does_not_hold_is_refused(served: Served, program: Program, key: str, message: str) -> None:
    """AccessDeniedException with AWS's words, and never the key in them."""
    if message == "Bearer Token has expired":
        time.sleep(1.1)  # a presigned request's times are whole seconds
    with pytest.raises(ClientError) as caught:
        program.client(key).converse(modelId=GPT, messages=HELLO)
    assert caught.value.response["Error"] == {"Code": "AccessDeniedException", "Message": message}
    assert key not in served.server.output()


def test_a_key_that_is_switched_off_stops_working(served: Served, program: Program) -> None:
    """`craton keys deactivate` counts in the running server when the command ends."""
    key_id, key = create(served)
    runtime = program.client(key)
    runtime.converse(modelId=GPT, messages=HELLO)
    keys(served, "deactivate", key_id)
    with pytest.raises(ClientError, match="AccessDenied"):
        runtime.converse(modelId=GPT, messages=HELLO)
