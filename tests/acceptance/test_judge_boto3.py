"""boto3, unmodified, against a server with all defaults: what a program written for Amazon Bedrock does."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from tests.running import Running

CLAUDE = "anthropic.claude-3-haiku-20240307-v1:0"
HELLO = [{"role": "user", "content": [{"text": "Hello"}]}]


@pytest.fixture(scope="module")
def runtime(server: Running):
    return server.client("bedrock-runtime")


@pytest.fixture(scope="module")
def control(server: Running):
    return server.client("bedrock")


def test_converse_answers_with_text_usage_and_a_stop_reason(runtime) -> None:
    """Converse gives the members that programs read, as integers where they are integers."""
    reply = runtime.converse(modelId=CLAUDE, messages=HELLO, inferenceConfig={"maxTokens": 40})
    assert reply["output"]["message"]["role"] == "assistant"
    assert reply["output"]["message"]["content"][0]["text"].strip()
    assert reply["stopReason"] in ("end_turn", "max_tokens")
    used = reply["usage"]
    assert used["inputTokens"] > 0
    assert used["totalTokens"] == used["inputTokens"] + used["outputTokens"]
    assert isinstance(reply["metrics"]["latencyMs"], int)


def test_a_stand_in_says_so(runtime) -> None:
    """The header names the local model that answered in the vendor's place."""
    reply = runtime.converse(modelId=CLAUDE, messages=HELLO, inferenceConfig={"maxTokens": 5})
    assert reply["ResponseMetadata"]["HTTPHeaders"]["x-craton-standin"].startswith("craton.")


def test_converse_stream_has_bedrocks_order_of_events(runtime) -> None:
    """messageStart, deltas, contentBlockStop, messageStop, metadata; no start event for text."""
    stream = runtime.converse_stream(modelId=CLAUDE, messages=HELLO, inferenceConfig={"maxTokens": 40})["stream"]
    kinds = [next(iter(event)) for event in stream]
    assert kinds[0] == "messageStart"
    assert kinds[-3:] == ["contentBlockStop", "messageStop", "metadata"]
    assert set(kinds[1:-3]) == {"contentBlockDelta"}


@pytest.mark.parametrize(
    ("model_id", "body", "path"),
    [
        (
            CLAUDE,
            {
                "anthropic_version": "bedrock-2023-05-31",
                "max_tokens": 20,
                "messages": [{"role": "user", "content": "Hello"}],
            },
            ("content", 0, "text"),
        ),
        (
            "anthropic.claude-v2",
            {"prompt": "\n\nHuman: Hello\n\nAssistant:", "max_tokens_to_sample": 20},
            ("completion",),
        ),
        ("ai21.j2-ultra-v1", {"prompt": "Hello", "maxTokens": 20}, ("completions", 0, "data", "text")),
        (
            "ai21.jamba-1-5-mini-v1:0",
            {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 20},
            ("choices", 0, "message", "content"),
        ),
        (
            "amazon.titan-text-express-v1",
            {"inputText": "Hello", "textGenerationConfig": {"maxTokenCount": 20}},
            ("results", 0, "outputText"),
        ),
        (
            "amazon.nova-lite-v1:0",
            {"messages": [{"role": "user", "content": [{"text": "Hello"}]}], "inferenceConfig": {"maxTokens": 20}},
            ("output", "message", "content", 0, "text"),
        ),
        (
            "openai.gpt-oss-20b-1:0",
            {"messages": [{"role": "user", "content": "Hello"}], "max_completion_tokens": 20},
            ("choices", 0, "message", "content"),
        ),
    ],
)
def test_invoke_model_speaks_each_native_schema(runtime, model_id: str, body: dict, path: tuple) -> None:
    """A native body gets a native reply, with the usage in the headers that SDKs read."""
    reply = runtime.invoke_model(modelId=model_id, body=json.dumps(body))
    value = json.loads(reply["body"].read())
    for step in path:
        value = value[step]
    assert isinstance(value, str)
    assert value.strip()
    headers = reply["ResponseMetadata"]["HTTPHeaders"]
    assert int(headers["x-amzn-bedrock-input-token-count"]) > 0
    assert int(headers["x-amzn-bedrock-output-token-count"]) > 0
    assert reply["contentType"] == "application/json"


def test_invoke_model_stream_ends_with_the_metrics(runtime) -> None:
    """The last chunk, and no other, carries amazon-bedrock-invocationMetrics."""
    body = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 20,
        "messages": [{"role": "user", "content": "Hello"}],
    }
    stream = runtime.invoke_model_with_response_stream(modelId=CLAUDE, body=json.dumps(body))["body"]
    chunks = [json.loads(event["chunk"]["bytes"]) for event in stream]
    assert next(chunk["type"] for chunk in chunks) == "message_start"
    assert chunks[-1]["type"] == "message_stop"
    assert chunks[-1]["amazon-bedrock-invocationMetrics"]["outputTokenCount"] > 0
    assert not any("amazon-bedrock-invocationMetrics" in chunk for chunk in chunks[:-1])


def test_a_model_without_a_native_stream_refuses_one(runtime) -> None:
    """Jurassic-2 has no stream on Bedrock, so it has none here."""
    with pytest.raises(ClientError) as caught:
        runtime.invoke_model_with_response_stream(modelId="ai21.j2-ultra-v1", body=json.dumps({"prompt": "Hello"}))
    assert caught.value.response["Error"] == {
        "Code": "ValidationException",
        "Message": "The model is unsupported for streaming",
    }


def test_tool_use_and_its_result(runtime) -> None:
    """A tool call comes back with an object as its input, and its result may be given in the next turn."""
    tools = {
        "tools": [
            {
                "toolSpec": {
                    "name": "get_weather",
                    "description": "Get the weather of a city",
                    "inputSchema": {
                        "json": {
                            "type": "object",
                            "properties": {"city": {"type": "string"}},
                            "required": ["city"],
                        }
                    },
                }
            }
        ],
        "toolChoice": {"any": {}},
    }
    messages = [{"role": "user", "content": [{"text": "What is the weather in Paris?"}]}]
    reply = runtime.converse(modelId=CLAUDE, messages=messages, toolConfig=tools, inferenceConfig={"maxTokens": 60})
    assert reply["stopReason"] == "tool_use"
    call = next(block["toolUse"] for block in reply["output"]["message"]["content"] if "toolUse" in block)
    assert call["name"] == "get_weather"
    assert isinstance(call["input"]["city"], str)
    result = {"toolUseId": call["toolUseId"], "content": [{"json": {"temperature": 21, "condition": "sunny"}}]}
    messages += [reply["output"]["message"], {"role": "user", "content": [{"toolResult": result}]}]
    answer = runtime.converse(
        modelId=CLAUDE, messages=messages, toolConfig={"tools": tools["tools"]}, inferenceConfig={"maxTokens": 60}
    )
    assert answer["output"]["message"]["content"]


def test_count_tokens_counts(runtime) -> None:
    """CountTokens takes both forms of input, for a model that counts on Bedrock and for our own."""
    body = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 20,
        "messages": [{"role": "user", "content": "Hello"}],
    }
    model = "anthropic.claude-3-5-sonnet-20240620-v1:0"
    short = runtime.count_tokens(modelId=model, input={"invokeModel": {"body": json.dumps(body).encode()}})
    long = [{"role": "user", "content": [{"text": "Hello " * 50}]}]
    assert (
        runtime.count_tokens(modelId=model, input={"converse": {"messages": long}})["inputTokens"]
        > short["inputTokens"]
        > 0
    )
    own = runtime.count_tokens(modelId="craton.chat-mini-v4:0", input={"converse": {"messages": HELLO}})
    assert own["inputTokens"] > 0


def test_an_unknown_model_gets_bedrocks_words(runtime) -> None:
    """The ValidationException that Bedrock gives."""
    with pytest.raises(ClientError) as caught:
        runtime.converse(modelId="nobody.no-model-v1:0", messages=HELLO)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert caught.value.response["Error"]["Message"] == "The provided model identifier is invalid."


def test_a_model_that_needs_a_profile_answers_only_through_it(runtime) -> None:
    """The bare id is refused in Bedrock's words; the profile's id and ARN work."""
    bare = "anthropic.claude-3-7-sonnet-20250219-v1:0"
    with pytest.raises(ClientError, match="on-demand throughput isn’t supported"):
        runtime.converse(modelId=bare, messages=HELLO)
    arn = f"arn:aws:bedrock:us-east-1:000000000000:inference-profile/us.{bare}"
    for name in (f"us.{bare}", arn):
        assert runtime.converse(modelId=name, messages=HELLO, inferenceConfig={"maxTokens": 5})["output"]


def test_a_foundation_model_arn_names_the_model(runtime) -> None:
    """An ARN goes URL-encoded through the path, as SDKs do."""
    arn = f"arn:aws:bedrock:us-east-1::foundation-model/{CLAUDE}"
    assert runtime.converse(modelId=arn, messages=HELLO, inferenceConfig={"maxTokens": 5})["output"]


def test_list_foundation_models_filters(control) -> None:
    """Every filter narrows, and a provider is found without regard to case."""
    everything = control.list_foundation_models()["modelSummaries"]
    assert len(everything) > 150
    ai21 = control.list_foundation_models(byProvider="ai21 labs")["modelSummaries"]
    assert {row["providerName"] for row in ai21} == {"AI21 Labs"}
    embeddings = control.list_foundation_models(byOutputModality="EMBEDDING")["modelSummaries"]
    assert all("EMBEDDING" in row["outputModalities"] for row in embeddings)
    tunable = control.list_foundation_models(byCustomizationType="FINE_TUNING")["modelSummaries"]
    assert all("FINE_TUNING" in row["customizationsSupported"] for row in tunable)
    provisioned = control.list_foundation_models(byInferenceType="PROVISIONED")["modelSummaries"]
    assert 0 < len(provisioned) < len(everything)


def test_a_filter_value_out_of_its_enum_is_refused(control) -> None:
    """botocore does not check enums, the server does."""
    with pytest.raises(ClientError, match="Member must satisfy enum value set") as caught:
        control.list_foundation_models(byOutputModality="SMELL")
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_get_foundation_model_and_its_availability(control) -> None:
    """By id and by ARN; an unknown id is not found."""
    details = control.get_foundation_model(modelIdentifier="anthropic.claude-v2")["modelDetails"]
    assert control.get_foundation_model(modelIdentifier=details["modelArn"])["modelDetails"] == details
    assert details["modelLifecycle"]["status"] in ("ACTIVE", "LEGACY")
    available = control.get_foundation_model_availability(modelId="anthropic.claude-v2")
    assert available["authorizationStatus"] == "AUTHORIZED"
    with pytest.raises(control.exceptions.ResourceNotFoundException):
        control.get_foundation_model(modelIdentifier="nobody.no-model-v1")


def test_inference_profiles_are_listed_in_pages(control) -> None:
    """Pages of one size make up the whole list, and each profile can be got by id and ARN."""
    pages = control.get_paginator("list_inference_profiles").paginate(PaginationConfig={"PageSize": 7})
    listed = [row for page in pages for row in page["inferenceProfileSummaries"]]
    whole = control.list_inference_profiles(maxResults=1000)["inferenceProfileSummaries"]
    assert listed == whole
    assert len({row["inferenceProfileId"] for row in whole}) == len(whole) > 20
    first = whole[0]
    for name in (first["inferenceProfileId"], first["inferenceProfileArn"]):
        got = control.get_inference_profile(inferenceProfileIdentifier=name)
        assert got["inferenceProfileArn"] == first["inferenceProfileArn"]
        assert got["models"]


def test_what_is_not_built_says_so(control) -> None:
    """A modelled error, no fabricated success."""
    with pytest.raises(ClientError, match="CreateGuardrail") as caught:
        control.create_guardrail(name="g", blockedInputMessaging="no", blockedOutputsMessaging="no")
    assert caught.value.response["Error"]["Code"] == "ValidationException"
