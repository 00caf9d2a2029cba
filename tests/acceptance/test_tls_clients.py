"""A server with a certificate of `craton tls create`, and clients that know nothing but what `craton env` prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import SSLError

from tests.acceptance.serving import CLAUDE_2, GPT, HELLO, Served, serving

ROOT = Path(__file__).parents[2]
PROGRAM = f"""
import boto3
runtime = boto3.client("bedrock-runtime")
messages = {HELLO}
print(runtime.converse(modelId="{GPT}", messages=messages)["output"]["message"]["content"][0]["text"])
for event in runtime.converse_stream(modelId="{GPT}", messages=messages)["stream"]:
    print(event.get("contentBlockDelta", dict()).get("delta", dict()).get("text", ""), end="")
"""


def craton(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "craton.cli.main", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("home")
    made = craton("tls", "create", "--home", str(home))
    assert made.returncode == 0, made.stderr
    with serving(home, made.stdout, "--workers", "2") as running:
        yield running


@pytest.fixture(scope="module")
def env(served: Served) -> dict[str, str]:
    """What `craton env` prints, and a PATH. The root key is fixed by the environment, there as here."""
    given = served.server.environment()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRATON_ROOT_ACCESS_KEY_ID", given["AWS_ACCESS_KEY_ID"])
        patch.setenv("CRATON_ROOT_SECRET_ACCESS_KEY", given["AWS_SECRET_ACCESS_KEY"])
        printed = craton("env", "--home", str(served.server.home), "--format", "json")
    assert printed.returncode == 0, printed.stderr
    return {"PATH": os.environ["PATH"], **json.loads(printed.stdout)}


def test_boto3_needs_nothing_but_the_environment(served: Served, env: dict[str, str]) -> None:
    """Whole answers and streams over https, trusted through AWS_CA_BUNDLE."""
    assert env["AWS_ENDPOINT_URL"].startswith("https://127.0.0.1:")
    assert env["AWS_CA_BUNDLE"] == str(served.server.home / "tls" / "ca.pem")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=env, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "Echo: Hello\nEcho: Hello"), done.stderr


def test_a_client_that_does_not_trust_it_sends_nothing(served: Served) -> None:
    """The handshake fails before a request is sent."""
    served.up.requests.clear()
    with pytest.raises(SSLError):
        served.client("bedrock-runtime").converse(modelId=GPT, messages=HELLO)
    assert not served.up.requests


def test_the_javascript_sdk_speaks_http2_over_tls(env: dict[str, str]) -> None:
    """With its default client, which agrees on h2."""
    given = {
        **env,
        "NODE_EXTRA_CA_CERTS": env["AWS_CA_BUNDLE"],
        "CLIENTS_ROOT": str(ROOT / ".tools" / "js"),
        "SCENARIO": json.dumps({"modelId": CLAUDE_2}),
        "MAX_ATTEMPTS": "1",
        "NODE_NO_WARNINGS": "1",
    }
    script = str(Path(__file__).parent / "clients" / "judge.mjs")
    command = ["node", script, "converse", "converseStream"]
    done = subprocess.run(command, capture_output=True, text=True, env=given, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    converse, stream = [json.loads(line) for line in done.stdout.splitlines()]
    assert converse["protocol"] == "h2"
    assert converse["value"]["output"]["message"]["content"] == [{"text": "Echo: Hello"}]
    assert stream["value"]


def test_doctor_reaches_it(served: Served) -> None:
    """The command line trusts the home's own authority."""
    said = craton("doctor", "--home", str(served.server.home)).stdout
    assert f"healthy at {served.server.url}" in said


def test_private_keys_are_private(served: Served) -> None:
    """All that `craton tls create` writes is the owner's alone."""
    folder = served.server.home / "tls"
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == dict.fromkeys(
        ("ca.pem", "ca.key", "certificate.pem", "key.pem"), 0o600
    )


def test_a_certificate_that_cannot_be_used_ends_the_start(tmp_path: Path) -> None:
    """Exit code 2, and the file is named."""
    config = tmp_path / "c.toml"
    config.write_text('[tls]\ncertificate = "none.pem"\nkey = "none.key"\n')
    done = craton("serve", "--home", str(tmp_path / "home"), "--port", "0", "--config", str(config))
    assert (done.returncode, "none.pem: cannot be read" in done.stderr) == (2, True), done.stderr
