"""Vercel's AI SDK with its Amazon Bedrock provider, unmodified: its own signer and its own event-stream reader."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.clients.judging import (
    COHERE_EMBED,
    COHERE_RERANK,
    HAIKU_45_PROFILE,
    SONNET_PROFILE,
    TITAN_EMBED,
    Judge,
    judging,
)
from tests.acceptance.serving import CLAUDE, HAIKU
from tests.fakes import scripts

# Anthropic's own API behind a model, or an OpenAI-compatible server in its place.
BOTH = pytest.mark.parametrize("model", [CLAUDE, HAIKU], ids=["passed", "translated"])
ADA = {"name": "Ada", "age": 36}


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    with judging(tmp_path_factory.mktemp("home"), "judge_ai_sdk.mjs") as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(judge: Judge) -> None:
    judge.begin()


@BOTH
def test_generate_text(judge: Judge, model: str) -> None:
    """Text, the reason to finish, usage; the system prompt reaches the vendor."""
    assert judge.value("text", model=model) == {"text": "Echo: Hello", "finish": "stop", "usage": [11, 5]}
    assert "Be brief" in str(judge.sent())


@BOTH
def test_a_stream_comes_in_pieces(judge: Judge, model: str) -> None:
    """`streamText` gives the vendor's pieces."""
    pieces = judge.value("pieces", model=model)
    assert len(pieces) > 1
    assert "".join(pieces) == "Echo: Hello"


@BOTH
@pytest.mark.parametrize("scenario", ["weather", "streamedWeather"])
def test_tools_are_run_and_answered(judge: Judge, model: str, scenario: str) -> None:
    """Two steps: the call with its typed input, then the answer that holds the result."""
    told = judge.value(scenario, model=model)
    assert told == {"text": "It says: 21 degrees in Paris", "calls": [["get_weather", {"city": "Paris"}]]}


@pytest.mark.parametrize("model", [CLAUDE, HAIKU, SONNET_PROFILE, HAIKU_45_PROFILE])
def test_generate_object(judge: Judge, model: str) -> None:
    """By a forced tool, or by the model's own schemas where the provider knows that it has them."""
    assert judge.value("structured", model=model) == ADA


@BOTH
def test_pictures_reach_the_model(judge: Judge, model: str) -> None:
    """An image part is an image block."""
    assert judge.value("picture", model=model) == "Echo: What is it?"
    assert "iVBORw0KGgo" in str(judge.sent()["messages"])


@pytest.mark.parametrize("model", [TITAN_EMBED, COHERE_EMBED])
def test_texts_are_embedded(judge: Judge, model: str) -> None:
    """Many and one; the nearer text is nearer."""
    told = judge.value("embed", model=model)
    assert told["sizes"] == [1024, 1024]
    assert told["scores"][0] > told["scores"][1]


def test_documents_are_ranked(judge: Judge) -> None:
    """The operation Rerank, with the provider's `nextToken: undefined` and all."""
    assert judge.value("rerank", model=COHERE_RERANK) == [1]


def test_a_picture_is_painted(judge: Judge) -> None:
    """Nova Canvas through its stand-in."""
    told = judge.value("paint", model="amazon.nova-canvas-v1:0")
    assert told["kind"] == "image/png"
    assert told["bytes"] > 1000


@pytest.mark.parametrize(("status", "http", "again"), [(400, 400, False), (429, 429, True), (529, 503, True)])
def test_errors_have_their_status(judge: Judge, status: int, http: int, again: bool) -> None:
    """`AI_APICallError` with the status, and whether the SDK would try again."""
    judge.up.play(scripts.error_anthropic(status))
    failed = judge.fails("text", model=CLAUDE)
    assert (failed["error"], failed["status"], failed["retryable"]) == ("AI_APICallError", http, again)


def test_a_stream_that_breaks_is_an_error(judge: Judge) -> None:
    """An exception event surfaces as an error part of the stream, after the text before it."""
    judge.up.play(scripts.cut_midstream(scripts.anthropic_events(["one ", "two "])[:4]))
    assert "unexpected error during processing" in judge.fails("pieces", model=CLAUDE)["message"]


def test_an_unknown_model_is_named(judge: Judge) -> None:
    """Bedrock's own words are the message."""
    failed = judge.fails("text", model="nobody.none")
    assert (failed["status"], failed["message"]) == (400, "The provided model identifier is invalid.")
