"""langchain-aws, unmodified: its Converse model, its InvokeModel models and its text models."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pydantic import BaseModel

from tests.acceptance.serving import CLAUDE, CLAUDE_2, GPT, HAIKU, NOVA, TITAN, Served, serving
from tests.fakes import scripts
from tests.running import Running

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from langchain_aws import BedrockLLM, ChatBedrock, ChatBedrockConverse
    from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
    from langchain_core.tools import tool

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")


@tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"21 degrees in {city}"


class Person(BaseModel):
    """Somebody that the text tells of."""

    name: str
    age: int


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(autouse=True)
def _environment(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    served.up.scripts.clear()
    served.up.requests.clear()
    for name, value in {**served.server.environment(), "AWS_MAX_ATTEMPTS": "1"}.items():
        monkeypatch.setenv(name, value)


def converse(model: str = CLAUDE) -> Any:
    return ChatBedrockConverse(model=model)


def test_converse_invokes() -> None:
    """Text, usage and the stop reason, with nothing but the environment."""
    reply = converse().invoke([SystemMessage("Be brief"), HumanMessage("Hello")])
    assert reply.text == "Echo: Hello"
    assert reply.usage_metadata["input_tokens"] == 11
    assert reply.usage_metadata["total_tokens"] == 16
    assert reply.response_metadata["stopReason"] == "end_turn"


def test_converse_streams_as_it_comes(served: Served) -> None:
    """Pieces with the vendor's pauses; the sum of the chunks has the usage."""
    served.up.play(scripts.anthropic_stream(["one ", "two ", "three"], pace_s=0.15))
    whole, arrived = None, []
    for chunk in converse().stream("Hello"):
        if chunk.text:
            arrived.append(time.monotonic())
        whole = chunk if whole is None else whole + chunk
    assert whole is not None
    assert whole.text == "one two three"
    assert arrived[-1] - arrived[0] > 0.2
    assert whole.usage_metadata["output_tokens"] == 5


def test_the_model_in_the_box_answers(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing configured a stand-in answers every kind of LangChain model."""
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    assert converse().invoke("Hello").text.strip()
    assert "".join(chunk.text for chunk in converse().stream("Hello")).strip()
    assert ChatBedrock(model=CLAUDE, beta_use_converse_api=False).invoke("Hello").usage_metadata["output_tokens"] > 0
    assert BedrockLLM(model=TITAN).invoke("Hello").strip()


def test_converse_binds_tools(served: Served) -> None:
    """A call comes out as LangChain's own, and its result goes back."""
    block = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}}
    served.up.play(scripts.reply(scripts.anthropic_message("", "tool_use", [block])))
    model = converse().bind_tools([get_weather])
    turns: list[Any] = [HumanMessage("The weather in Paris?")]
    reply = model.invoke(turns)
    assert reply.tool_calls[0]["name"] == "get_weather"
    assert reply.tool_calls[0]["args"] == {"city": "Paris"}
    turns += [reply, ToolMessage(get_weather.invoke({"city": "Paris"}), tool_call_id=reply.tool_calls[0]["id"])]
    assert model.invoke(turns).content
    assert "21 degrees in Paris" in json.dumps(served.sent()["messages"])


def test_converse_gives_structured_output(served: Served) -> None:
    """A forced tool, read into a typed object."""
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "Person", "arguments": '{"name": "Ada", "age": 36}'},
    }
    served.up.play(scripts.openai_reply("", "tool_calls", tool_calls=[call]))
    person = converse(HAIKU).with_structured_output(Person).invoke("Ada is 36")
    assert person == Person(name="Ada", age=36)
    assert served.sent()["tool_choice"] in ("required", {"type": "function", "function": {"name": "Person"}})


@pytest.mark.parametrize("model", [GPT, NOVA, TITAN])
def test_converse_speaks_to_every_family(model: str) -> None:
    """The same program with another model id."""
    assert converse(model).invoke("Hello").text == "Echo: Hello"


@pytest.mark.parametrize("model", [CLAUDE, HAIKU], ids=["passed", "translated"])
def test_the_invoke_chat_model_speaks_claudes_schema(model: str) -> None:
    """ChatBedrock sends Claude's native body and takes the usage from the headers."""
    reply = ChatBedrock(model=model, beta_use_converse_api=False).invoke("Hello")
    assert reply.text == "Echo: Hello"
    assert reply.usage_metadata["input_tokens"] == 11


@pytest.mark.parametrize("model", [CLAUDE, HAIKU], ids=["passed", "translated"])
def test_the_invoke_chat_model_streams(model: str) -> None:
    """The native chunks add up, and the last one's metrics become the usage."""
    whole = None
    for chunk in ChatBedrock(model=model, beta_use_converse_api=False, streaming=True).stream("Hello"):
        whole = chunk if whole is None else whole + chunk
    assert whole is not None
    assert whole.text == "Echo: Hello"
    assert whole.usage_metadata["output_tokens"] == 5


@pytest.mark.parametrize("model", [TITAN, CLAUDE_2])
def test_the_text_models_speak_their_schemas(model: str) -> None:
    """BedrockLLM sends Titan's and Claude 2's native bodies."""
    assert BedrockLLM(model=model).invoke("Hello").strip().startswith("Echo: ")


@pytest.mark.parametrize("model", [TITAN, CLAUDE_2])
def test_the_text_models_stream(model: str) -> None:
    """Their chunks are text that adds up."""
    assert "".join(BedrockLLM(model=model, streaming=True).stream("Hello")).strip().startswith("Echo: ")


@pytest.mark.parametrize(
    ("status", "name"),
    [(400, "ValidationException"), (429, "ThrottlingException"), (529, "ServiceUnavailableException")],
)
def test_errors_keep_their_names(served: Served, status: int, name: str) -> None:
    """What users catch: botocore's ClientError with Bedrock's code."""
    served.up.play(scripts.error_anthropic(status))
    with pytest.raises(ClientError) as caught:
        converse().invoke("Hello")
    assert caught.value.response["Error"]["Code"] == name
