"""The OpenAI SDK, unmodified, at the OpenAI door: any model, whichever vendor's upstream answers."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pydantic
import pytest

from tests.acceptance.door_keys import long_term, short_term
from tests.acceptance.serving import CLAUDE, GPT, HAIKU, TITAN, Served, serving
from tests.fakes import scripts
from tests.fakes.upstream import FakeUpstream
from tests.running import Running, model_config

HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 24).decode()
OWN = "own/model-1"
# A target that failed rests for a while, so each kind of failure has a model of its own.
DOOMED = {name: f"doomed-{name}" for name in ("400", "429", "500", "503", "broken", "retried", "refused")}
# Through an OpenAI-compatible server, and through Anthropic's API.
BOTH = pytest.mark.parametrize("model", [HAIKU, CLAUDE], ids=["openai", "anthropic"])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("home"), also=dict.fromkeys(DOOMED.values(), "openai")) as running:
        yield running


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=served.server.url + "/openai/v1", api_key=short_term(), max_retries=0) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _fresh(served: Served) -> None:
    served.up.scripts.clear()
    served.up.requests.clear()


@BOTH
def test_a_completion_has_text_usage_and_a_reason(client: openai.OpenAI, model: str) -> None:
    """The SDK's typed reply, under the id that was asked for."""
    reply = client.chat.completions.create(model=model, messages=HELLO, max_completion_tokens=20)
    assert reply.object == "chat.completion"
    assert reply.model == model
    assert reply.id.startswith("chatcmpl-")
    choice = reply.choices[0]
    assert (choice.index, choice.message.role, choice.message.content) == (0, "assistant", "Echo: Hello")
    assert choice.finish_reason == "stop"
    assert reply.usage
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.total_tokens) == (11, 5, 16)
    assert len(reply._request_id or "") == 36


@pytest.mark.parametrize("prefix", ["/openai/v1", "/v1"])
def test_both_paths_and_a_long_term_key(served: Served, prefix: str) -> None:
    """The door stands under both, and takes a key of `craton keys create`."""
    with openai.OpenAI(base_url=served.server.url + prefix, api_key=long_term(served.server), max_retries=0) as client:
        reply = client.chat.completions.create(model=GPT, messages=HELLO)
    assert reply.choices[0].message.content == "Echo: Hello"


@BOTH
def test_a_stream_is_typed_and_ends(client: openai.OpenAI, model: str) -> None:
    """Role first, texts as they come, the reason last; usage only where it was asked for."""
    chunks = list(client.chat.completions.create(model=model, messages=HELLO, max_tokens=20, stream=True))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Echo: Hello"
    assert [chunk.choices[0].finish_reason for chunk in chunks][-1] == "stop"
    assert all(chunk.usage is None for chunk in chunks)
    asked = list(
        client.chat.completions.create(
            model=model, messages=HELLO, max_tokens=20, stream=True, stream_options={"include_usage": True}
        )
    )
    assert asked[-1].choices == []
    assert asked[-1].usage
    assert asked[-1].usage.total_tokens == 16


def test_a_stream_is_incremental(served: Served, client: openai.OpenAI) -> None:
    """Pieces come with the upstream's pauses between them."""
    served.up.play(scripts.openai_stream(["one ", "two ", "three"], pace_s=0.15))
    arrived = [
        (time.monotonic(), chunk.choices[0].delta.content)
        for chunk in client.chat.completions.create(model=GPT, messages=HELLO, stream=True)
        if chunk.choices[0].delta.content
    ]
    assert [text for _, text in arrived] == ["one ", "two ", "three"]
    assert arrived[-1][0] - arrived[0][0] > 0.2


def test_every_sampling_parameter_arrives(served: Served, client: openai.OpenAI) -> None:
    """What OpenAI's schema has and the target's has too is sent on."""
    client.chat.completions.create(
        model=HAIKU,
        messages=[{"role": "developer", "content": "Be brief"}, {"role": "system", "content": "Be kind"}, *HELLO],
        temperature=1.5,
        top_p=0.9,
        stop=["END", "###"],
        seed=7,
        presence_penalty=0.5,
        max_completion_tokens=33,
        user="u-1",
    )
    sent = served.sent()
    assert sent["temperature"] == 1.5
    assert sent["top_p"] == 0.9
    assert sent["stop"] == ["END", "###"]
    assert (sent["seed"], sent["presence_penalty"], sent["user"], sent["max_tokens"]) == (7, 0.5, "u-1", 33)
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]


def test_stop_and_system_reach_anthropic_under_its_names(served: Served, client: openai.OpenAI) -> None:
    """The schema of the target is another; what it stopped at is OpenAI's `stop`."""
    served.up.play(
        scripts.reply({**scripts.anthropic_message("one", "stop_sequence"), "stop_sequence": "END"}),
    )
    reply = client.chat.completions.create(
        model=CLAUDE, messages=[{"role": "system", "content": "Be brief"}, *HELLO], stop="END", max_tokens=20
    )
    assert reply.choices[0].finish_reason == "stop"
    sent = served.sent()
    assert sent["stop_sequences"] == ["END"]
    assert sent["system"] == [{"type": "text", "text": "Be brief"}]


@BOTH
def test_tools_are_called_and_answered(served: Served, client: openai.OpenAI, model: str) -> None:
    """Two calls at once; the results come back as messages of their own."""
    cities = ("Paris", "Rome")
    calls = [
        {
            "id": f"call_{i}",
            "type": "function",
            "function": {"name": "get_weather", "arguments": f'{{"city":"{city}"}}'},
        }
        for i, city in enumerate(cities)
    ]
    blocks = [
        {"type": "tool_use", "id": f"call_{i}", "name": "get_weather", "input": {"city": city}}
        for i, city in enumerate(cities)
    ]
    script = {
        HAIKU: scripts.openai_reply("", "tool_calls", tool_calls=calls),
        CLAUDE: scripts.reply(scripts.anthropic_message("", "tool_use", blocks)),
    }
    served.up.play(script[model])
    reply = client.chat.completions.create(
        model=model, messages=HELLO, tools=[WEATHER], tool_choice="required", max_tokens=50
    )
    choice = reply.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls
    given = [json.loads(call.function.arguments) for call in choice.message.tool_calls if call.type == "function"]
    assert given == [{"city": "Paris"}, {"city": "Rome"}]
    results: list[Any] = [
        {"role": "tool", "tool_call_id": call.id, "content": f"{21 + i} degrees"}
        for i, call in enumerate(choice.message.tool_calls)
    ]
    turns = [*HELLO, choice.message.model_dump(exclude_none=True), *results]
    client.chat.completions.create(model=model, messages=turns, tools=[WEATHER], max_tokens=50)
    assert "21 degrees" in str(served.sent()["messages"])
    assert "22 degrees" in str(served.sent()["messages"][-1])


@BOTH
def test_a_streamed_tool_call_adds_up(served: Served, client: openai.OpenAI, model: str) -> None:
    """The stream helper puts the pieces of the arguments together."""
    make = {HAIKU: scripts.openai_tool_events, CLAUDE: scripts.anthropic_tool_events}[model]
    served.up.play(scripts.event_stream(make("get_weather", ['{"city": ', '"Paris"}'])))
    with client.chat.completions.stream(model=model, messages=HELLO, tools=[WEATHER], max_tokens=50) as stream:
        final = stream.get_final_completion()
    call = final.choices[0].message.tool_calls
    assert call
    assert call[0].function.name == "get_weather"
    assert json.loads(call[0].function.arguments) == {"city": "Paris"}
    assert final.choices[0].finish_reason == "tool_calls"


@BOTH
def test_an_image_is_carried(served: Served, client: openai.OpenAI, model: str) -> None:
    """A data URL reaches the target in its own form."""
    content: Any = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
    ]
    client.chat.completions.create(model=model, messages=[{"role": "user", "content": content}], max_tokens=20)
    part = served.sent()["messages"][0]["content"][1]
    if model == CLAUDE:
        assert part["source"] == {"type": "base64", "media_type": "image/png", "data": PIXEL}
    else:
        assert part["image_url"]["url"] == f"data:image/png;base64,{PIXEL}"


def test_a_big_image_is_carried_too(served: Served, client: openai.OpenAI) -> None:
    """Bodies above the size that one thread may hold up the others with take another way."""
    head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x10"
    data = base64.b64encode(head + b"\x07" * 600_000).decode()
    content: Any = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}},
    ]
    client.chat.completions.create(model=CLAUDE, messages=[{"role": "user", "content": content}], max_tokens=20)
    assert served.sent()["messages"][0]["content"][1]["source"]["data"] == data


@BOTH
def test_labels_are_for_openai_alone(served: Served, client: openai.OpenAI, model: str) -> None:
    """`metadata` and `store` mean something else, or nothing, to others."""
    client.chat.completions.create(model=model, messages=HELLO, max_tokens=20, metadata={"a": "b"}, store=True)
    sent = served.sent()
    assert ("metadata" in sent, "store" in sent) == ((True, True) if model == HAIKU else (False, False))


def test_tool_results_need_their_tools(client: openai.OpenAI) -> None:
    """Bedrock's rule, about the members that OpenAI has."""
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    turns: list[Any] = [
        *HELLO,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "mild"},
    ]
    with pytest.raises(openai.BadRequestError, match="The tools field must be defined when using tool call"):
        client.chat.completions.create(model=HAIKU, messages=turns, max_tokens=20)


def test_log_probabilities_come_whole(served: Served, client: openai.OpenAI) -> None:
    """Of a target that gives them."""
    message = scripts.openai_message("Hi")
    found = {"token": "Hi", "logprob": -0.1, "bytes": [72, 105], "top_logprobs": []}
    message["choices"][0]["logprobs"] = {"content": [found], "refusal": None}
    served.up.play(scripts.reply(message))
    reply = client.chat.completions.create(model=HAIKU, messages=HELLO, max_tokens=20, logprobs=True)
    assert served.sent()["logprobs"] is True
    assert reply.choices[0].logprobs
    assert reply.choices[0].logprobs.content
    assert reply.choices[0].logprobs.content[0].logprob == -0.1


def test_a_file_keeps_a_name_that_bedrock_takes(served: Served, client: openai.OpenAI) -> None:
    """`my_report.v2.pdf` is no name of a document on Bedrock, and no reason to refuse it."""
    data = "data:application/pdf;base64," + base64.b64encode(b"%PDF-1.4").decode()
    content: Any = [
        {"type": "text", "text": "Sum up"},
        {"type": "file", "file": {"filename": "my_report.v2.pdf", "file_data": data}},
    ]
    client.chat.completions.create(model=CLAUDE, messages=[{"role": "user", "content": content}], max_tokens=20)
    assert served.sent()["messages"][0]["content"][1]["title"] == "my report v2"


class Capital(pydantic.BaseModel):
    country: str
    city: str


@BOTH
def test_a_schema_is_parsed(served: Served, client: openai.OpenAI, model: str) -> None:
    """`parse` asks by `response_format` and reads the answer into the class."""
    text = '{"country":"France","city":"Paris"}'
    served.up.play({HAIKU: scripts.openai_reply(text), CLAUDE: scripts.anthropic_reply(text)}[model])
    reply = client.chat.completions.parse(model=model, messages=HELLO, response_format=Capital, max_tokens=50)
    assert reply.choices[0].message.parsed == Capital(country="France", city="Paris")
    sent = served.sent()
    asked = sent["output_config"]["format"] if model == CLAUDE else sent["response_format"]["json_schema"]
    assert asked["schema"]["required"] == ["country", "city"]


def test_what_openai_takes_and_converse_does_not(served: Served, client: openai.OpenAI) -> None:
    """Neighbours of one role are one turn, and the empty text beside a tool call is none."""
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    turns: list[Any] = [
        {"role": "user", "content": "One"},
        {"role": "user", "content": "Two"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "mild"},
        {"role": "assistant", "content": ""},
        {"role": "user", "content": "Three"},
    ]
    reply = client.chat.completions.create(model=CLAUDE, messages=turns, tools=[WEATHER], max_tokens=20)
    assert reply.choices[0].message.content
    sent = served.sent()["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "user"]
    assert [block["type"] for block in sent[2]["content"]] == ["tool_result", "text"]


def test_what_was_lost_is_named_as_openai_names_it(client: openai.OpenAI) -> None:
    """The ledger's header holds the caller's own names."""
    raw = client.chat.completions.with_raw_response.create(
        model=CLAUDE, messages=HELLO, max_tokens=20, seed=7, frequency_penalty=0.2
    )
    assert sorted(raw.headers["x-craton-dropped"].split(", ")) == ["frequency_penalty", "seed"]
    with pytest.raises(openai.BadRequestError, match="cannot carry seed"):
        client.chat.completions.create(
            model=CLAUDE, messages=HELLO, max_tokens=20, seed=7, extra_headers={"x-craton-translation": "strict"}
        )


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, openai.BadRequestError, None),
        (429, openai.RateLimitError, "rate_limit_exceeded"),
        (500, openai.InternalServerError, "model_error"),
        (503, openai.InternalServerError, "service_unavailable"),
    ],
)
def test_an_upstreams_errors_have_the_sdks_classes(
    served: Served, client: openai.OpenAI, status: int, kind: type[openai.APIStatusError], code: str | None
) -> None:
    """Users catch the SDK's own exceptions, whole and before a stream's first piece."""
    for streams in (False, True):
        served.up.play(scripts.error_openai(status, {"retry-after": "7"}))
        with pytest.raises(kind) as caught:
            client.chat.completions.create(model=DOOMED[str(status)], messages=HELLO, stream=streams)
        assert caught.value.code == code
        assert ("retry-after" in caught.value.response.headers) == (status in (429, 503))


@pytest.mark.parametrize(
    ("asked", "kind", "code", "param"),
    [
        ({"model": "gpt-nope"}, openai.NotFoundError, "model_not_found", "model"),
        ({"temperature": 3}, openai.BadRequestError, "invalid_value", "temperature"),
        ({"messages": []}, openai.BadRequestError, "invalid_value", "messages"),
        ({"messages": [{"role": "king", "content": "x"}]}, openai.BadRequestError, "invalid_value", "messages[0].role"),
        ({"messages": [{"role": "user"}]}, openai.BadRequestError, "missing_required_parameter", "messages[0].content"),
        ({"n": 2}, openai.BadRequestError, "unsupported_value", "n"),
        ({"modalities": ["text", "audio"]}, openai.BadRequestError, "unsupported_value", "modalities"),
        ({"functions": [{"name": "f"}]}, openai.BadRequestError, "unsupported_parameter", "functions"),
        ({"messages": [{"role": "user", "content": " "}]}, openai.BadRequestError, None, None),
        ({"max_tokens": 10**7}, openai.BadRequestError, None, None),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
def test_bad_requests_name_what_is_wrong(
    served: Served,
    client: openai.OpenAI,
    asked: dict[str, Any],
    kind: type[openai.APIStatusError],
    code: str | None,
    param: str | None,
) -> None:
    """Class, code and param as OpenAI gives them, before any upstream is asked."""
    with pytest.raises(kind) as caught:
        client.chat.completions.create(**{"model": CLAUDE, "messages": HELLO, **asked})
    assert (caught.value.code, caught.value.param) == (code, param), caught.value
    assert not served.up.requests


def test_bedrocks_rules_hold_in_openais_words(client: openai.OpenAI) -> None:
    """What a family cannot do, and an id that needs a profile, are bad requests here too."""
    with pytest.raises(openai.BadRequestError, match="doesn't support tool use"):
        client.chat.completions.create(model=TITAN, messages=HELLO, tools=[WEATHER])
    with pytest.raises(openai.BadRequestError, match="inference profile"):
        client.chat.completions.create(model="anthropic.claude-sonnet-4-20250514-v1:0", messages=HELLO)
    with pytest.raises(openai.BadRequestError, match="support the stop field"):
        client.chat.completions.create(model=GPT, messages=HELLO, stop="END")


@pytest.mark.parametrize("key", ["sk-something-else", short_term(secret="x" * 40)], ids=["foreign", "forged"])
def test_a_wrong_key_is_an_authentication_error(served: Served, key: str) -> None:
    """401 with OpenAI's code, and the key in no log."""
    with openai.OpenAI(base_url=served.server.url + "/v1", api_key=key, max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError) as caught:
            client.chat.completions.create(model=GPT, messages=HELLO)
        with pytest.raises(openai.AuthenticationError):
            client.models.list()
    assert caught.value.code == "invalid_api_key"
    assert key not in str(caught.value)
    assert key not in served.server.output()


def test_a_stream_that_breaks_raises(served: Served, client: openai.OpenAI) -> None:
    """The error comes as data after the text before it, and there is no `[DONE]`."""
    served.up.play(scripts.cut_midstream(scripts.openai_events(["one ", "two "])[:3]))
    said = []
    with pytest.raises(openai.APIError) as caught:
        for chunk in client.chat.completions.create(model=DOOMED["broken"], messages=HELLO, stream=True):
            said.append(chunk.choices[0].delta.content or "")
    assert "".join(said) == "one two "
    assert caught.value.type == "server_error"


def test_the_sdk_retries_where_it_helps(served: Served) -> None:
    """A throttled upstream is asked again; one that does not know our key is not."""
    with openai.OpenAI(base_url=served.server.url + "/v1", api_key=short_term(), max_retries=2) as client:
        served.up.play(scripts.error_openai(429, {"retry-after": "0"}))
        reply = client.chat.completions.create(model=DOOMED["retried"], messages=HELLO)
        assert reply.choices[0].message.content == "Echo: Hello"
        served.up.requests.clear()
        served.up.play(*[scripts.error_openai(401)] * 3)
        with pytest.raises(openai.InternalServerError):
            client.chat.completions.create(model=DOOMED["refused"], messages=HELLO)
    assert len(served.up.requests) == 1


def test_models_are_listed_and_got(client: openai.OpenAI) -> None:
    """Every listed id can be got; one that needs a profile is listed by its profile alone."""
    models = list(client.models.list())
    ids = [model.id for model in models]
    assert GPT in ids
    assert "us.anthropic.claude-sonnet-4-20250514-v1:0" in ids
    assert "anthropic.claude-sonnet-4-20250514-v1:0" not in ids
    assert len(ids) == len(set(ids))
    found = client.models.retrieve("us.anthropic.claude-sonnet-4-20250514-v1:0")
    assert (found.object, found.owned_by) == ("model", "anthropic")
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("gpt-nope")
    assert caught.value.code == "model_not_found"


def test_an_id_with_a_slash_is_got(tmp_path: Path) -> None:
    """Ids of one's own may have one; the SDK encodes it."""
    with (
        FakeUpstream() as up,
        Running(tmp_path, model_config(OWN, "openai", up.openai_url)) as server,
        openai.OpenAI(base_url=server.url + "/v1", api_key=short_term(), max_retries=0) as client,
    ):
        assert client.models.retrieve(OWN).id == OWN
        assert client.chat.completions.create(model=OWN, messages=HELLO).model == OWN


def test_what_is_not_built_says_so(client: openai.OpenAI) -> None:
    """No made-up success for the rest of OpenAI's API."""
    for ask in (
        lambda: client.moderations.create(input="Hello"),
        client.files.list,
        lambda: client.chat.completions.retrieve("chatcmpl-1"),
    ):
        with pytest.raises(openai.NotFoundError, match="not built") as caught:
            ask()
        assert caught.value.code == "not_implemented"


def test_the_sample_model_answers(served: Served, client: openai.OpenAI) -> None:
    """The model in the box, whole and as a stream, and a stand-in that names itself."""
    own = "craton.chat-mini-v4:0"
    reply = client.chat.completions.create(model=own, messages=HELLO, max_tokens=20)
    assert reply.choices[0].message.content
    streamed = client.chat.completions.create(model=own, messages=HELLO, max_tokens=20, stream=True, temperature=0)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in streamed)
    raw = client.chat.completions.with_raw_response.create(
        model="mistral.mistral-7b-instruct-v0:2", messages=HELLO, max_tokens=20
    )
    assert raw.headers["x-craton-standin"] == own
    assert raw.parse().choices[0].message.content
