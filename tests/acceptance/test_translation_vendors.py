"""What reaches each vendor, in its own form, and what comes back: the whole way through the public door."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.serving import CLAUDE, GPT, HAIKU, HELLO, NOVA, Served, serving
from tests.fakes import files, scripts
from tests.running import model_config

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
BOTH = pytest.mark.parametrize("model", [CLAUDE, HAIKU], ids=["anthropic", "openai"])
TOOLS = {
    "tools": [
        {
            "toolSpec": {
                "name": "get_weather",
                "description": "The weather of a city",
                "inputSchema": {"json": {"type": "object", "properties": {"city": {"type": "string"}}}},
            }
        }
    ]
}
KEYED = "anthropic.claude-3-opus-20240229-v1:0"
KEYED_GPT = "openai.gpt-oss-120b-1:0"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="module")
def client(served: Served) -> Any:
    return served.client()


@pytest.fixture(autouse=True)
def _fresh(served: Served) -> None:
    served.up.scripts.clear()
    served.up.requests.clear()


def test_an_image_reaches_both_vendors_in_their_form(served: Served, client: Any) -> None:
    """Bytes become base64 here and a data URL there."""
    block = {"image": {"format": "png", "source": {"bytes": PNG}}}
    messages = [{"role": "user", "content": [{"text": "Look"}, block]}]
    encoded = base64.b64encode(PNG).decode()
    client.converse(modelId=CLAUDE, messages=messages)
    source = {"type": "base64", "media_type": "image/png", "data": encoded}
    assert served.sent()["messages"][0]["content"][1] == {"type": "image", "source": source}
    client.converse(modelId=NOVA, messages=messages)
    url = {"url": f"data:image/png;base64,{encoded}"}
    assert served.sent()["messages"][0]["content"][1] == {"type": "image_url", "image_url": url}


def test_a_document_reaches_both_vendors(served: Served, client: Any) -> None:
    """Anthropic takes documents; elsewhere a text document is written out, and the answer says so."""
    block = {"document": {"format": "txt", "name": "notes", "source": {"bytes": b"forty-two"}}}
    messages = [{"role": "user", "content": [{"text": "Read"}, block]}]
    client.converse(modelId=CLAUDE, messages=messages)
    sent = served.sent()["messages"][0]["content"][1]
    assert (sent["type"], sent["title"], sent["source"]["data"]) == ("document", "notes", "forty-two")
    reply = client.converse(modelId=HAIKU, messages=messages)
    assert "forty-two" in json.dumps(served.sent()["messages"])
    assert "document" in reply["ResponseMetadata"]["HTTPHeaders"]["x-craton-emulated"]


def test_a_pdf_is_the_vendors_where_it_can_be(served: Served, client: Any) -> None:
    """A PDF goes to Anthropic as it is; where it is not taken, its text goes."""
    block = {"document": {"format": "pdf", "name": "paper", "source": {"bytes": files.pdf("On tea")}}}
    messages = [{"role": "user", "content": [{"text": "Read"}, block]}]
    client.converse(modelId=CLAUDE, messages=messages)
    assert served.sent()["messages"][0]["content"][1]["source"]["media_type"] == "application/pdf"
    reply = client.converse(modelId=HAIKU, messages=messages)
    assert reply["ResponseMetadata"]["HTTPHeaders"]["x-craton-emulated"] == "messages.0.content.1.document"
    assert "On tea" in json.dumps(served.sent()["messages"])


@BOTH
def test_inference_parameters_have_each_vendors_names(served: Served, client: Any, model: str) -> None:
    """Limits, temperature, nucleus, stop sequences and the system prompt."""
    config = {"maxTokens": 17, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"]}
    client.converse(modelId=model, messages=HELLO, inferenceConfig=config, system=[{"text": "Be brief"}])
    sent = served.sent()
    assert (sent["max_tokens"], sent["temperature"], sent["top_p"]) == (17, 0.5, 0.9)
    assert sent["stop_sequences" if model == CLAUDE else "stop"] == ["END"]
    assert "Be brief" in json.dumps(sent["system"] if model == CLAUDE else sent["messages"][0])
    assert sent["model"] == "upstream"


@BOTH
def test_a_tool_round_trip(served: Served, client: Any, model: str) -> None:
    """The call comes back as an object under its id; the result goes out under the same id, with its status."""
    native = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}}
    call = {"id": "toolu_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'}}
    served.up.play(
        scripts.reply(scripts.anthropic_message("", "tool_use", [native]))
        if model == CLAUDE
        else scripts.openai_reply("", "tool_calls", tool_calls=[call])
    )
    messages = [{"role": "user", "content": [{"text": "The weather in Paris?"}]}]
    reply = client.converse(modelId=model, messages=messages, toolConfig=TOOLS)
    use = reply["output"]["message"]["content"][-1]["toolUse"]
    assert reply["stopReason"] == "tool_use"
    assert (use["toolUseId"], use["name"], use["input"]) == ("toolu_1", "get_weather", {"city": "Paris"})
    result = {"toolUseId": "toolu_1", "content": [{"json": {"degrees": 21}}], "status": "success"}
    messages += [reply["output"]["message"], {"role": "user", "content": [{"toolResult": result}]}]
    client.converse(modelId=model, messages=messages, toolConfig=TOOLS)
    last = served.sent()["messages"][-1]
    if model == CLAUDE:
        assert (last["role"], last["content"][0]["tool_use_id"]) == ("user", "toolu_1")
        assert served.sent()["messages"][1]["content"][0]["input"] == {"city": "Paris"}
    else:
        assert (last["role"], last["tool_call_id"]) == ("tool", "toolu_1")
        assert json.loads(served.sent()["messages"][1]["tool_calls"][0]["function"]["arguments"]) == {"city": "Paris"}
    assert "21" in json.dumps(last["content"])


@BOTH
def test_a_tool_call_streams(served: Served, client: Any, model: str) -> None:
    """A start with id and name, deltas of text that add up to JSON, the reason to stop."""
    make = scripts.anthropic_tool_events if model == CLAUDE else scripts.openai_tool_events
    served.up.play(scripts.event_stream(make("get_weather", ['{"city"', ': "Paris"}'])))
    events = list(client.converse_stream(modelId=model, messages=HELLO, toolConfig=TOOLS)["stream"])
    starts = [event["contentBlockStart"] for event in events if "contentBlockStart" in event]
    assert starts[0]["start"]["toolUse"]["name"] == "get_weather"
    deltas = [
        event["contentBlockDelta"]["delta"]["toolUse"]["input"] for event in events if "contentBlockDelta" in event
    ]
    assert json.loads("".join(deltas)) == {"city": "Paris"}
    assert next(event["messageStop"]["stopReason"] for event in events if "messageStop" in event) == "tool_use"


@pytest.mark.parametrize(
    ("choice", "anthropic", "openai"),
    [
        ({"auto": {}}, {"type": "auto"}, "auto"),
        ({"any": {}}, {"type": "any"}, "required"),
        (
            {"tool": {"name": "get_weather"}},
            {"type": "tool", "name": "get_weather"},
            {"type": "function", "function": {"name": "get_weather"}},
        ),
    ],
    ids=["auto", "any", "tool"],
)
def test_a_tool_choice_in_each_form(served: Served, client: Any, choice: dict, anthropic: Any, openai: Any) -> None:
    """Three choices, three names each."""
    for model, expected in ((CLAUDE, anthropic), (HAIKU, openai)):
        client.converse(modelId=model, messages=HELLO, toolConfig={**TOOLS, "toolChoice": choice})
        assert served.sent().get("tool_choice", openai if choice == {"auto": {}} else None) == expected


def test_reasoning_goes_both_ways(served: Served, client: Any) -> None:
    """A thinking block comes out with its signature, and goes back unchanged."""
    thought = {"type": "thinking", "thinking": "Hmm", "signature": "c2ln"}
    served.up.play(scripts.reply(scripts.anthropic_message("", content=[thought, {"type": "text", "text": "Yes"}])))
    fields = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
    reply = client.converse(modelId=CLAUDE, messages=HELLO, additionalModelRequestFields=fields)
    content = reply["output"]["message"]["content"]
    assert content[0]["reasoningContent"]["reasoningText"] == {"text": "Hmm", "signature": "c2ln"}
    assert served.sent()["thinking"] == fields["thinking"]
    turns = [*HELLO, reply["output"]["message"], {"role": "user", "content": [{"text": "Go on"}]}]
    client.converse(modelId=CLAUDE, messages=turns)
    assert served.sent()["messages"][1]["content"][0] == thought


def test_reasoning_of_an_openai_server_comes_out(served: Served, client: Any) -> None:
    """What vLLM calls reasoning_content is Bedrock's reasoning block, without a signature."""
    served.up.play(scripts.openai_reply("Yes", reasoning_content="Hmm"))
    content = client.converse(modelId=GPT, messages=HELLO)["output"]["message"]["content"]
    assert content[0]["reasoningContent"]["reasoningText"] == {"text": "Hmm"}
    assert content[1] == {"text": "Yes"}


def test_reasoning_streams(served: Served, client: Any) -> None:
    """Reasoning deltas come before the text, in a block of their own."""
    events = [
        scripts.openai_chunk({"role": "assistant", "reasoning_content": "Hmm"}),
        *scripts.openai_events(["Yes"])[1:],
    ]
    served.up.play(scripts.event_stream(events))
    seen = [
        (event["contentBlockDelta"]["contentBlockIndex"], event["contentBlockDelta"]["delta"])
        for event in client.converse_stream(modelId=GPT, messages=HELLO)["stream"]
        if "contentBlockDelta" in event
    ]
    assert seen[0] == (0, {"reasoningContent": {"text": "Hmm"}})
    assert seen[1] == (1, {"text": "Yes"})


def test_cache_points_and_their_usage(served: Served, client: Any) -> None:
    """They become Anthropic's cache_control; what was read and written comes back in the usage."""
    told = scripts.anthropic_message("Yes")
    told["usage"] |= {"cache_read_input_tokens": 100, "cache_creation_input_tokens": 7}
    served.up.play(scripts.reply(told))
    point = {"cachePoint": {"type": "default"}}
    system = [{"text": "Long"}, point]
    messages = [{"role": "user", "content": [{"text": "Hello"}, point]}]
    tools = {"tools": [*TOOLS["tools"], point]}
    usage = client.converse(modelId=CLAUDE, messages=messages, system=system, toolConfig=tools)["usage"]
    sent = served.sent()
    for place in (sent["system"][0], sent["messages"][0]["content"][0], sent["tools"][0]):
        assert place["cache_control"] == {"type": "ephemeral"}
    assert (usage["cacheReadInputTokens"], usage["cacheWriteInputTokens"]) == (100, 7)
    assert usage["inputTokens"] == 11


@BOTH
def test_extra_fields_reach_the_upstream(served: Served, client: Any, model: str) -> None:
    """What the vendor knows under the same name is laid into its body."""
    client.converse(modelId=model, messages=HELLO, additionalModelRequestFields={"top_k": 5})
    assert served.sent()["top_k"] == 5


def test_betas_travel_as_anthropics_header(served: Served, client: Any) -> None:
    """Bedrock takes them in the body, the vendor in a header."""
    client.converse(modelId=CLAUDE, messages=HELLO, additionalModelRequestFields={"anthropic_beta": ["one-1", "two-2"]})
    assert served.up.requests[-1].headers["anthropic-beta"] == "one-1,two-2"
    assert "anthropic_beta" not in served.sent()


@BOTH
def test_extra_response_fields_come_from_the_native_reply(client: Any, model: str) -> None:
    """JSON Pointers into what the model's own API would have answered; what is not there is left out."""
    reply = client.converse(
        modelId=model,
        messages=HELLO,
        additionalModelResponseFieldPaths=["/stop_reason", "/usage/input_tokens", "/nothing/here"],
    )
    assert reply["additionalModelResponseFields"] == {"stop_reason": "end_turn", "input_tokens": 11}


def test_extra_response_fields_ride_on_message_stop(served: Served, client: Any) -> None:
    """In a stream there is one place for them."""
    served.up.play(scripts.anthropic_stream(["Hi"]))
    stream = client.converse_stream(modelId=CLAUDE, messages=HELLO, additionalModelResponseFieldPaths=["/stop_reason"])[
        "stream"
    ]
    stop = next(event["messageStop"] for event in stream if "messageStop" in event)
    assert stop["additionalModelResponseFields"] == {"stop_reason": "end_turn"}


@pytest.mark.parametrize(
    ("finish", "reason"), [("stop", "end_turn"), ("length", "max_tokens"), ("content_filter", "content_filtered")]
)
def test_reasons_to_stop(served: Served, client: Any, finish: str, reason: str) -> None:
    """The vendor's word becomes Bedrock's."""
    served.up.play(scripts.openai_reply("Hi", finish))
    assert client.converse(modelId=GPT, messages=HELLO)["stopReason"] == reason


def test_keys_reach_each_vendor_as_it_wants_them(tmp_path: Any) -> None:
    """Anthropic's in x-api-key, OpenAI's as a bearer; one from the environment, one from a file; none in the log."""
    key = tmp_path / "key"
    key.write_text("sk-from-a-file\n")
    with serving(tmp_path / "plain") as other:
        config = model_config(KEYED, "anthropic", other.up.anthropic_url, extra='api_key = "env:VENDOR_KEY"')
        config += model_config(KEYED_GPT, "openai", other.up.openai_url, extra=f'api_key = "file:{key}"')
        with serving(tmp_path / "keyed", config, env={"VENDOR_KEY": "sk-from-the-environment"}) as keyed:
            keyed.client().converse(modelId=KEYED, messages=HELLO)
            assert other.up.requests[-1].headers["x-api-key"] == "sk-from-the-environment"
            keyed.client().converse(modelId=KEYED_GPT, messages=HELLO)
            assert other.up.requests[-1].headers["authorization"] == "Bearer sk-from-a-file"
            assert "sk-from" not in keyed.server.output()
