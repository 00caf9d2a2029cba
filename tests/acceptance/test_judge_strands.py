"""Strands Agents, unmodified: its Bedrock model through ConverseStream and Converse, agents with tools and schemas."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.clients.judging import HAIKU_45_PROFILE, SONNET_PROFILE, Judge, judging
from tests.acceptance.serving import CLAUDE, HAIKU
from tests.fakes import scripts

# Anthropic's own API behind a model, or an OpenAI-compatible server in its place.
BOTH = pytest.mark.parametrize("model", [CLAUDE, HAIKU], ids=["passed", "translated"])
ADA = {"name": "Ada", "age": 36}


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    with judging(tmp_path_factory.mktemp("home"), "judge_strands.py") as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(judge: Judge) -> None:
    judge.begin()


@BOTH
@pytest.mark.parametrize("streaming", [True, False], ids=["stream", "whole"])
def test_an_agent_answers(judge: Judge, model: str, streaming: bool) -> None:
    """Text, the reason to stop and the usage that its metrics add up; the system prompt reaches the vendor."""
    told = judge.value("text", model=model, streaming=streaming)
    assert (told["text"], told["stop"]) == ("Echo: Hello", "end_turn")
    assert told["usage"] == {"inputTokens": 11, "outputTokens": 5, "totalTokens": 16}
    assert "Be brief" in str(judge.sent())


@BOTH
def test_a_stream_comes_in_pieces(judge: Judge, model: str) -> None:
    """The agent's events carry the vendor's pieces as they came."""
    pieces = judge.value("pieces", model=model)
    assert len(pieces) > 1
    assert "".join(pieces) == "Echo: Hello"


@BOTH
@pytest.mark.parametrize("streaming", [True, False], ids=["stream", "whole"])
def test_an_agent_uses_its_tool(judge: Judge, model: str, streaming: bool) -> None:
    """The call's input is an object, and the tool's result comes back in the answer."""
    told = judge.value("weather", model=model, streaming=streaming)
    assert told["calls"] == [["get_weather", {"city": "Paris"}]]
    assert told["text"] == "It says: 21 degrees in Paris"


@pytest.mark.parametrize("model", [CLAUDE, HAIKU, SONNET_PROFILE, HAIKU_45_PROFILE])
def test_structured_output_is_an_object(judge: Judge, model: str) -> None:
    """By a forced tool, or by the model's own schemas where Strands knows that it has them."""
    assert judge.value("structured", model=model) == ADA


@BOTH
def test_pictures_reach_the_model(judge: Judge, model: str) -> None:
    """An image block goes with its text."""
    assert judge.value("picture", model=model) == "Echo: What is it?"
    assert "iVBORw0KGgo" in str(judge.sent()["messages"])


def test_a_conversation_goes_on(judge: Judge) -> None:
    """The second turn holds the first."""
    assert judge.value("turns") == 4
    assert len(judge.sent()["messages"]) == 3


def test_tokens_are_counted_by_the_service(judge: Judge) -> None:
    """CountTokens, asked because the user switched it on."""
    assert judge.value("count") == 42


@pytest.mark.parametrize("streaming", [True, False], ids=["stream", "whole"])
def test_a_throttled_call_is_its_exception(judge: Judge, streaming: bool) -> None:
    """Strands knows a throttled call by botocore's code, and would wait and try again."""
    judge.up.play(scripts.error_anthropic(429))
    assert judge.fails("text", streaming=streaming)["error"] == "ModelThrottledException"


def test_a_tool_call_that_the_limit_cut_is_its_exception(judge: Judge) -> None:
    """Strands goes by the stop reason, so half a call must not be an error of the service."""
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Par'}}
    judge.up.play(scripts.openai_reply("", "length", tool_calls=[call]))
    assert judge.fails("weather", model=HAIKU, streaming=False)["error"] == "MaxTokensReachedException"


def test_a_prompt_that_is_too_long_is_its_exception(judge: Judge) -> None:
    """Strands knows it by the words, which pass through; its agent would then shorten the conversation."""
    words = "prompt is too long: 209000 tokens > 200000 maximum"
    body = {"type": "error", "error": {"type": "invalid_request_error", "message": words}}
    judge.up.play(*[scripts.reply(body, 400)] * 3)
    assert judge.fails("text")["error"] == "ContextWindowOverflowException"


def test_an_unknown_model_is_named(judge: Judge) -> None:
    """Bedrock's own words in botocore's error."""
    failed = judge.fails("text", model="nobody.none")
    assert failed["code"] == "ValidationException"
    assert "The provided model identifier is invalid." in failed["message"]
