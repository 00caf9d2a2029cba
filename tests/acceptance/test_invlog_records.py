"""Invocation logs from end to end: what is asked of models, and what they answer, lies in the customer's bucket."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.acceptance import rawhttp
from tests.acceptance.invlog import ACCOUNT, REGION, SOURCE, bucket_for, keys, policy, put, read, records
from tests.acceptance.serving import CLAUDE, GPT, HELLO, NOVA, Served, converse_path, serving

ROOT = f"AWSLogs/{ACCOUNT}/BedrockModelInvocationLogs"
CHECK = f"{ROOT}/amazon-bedrock-logs-permission-check"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("logs")) as one:
        yield one


def test_invlog_records_of_every_operation(served: Served) -> None:
    """Whole answers, streams, native bodies, doors and errors each leave one record in Bedrock's schema."""
    s3 = bucket_for(served, "logs-all", **SOURCE)
    put(served, "logs-all", "some/prefix")
    runtime = served.client()
    asked: dict[str, dict[str, Any]] = {}
    answer = runtime.converse(modelId=GPT, messages=HELLO, requestMetadata={"team": "blue"})
    asked["Converse"] = answer
    answer = runtime.converse_stream(modelId=NOVA, messages=HELLO)
    list(answer["stream"])
    asked["ConverseStream"] = answer
    native = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "Hi"}],
    }
    answer = runtime.invoke_model(modelId=CLAUDE, body=json.dumps(native, indent=1))
    replied = json.loads(answer["body"].read())
    asked["InvokeModel"] = answer
    answer = runtime.invoke_model_with_response_stream(modelId=CLAUDE, body=json.dumps(native))
    chunks = [json.loads(event["chunk"]["bytes"]) for event in answer["body"]]
    asked["InvokeModelWithResponseStream"] = answer
    with pytest.raises(ClientError) as refused:
        runtime.converse(modelId="no.such-model", messages=HELLO)
    asked["error"] = refused.value.response
    found = records(s3, "logs-all", 5)
    by_id = {one["requestId"]: one for one in found}
    shown = {name: by_id[one["ResponseMetadata"]["RequestId"]] for name, one in asked.items()}
    assert len(found) == 5
    converse = shown["Converse"]
    timestamp = converse.pop("timestamp")
    assert time.strptime(timestamp, "%Y-%m-%dT%H:%M:%SZ")
    assert converse == {
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "accountId": ACCOUNT,
        "identity": {"arn": f"arn:aws:iam::{ACCOUNT}:root"},
        "region": REGION,
        "requestId": converse["requestId"],
        "operation": "Converse",
        "modelId": GPT,
        "requestMetadata": {"team": "blue"},
        "input": {
            "inputContentType": "application/json",
            "inputBodyJson": {"messages": HELLO, "requestMetadata": {"team": "blue"}},
            "inputTokenCount": asked["Converse"]["usage"]["inputTokens"],
        },
        "output": {
            "outputContentType": "application/json",
            "outputBodyJson": {
                "output": asked["Converse"]["output"],
                "stopReason": "end_turn",
                "usage": asked["Converse"]["usage"],
                "metrics": asked["Converse"]["metrics"],
            },
            "outputTokenCount": asked["Converse"]["usage"]["outputTokens"],
        },
    }
    events = shown["ConverseStream"]["output"]["outputBodyJson"]
    assert next(iter(events[0])) == "messageStart"
    assert "metadata" in events[-1]
    assert shown["ConverseStream"]["operation"] == "ConverseStream"
    assert shown["ConverseStream"]["output"]["outputTokenCount"] == events[-1]["metadata"]["usage"]["outputTokens"]
    assert shown["InvokeModel"]["input"]["inputBodyJson"] == native
    assert shown["InvokeModel"]["output"]["outputBodyJson"] == replied
    assert shown["InvokeModelWithResponseStream"]["output"]["outputBodyJson"] == chunks
    error = shown["error"]
    assert (error["errorCode"], error["modelId"], error["output"]) == ("ValidationException", "no.such-model", {})
    assert error["input"]["inputBodyJson"] == {"messages": HELLO}
    every = keys(s3, "logs-all")
    assert f"some/prefix/{CHECK}" in every
    hour = timestamp[:13].replace("-", "/").replace("T", "/")
    assert any(key.startswith(f"some/prefix/{ROOT}/{REGION}/{hour}/") and key.endswith(".json.gz") for key in every)


def test_invlog_at_the_vendors_doors(served: Served) -> None:
    """What comes through a door is logged in the vendor's shape, as the operation that it is a form of."""
    s3 = bucket_for(served, "logs-doors")
    put(served, "logs-doors")
    body = json.dumps({"model": GPT, "messages": [{"role": "user", "content": "Hello"}], "stream": True}).encode()
    answer = rawhttp.call(served.server, "POST", "/openai/v1/chat/completions", body)
    assert answer.status == 200
    found = records(s3, "logs-doors", 1)
    assert len(found) == 1
    assert found[0]["operation"] == "ConverseStream"
    assert found[0]["door"] == "/openai/v1/chat/completions"
    assert found[0]["modelId"] == GPT
    assert found[0]["input"]["inputBodyJson"] == json.loads(body)
    assert found[0]["input"]["inputTokenCount"] > 0
    assert found[0]["output"]["outputBodyJson"][0]["object"] == "chat.completion.chunk"


def test_invlog_large_bodies_lie_apart(served: Served) -> None:
    """A body over 100 KB is an object of its own, which the record names."""
    s3 = bucket_for(served, "logs-large")
    put(served, "logs-large")
    text = "x" * 120_000
    messages = [{"role": "user", "content": [{"text": text}]}]
    served.client().converse(modelId=GPT, messages=messages)
    found = records(s3, "logs-large", 1)
    path = found[0]["input"]["inputBodyS3Path"]
    assert "inputBodyJson" not in found[0]["input"]
    bucket, _, key = path.removeprefix("s3://").partition("/")
    assert key.endswith(f"/data/{found[0]['requestId']}_input.json.gz")
    assert read(s3, bucket, key) == [{"messages": messages}]


def test_invlog_switched_off_text_leaves_its_counts(served: Served) -> None:
    """Without text data a record still says who asked what for how many tokens."""
    s3 = bucket_for(served, "logs-counts")
    put(served, "logs-counts", textDataDeliveryEnabled=False)
    served.client().converse(modelId=GPT, messages=HELLO)
    found = records(s3, "logs-counts", 1)
    assert set(found[0]["input"]) == {"inputContentType", "inputTokenCount"}
    assert set(found[0]["output"]) == {"outputContentType", "outputTokenCount"}


def test_invlog_put_refuses_a_bucket_that_takes_nothing(served: Served) -> None:
    """A bucket that is not there, or whose policy does not let Bedrock in, is refused, and nothing is changed."""
    bedrock = served.client("bedrock")
    before = bedrock.get_model_invocation_logging_configuration().get("loggingConfig")
    s3 = served.client("s3")
    s3.create_bucket(Bucket="logs-closed")
    elsewhere = {"StringEquals": {"aws:SourceAccount": "999999999999"}}
    for name, text in (("logs-none", None), ("logs-closed", None), ("logs-closed", policy("logs-closed", **elsewhere))):
        if text is not None:
            s3.put_bucket_policy(Bucket=name, Policy=text)
        with pytest.raises(ClientError) as caught:
            put(served, name)
        assert caught.value.response["Error"]["Code"] == "ValidationException"
        assert f"Failed to validate permissions for S3 bucket: {name}." in str(caught.value)
    with pytest.raises(ClientError, match="Provide at least one of"):
        bedrock.put_model_invocation_logging_configuration(loggingConfig={"textDataDeliveryEnabled": True})
    assert bedrock.get_model_invocation_logging_configuration().get("loggingConfig") == before


def test_invlog_delete_stops(served: Served) -> None:
    """Once the configuration is deleted nothing more is logged, and Get says so."""
    s3 = bucket_for(served, "logs-stop")
    put(served, "logs-stop")
    bedrock = served.client("bedrock")
    config = bedrock.get_model_invocation_logging_configuration()["loggingConfig"]
    assert config["s3Config"]["bucketName"] == "logs-stop"
    assert config["textDataDeliveryEnabled"] is True
    served.client().converse(modelId=GPT, messages=HELLO)
    assert len(records(s3, "logs-stop", 1)) == 1
    bedrock.delete_model_invocation_logging_configuration()
    assert "loggingConfig" not in bedrock.get_model_invocation_logging_configuration()
    served.client().converse(modelId=GPT, messages=HELLO)
    time.sleep(1.5)
    assert len(records(s3, "logs-stop", 1)) == 1


def test_invlog_spool_holds_no_prompt(served: Served) -> None:
    """What waits on the disk is sealed: no word of a prompt lies in the home."""
    s3 = bucket_for(served, "logs-sealed")
    put(served, "logs-sealed")
    s3.delete_bucket_policy(Bucket="logs-sealed")
    word = "quetzalcoatlus"
    messages = [{"role": "user", "content": [{"text": word}]}]
    assert (
        rawhttp.call(served.server, "POST", converse_path(GPT), json.dumps({"messages": messages}).encode()).status
        == 200
    )
    spool = served.server.home / "spool" / "invocations"
    until = time.monotonic() + 60
    while not list(spool.glob("*.spool")) and time.monotonic() < until:
        time.sleep(0.05)
    assert list(spool.glob("*.spool"))
    for path in served.server.home.rglob("*"):
        if path.is_file():
            assert word.encode() not in path.read_bytes(), path
    assert records(s3, "logs-sealed", 1, within_s=1.0) == []
    s3.put_bucket_policy(Bucket="logs-sealed", Policy=policy("logs-sealed"))
    assert len(records(s3, "logs-sealed", 1)) == 1


def test_invlog_the_server_says_how_deliveries_stand(served: Served) -> None:
    """Counters by CloudWatch's names, and what waits, at a path of the machine's own; the doctor says the same."""
    answer = rawhttp.call(served.server, "GET", "/craton/invocation-logs")
    assert answer.status == 200
    assert answer.json["delivered"]["ModelInvocationLogsS3DeliverySuccess"] >= 5
    assert answer.json["lost"] == {"memory": 0, "budget": 0, "unwritten": 0}
    command = [sys.executable, "-m", "craton.cli.main", "doctor", "--home", str(served.server.home)]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout
    assert "invocation logs: delivered" in said
