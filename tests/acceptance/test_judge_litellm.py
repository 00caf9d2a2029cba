"""LiteLLM's Bedrock provider, unmodified: both of its routes, Converse and InvokeModel, embeddings, ranking, images."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.clients.judging import COHERE_EMBED, COHERE_RERANK, SONNET_PROFILE, TITAN_EMBED, Judge, judging
from tests.acceptance.serving import CLAUDE, HAIKU
from tests.fakes import scripts

# Anthropic's own API behind a model, or an OpenAI-compatible server in its place.
BOTH = pytest.mark.parametrize("model", [CLAUDE, HAIKU], ids=["passed", "translated"])
ADA = {"name": "Ada", "age": 36}
ROUTES = pytest.mark.parametrize("route", ["converse", "invoke"])


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    with judging(tmp_path_factory.mktemp("home"), "judge_litellm.py") as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(judge: Judge) -> None:
    judge.begin()


@BOTH
@ROUTES
def test_a_completion(judge: Judge, route: str, model: str) -> None:
    """OpenAI's shape out of Bedrock's: text, the reason to finish, usage."""
    told = judge.value("text", route=route, model=model)
    assert told == {"text": "Echo: Hello", "finish": "stop", "usage": [11, 5]}
    assert "Be brief" in str(judge.sent())


@BOTH
@ROUTES
def test_a_stream_comes_in_pieces(judge: Judge, route: str, model: str) -> None:
    """LiteLLM reads the event stream with a decoder of its own."""
    pieces = judge.value("pieces", route=route, model=model)
    assert len(pieces) > 1
    assert "".join(pieces) == "Echo: Hello"


@BOTH
@ROUTES
@pytest.mark.parametrize("streaming", [True, False], ids=["stream", "whole"])
def test_a_tool_is_called_and_answered(judge: Judge, route: str, model: str, streaming: bool) -> None:
    """The call, whole or put together from a stream, and the turn that answers it."""
    told = judge.value("weather", route=route, model=model, streaming=streaming)
    assert told == {"call": ["get_weather", {"city": "Paris"}], "text": "It says: 21 degrees"}


@pytest.mark.parametrize(
    ("route", "model"), [("converse", CLAUDE), ("converse", HAIKU), ("converse", SONNET_PROFILE), ("invoke", CLAUDE)]
)
def test_structured_output(judge: Judge, route: str, model: str) -> None:
    """A response format: by a forced tool, or by `outputConfig` where LiteLLM knows that the model has it."""
    assert judge.value("structured", route=route, model=model) == ADA


@ROUTES
def test_an_awaited_completion(judge: Judge, route: str) -> None:
    """The asynchronous client takes the same way."""
    assert judge.value("awaited", route=route) == "Echo: Hello"


@pytest.mark.parametrize("model", [TITAN_EMBED, COHERE_EMBED])
def test_texts_are_embedded(judge: Judge, model: str) -> None:
    """The vendor's native schema, and a count of tokens."""
    told = judge.value("embed", model=model)
    assert told["sizes"] == [1024]
    assert told["tokens"] > 0


def test_documents_are_ranked(judge: Judge) -> None:
    """The operation Rerank of bedrock-agent-runtime."""
    assert judge.value("rerank", model=COHERE_RERANK) == [1]


def test_a_picture_is_painted(judge: Judge) -> None:
    """Nova Canvas through its stand-in: base64 that is an image."""
    assert judge.value("paint", model="amazon.nova-canvas-v1:0").startswith("iVBORw0KGgo")


@ROUTES
@pytest.mark.parametrize(
    ("status", "kind"), [(400, "BadRequestError"), (429, "RateLimitError"), (529, "ServiceUnavailableError")]
)
def test_errors_have_litellms_classes(judge: Judge, route: str, status: int, kind: str) -> None:
    """What its users catch, made of the status and Bedrock's words."""
    judge.up.play(scripts.error_anthropic(status))
    assert judge.fails("text", route=route)["error"] == kind


@ROUTES
def test_an_unknown_model_is_a_bad_request(judge: Judge, route: str) -> None:
    """Bedrock's own words inside."""
    failed = judge.fails("text", route=route, model="anthropic.no-such-model-v1:0")
    assert failed["error"] == "BadRequestError"
    assert "The provided model identifier is invalid." in failed["message"]
