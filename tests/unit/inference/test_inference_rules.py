"""Converse's rules beyond shapes, each with Bedrock's own words."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from craton.aws.wire.faults import Fault
from craton.features.inference import fields
from craton.features.inference.routing.routes import UNLIMITED
from craton.features.inference.rules import form as rules
from craton.models.canon.request import ConverseRequest
from craton.models.catalog.capabilities import Capabilities, capabilities
from craton.models.catalog.rows import load

CATALOG = load()
USER = {"role": "user", "content": [{"text": "hi"}]}
ASSISTANT = {"role": "assistant", "content": [{"text": "ho"}]}
TOOL = {"toolSpec": {"name": "t", "inputSchema": {"json": {"type": "object"}}}}
CALL = {"role": "assistant", "content": [{"toolUse": {"toolUseId": "a", "name": "t", "input": {}}}]}
RESULT = {"role": "user", "content": [{"toolResult": {"toolUseId": "a", "content": [{"text": "1"}]}}]}
PNG = {"image": {"format": "png", "source": {"bytes": "aGk="}}}
DOCUMENT = {"document": {"name": "d", "format": "txt", "source": {"bytes": "aGk="}}}


def able(model_id: str) -> Capabilities:
    model = CATALOG.find(model_id)
    assert model is not None
    return capabilities(model)


def check(
    request: dict[str, Any], able: Capabilities = UNLIMITED, *, streaming: bool = False, limit: int = 4096
) -> None:
    parsed = msgspec.json.decode(json.dumps(request).encode(), type=ConverseRequest)
    rules.check(parsed, able, limit, streaming=streaming)


def refusal(request: dict[str, Any], able: Capabilities = UNLIMITED, **options: Any) -> str:
    with pytest.raises(Fault) as caught:
        check(request, able, **options)
    assert caught.value.name == "ValidationException"
    return caught.value.message


@pytest.mark.parametrize(
    "request_",
    [
        {"messages": [USER]},
        {"messages": [USER, ASSISTANT, USER]},
        {"messages": [USER, CALL, RESULT], "toolConfig": {"tools": [TOOL]}},
        {"messages": [{"role": "user", "content": [{"text": "look"}, PNG, DOCUMENT]}]},
    ],
)
def test_an_ordinary_conversation_passes(request_: dict[str, Any]) -> None:
    """Nothing is refused that Bedrock takes."""
    check(request_)


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([], "A conversation must start with a user message."),
        ([ASSISTANT], "A conversation must start with a user message."),
        ([USER, USER], "A conversation must alternate between user and assistant roles."),
        ([{"role": "user", "content": [{"text": " "}]}], "messages.0.content.0 is blank"),
        ([{"role": "user", "content": [DOCUMENT]}], "A text block must be included when using documents."),
        (
            [{"role": "user", "content": [{"text": "x"}, {"document": {**DOCUMENT["document"], "name": "a.b"}}]}],
            "The document file name can only contain alphanumeric characters",
        ),
        (
            [{"role": "user", "content": [{"text": "x"}, {"document": {**DOCUMENT["document"], "name": "a  b"}}]}],
            "more than one consecutive whitespace",
        ),
        ([USER, {"role": "assistant", "content": [PNG]}, USER], "not allowed in a message with the role assistant"),
        ([{"role": "user", "content": [{"text": "x"}, *[PNG] * 21]}], "exceeds the maximum of 20"),
        ([USER, CALL, USER], "Expected toolResult blocks at messages.2.content for the following Ids: a"),
        ([RESULT], "exceeds the number of toolUse blocks of previous turn"),
        ([USER, CALL, RESULT], "The toolConfig field must be defined"),
    ],
)
def test_a_broken_conversation_is_refused(messages: list[Any], words: str) -> None:
    """Each rule speaks in Bedrock's words and says where."""
    assert words in refusal({"messages": messages})


@pytest.mark.parametrize(
    ("model_id", "extra", "words"),
    [
        ("amazon.titan-text-express-v1", {"system": [{"text": "s"}]}, "doesn't support system messages"),
        ("anthropic.claude-v2", {"toolConfig": {"tools": [TOOL]}}, "This model doesn't support tool use."),
        ("ai21.j2-ultra-v1", {"messages": [USER, ASSISTANT, USER]}, "doesn't support conversation history"),
        ("openai.gpt-oss-20b-1:0", {"inferenceConfig": {"stopSequences": ["x"]}}, "doesn't support the stopSequences"),
        (
            "meta.llama3-1-8b-instruct-v1:0",
            {"toolConfig": {"tools": [TOOL], "toolChoice": {"any": {}}}},
            "doesn't support the toolConfig.toolChoice.any field. Remove toolConfig.toolChoice.any and try again.",
        ),
        (
            "anthropic.claude-v2",
            {"messages": [{"role": "user", "content": [{"text": "x"}, PNG]}]},
            "doesn't support the image content block",
        ),
        ("mistral.mistral-large-2402-v1:0", {"messages": [USER, ASSISTANT]}, "requires the last turn"),
    ],
)
def test_what_a_family_lacks_is_refused(model_id: str, extra: dict[str, Any], words: str) -> None:
    """A program must not work here and fail on Bedrock."""
    assert words in refusal({"messages": [USER], **extra}, able(model_id))


def test_a_family_without_tools_in_streams_refuses_them_there_only() -> None:
    """Llama takes tools in Converse, not in ConverseStream."""
    llama = able("meta.llama3-1-8b-instruct-v1:0")
    request = {"messages": [USER], "toolConfig": {"tools": [TOOL]}}
    check(request, llama)
    assert "in streaming mode" in refusal(request, llama, streaming=True)


def test_an_embedding_model_has_no_converse() -> None:
    """It is refused before anything else is looked at."""
    assert "doesn't support the model" in refusal({"messages": [USER]}, able("amazon.titan-embed-text-v2:0"))


def test_a_model_without_a_stream_says_so() -> None:
    """Jurassic-2 has no stream."""
    assert (
        refusal({"messages": [USER]}, able("ai21.j2-mid-v1"), streaming=True)
        == "The model is unsupported for streaming"
    )


def test_max_tokens_beyond_the_model_is_refused() -> None:
    """The limit stands in the message."""
    assert "exceeds the model limit of 100" in refusal(
        {"messages": [USER], "inferenceConfig": {"maxTokens": 101}}, limit=100
    )


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"tools": [TOOL, TOOL]}, "more than one tool with the name t"),
        ({"tools": [{"toolSpec": {"name": "t", "inputSchema": {"json": []}}}]}, "inputSchema.json is invalid"),
        ({"tools": [TOOL], "toolChoice": {"tool": {"name": "u"}}}, "is not in toolConfig.tools"),
    ],
)
def test_bad_tools_are_refused(config: dict[str, Any], words: str) -> None:
    """Names are unique, schemas are objects, a chosen tool exists."""
    assert words in refusal({"messages": [USER], "toolConfig": config})


def test_more_than_four_cache_points_are_refused() -> None:
    """They are counted over system, messages and tools together."""
    point = {"cachePoint": {"type": "default"}}
    request = {
        "messages": [{"role": "user", "content": [{"text": "x"}, point, {"text": "y"}, point, {"text": "z"}, point]}],
        "system": [{"text": "s"}, point],
        "toolConfig": {"tools": [TOOL, point]},
    }
    assert "(5) exceeds the maximum of 4" in refusal(request)


def test_field_paths_are_json_pointers() -> None:
    """They find what is there, leave out what is not, and are refused when malformed."""
    native = {"stop_sequence": "X", "usage": {"a/b": 1}, "content": [{"text": "t"}]}
    assert fields.pick(native, ["/stop_sequence", "/usage/a~1b", "/content/0/text", "/nothing"]) == {
        "stop_sequence": "X",
        "a/b": 1,
        "text": "t",
    }
    assert fields.pick(native, ["/nothing"]) is None
    with pytest.raises(Fault, match="JSON Pointer"):
        fields.check_paths(["stop_sequence"])
