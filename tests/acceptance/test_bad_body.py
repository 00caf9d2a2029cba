"""Bodies that no SDK sends: each gets Bedrock's own error, at once, and the next request works."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance import rawhttp
from tests.acceptance.serving import CLAUDE_2, GPT, HELLO, Served, converse_path, serving

MEMBER = "messages.1.member"
DETECTED = " validation error detected: "
NOT_JSON = "The request body can not be parsed as JSON."


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(autouse=True)
def _next_request_works(served: Served) -> Iterator[None]:
    yield
    served.check_alive()


def said(**block: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [block]}]}


def converse(served: Served, body: object, path: str = converse_path(GPT)) -> rawhttp.Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return rawhttp.call(served.server, "POST", path, raw)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"messages": [', NOT_JSON),
        (b"not json at all", NOT_JSON),
        (b'{"messages": []} trailing', NOT_JSON),
        (b'{"messages":[{"role":"user","content":[{"text":"a\x00b"}]}]}', NOT_JSON),
        (b'{"messages":[{"role":"user","content":[{"text":"\xff\xfe"}]}]}', NOT_JSON),
        (b'{"messages":[{"role":"user","content":[{"text":"\\ud800"}]}]}', NOT_JSON),
        (b'{"inferenceConfig":{"temperature":NaN}}', NOT_JSON),
        (b'{"inferenceConfig":{"temperature":1e999}}', NOT_JSON),
        (b"\xef\xbb\xbf{}", NOT_JSON),
        (b"[]", "The request body must be a JSON object."),
        (b'"text"', "The request body must be a JSON object."),
        (b"null", "The request body must be a JSON object."),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "The request body is nested too deeply."),
        (b"[" * 100_000 + b"]" * 100_000, "The request body is nested too deeply."),
    ],
    ids=[
        *("cut", "words", "trailing", "nul", "utf8", "surrogate", "nan", "overflow", "bom"),
        *("list", "string", "null", "deep-objects", "deep-lists"),
    ],
)
def test_what_is_not_a_json_object(served: Served, body: bytes, message: str) -> None:
    """A SerializationException, which no SDK retries."""
    rawhttp.refused(converse(served, body), 400, "SerializationException", message)


@pytest.mark.parametrize(
    "body",
    [
        {"messages": "Hello"},
        {"messages": {"role": "user"}},
        {"messages": ["Hello"]},
        said(text=1),
        said(text=["a"]),
        {**said(text="a"), "inferenceConfig": {"maxTokens": "many"}},
        {**said(text="a"), "inferenceConfig": {"maxTokens": 1.5}},
        {**said(text="a"), "inferenceConfig": {"stopSequences": "x"}},
        {**said(text="a"), "system": "Be brief"},
        said(image={"format": "png", "source": {"bytes": "no base64!"}}),
    ],
)
def test_wrong_types(served: Served, body: object) -> None:
    """A value of another JSON type is a SerializationException that names no Python and no path of ours."""
    answer = converse(served, body)
    rawhttp.refused(answer, 400, "SerializationException", "")
    assert answer.message
    assert "msgspec" not in answer.message
    assert "$" not in answer.message


@pytest.mark.parametrize(
    ("body", "place", "constraint"),
    [
        ({"messages": [{"role": "user"}]}, f"null at '{MEMBER}.content'", "Member must not be null"),
        (said(image={"format": "png"}), f"null at '{MEMBER}.content.1.member.image.source'", "Member must not be null"),
        (
            {**said(text="a"), "inferenceConfig": {"maxTokens": 0}},
            "'0' at 'inferenceConfig.maxTokens'",
            "Member must have value greater than or equal to 1",
        ),
        (
            {**said(text="a"), "inferenceConfig": {"temperature": 1.5}},
            "'1.5' at 'inferenceConfig.temperature'",
            "Member must have value less than or equal to 1",
        ),
        (
            {**said(text="a"), "inferenceConfig": {"stopSequences": [""]}},
            "'' at 'inferenceConfig.stopSequences.1.member'",
            "Member must have length greater than or equal to 1",
        ),
        ({"messages": [{"role": "robot", "content": []}]}, f"'robot' at '{MEMBER}.role'", "enum value set: [user, "),
        (
            {**said(text="a"), "toolConfig": {"tools": []}},
            "'[]' at 'toolConfig.tools'",
            "Member must have length greater than or equal to 1",
        ),
        (
            {**said(text="a"), "toolConfig": {"tools": [{"toolSpec": {"name": "a b", "inputSchema": {"json": {}}}}]}},
            "'a b' at 'toolConfig.tools.1.member.toolSpec.name'",
            "Member must satisfy regular expression pattern: ",
        ),
        (
            said(text="a", cachePoint={"type": "default"}),
            f"at '{MEMBER}.content.1.member'",
            "Member must have exactly one",
        ),
        (said(), f"at '{MEMBER}.content.1.member'", "Member must have exactly one"),
        (said(unknown=1), f"at '{MEMBER}.content.1.member'", "Member must have exactly one"),
    ],
    ids=[
        *("missing", "missing-deep", "too-small", "too-large", "empty-string", "enum"),
        *("empty-list", "pattern", "union-of-two", "union-of-none", "union-unknown"),
    ],
)
def test_broken_constraints(served: Served, body: object, place: str, constraint: str) -> None:
    """AWS's sentence for one broken constraint: value, place and what was asked for."""
    answer = converse(served, body)
    rawhttp.refused(answer, 400, "ValidationException", f"1{DETECTED}Value {place} failed to satisfy constraint: ")
    assert constraint in answer.message


def test_all_broken_constraints_are_told_at_once(served: Served) -> None:
    """The answer counts them and joins them with semicolons."""
    body = {
        "messages": [{"role": "robot", "content": [{"text": "a"}]}, {"content": []}],
        "inferenceConfig": {"maxTokens": 0, "topP": 2},
    }
    answer = converse(served, body)
    rawhttp.refused(answer, 400, "ValidationException", "4 validation errors detected: Value ")
    assert answer.message.count("; Value ") == 3


def test_unknown_members_are_ignored(served: Served) -> None:
    """A newer SDK may send what this version does not know; what it does know still counts."""
    answer = converse(served, {**said(text="Hello"), "somethingNew": {"a": [1]}, "inferenceConfig": {"new": 1}})
    assert answer.status == 200
    assert answer.json["output"]["message"]["content"] == [{"text": "Echo: Hello"}]


def test_a_member_of_the_path_cannot_be_set_in_the_body(served: Served) -> None:
    """The model is the one that was authorized: the path's."""
    answer = converse(served, {"messages": HELLO, "modelId": "nobody.none"})
    assert answer.status == 200


def test_a_conversation_that_breaks_bedrocks_rules(served: Served) -> None:
    """Beyond shapes: Bedrock's own words about the turns."""
    answer = converse(served, {"messages": [{"role": "assistant", "content": [{"text": "Hi"}]}]})
    rawhttp.refused(answer, 400, "ValidationException", "A conversation must start with a user message.")
    answer = converse(served, said(text=" "))
    rawhttp.refused(
        answer, 400, "ValidationException", "The text field in the ContentBlock object at messages.0.content.0"
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"prompt": ', "Malformed input request"),
        (b"[]", "Malformed input request"),
        (b"", "Malformed input request"),
        (b'{"prompt":"\xff"}', "Malformed input request"),
        (b'{"prompt": "\\n\\nHuman: x\\n\\nAssistant:"}', "required key [max_tokens_to_sample] not found"),
        (b'{"prompt": 1, "max_tokens_to_sample": 5}', "#/prompt"),
        (b"[" * 100_000, "Malformed input request"),
    ],
    ids=["cut", "list", "empty", "utf8", "missing", "type", "deep"],
)
def test_native_bodies(served: Served, body: bytes, message: str) -> None:
    """InvokeModel's bodies are judged by the model's own schema, in Bedrock's words."""
    rawhttp.refused(converse(served, body, converse_path(CLAUDE_2, "invoke")), 400, "ValidationException", message)


def test_a_large_body_is_judged_like_a_small_one(served: Served) -> None:
    """Above 256 KiB the work moves to a thread; the answers are the same."""
    long = "a" * 400_000
    assert converse(served, said(text=long)).status == 200
    answer = converse(served, {**said(text=long), "inferenceConfig": {"maxTokens": 0}})
    rawhttp.refused(answer, 400, "ValidationException", "'0' at 'inferenceConfig.maxTokens'")
    rawhttp.refused(converse(served, b'{"a":"' + long.encode()), 400, "SerializationException", NOT_JSON)
