"""Stand-ins: every text id of the catalog answers InvokeModel in its own schema, through the sample model."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from craton.models.catalog.capabilities import capabilities
from craton.models.catalog.rows import Model, id_needs_profile, load
from tests.running import Running
from tests.unit.dialects.image_bodies import png
from tests.unit.dialects.native_bodies import body_for, text_in, text_models

REGION = "us-east-1"
CATALOG = load()


def callable_name(model: Model) -> str | None:
    """The id, or the profile, by which a caller of this region reaches the model; None for one sold by throughput."""
    if not id_needs_profile(model):
        return model.model_id
    names = (f"{prefix}.{model.model_id}" for prefix in model.profiles)
    return next((name for name in names if CATALOG.profile(name, REGION) is not None), None)


def representatives() -> list[Model]:
    """One model for each schema and each answer to whether it streams."""
    found: dict[tuple[str, bool], Model] = {}
    for model in text_models():
        if callable_name(model) is not None:
            found.setdefault((model.dialect, capabilities(model).stream), model)
    return list(found.values())


@pytest.fixture(scope="module")
def runtime(server: Running) -> Any:
    return server.client("bedrock-runtime")


def refusal(runtime: Any, model_id: str, body: bytes) -> str:
    with pytest.raises(ClientError) as caught:
        runtime.invoke_model(modelId=model_id, body=body)
    return str(caught.value.response["Error"]["Message"])


@pytest.mark.parametrize("model", representatives(), ids=lambda model: model.model_id)
def test_each_schema_answers_whole(runtime: Any, model: Model) -> None:
    """The reply has its text where the schema puts it, its usage in the headers, and says who answered."""
    reply = runtime.invoke_model(modelId=callable_name(model), body=body_for(model.dialect, 12))
    assert text_in(model.dialect, reply["body"].read()).strip()
    headers = reply["ResponseMetadata"]["HTTPHeaders"]
    assert int(headers["x-amzn-bedrock-input-token-count"]) > 0
    assert int(headers["x-amzn-bedrock-output-token-count"]) > 0
    assert headers["x-craton-standin"].startswith("craton.")


@pytest.mark.parametrize("model", representatives(), ids=lambda model: model.model_id)
def test_each_schema_answers_in_pieces(runtime: Any, model: Model) -> None:
    """The last object, and no other, carries the metrics; a schema without a stream refuses one."""
    asked = {"modelId": callable_name(model), "body": body_for(model.dialect, 12)}
    if not capabilities(model).stream:
        with pytest.raises(ClientError, match="The model is unsupported for streaming"):
            runtime.invoke_model_with_response_stream(**asked)
        return
    answer = runtime.invoke_model_with_response_stream(**asked)
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-craton-standin"].startswith("craton.")
    chunks = [json.loads(event["chunk"]["bytes"]) for event in answer["body"]]
    objects = [chunk for chunk in chunks if isinstance(chunk, dict)]
    assert len(objects) > 1
    metrics = [chunk.get("amazon-bedrock-invocationMetrics") for chunk in objects]
    assert metrics[:-1] == [None] * (len(objects) - 1)
    assert metrics[-1]["inputTokenCount"] > 0
    assert metrics[-1]["outputTokenCount"] > 0


def test_every_text_id_of_the_catalog_answers(runtime: Any) -> None:
    """With one token each; ids that are sold by throughput alone are refused in Bedrock's words."""
    answered = 0
    for model in text_models():
        body, name = body_for(model.dialect, 1), callable_name(model)
        if name is None:
            assert "on-demand throughput isn’t supported" in refusal(runtime, model.model_id, body), model.model_id
            continue
        reply = runtime.invoke_model(modelId=name, body=body)
        text_in(model.dialect, reply["body"].read())
        answered += 1
    assert answered > 100


def test_a_body_of_another_schema_is_refused(runtime: Any) -> None:
    """A Llama takes no messages, and says so as Bedrock does."""
    body = json.dumps({"messages": [{"role": "user", "content": "Hello"}]}).encode()
    text = refusal(runtime, "meta.llama3-8b-instruct-v1:0", body)
    assert text == "Malformed input request: 2 schema violations found, please reformat your input and try again."


def test_a_prompt_with_a_template_is_a_conversation(runtime: Any) -> None:
    """The marks of a prompt's turns are no text to the model that stands in: the count of tokens shows it."""
    marked = (
        "<|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
    )
    counts = []
    for prompt in (marked, "Hello"):
        body = json.dumps({"prompt": prompt, "max_gen_len": 1})
        reply = runtime.invoke_model(modelId="meta.llama3-8b-instruct-v1:0", body=body)
        counts.append(json.loads(reply["body"].read())["prompt_token_count"])
    assert counts[0] == counts[1]


def test_a_picture_for_a_stand_in_of_text_alone_is_named_as_dropped(runtime: Any) -> None:
    """The text is answered; strict mode refuses, and both name the block."""
    content = [{"text": "Hello"}, {"image": {"format": "png", "source": {"bytes": png(8, 8)}}}]
    asked = {"modelId": "anthropic.claude-3-5-sonnet-20240620-v1:0", "messages": [{"role": "user", "content": content}]}
    reply = runtime.converse(**asked)
    assert reply["output"]["message"]["content"][0]["text"]
    assert reply["ResponseMetadata"]["HTTPHeaders"]["x-craton-dropped"] == "messages.0.content.1.image"

    def strictly(request: Any, **_: Any) -> None:
        request.headers["x-craton-translation"] = "strict"

    runtime.meta.events.register("before-sign.bedrock-runtime.Converse", strictly)
    try:
        with pytest.raises(ClientError, match=r"cannot carry messages\.0\.content\.1\.image"):
            runtime.converse(**asked)
    finally:
        runtime.meta.events.unregister("before-sign.bedrock-runtime.Converse", strictly)
