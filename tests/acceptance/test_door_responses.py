"""The OpenAI SDK, unmodified, at the Responses door: any model, whichever vendor's upstream answers."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import openai
import pydantic
import pytest

from tests.acceptance.door_keys import short_term
from tests.acceptance.serving import CLAUDE, GPT, HAIKU, TITAN, Served, serving
from tests.fakes import scripts

WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": False,
}
PIXEL = base64.b64encode(
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89" + b"\0" * 20
).decode()
BROKEN = "broken-model"
# Through an OpenAI-compatible server, and through Anthropic's API.
BOTH = pytest.mark.parametrize("model", [HAIKU, CLAUDE], ids=["openai", "anthropic"])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    kept = "[retention]\nresponses = true\n[server]\nworkers = 2"
    with serving(tmp_path_factory.mktemp("home"), kept, also={BROKEN: "openai"}) as running:
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
def test_a_response_has_text_usage_and_a_status(client: openai.OpenAI, model: str) -> None:
    """The SDK's typed reply, under the id that was asked for, repeating what was asked."""
    reply = client.responses.create(
        model=model, input="Hello", instructions="Be brief", max_output_tokens=20, metadata={"a": "b"}, temperature=0.5
    )
    assert (reply.object, reply.model, reply.status) == ("response", model, "completed")
    assert reply.id.startswith("resp_")
    assert reply.output_text == "Echo: Hello"
    assert reply.usage
    assert (reply.usage.input_tokens, reply.usage.output_tokens, reply.usage.total_tokens) == (11, 5, 16)
    assert (reply.instructions, reply.max_output_tokens, reply.temperature) == ("Be brief", 20, 0.5)
    assert reply.metadata == {"a": "b"}


@BOTH
def test_a_streams_events_come_in_order(client: openai.OpenAI, model: str) -> None:
    """Every event of a text, numbered from 0, with the whole response last."""
    events = list(client.responses.create(model=model, input="Hello", max_output_tokens=20, stream=True))
    kinds = [event.type for event in events if event.type != "response.output_text.delta"]
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    last: Any = events[-1]
    assert last.response.output_text == "Echo: Hello"
    assert last.response.usage.total_tokens == 16


@BOTH
def test_the_stream_helper_adds_up(client: openai.OpenAI, model: str) -> None:
    """The SDK's own accumulation comes to the same as the last event."""
    with client.responses.stream(model=model, input="Hello", max_output_tokens=20) as stream:
        said = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        final = stream.get_final_response()
    assert said == final.output_text == "Echo: Hello"


@BOTH
def test_tools_are_called_and_answered(served: Served, client: openai.OpenAI, model: str) -> None:
    """Two calls at once, with text before them; the outputs come back as items."""
    cities = ("Paris", "Rome")
    calls = [
        {
            "id": f"call_{i}",
            "type": "function",
            "function": {"name": "get_weather", "arguments": json.dumps({"city": city})},
        }
        for i, city in enumerate(cities)
    ]
    blocks: list[dict[str, Any]] = [{"type": "text", "text": "Let me see"}]
    blocks += [
        {"type": "tool_use", "id": f"call_{i}", "name": "get_weather", "input": {"city": city}}
        for i, city in enumerate(cities)
    ]
    script = {
        HAIKU: scripts.openai_reply("Let me see", "tool_calls", tool_calls=calls),
        CLAUDE: scripts.reply(scripts.anthropic_message("", "tool_use", blocks)),
    }
    served.up.play(script[model])
    asked: list[Any] = [{"role": "user", "content": "Weather?"}]
    reply = client.responses.create(model=model, input=asked, tools=[WEATHER], tool_choice="required")
    assert [item.type for item in reply.output] == ["message", "function_call", "function_call"]
    called = [item for item in reply.output if item.type == "function_call"]
    assert [json.loads(call.arguments) for call in called] == [{"city": "Paris"}, {"city": "Rome"}]
    results = [
        {"type": "function_call_output", "call_id": call.call_id, "output": f"{21 + i} degrees"}
        for i, call in enumerate(called)
    ]
    turns = [*asked, *[item.model_dump() for item in reply.output], *results]
    client.responses.create(model=model, input=turns, tools=[WEATHER])
    assert "21 degrees" in str(served.sent()["messages"])
    assert "22 degrees" in str(served.sent()["messages"][-1])


@BOTH
def test_a_streamed_tool_call_adds_up(served: Served, client: openai.OpenAI, model: str) -> None:
    """Arguments come in pieces, and whole at the end."""
    make = {HAIKU: scripts.openai_tool_events, CLAUDE: scripts.anthropic_tool_events}[model]
    served.up.play(scripts.event_stream(make("get_weather", ['{"city": ', '"Paris"}'])))
    with client.responses.stream(model=model, input="Weather?", tools=[WEATHER]) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds.count("response.function_call_arguments.delta") == 2
    assert kinds.count("response.function_call_arguments.done") == 1
    call: Any = final.output[0]
    assert (call.type, call.name, json.loads(call.arguments)) == ("function_call", "get_weather", {"city": "Paris"})


def test_a_tool_of_one_text_works(served: Served, client: openai.OpenAI) -> None:
    """A custom tool is a function of one text to the model, and what it is to the caller."""
    call = {"id": "call_1", "type": "function", "function": {"name": "patch", "arguments": '{"input":"*** Begin"}'}}
    served.up.play(scripts.openai_reply("", "tool_calls", tool_calls=[call]))
    tool: Any = {"type": "custom", "name": "patch", "description": "Apply a patch"}
    reply = client.responses.create(model=HAIKU, input="Fix it", tools=[tool])
    got: Any = reply.output[0]
    assert (got.type, got.name, got.input) == ("custom_tool_call", "patch", "*** Begin")
    assert served.sent()["tools"][0]["function"]["parameters"]["required"] == ["input"]
    turns: list[Any] = [
        {"role": "user", "content": "Fix it"},
        got.model_dump(),
        {"type": "custom_tool_call_output", "call_id": got.call_id, "output": "Done"},
    ]
    client.responses.create(model=HAIKU, input=turns, tools=[tool])
    assert served.sent()["messages"][-1]["content"] == "Done"


class Capital(pydantic.BaseModel):
    country: str
    city: str


@BOTH
def test_a_schema_is_parsed(served: Served, client: openai.OpenAI, model: str) -> None:
    """`parse` asks by `text.format` and reads the answer into the class."""
    text = '{"country":"France","city":"Paris"}'
    served.up.play({HAIKU: scripts.openai_reply(text), CLAUDE: scripts.anthropic_reply(text)}[model])
    reply = client.responses.parse(model=model, input="Capital of France?", text_format=Capital)
    assert reply.output_parsed == Capital(country="France", city="Paris")


@BOTH
def test_an_image_and_a_file_are_carried(served: Served, client: openai.OpenAI, model: str) -> None:
    """Data URLs reach the target in its own form."""
    note = base64.b64encode(b"The secret word is pear.").decode()
    content: Any = [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "auto"},
        {"type": "input_file", "filename": "note.txt", "file_data": f"data:text/plain;base64,{note}"},
    ]
    client.responses.create(model=model, input=[{"role": "user", "content": content}])
    assert PIXEL in str(served.sent()["messages"])
    assert "pear" in str(served.sent()["messages"])


def test_thinking_is_shown_and_goes_back(served: Served, client: openai.OpenAI) -> None:
    """A signed thought is a reasoning item; sent back, it is whole for the vendor that signed it."""
    thought = {"type": "thinking", "thinking": "Hmm", "signature": "c2ln"}
    served.up.play(scripts.reply(scripts.anthropic_message("", content=[thought, {"type": "text", "text": "Yes"}])))
    reply = client.responses.create(model=CLAUDE, input="Hello", reasoning={"effort": "low"})
    item: Any = reply.output[0]
    assert (item.type, item.content[0].text) == ("reasoning", "Hmm")
    turns: list[Any] = [
        {"role": "user", "content": "Hello"},
        *[one.model_dump(exclude_none=True) for one in reply.output],
        {"role": "user", "content": "And?"},
    ]
    client.responses.create(model=CLAUDE, input=turns)
    assert served.sent()["messages"][1]["content"][0] == thought


def test_an_answer_cut_short_is_incomplete(served: Served, client: openai.OpenAI) -> None:
    """The status and its reason, whole and streamed."""
    served.up.play(
        scripts.openai_reply("one", "length"), scripts.event_stream(scripts.openai_events(["one"], "length"))
    )
    reply = client.responses.create(model=HAIKU, input="Hello", max_output_tokens=1)
    assert (reply.status, reply.incomplete_details and reply.incomplete_details.reason) == (
        "incomplete",
        "max_output_tokens",
    )
    last: Any = list(client.responses.create(model=HAIKU, input="Hello", max_output_tokens=1, stream=True))[-1]
    assert (last.type, last.response.status) == ("response.incomplete", "incomplete")
    assert last.response.output[0].status == "incomplete"


def test_a_conversation_goes_on_by_id(served: Served, client: openai.OpenAI) -> None:
    """Whole and streamed answers are kept, whichever worker took them, and lead the next turn's input."""
    first = client.responses.create(model=HAIKU, input="One", instructions="Be brief")
    assert first.to_dict()["store"] is True
    with client.responses.stream(model=HAIKU, input="Two", previous_response_id=first.id) as stream:
        second = stream.get_final_response()
    assert second.previous_response_id == first.id
    third = client.responses.create(model=CLAUDE, input="Three", previous_response_id=second.id)
    said = [(turn["role"], turn["content"][0]["text"]) for turn in served.sent()["messages"]]
    assert said == [
        ("user", "One"),
        ("assistant", "Echo: One"),
        ("user", "Two"),
        ("assistant", "Echo: Two"),
        ("user", "Three"),
    ]
    assert "system" not in served.sent()  # instructions are each request's own
    items = list(client.responses.input_items.list(third.id, order="asc", limit=2))
    assert [item.type for item in items] == ["message"] * 5
    assert len({item.id for item in items}) == 5
    assert [item.id for item in client.responses.input_items.list(third.id)] == [item.id for item in items][::-1]


def test_a_kept_response_is_got_and_deleted(client: openai.OpenAI) -> None:
    """As it was answered; after its deletion it is not found, and nobody can go on from it."""
    made = client.responses.create(model=HAIKU, input="Hello")
    assert client.responses.retrieve(made.id) == made
    with pytest.raises(openai.BadRequestError, match="background"):
        client.responses.cancel(made.id)
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError, match="not found"):
        client.responses.retrieve(made.id)
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model=HAIKU, input="Go on", previous_response_id=made.id)
    assert (caught.value.code, caught.value.param) == ("previous_response_not_found", "previous_response_id")


def test_what_shall_not_be_stored_is_not(client: openai.OpenAI) -> None:
    """`store: false` is kept nowhere."""
    made = client.responses.create(model=HAIKU, input="Hello", store=False)
    assert made.to_dict()["store"] is False
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


def test_nothing_is_kept_unless_the_configuration_allows_it(tmp_path: Any) -> None:
    """By default an answer says that it is not stored, and a follow-up says why there is none."""
    with (
        serving(tmp_path) as running,
        openai.OpenAI(base_url=running.server.url + "/v1", api_key=short_term(), max_retries=0) as client,
    ):
        made = client.responses.create(model=HAIKU, input="Hello", store=True)
        assert made.to_dict()["store"] is False
        with pytest.raises(openai.BadRequestError, match="keeps no responses"):
            client.responses.create(model=HAIKU, input="Go on", previous_response_id=made.id)


def test_tokens_are_counted(served: Served, client: openai.OpenAI) -> None:
    """By the target's own count; a model without a count says so."""
    counted = client.responses.input_tokens.count(model=CLAUDE, input="Hello", instructions="Be brief")
    assert (counted.object, counted.input_tokens) == ("response.input_tokens", 42)
    with pytest.raises(openai.BadRequestError, match="doesn't support counting tokens"):
        client.responses.input_tokens.count(model=TITAN, input="Hello")


@pytest.mark.parametrize(
    ("asked", "kind", "code", "param"),
    [
        ({"model": "gpt-nope"}, openai.NotFoundError, "model_not_found", "model"),
        ({"temperature": 3}, openai.BadRequestError, "invalid_value", "temperature"),
        ({"input": []}, openai.BadRequestError, "invalid_value", "input"),
        ({"input": [{"role": "king", "content": "x"}]}, openai.BadRequestError, "invalid_value", "input[0].role"),
        ({"input": [{"role": "user"}]}, openai.BadRequestError, "missing_required_parameter", "input[0].content"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, openai.BadRequestError, None, None),
        ({"input": [{"type": "image_generation_call", "id": "x"}]}, openai.BadRequestError, None, None),
        ({"tools": [{"type": "web_search"}]}, openai.BadRequestError, "unsupported_value", "tools"),
        ({"background": True}, openai.BadRequestError, None, None),
        ({"conversation": "conv_1"}, openai.BadRequestError, None, None),
        ({"max_output_tokens": 10**7}, openai.BadRequestError, None, None),
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
        client.responses.create(**{"model": CLAUDE, "input": "Hello", **asked})
    assert (caught.value.code, caught.value.param) == (code, param), caught.value
    assert not served.up.requests


def test_a_stream_that_breaks_ends_as_failed(served: Served, client: openai.OpenAI) -> None:
    """The text before it, an error, and the response as far as it came."""
    served.up.play(scripts.cut_midstream(scripts.openai_events(["one ", "two "])[:3]))
    events: list[Any] = list(client.responses.create(model=BROKEN, input="Hello", stream=True))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "one two "
    assert [event.type for event in events[-2:]] == ["error", "response.failed"]
    assert events[-1].response.error.code == "server_error"
    assert events[-1].response.status == "failed"


def test_what_a_target_lacks_is_named_as_it_was_sent(served: Served, client: openai.OpenAI) -> None:
    """The ledger's header speaks of the caller's own members; strict refuses."""
    asked: Any = {"model": CLAUDE, "input": "Hello", "text": {"verbosity": "low"}}
    raw = client.responses.with_raw_response.create(**asked)
    assert raw.headers["x-craton-dropped"] == "text.verbosity"
    with pytest.raises(openai.BadRequestError, match=r"text\.verbosity"):
        client.responses.create(**asked, extra_headers={"x-craton-translation": "strict"})


def test_the_sample_model_answers(client: openai.OpenAI) -> None:
    """The model in the box, whole and as a stream."""
    own = "craton.chat-mini-v4:0"
    assert client.responses.create(model=own, input="Hello", max_output_tokens=20).output_text
    with client.responses.stream(model=own, input="Hello", max_output_tokens=20) as stream:
        assert stream.get_final_response().output_text


def test_gpt_oss_answers(client: openai.OpenAI) -> None:
    """OpenAI's own open model, as Bedrock has it under this API."""
    assert client.responses.create(model=GPT, input="Hello").output_text.endswith("Echo: Hello")
