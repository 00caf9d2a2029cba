"""The Anthropic SDK's `AnthropicBedrock`, unmodified, as a user holds it: keys from the environment, another base URL."""

from __future__ import annotations

import time
from collections.abc import Iterator

import anthropic
import pytest

from tests.acceptance.serving import CLAUDE, HAIKU, Served, serving
from tests.fakes import scripts
from tests.running import ACCESS_KEY, SECRET_KEY, Running

HELLO = [{"role": "user", "content": "Hello"}]
TOOLS = [
    {
        "name": "get_weather",
        "description": "The weather of a city",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
]
# Through Anthropic's own API the body passes as it is; through an OpenAI-compatible server it is translated both ways.
BOTH = pytest.mark.parametrize("model", [CLAUDE, HAIKU], ids=["passed", "translated"])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("home")) as running:
        yield running


def bedrock(server: Running) -> anthropic.AnthropicBedrock:
    return anthropic.AnthropicBedrock(
        base_url=server.url,
        aws_region="us-east-1",
        aws_access_key=ACCESS_KEY,
        aws_secret_key=SECRET_KEY,
        max_retries=0,
    )


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[anthropic.AnthropicBedrock]:
    with bedrock(served.server) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _fresh(served: Served) -> None:
    served.up.scripts.clear()
    served.up.requests.clear()


def test_the_environment_is_enough(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `craton env` and the SDK's own variable for the address, nothing is given in the program."""
    for name, value in served.server.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ANTHROPIC_BEDROCK_BASE_URL", served.server.url)
    with anthropic.AnthropicBedrock(max_retries=0) as client:
        reply = client.messages.create(model=CLAUDE, max_tokens=20, messages=HELLO)
    assert reply.content[0].text == "Echo: Hello"


@BOTH
def test_a_message_has_text_usage_and_a_stop_reason(client: anthropic.AnthropicBedrock, model: str) -> None:
    """The SDK's typed reply, through either upstream."""
    reply = client.messages.create(model=model, max_tokens=20, messages=HELLO, system="Be brief")
    assert (reply.type, reply.role) == ("message", "assistant")
    assert reply.content[0].text == "Echo: Hello"
    assert reply.stop_reason == "end_turn"
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (11, 5)


def test_the_model_in_the_box_answers(server: Running) -> None:
    """With nothing configured a stand-in speaks Claude's schema, whole and as a stream."""
    with bedrock(server) as client:
        reply = client.messages.create(model=CLAUDE, max_tokens=20, messages=HELLO)
        with client.messages.stream(model=CLAUDE, max_tokens=20, messages=HELLO) as stream:
            text = "".join(stream.text_stream)
    assert reply.content[0].text.strip()
    assert reply.usage.output_tokens > 0
    assert text.strip()


@BOTH
def test_a_stream_of_text(client: anthropic.AnthropicBedrock, model: str) -> None:
    """The stream helper gives the text and, at the end, the whole message with its usage."""
    with client.messages.stream(model=model, max_tokens=20, messages=HELLO) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == "Echo: Hello"
    assert final.stop_reason == "end_turn"
    assert final.usage.output_tokens == 5


def test_a_stream_is_incremental(served: Served, client: anthropic.AnthropicBedrock) -> None:
    """Pieces come with the vendor's pauses between them."""
    served.up.play(scripts.anthropic_stream(["one ", "two ", "three"], pace_s=0.15))
    arrived = []
    with client.messages.stream(model=CLAUDE, max_tokens=20, messages=HELLO) as stream:
        for piece in stream.text_stream:
            arrived.append((time.monotonic(), piece))
    assert [piece for _, piece in arrived] == ["one ", "two ", "three"]
    assert arrived[-1][0] - arrived[0][0] > 0.2


@BOTH
def test_a_tool_is_called_and_answered(served: Served, client: anthropic.AnthropicBedrock, model: str) -> None:
    """A call's input is an object; the next turn takes its result."""
    block = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}}
    call = {"id": "toolu_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'}}
    script = {
        CLAUDE: scripts.reply(scripts.anthropic_message("", "tool_use", [block])),
        HAIKU: scripts.openai_reply("", "tool_calls", tool_calls=[call]),
    }
    served.up.play(script[model])
    reply = client.messages.create(model=model, max_tokens=50, messages=HELLO, tools=TOOLS)
    assert reply.stop_reason == "tool_use"
    use = next(part for part in reply.content if part.type == "tool_use")
    assert (use.name, use.input) == ("get_weather", {"city": "Paris"})
    turns = [
        *HELLO,
        {"role": "assistant", "content": [part.model_dump(exclude_none=True) for part in reply.content]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "21 degrees"}]},
    ]
    client.messages.create(model=model, max_tokens=50, messages=turns, tools=TOOLS)
    assert "21 degrees" in str(served.sent()["messages"][-1])


@BOTH
def test_a_stream_with_a_tool(served: Served, client: anthropic.AnthropicBedrock, model: str) -> None:
    """The pieces of the input add up to an object in the final message."""
    make = {CLAUDE: scripts.anthropic_tool_events, HAIKU: scripts.openai_tool_events}[model]
    served.up.play(scripts.event_stream(make("get_weather", ['{"city": ', '"Paris"}'])))
    with client.messages.stream(model=model, max_tokens=50, messages=HELLO, tools=TOOLS) as stream:
        final = stream.get_final_message()
    use = next(part for part in final.content if part.type == "tool_use")
    assert (use.name, use.input) == ("get_weather", {"city": "Paris"})
    assert final.stop_reason == "tool_use"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, anthropic.BadRequestError),
        (429, anthropic.RateLimitError),
        (500, anthropic.APIStatusError),
        (529, anthropic.InternalServerError),
    ],
)
def test_errors_have_the_sdks_classes(
    served: Served, client: anthropic.AnthropicBedrock, status: int, kind: type[anthropic.APIStatusError]
) -> None:
    """Users catch the SDK's own exceptions."""
    served.up.play(scripts.error_anthropic(status))
    with pytest.raises(kind):
        client.messages.create(model=CLAUDE, max_tokens=20, messages=HELLO)


def test_a_wrong_secret_is_a_permission_error(served: Served) -> None:
    """403 and AWS's words about the signature."""
    client = anthropic.AnthropicBedrock(
        base_url=served.server.url, aws_region="us-east-1", aws_access_key=ACCESS_KEY, aws_secret_key="x" * 40
    )
    with client, pytest.raises(anthropic.PermissionDeniedError, match="signature we calculated does not match"):
        client.messages.create(model=CLAUDE, max_tokens=20, messages=HELLO)


def test_a_stream_that_breaks_raises(served: Served, client: anthropic.AnthropicBedrock) -> None:
    """The exception event surfaces as the SDK's API error, after the text that came before it."""
    served.up.play(scripts.cut_midstream(scripts.anthropic_events(["one ", "two "])[:4]))
    said = []
    with (
        pytest.raises(anthropic.APIError),
        client.messages.stream(model=CLAUDE, max_tokens=20, messages=HELLO) as stream,
    ):
        said += list(stream.text_stream)
    assert served.up.requests


@BOTH
def test_a_value_out_of_range_gets_bedrocks_words(client: anthropic.AnthropicBedrock, model: str) -> None:
    """The native schema is checked before any vendor is asked."""
    with pytest.raises(anthropic.BadRequestError, match="Malformed input request: #/max_tokens"):
        client.messages.create(model=model, max_tokens=0, messages=HELLO)
