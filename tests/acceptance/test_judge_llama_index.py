"""LlamaIndex, unmodified: its Bedrock Converse model and its Bedrock embeddings."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.clients.judging import COHERE_EMBED, TITAN_EMBED, Judge, judging
from tests.acceptance.serving import CLAUDE, HAIKU
from tests.fakes import scripts

# Anthropic's own API behind a model, or an OpenAI-compatible server in its place.
BOTH = pytest.mark.parametrize("model", [CLAUDE, HAIKU], ids=["passed", "translated"])
ADA = {"name": "Ada", "age": 36}


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    with judging(tmp_path_factory.mktemp("home"), "judge_llama_index.py") as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(judge: Judge) -> None:
    judge.begin()


@BOTH
def test_a_chat_has_text_and_usage(judge: Judge, model: str) -> None:
    """The message, and Bedrock's own usage in the raw reply."""
    told = judge.value("chat", model=model)
    assert told["text"] == "Echo: Hello"
    assert told["usage"] == {"inputTokens": 11, "outputTokens": 5, "totalTokens": 16}
    assert "Be brief" in str(judge.sent())


def test_a_completion_is_a_chat_of_one_message(judge: Judge) -> None:
    """`complete` works as well."""
    assert judge.value("complete") == "Echo: Hello"


@BOTH
def test_a_stream_comes_in_pieces(judge: Judge, model: str) -> None:
    """`stream_chat` gives the vendor's pieces."""
    pieces = judge.value("pieces", model=model)
    assert len(pieces) > 1
    assert "".join(pieces) == "Echo: Hello"


@BOTH
@pytest.mark.parametrize("streaming", [True, False], ids=["stream", "whole"])
def test_tool_calls_are_read(judge: Judge, model: str, streaming: bool) -> None:
    """The name and the arguments, whole or put together from a stream."""
    assert judge.value("calls", model=model, streaming=streaming) == [["get_weather", {"city": "Paris"}]]


def test_a_tool_is_called_for_the_user(judge: Judge) -> None:
    """`predict_and_call` runs the function."""
    assert judge.value("weather") == "21 degrees in Paris"


@BOTH
def test_an_agent_comes_to_its_end(judge: Judge, model: str) -> None:
    """A `FunctionAgent` calls, gets the result and answers with it."""
    assert judge.value("agent", model=model) == "It says: 21 degrees in Paris"


@BOTH
def test_a_structured_prediction(judge: Judge, model: str) -> None:
    """A class filled in through a tool."""
    assert judge.value("structured", model=model) == ADA


@pytest.mark.parametrize("model", [TITAN_EMBED, COHERE_EMBED])
def test_texts_are_embedded(judge: Judge, model: str) -> None:
    """In a batch and as a query; the nearer text is nearer."""
    told = judge.value("embed", model=model)
    assert told["sizes"] == [1024, 1024]
    assert told["scores"][0] > told["scores"][1]


@pytest.mark.parametrize(
    ("status", "name"),
    [(400, "ValidationException"), (429, "ThrottlingException"), (529, "ServiceUnavailableException")],
)
def test_errors_are_botocores(judge: Judge, status: int, name: str) -> None:
    """LlamaIndex lets botocore's errors through."""
    judge.up.play(scripts.error_anthropic(status), scripts.error_anthropic(status))
    assert judge.fails("complete")["code"] == name


def test_a_throttled_call_is_tried_again(judge: Judge) -> None:
    """LlamaIndex has botocore retry, which knows from Bedrock's code that it may."""
    judge.up.play(scripts.error_anthropic(429))
    assert judge.value("complete") == "Echo: Hello"
    assert len(judge.up.requests) == 2
