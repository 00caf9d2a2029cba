"""The Anthropic SDK, unmodified, at the Anthropic door: any model, whichever vendor's upstream answers."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from typing import Any

import anthropic
import pydantic
import pytest

from tests.acceptance.door_keys import long_term, short_term
from tests.acceptance.serving import CLAUDE, GPT, HAIKU, TITAN, Served, serving
from tests.fakes import scripts

HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
TOOLS: list[Any] = [
    {
        "name": "get_weather",
        "description": "The weather of a city",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
]
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 24).decode()
SONNET_4 = "anthropic.claude-sonnet-4-20250514-v1:0"
# A target that failed rests for a while, so each kind of failure has a model of its own.
DOOMED = {name: f"doomed-{name}" for name in ("400", "413", "429", "500", "529", "broken")}
# Through Anthropic's own API, and through an OpenAI-compatible server.
BOTH = pytest.mark.parametrize("model", [CLAUDE, HAIKU], ids=["anthropic", "openai"])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("home"), also=dict.fromkeys(DOOMED.values(), "anthropic")) as running:
        yield running


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=served.server.url, api_key=short_term(), max_retries=0) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _fresh(served: Served) -> None:
    served.up.scripts.clear()
    served.up.requests.clear()


@BOTH
def test_a_message_has_text_usage_and_a_reason(client: anthropic.Anthropic, model: str) -> None:
    """The SDK's typed reply, through either upstream."""
    reply = client.messages.create(model=model, max_tokens=20, messages=HELLO, system="Be brief")
    assert (reply.type, reply.role) == ("message", "assistant")
    assert reply.content[0].type == "text"
    assert reply.content[0].text == "Echo: Hello"
    assert (reply.stop_reason, reply.stop_sequence) == ("end_turn", None)
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (11, 5)
    assert len(reply._request_id or "") == 36


def test_another_familys_model_answers(client: anthropic.Anthropic) -> None:
    """Any id behind any door, under its own name."""
    reply = client.messages.create(model=GPT, max_tokens=20, messages=HELLO)
    assert reply.model == GPT
    assert reply.content[0].type == "text"


def test_both_paths_and_both_headers(served: Served) -> None:
    """The door stands under two paths, and takes a key as `x-api-key` and as a bearer token."""
    key = long_term(served.server)
    for client in (
        anthropic.Anthropic(base_url=served.server.url + "/anthropic", api_key=key, max_retries=0),
        anthropic.Anthropic(base_url=served.server.url, auth_token=key, max_retries=0),
    ):
        with client:
            reply = client.messages.create(model=CLAUDE, max_tokens=20, messages=HELLO)
        assert reply.stop_reason == "end_turn"


@BOTH
def test_a_stream_of_text(client: anthropic.Anthropic, model: str) -> None:
    """The stream helper gives the text and, at the end, the whole message with its usage."""
    with client.messages.stream(model=model, max_tokens=20, messages=HELLO) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == "Echo: Hello"
    assert final.stop_reason == "end_turn"
    assert (final.usage.input_tokens, final.usage.output_tokens) == (11, 5)


@BOTH
def test_a_streams_events_come_in_order(client: anthropic.Anthropic, model: str) -> None:
    """The raw events, by the names that the SDK reads them by."""
    kinds = [event.type for event in client.messages.create(model=model, max_tokens=20, messages=HELLO, stream=True)]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert set(kinds[2:-3]) == {"content_block_delta"}
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]


def test_a_stream_is_incremental(served: Served, client: anthropic.Anthropic) -> None:
    """Pieces come with the upstream's pauses between them."""
    served.up.play(scripts.openai_stream(["one ", "two ", "three"], pace_s=0.15))
    arrived = []
    with client.messages.stream(model=HAIKU, max_tokens=20, messages=HELLO) as stream:
        for piece in stream.text_stream:
            arrived.append((time.monotonic(), piece))
    assert [piece for _, piece in arrived] == ["one ", "two ", "three"]
    assert arrived[-1][0] - arrived[0][0] > 0.2


@BOTH
def test_a_tool_is_called_and_answered(served: Served, client: anthropic.Anthropic, model: str) -> None:
    """A call's input is an object; the next turn takes its result."""
    block = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}}
    call = {"id": "toolu_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'}}
    script = {
        CLAUDE: scripts.reply(scripts.anthropic_message("", "tool_use", [block])),
        HAIKU: scripts.openai_reply("", "tool_calls", tool_calls=[call]),
    }
    served.up.play(script[model])
    choice: Any = {"type": "tool", "name": "get_weather"}
    reply = client.messages.create(model=model, max_tokens=50, messages=HELLO, tools=TOOLS, tool_choice=choice)
    assert reply.stop_reason == "tool_use"
    use = next(part for part in reply.content if part.type == "tool_use")
    assert (use.name, use.input) == ("get_weather", {"city": "Paris"})
    turns: list[Any] = [
        *HELLO,
        {"role": "assistant", "content": [part.model_dump(exclude_none=True) for part in reply.content]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "21 degrees"}]},
    ]
    client.messages.create(model=model, max_tokens=50, messages=turns, tools=TOOLS)
    assert "21 degrees" in str(served.sent()["messages"][-1])


@BOTH
def test_a_stream_with_a_tool(served: Served, client: anthropic.Anthropic, model: str) -> None:
    """The pieces of the input add up to an object in the final message."""
    make = {CLAUDE: scripts.anthropic_tool_events, HAIKU: scripts.openai_tool_events}[model]
    served.up.play(scripts.event_stream(make("get_weather", ['{"city": ', '"Paris"}'])))
    with client.messages.stream(model=model, max_tokens=50, messages=HELLO, tools=TOOLS) as stream:
        final = stream.get_final_message()
    use = next(part for part in final.content if part.type == "tool_use")
    assert (use.name, use.input) == ("get_weather", {"city": "Paris"})
    assert final.stop_reason == "tool_use"


@BOTH
def test_an_image_is_carried(served: Served, client: anthropic.Anthropic, model: str) -> None:
    """Base64 reaches the target in its own form."""
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    content: Any = [{"type": "text", "text": "What is this?"}, {"type": "image", "source": source}]
    client.messages.create(model=model, max_tokens=20, messages=[{"role": "user", "content": content}])
    part = served.sent()["messages"][0]["content"][1]
    if model == CLAUDE:
        assert part["source"] == source
    else:
        assert part["image_url"]["url"] == f"data:image/png;base64,{PIXEL}"


@BOTH
def test_a_stop_sequence_ends_the_answer(served: Served, client: anthropic.Anthropic, model: str) -> None:
    """It is sent under the target's name, and told where the target tells it."""
    message = {**scripts.anthropic_message("one", "stop_sequence"), "stop_sequence": "END"}
    served.up.play({CLAUDE: scripts.reply(message), HAIKU: scripts.openai_reply("one")}[model])
    reply = client.messages.create(model=model, max_tokens=20, messages=HELLO, stop_sequences=["END"])
    assert served.sent()["stop_sequences" if model == CLAUDE else "stop"] == ["END"]
    assert reply.stop_sequence == ("END" if model == CLAUDE else None)


class Capital(pydantic.BaseModel):
    country: str
    city: str


@BOTH
def test_a_schema_is_parsed(served: Served, client: anthropic.Anthropic, model: str) -> None:
    """`parse` asks by `output_config` and reads the answer into the class."""
    text = '{"country":"France","city":"Paris"}'
    served.up.play({HAIKU: scripts.openai_reply(text), CLAUDE: scripts.anthropic_reply(text)}[model])
    reply = client.messages.parse(model=model, max_tokens=50, messages=HELLO, output_format=Capital)
    assert reply.parsed_output == Capital(country="France", city="Paris")
    sent = served.sent()
    asked = sent["output_config"]["format"] if model == CLAUDE else sent["response_format"]["json_schema"]
    assert asked["schema"]["required"] == ["country", "city"]


def coding_request(model: str) -> dict[str, Any]:
    """What a coding assistant sends: cached system parts, many tools, betas, metadata, thinking, neighbours of one role."""
    cached = {"type": "ephemeral", "ttl": "1h"}
    return {
        "model": model,
        "max_tokens": 4000,
        "system": [
            {"type": "text", "text": "You are a coding assistant.", "cache_control": cached},
            {"type": "text", "text": "Be careful.", "cache_control": {"type": "ephemeral"}},
        ],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "<system-reminder>today</system-reminder>"},
                    {"type": "text", "text": "Fix it", "cache_control": {"type": "ephemeral"}},
                ],
            },
            {"role": "user", "content": "Now"},
            {"role": "system", "content": "The file has changed."},
        ],
        "tools": [{**TOOLS[0], "cache_control": {"type": "ephemeral"}, "eager_input_streaming": True}],
        "metadata": {"user_id": "user_1_session_2"},
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "extra_headers": {"anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14", "x-app": "cli"},
        "extra_query": {"beta": "true"},
        "extra_body": {"context_management": {"edits": []}, "brand_new_member": {"x": 1}},
    }


@BOTH
def test_a_coding_assistants_traffic_works(served: Served, client: anthropic.Anthropic, model: str) -> None:
    """Nothing of it is an error; what its own vendor knows reaches it, betas in their header."""
    with client.messages.stream(**coding_request(model)) as stream:
        assert stream.get_final_text().startswith("Echo: ")
    sent, headers = served.sent(), served.up.requests[-1].headers
    assert [message["role"] for message in sent["messages"]] in (["user"], ["system", "user"])
    if model == CLAUDE:
        assert headers["anthropic-beta"] == "claude-code-20250219,interleaved-thinking-2025-05-14"
        assert sent["thinking"] == {"type": "enabled", "budget_tokens": 2000}
        assert sent["metadata"] == {"user_id": "user_1_session_2"}
        assert sent["system"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
        assert sent["system"][-1]["text"] == "The file has changed."
    else:
        assert "anthropic-beta" not in headers
        assert "The file has changed." in str(sent["messages"][0])


def test_the_beta_client_works(client: anthropic.Anthropic) -> None:
    """Its path has a query, its betas a header."""
    reply = client.beta.messages.create(model=CLAUDE, max_tokens=20, messages=HELLO, betas=["some-beta-2026-01-01"])
    assert reply.content[0].type == "text"


def test_thinking_is_shown_and_sent_back(served: Served, client: anthropic.Anthropic) -> None:
    """A signed thought comes whole, and goes to the vendor that signed it."""
    thought = {"type": "thinking", "thinking": "Hmm", "signature": "c2ln"}
    blocks = [thought, {"type": "text", "text": "Yes"}]
    served.up.play(scripts.reply(scripts.anthropic_message("", content=blocks)))
    reply = client.messages.create(model=CLAUDE, max_tokens=20, messages=HELLO)
    assert reply.content[0].type == "thinking"
    assert (reply.content[0].thinking, reply.content[0].signature) == ("Hmm", "c2ln")
    turns: list[Any] = [*HELLO, {"role": "assistant", "content": reply.content}, {"role": "user", "content": "And?"}]
    client.messages.create(model=CLAUDE, max_tokens=20, messages=turns)
    assert served.sent()["messages"][1]["content"][0] == thought


def test_a_vendors_own_tool_is_passed_through(served: Served, client: anthropic.Anthropic) -> None:
    """The tool, its call and its result, all of the vendor's making, come and go as they are."""
    blocks = [
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
        {"type": "text", "text": "Nothing"},
    ]
    served.up.play(scripts.reply(scripts.anthropic_message("", content=blocks)))
    search: Any = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
    reply = client.messages.create(model=CLAUDE, max_tokens=20, messages=HELLO, tools=[search])
    assert served.sent()["tools"] == [search]
    assert [block.type for block in reply.content] == ["server_tool_use", "web_search_tool_result", "text"]
    turns: list[Any] = [
        *HELLO,
        {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in reply.content]},
        {"role": "user", "content": "And?"},
    ]
    client.messages.create(model=CLAUDE, max_tokens=20, messages=turns, tools=[search])
    assert served.sent()["messages"][1]["content"] == blocks


def test_tokens_are_counted(served: Served, client: anthropic.Anthropic) -> None:
    """By the target's own count, through a profile too; a model without a count says so."""
    counted = client.messages.count_tokens(model=CLAUDE, messages=HELLO, system="Be brief", tools=TOOLS)
    assert counted.input_tokens == 42
    assert "max_tokens" not in served.sent()
    own = client.messages.count_tokens(model="craton.chat-mini-v4:0", messages=HELLO)
    assert own.input_tokens > 0
    with pytest.raises(anthropic.BadRequestError, match="doesn't support counting tokens"):
        client.messages.count_tokens(model=TITAN, messages=HELLO)


def test_models_are_listed_in_pages(client: anthropic.Anthropic) -> None:
    """The SDK follows the pages; each listed id can be got."""
    listed = list(client.models.list(limit=7))
    ids = [model.id for model in listed]
    assert len(ids) == len(set(ids)) > 50
    assert {CLAUDE, "us." + SONNET_4} <= set(ids)
    assert SONNET_4 not in ids
    page = client.models.list(limit=5, before_id=ids[12])
    assert [model.id for model in page.data] == ids[7:12]
    found = client.models.retrieve(ids[0])
    assert (found.type, found.id, found.lifecycle in ("active", "deprecated")) == ("model", ids[0], True)
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("claude-nope")
    with pytest.raises(anthropic.BadRequestError, match="limit"):
        client.models.list(limit=0)


@pytest.mark.parametrize(
    ("status", "kind", "name"),
    [
        (400, anthropic.BadRequestError, "invalid_request_error"),
        (413, anthropic.BadRequestError, "invalid_request_error"),
        (429, anthropic.RateLimitError, "rate_limit_error"),
        (500, anthropic.InternalServerError, "api_error"),
        (529, anthropic.InternalServerError, "overloaded_error"),
    ],
)
def test_an_upstreams_errors_have_the_sdks_classes(
    served: Served, client: anthropic.Anthropic, status: int, kind: type[anthropic.APIStatusError], name: str
) -> None:
    """Users catch the SDK's own exceptions, whole and before a stream's first piece."""
    for streams in (False, True):
        served.up.play(scripts.error_anthropic(status, {"retry-after": "7"}))
        with pytest.raises(kind) as caught:
            client.messages.create(model=DOOMED[str(status)], max_tokens=20, messages=HELLO, stream=streams)
        body: Any = caught.value.body
        assert (body["type"], body["error"]["type"]) == ("error", name)
        assert caught.value.request_id == body["request_id"]
        if status == 413:
            assert body["error"]["message"] == "prompt is too long"


@pytest.mark.parametrize(
    ("asked", "kind", "message"),
    [
        ({"model": "claude-nope"}, anthropic.NotFoundError, "model: claude-nope"),
        ({"extra_body": {"temperature": 2}}, anthropic.BadRequestError, "temperature: "),
        ({"max_tokens": 0}, anthropic.BadRequestError, "max_tokens: "),
        ({"messages": [{"role": "user"}]}, anthropic.BadRequestError, r"messages\.0\.content: Field required"),
        ({"messages": []}, anthropic.BadRequestError, "must start with a user message"),
        ({"messages": [{"role": "king", "content": "x"}]}, anthropic.BadRequestError, r"messages\.0\.role: king"),
        ({"model": SONNET_4}, anthropic.BadRequestError, "inference profile"),
        ({"model": TITAN, "system": "Be brief"}, anthropic.BadRequestError, "doesn't support system messages"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
def test_bad_requests_name_what_is_wrong(
    served: Served,
    client: anthropic.Anthropic,
    asked: dict[str, Any],
    kind: type[anthropic.APIStatusError],
    message: str,
) -> None:
    """Anthropic's class and its way to name a member, before any upstream is asked."""
    with pytest.raises(kind, match=message):
        client.messages.create(**{"model": CLAUDE, "max_tokens": 20, "messages": HELLO, **asked})
    assert not served.up.requests


def test_a_wrong_key_is_an_authentication_error(served: Served) -> None:
    """401 and `authentication_error`."""
    key = "sk-ant-api03-something"
    with anthropic.Anthropic(base_url=served.server.url, api_key=key, max_retries=0) as client:
        with pytest.raises(anthropic.AuthenticationError) as caught:
            client.messages.create(model=CLAUDE, max_tokens=20, messages=HELLO)
        with pytest.raises(anthropic.AuthenticationError):
            client.models.list()
    assert "authentication_error" in str(caught.value)
    assert key not in str(caught.value)
    assert key not in served.server.output()


def test_a_stream_that_breaks_raises(served: Served, client: anthropic.Anthropic) -> None:
    """The event `error` surfaces as the SDK's own, after the text before it."""
    served.up.play(scripts.cut_midstream(scripts.anthropic_events(["one ", "two "])[:5]))
    said: list[str] = []
    with (
        pytest.raises(anthropic.APIError, match="api_error"),
        client.messages.stream(model=DOOMED["broken"], max_tokens=20, messages=HELLO) as stream,
    ):
        said.extend(stream.text_stream)
    assert served.up.requests


def test_what_is_not_built_says_so(client: anthropic.Anthropic) -> None:
    """No made-up success for the rest of Anthropic's API."""
    with pytest.raises(anthropic.NotFoundError, match="not built"):
        client.messages.batches.list()


def test_the_sample_model_answers(client: anthropic.Anthropic) -> None:
    """The model in the box streams, and calls no vendor."""
    with client.messages.stream(model="craton.chat-mini-v4:0", max_tokens=20, messages=HELLO) as stream:
        final = stream.get_final_message()
    assert final.content[0].type == "text"
    assert final.usage.output_tokens > 0
