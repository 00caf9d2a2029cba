"""boto3 through a server to each further vendor, and through one Craton to another in the place of the real Bedrock."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError, EventStreamError

from tests.fakes import vendors
from tests.fakes.upstream import FakeUpstream
from tests.running import ACCESS_KEY, SECRET_KEY, Running, model_config

HELLO = [{"role": "user", "content": [{"text": "Hello"}]}]
HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"
SONNET = "anthropic.claude-3-5-sonnet-20240620-v1:0"
JAMBA = "ai21.jamba-1-5-mini-v1:0"
LARGE = "mistral.mistral-large-2407-v1:0"
COMMAND_R = "cohere.command-r-plus-v1:0"
SIGNED = 'region = "us-east-1"\naccess_key_id = "env:TARGET_ID"\nsecret_access_key = "env:TARGET_SECRET"'
KEYED = 'api_key = "env:TARGET_SECRET"'
TARGET = {"TARGET_ID": ACCESS_KEY, "TARGET_SECRET": SECRET_KEY}


@dataclass
class Behind:
    """A server, and the vendor behind it."""

    server: Running
    up: FakeUpstream

    def runtime(self) -> Any:
        return self.server.client("bedrock-runtime")


def routes(up: FakeUpstream) -> str:
    url = up.base_url
    return "".join(
        model_config(name, provider, url + suffix, extra=extra)
        for name, provider, suffix, extra in (
            (JAMBA, "ai21", "/studio/v1", KEYED),
            (LARGE, "mistral", "/v1", KEYED),
            (COMMAND_R, "cohere", "", KEYED),
            ("gemini", "gemini", "", KEYED),
            (HAIKU, "bedrock", "", SIGNED),
            ("my-endpoint", "sagemaker", "", SIGNED),
            ("my-container", "container", "", ""),
        )
    )


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    """One server with a model at every vendor."""
    with FakeUpstream(fallback=vendors.natural) as up:
        home = tmp_path_factory.mktemp("vendors")
        with Running(home, "[standins]\nenabled = false\n" + routes(up), env=TARGET) as server:
            yield Behind(server, up)


VENDORS = [JAMBA, LARGE, COMMAND_R, "gemini", HAIKU, "my-endpoint", "my-container"]


@pytest.mark.parametrize("model_id", VENDORS)
def test_converse_reaches_the_vendor(behind: Behind, model_id: str) -> None:
    """Whole and as a stream, with text, stop reason and usage."""
    runtime = behind.runtime()
    reply = runtime.converse(modelId=model_id, messages=HELLO, inferenceConfig={"maxTokens": 20})
    assert reply["output"]["message"]["content"] == [{"text": "Echo: Hello"}]
    assert (reply["stopReason"], reply["usage"]["inputTokens"], reply["usage"]["outputTokens"]) == ("end_turn", 11, 5)
    events = list(runtime.converse_stream(modelId=model_id, messages=HELLO)["stream"])
    text = "".join(event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event)
    assert text == "Echo: Hello"
    assert [next(iter(event)) for event in events][-3:] == ["contentBlockStop", "messageStop", "metadata"]
    assert events[-1]["metadata"]["usage"]["totalTokens"] == 16


OPENAI_SHAPED = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 20}
NATIVE: dict[str, tuple[dict[str, Any], tuple[str | int, ...]]] = {
    JAMBA: (OPENAI_SHAPED, ("choices", 0, "message", "content")),
    LARGE: (OPENAI_SHAPED, ("choices", 0, "message", "content")),
    COMMAND_R: ({"message": "Hello", "max_tokens": 20}, ("text",)),
    "gemini": (
        {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]},
        ("candidates", 0, "content", "parts", 0, "text"),
    ),
    HAIKU: (
        {
            "anthropic_version": "bedrock-2023-05-31",
            "max_tokens": 20,
            "messages": [{"role": "user", "content": "Hello"}],
        },
        ("content", 0, "text"),
    ),
    "my-endpoint": (OPENAI_SHAPED, ("choices", 0, "message", "content")),
    "my-container": (OPENAI_SHAPED, ("choices", 0, "message", "content")),
}


@pytest.mark.parametrize("model_id", VENDORS)
def test_invoke_model_reaches_the_vendor(behind: Behind, model_id: str) -> None:
    """A native body gets a native reply in Bedrock's form, whole and in chunks with the metrics once, on the last."""
    runtime = behind.runtime()
    body, path = NATIVE[model_id]
    found = json.loads(runtime.invoke_model(modelId=model_id, body=json.dumps(body))["body"].read())
    for step in path:
        found = found[step]
    assert found == "Echo: Hello"
    stream = runtime.invoke_model_with_response_stream(modelId=model_id, body=json.dumps(body))["body"]
    chunks = [event["chunk"]["bytes"] for event in stream]
    assert [chunk.count(b"amazon-bedrock-invocationMetrics") for chunk in chunks] == [0] * (len(chunks) - 1) + [1]
    metrics = json.loads(chunks[-1])["amazon-bedrock-invocationMetrics"]
    assert (metrics["inputTokenCount"], metrics["outputTokenCount"]) == (11, 5)


def test_what_a_vendor_cannot_carry_is_named(behind: Behind) -> None:
    """The ledger tells it in a header."""
    point = {"cachePoint": {"type": "default"}}
    reply = behind.runtime().converse(modelId="gemini", messages=HELLO, system=[{"text": "s"}, point])
    assert reply["ResponseMetadata"]["HTTPHeaders"]["x-craton-dropped"] == "system.1.cachePoint"


def test_bedrocks_own_error_reaches_the_caller(behind: Behind) -> None:
    """Name and text of the real Bedrock's, before and inside a stream."""
    behind.up.play(vendors.bedrock_error(400))
    with pytest.raises(ClientError, match="ValidationException it is") as caught:
        behind.runtime().converse(modelId=HAIKU, messages=HELLO)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    broken = vendors.bedrock_exception("throttlingException", "slow down")
    behind.up.play(vendors.framed([*vendors.bedrock_events(["a"])[:2], broken]))
    with pytest.raises(EventStreamError, match="slow down"):
        list(behind.runtime().converse_stream(modelId=HAIKU, messages=HELLO)["stream"])


@pytest.fixture(scope="module")
def hybrid(server: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server whose models are another server's; one of them is asked with a wrong key."""
    wrong = SIGNED.replace("TARGET_SECRET", "WRONG_SECRET")
    config = (
        "[standins]\nenabled = false\n"
        + model_config(HAIKU, "bedrock", server.url, model=HAIKU, extra=SIGNED)
        + model_config("other", "bedrock", server.url, model="craton.chat-mini-v1:0", extra=SIGNED)
        + model_config(SONNET, "bedrock", server.url, model=SONNET, extra=wrong)
    )
    with Running(tmp_path_factory.mktemp("hybrid"), config, env={**TARGET, "WRONG_SECRET": "wrong"}) as running:
        yield running


def test_hybrid(hybrid: Running) -> None:
    """Conversations, streams and native bodies pass from one Craton to another, signed anew."""
    runtime = hybrid.client("bedrock-runtime")
    limit = {"maxTokens": 8}
    reply = runtime.converse(modelId=HAIKU, messages=HELLO, inferenceConfig=limit)
    assert reply["usage"]["outputTokens"] > 0
    events = list(runtime.converse_stream(modelId=HAIKU, messages=HELLO, inferenceConfig=limit)["stream"])
    assert next(iter(events[-1])) == "metadata"
    body = json.dumps(NATIVE[HAIKU][0])
    assert json.loads(runtime.invoke_model(modelId=HAIKU, body=body)["body"].read())["type"] == "message"
    stream = runtime.invoke_model_with_response_stream(modelId=HAIKU, body=body)["body"]
    chunks = [json.loads(event["chunk"]["bytes"]) for event in stream]
    assert (chunks[0]["type"], chunks[-1]["type"]) == ("message_start", "message_stop")
    assert runtime.converse(modelId="other", messages=HELLO, inferenceConfig=limit)["usage"]["outputTokens"] > 0


def test_hybrid_counts(hybrid: Running) -> None:
    """CountTokens is answered by the model behind it."""
    counted = hybrid.client("bedrock-runtime").count_tokens(modelId="other", input={"converse": {"messages": HELLO}})
    assert counted["inputTokens"] > 0


def test_hybrid_with_a_wrong_key(hybrid: Running) -> None:
    """The caller's key is right, so the fault is not called one of signatures."""
    with pytest.raises(ClientError, match="credentials that this server has") as caught:
        hybrid.client("bedrock-runtime").converse(modelId=SONNET, messages=HELLO)
    assert caught.value.response["Error"]["Code"] == "ModelErrorException"
