"""A coding assistant's traffic, replayed raw: as it comes by ANTHROPIC_BASE_URL, and as it comes to Bedrock."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from botocore.eventstream import EventStreamBuffer
from openai.lib.bedrock import BedrockOpenAI

from tests.acceptance.door_keys import long_term, short_term
from tests.acceptance.serving import CLAUDE, HAIKU, Served, serving
from tests.fakes import scripts
from tests.running import ACCESS_KEY, SECRET_KEY

BETAS = (
    "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,"
    "prompt-caching-scope-2026-01-05,structured-outputs-2025-12-15"
)
CACHED = {"type": "ephemeral"}
# Through Anthropic's own API, and through an OpenAI-compatible server.
BOTH = pytest.mark.parametrize("model", [CLAUDE, HAIKU], ids=["anthropic", "openai"])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(served: Served) -> None:
    served.up.scripts.clear()
    served.up.requests.clear()


@pytest.fixture(scope="module")
def key(served: Served) -> str:
    return long_term(served.server)


def tools(count: int = 24) -> list[dict[str, Any]]:
    """Many tools with schemas as the assistant generates them; the last one ends the cached prefix."""
    made: list[dict[str, Any]] = [
        {
            "name": f"mcp__server__tool_{place}",
            "description": "Does something.\n\nUsage:\n- carefully",
            "input_schema": {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "type": "object",
                "properties": {"file_path": {"type": "string"}, "limit": {"type": "number"}},
                "required": ["file_path"],
                "additionalProperties": False,
            },
            "eager_input_streaming": True,
        }
        for place in range(count)
    ]
    made[-1]["cache_control"] = {**CACHED, "scope": "global"}
    return made


def conversation() -> dict[str, Any]:
    """What both ways have in common, in the second turn of a task."""
    return {
        "max_tokens": 4000,
        "system": [
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1; cc_entrypoint=cli;"},
            {"type": "text", "text": "You are a coding assistant.", "cache_control": {**CACHED, "ttl": "1h"}},
            {"type": "text", "text": "# Environment\n", "cache_control": {**CACHED, "ttl": "1h"}},
        ],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "<system-reminder>\nToday is Sunday.\n</system-reminder>"},
                    {"type": "text", "text": "Fix it"},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "I look first.", "signature": "c2ln"},
                    {"type": "text", "text": "I read the file."},
                    {"type": "tool_use", "id": "toolu_01", "name": "mcp__server__tool_1", "input": {"file_path": "a"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "toolu_01",
                        "content": [{"type": "text", "text": "1\tx = 1"}],
                        "is_error": False,
                        "cache_control": CACHED,
                    }
                ],
            },
        ],
        "tools": tools(),
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "metadata": {"user_id": json.dumps({"device_id": "d", "session_id": "s"})},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "output_config": {"effort": "medium"},
    }


def ask(served: Served, method: str, path: str, headers: dict[str, str], body: dict[str, Any] | None = None) -> Any:
    """One raw exchange: status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", served.server.port, timeout=30)
    sent = json.dumps(body).encode() if body is not None else None
    connection.request(method, path, sent, {"content-type": "application/json", **headers})
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer, data


def events(data: bytes) -> list[tuple[str, dict[str, Any]]]:
    """The server-sent events of a stream."""
    blocks = [block.split("\n", 1) for block in data.decode().strip().split("\n\n")]
    return [(name.removeprefix("event: "), json.loads(value.removeprefix("data: "))) for name, value in blocks]


# --- by ANTHROPIC_BASE_URL -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/anthropic", "/anthropic/"])
def test_a_look_whether_somebody_is_there(served: Served, path: str) -> None:
    """HEAD for the base URL, without a key."""
    answer, data = ask(served, "HEAD", path, {})
    assert (answer.status, data) == (200, b"")


@BOTH
@pytest.mark.parametrize("prefix", ["/v1", "/anthropic/v1"])
def test_a_streamed_turn(served: Served, key: str, model: str, prefix: str) -> None:
    """The whole request with its query and headers, by bearer token, as a stream of named events."""
    headers = {
        "authorization": f"Bearer {key}",
        "anthropic-version": "2023-06-01",
        "anthropic-beta": BETAS,
        "anthropic-dangerous-direct-browser-access": "true",
        "x-app": "cli",
        "x-stainless-helper-method": "stream",
        "user-agent": "claude-cli/2.1.0 (external, cli)",
        "accept": "application/json",
    }
    body = {"model": model, "stream": True, **conversation()}
    answer, data = ask(served, "POST", f"{prefix}/messages?beta=true", headers, body)
    assert answer.status == 200, data
    assert answer.getheader("content-type", "").startswith("text/event-stream")
    told = events(data)
    assert [name for name, _ in told][:2] == ["message_start", "content_block_start"]
    assert told[-1] == ("message_stop", {"type": "message_stop"})
    assert all(name == value["type"] for name, value in told)
    sent = served.sent()
    assert len(sent["tools"]) == 24
    if model == CLAUDE:
        assert served.up.requests[-1].headers["anthropic-beta"] == BETAS
        assert sent["thinking"] == {"type": "enabled", "budget_tokens": 2000}
        assert sent["context_management"]["edits"][0]["keep"] == "all"
        assert sent["messages"][1]["content"][0]["signature"] == "c2ln"
        assert sent["output_config"] == {"effort": "medium"}
    else:
        assert sent["reasoning_effort"]


@pytest.mark.parametrize(
    "thinking", [{"type": "adaptive"}, {"type": "adaptive", "display": "omitted"}, {"type": "disabled"}]
)
def test_every_way_to_think(served: Served, key: str, thinking: dict[str, Any]) -> None:
    """Adaptive and disabled thinking are no errors, whoever answers."""
    for model in (CLAUDE, HAIKU):
        body = {"model": model, **conversation(), "thinking": thinking}
        answer, data = ask(served, "POST", "/v1/messages?beta=true", {"x-api-key": key}, body)
        assert answer.status == 200, data
        assert json.loads(data)["type"] == "message"
    assert "thinking" not in served.sent()


def test_tokens_of_a_task_are_counted(served: Served, key: str) -> None:
    """The same members without a limit."""
    body = {k: v for k, v in conversation().items() if k not in ("max_tokens", "metadata")}
    for model in (CLAUDE, "craton.chat-mini-v4:0"):
        answer, data = ask(
            served, "POST", "/v1/messages/count_tokens?beta=true", {"x-api-key": key}, {"model": model, **body}
        )
        assert answer.status == 200, data
        assert json.loads(data)["input_tokens"] > 0


def test_a_tool_that_runs_at_anthropic_is_refused_elsewhere(served: Served, key: str) -> None:
    """In the vendor's shape, and before any upstream is asked."""
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}
    body = {"model": HAIKU, "max_tokens": 10, "messages": [{"role": "user", "content": "x"}], "tools": [search]}
    answer, data = ask(served, "POST", "/v1/messages", {"x-api-key": key}, body)
    error = json.loads(data)
    assert (answer.status, error["type"], error["error"]["type"]) == (400, "error", "invalid_request_error")
    assert "web_search_20250305" in error["error"]["message"]
    assert error["request_id"] == answer.getheader("request-id")
    assert not served.up.requests


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/messages/batches"), ("GET", "/v1/files")])
def test_what_is_not_there_says_so(served: Served, key: str, method: str, path: str) -> None:
    """In the vendor's shape."""
    headers = {"x-api-key": key, "anthropic-version": "2023-06-01"}
    answer, data = ask(served, method, path, headers, {} if method == "POST" else None)
    assert (answer.status, json.loads(data)["error"]["type"]) == (404, "not_found_error")


# --- as it comes to Bedrock (CLAUDE_CODE_USE_BEDROCK=1) --------------------------------------------------------------


@BOTH
def test_a_streamed_turn_at_bedrock(served: Served, key: str, model: str) -> None:
    """Betas in the body, the model in the path, chunks of the same events."""
    body = {"anthropic_version": "bedrock-2023-05-31", "anthropic_beta": BETAS.split(","), **conversation()}
    path = f"/model/{model.replace(':', '%3A')}/invoke-with-response-stream"
    answer, data = ask(served, "POST", path, {"authorization": f"Bearer {key}"}, body)
    assert answer.status == 200, data
    frames = EventStreamBuffer()
    frames.add_data(data)
    kinds = [message.headers[":event-type"] for message in frames]
    assert set(kinds) == {"chunk"}
    sent = served.sent()
    assert len(sent["tools"]) == 24
    if model == CLAUDE:
        assert served.up.requests[-1].headers["anthropic-beta"] == BETAS
        assert "anthropic_beta" not in sent


@BOTH
def test_the_sdk_for_bedrock(served: Served, model: str) -> None:
    """`AnthropicBedrock`, signed and streamed, with the beta client's members."""
    with anthropic.AnthropicBedrock(
        aws_access_key=ACCESS_KEY,
        aws_secret_key=SECRET_KEY,
        aws_region="us-east-1",
        base_url=served.server.url,
        max_retries=0,
    ) as client:
        asked: Any = conversation()
        asked |= {"model": model, "stream": True, "betas": BETAS.split(",")}
        kinds = [event.type for event in client.beta.messages.create(**asked)]
    assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")


def test_inference_profiles_are_listed(served: Served, key: str) -> None:
    """What the assistant asks first, by its bearer token and as the AWS SDK pages it."""
    path = "/inference-profiles?maxResults=1000&type=SYSTEM_DEFINED"
    answer, data = ask(served, "GET", path, {"authorization": f"Bearer {key}"})
    assert answer.status == 200, data
    ids = {profile["inferenceProfileId"] for profile in json.loads(data)["inferenceProfileSummaries"]}
    assert any(ident.startswith("us.anthropic.claude") for ident in ids)
    pages = served.client("bedrock").get_paginator("list_inference_profiles").paginate(typeEquals="SYSTEM_DEFINED")
    assert {profile["inferenceProfileId"] for page in pages for profile in page["inferenceProfileSummaries"]} == ids


# --- the vendors' own clients for Bedrock's newer endpoint -----------------------------------------------------------


@pytest.mark.parametrize("signed", [True, False], ids=["signed", "bearer"])
def test_anthropics_client_for_mantle(served: Served, signed: bool) -> None:
    """It signs for another service, or sends a Bedrock API key."""
    given: Any = {"aws_access_key": ACCESS_KEY, "aws_secret_key": SECRET_KEY} if signed else {"api_key": short_term()}
    with anthropic.AnthropicBedrockMantle(
        aws_region="us-east-1", base_url=served.server.url + "/anthropic", max_retries=0, **given
    ) as client:
        reply = client.messages.create(model=CLAUDE, max_tokens=20, messages=[{"role": "user", "content": "Hello"}])
    assert reply.content[0].type == "text"


@pytest.mark.parametrize("signed", [True, False], ids=["signed", "bearer"])
def test_openais_client_for_bedrock(served: Served, signed: bool) -> None:
    """Chat and responses under its base URL."""
    given: Any = (
        {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY} if signed else {"api_key": short_term()}
    )
    with BedrockOpenAI(
        aws_region="us-east-1", base_url=served.server.url + "/openai/v1", max_retries=0, **given
    ) as client:
        said = client.chat.completions.create(model=HAIKU, messages=[{"role": "user", "content": "Hello"}])
        assert said.choices[0].message.content == "Echo: Hello"
        assert client.responses.create(model=HAIKU, input="Hello").output_text == "Echo: Hello"


def test_a_bedrock_key_in_openais_environment(served: Served, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As AWS documents it: the Bedrock key is OpenAI's, the base URL the endpoint's."""
    monkeypatch.setenv("OPENAI_BASE_URL", served.server.url + "/openai/v1")
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with openai.OpenAI(max_retries=0) as client:
        reply = client.chat.completions.create(model=HAIKU, messages=[{"role": "user", "content": "Hello"}])
    assert reply.choices[0].message.content == "Echo: Hello"


def test_a_tool_call_in_a_streamed_turn(served: Served, key: str) -> None:
    """From an upstream of another vendor, the pieces are the input's JSON."""
    served.up.play(scripts.event_stream(scripts.openai_tool_events("mcp__server__tool_2", ['{"file_', 'path":"a"}'])))
    body = {"model": HAIKU, "stream": True, **conversation()}
    _, data = ask(served, "POST", "/v1/messages?beta=true", {"x-api-key": key}, body)
    pieces = [value["delta"].get("partial_json", "") for name, value in events(data) if name == "content_block_delta"]
    assert json.loads("".join(pieces)) == {"file_path": "a"}
