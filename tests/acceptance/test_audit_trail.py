"""The audit log of a running server: what boto3 did stands in it, what it was about does not."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from craton.infra.audit.verify import lines, verify
from tests.acceptance.door_keys import short_term
from tests.acceptance.serving import GPT, Served, serving

CANARY = "canary-7f3a9c"
COPY = {"copyFrom": f"arn:aws:bedrock:us-east-1::foundation-model/{GPT}"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("home"), "[audit]\ndata_events = true\n", "--workers", "2") as running:
        yield running


def records(home: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for _, _, line in lines(home / "audit")]


def events(home: Path, name: str) -> list[dict[str, Any]]:
    return [one for one in records(home) if one["eventName"] == name]


def audit(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "craton.cli.main", "audit", *words, "--home", str(home)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_a_write_stands_in_the_log_when_it_is_answered(served: Served) -> None:
    """Without waiting: the reply comes after the record."""
    home, bedrock = served.server.home, served.client("bedrock")
    for number in range(5):
        made = bedrock.create_inference_profile(
            inferenceProfileName=f"p{number}",
            modelSource=COPY,
            description=CANARY,
            tags=[{"key": "a", "value": CANARY}],
        )
        record = events(home, "CreateInferenceProfile")[-1]
        assert record["requestID"] == made["ResponseMetadata"]["RequestId"]
        assert record["responseElements"]["inferenceProfileArn"] == made["inferenceProfileArn"]
        assert record["requestParameters"]["inferenceProfileName"] == f"p{number}"
        assert record["userIdentity"]["type"] == "Root"


def test_identities_and_keys_are_in_it_and_their_secrets_are_not(served: Served) -> None:
    """IAM, STS and KMS, each before its reply."""
    home = served.server.home
    iam, kms = served.client("iam"), served.client("kms")
    iam.create_user(UserName="ann", Tags=[{"Key": "team", "Value": CANARY}])
    secret = iam.create_access_key(UserName="ann")["AccessKey"]["SecretAccessKey"]
    key = kms.create_key(Description=CANARY)["KeyMetadata"]["KeyId"]
    sealed = kms.encrypt(KeyId=key, Plaintext=CANARY.encode())["CiphertextBlob"]
    kms.decrypt(CiphertextBlob=sealed)
    served.client("sts").get_caller_identity()
    for name in ("CreateUser", "CreateAccessKey", "CreateKey", "Encrypt", "Decrypt", "GetCallerIdentity"):
        assert events(home, name), name
    whole = json.dumps(records(home))
    assert CANARY not in whole
    assert secret not in whole


def test_who_is_refused_stands_in_it(served: Served) -> None:
    """With the reason; a request of nobody does not."""
    home = served.server.home
    iam = served.client("iam")
    iam.create_user(UserName="bob")
    key = iam.create_access_key(UserName="bob")["AccessKey"]
    given = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    with pytest.raises(ClientError, match="not authorized"):
        served.client("bedrock", **given).list_inference_profiles()
    forged = {**given, "aws_secret_access_key": "x" * 40}
    with pytest.raises(ClientError):
        served.client("bedrock", **forged).list_prompt_routers()
    served.client("iam").create_group(GroupName="later")  # kept at once, with all that came before it in this worker
    found = wait_for(home, "ListInferenceProfiles")
    assert (found["errorCode"], found["userIdentity"]["userName"]) == ("AccessDeniedException", "bob")
    assert not events(home, "ListPromptRouters")


def wait_for(home: Path, name: str, count: int = 1, **members: str) -> dict[str, Any]:
    """The first of so many such records; reads are kept within a moment."""
    end = time.monotonic() + 60
    while True:
        found = [one for one in events(home, name) if members.items() <= one.items()]
        if len(found) >= count:
            return found[0]
        assert time.monotonic() < end, f"no {name}"
        time.sleep(0.05)


def test_the_use_of_models_names_the_model_and_nothing_said(served: Served) -> None:
    """Whole answers, streams and the vendors' door, where data events are on."""
    home, runtime = served.server.home, served.client("bedrock-runtime")
    said = [{"role": "user", "content": [{"text": CANARY}]}]
    runtime.converse(modelId=GPT, messages=said, system=[{"text": CANARY}])
    list(runtime.converse_stream(modelId=GPT, messages=said)["stream"])
    with pytest.raises(ClientError):
        runtime.invoke_model(modelId=GPT, body=json.dumps({CANARY: CANARY}))
    for name in ("Converse", "ConverseStream", "InvokeModel"):
        found = wait_for(home, name)
        assert (found["requestParameters"]["modelId"], found["eventCategory"]) == (GPT, "Data")
    assert "errorCode" in wait_for(home, "InvokeModel")
    assert CANARY not in json.dumps(records(home))


def test_a_vendors_door_names_the_model_too(served: Served) -> None:
    """Of what OpenAI's and Anthropic's clients call, and nothing of what they say."""
    home, url = served.server.home, served.server.url
    asked = {"model": GPT, "max_tokens": 5, "messages": [{"role": "user", "content": CANARY}]}
    headers = {"content-type": "application/json", "x-api-key": short_term(), "user-agent": "at-a-door"}
    for path in ("/v1/chat/completions", "/v1/messages"):
        request = urllib.request.Request(url + path, json.dumps(asked).encode(), headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200
    served.client("iam").create_group(GroupName="after-the-doors")
    wait_for(home, "Converse", 2, userAgent="at-a-door")
    found = [one for one in events(home, "Converse") if one["userAgent"] == "at-a-door"]
    assert [one["requestParameters"] for one in found] == [{"modelId": GPT}] * 2
    assert CANARY not in json.dumps(records(home))


def test_the_command_reads_and_verifies(served: Served) -> None:
    """While the server runs; filters; and after somebody touched a file the first break is named."""
    home = served.server.home
    served.client("iam").create_user(UserName="cid")
    assert verify(home / "audit").broken is None
    done = audit(home, "verify")
    assert (done.returncode, done.stdout.startswith("whole: ")) == (0, True), done.stdout + done.stderr
    table = audit(home, "--event", "CreateUser", "--since", "1h").stdout
    assert "iam:CreateUser" in table
    assert "user/cid" in table
    rows = [json.loads(line) for line in audit(home, "--errors", "--json").stdout.splitlines()]
    assert rows
    assert all("errorCode" in one for one in rows)
    assert "no records" in audit(home, "--user", "nobody").stderr


def test_a_touched_log_is_found_out(tmp_path: Path) -> None:
    """Exit code 1, and where; a server with audit off has none."""
    with serving(tmp_path / "on") as one:
        for number in range(3):
            one.client("iam").create_user(UserName=f"u{number}")
    home = tmp_path / "on"
    (segment,) = (home / "audit").glob("*.jsonl")
    segment.write_bytes(segment.read_bytes().replace(b'"u1"', b'"u9"'))
    done = audit(home, "verify")
    assert (done.returncode, "line 3" in done.stdout) == (1, True), done.stdout
    with serving(tmp_path / "off", "[audit]\nenabled = false\n") as one:
        one.client("iam").create_user(UserName="ann")
    assert not (tmp_path / "off" / "audit").exists()


def test_nobody_is_told_of_a_change_that_could_not_be_recorded(tmp_path: Path) -> None:
    """A log that cannot be written fails writes, and leaves inference as it is."""
    (tmp_path / "file").write_text("not a folder")
    with serving(tmp_path / "home", f'[audit]\ndirectory = "{tmp_path / "file"}"\n') as one:
        with pytest.raises(ClientError) as caught:
            one.client("iam").create_user(UserName="ann")
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
        one.check_alive()
