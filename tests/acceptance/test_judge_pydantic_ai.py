"""Pydantic AI, unmodified: its Bedrock chat model and its embedder, agents with tools and typed output."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.clients.judging import COHERE_EMBED, HAIKU_45_PROFILE, SONNET_PROFILE, TITAN_EMBED, Judge, judging
from tests.acceptance.serving import CLAUDE, HAIKU
from tests.fakes import scripts

# Anthropic's own API behind a model, or an OpenAI-compatible server in its place.
BOTH = pytest.mark.parametrize("model", [CLAUDE, HAIKU], ids=["passed", "translated"])
ADA = {"name": "Ada", "age": 36}


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    with judging(tmp_path_factory.mktemp("home"), "judge_pydantic_ai.py") as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(judge: Judge) -> None:
    judge.begin()


@BOTH
def test_an_agent_answers(judge: Judge, model: str) -> None:
    """Text and usage; the instructions reach the vendor."""
    assert judge.value("text", model=model) == {"text": "Echo: Hello", "usage": [11, 5]}
    assert "Be brief" in str(judge.sent())


@BOTH
def test_a_stream_comes_in_pieces(judge: Judge, model: str) -> None:
    """`run_stream` gives the vendor's pieces."""
    pieces = judge.value("pieces", model=model)
    assert len(pieces) > 1
    assert "".join(pieces) == "Echo: Hello"


@BOTH
@pytest.mark.parametrize("streaming", [True, False], ids=["stream", "whole"])
def test_an_agent_uses_its_tool(judge: Judge, model: str, streaming: bool) -> None:
    """The tool is called once with typed arguments, and its result comes back in the answer."""
    told = judge.value("weather", model=model, streaming=streaming)
    assert told == {"text": "It says: 21 degrees in Paris", "called": ["Paris"]}


@BOTH
def test_typed_output_by_a_tool(judge: Judge, model: str) -> None:
    """The output tool is forced, and its call is the result."""
    assert judge.value("structured", model=model) == ADA


def test_typed_output_by_the_models_own_schemas(judge: Judge) -> None:
    """`NativeOutput` becomes `outputConfig`, which reaches the vendor as its own format."""
    assert judge.value("structured", form="native", model=SONNET_PROFILE) == ADA
    assert judge.sent()["output_config"]["format"]["type"] == "json_schema"


def test_typed_output_by_the_schemas_of_another_vendor(judge: Judge) -> None:
    """The same for an OpenAI-compatible server in Claude's place."""
    assert judge.value("structured", form="native", model=HAIKU_45_PROFILE) == ADA
    assert judge.sent()["response_format"]["type"] == "json_schema"


def test_typed_output_by_the_prompt(judge: Judge) -> None:
    """`PromptedOutput` asks for JSON in words."""
    judge.up.play(scripts.anthropic_reply('{"name": "Ada", "age": 36}'))
    assert judge.value("structured", form="prompted") == ADA


@BOTH
def test_pictures_reach_the_model(judge: Judge, model: str) -> None:
    """Binary content of an image type is an image block."""
    assert judge.value("picture", model=model) == "Echo: What is it?"
    assert "iVBORw0KGgo" in str(judge.sent()["messages"])


@BOTH
def test_documents_reach_the_model(judge: Judge, model: str) -> None:
    """A text file is a document block, and the vendor gets its words."""
    judge.value("document", model=model)
    sent = str(judge.sent()["messages"])
    assert "a paper" in sent or "YSBwYXBlcg==" in sent


def test_tokens_are_counted(judge: Judge) -> None:
    """The count is the upstream's."""
    assert judge.value("count") == 42


@pytest.mark.parametrize("model", [TITAN_EMBED, COHERE_EMBED])
def test_texts_are_embedded(judge: Judge, model: str) -> None:
    """Vectors of the model's size that find the text with the same word, and the tokens of the header."""
    told = judge.value("embed", model=model)
    assert told["sizes"] == [1024, 1024]
    assert told["scores"][0] > told["scores"][1]
    assert told["tokens"] == 6


@pytest.mark.parametrize(
    ("status", "http", "kind"),
    [
        (400, 400, "ModelRequestRejectedError"),
        (429, 429, "ModelRateLimitError"),
        (529, 503, "ModelUnavailableError"),
    ],
)
def test_errors_have_their_class(judge: Judge, status: int, http: int, kind: str) -> None:
    """What users catch: `ModelHTTPError` with the status of Bedrock's exception, and the class of its kind."""
    judge.up.play(scripts.error_anthropic(status))
    failed = judge.fails("text")
    assert failed["status"] == http
    assert {"ModelHTTPError", kind} <= set(failed["classes"])


def test_an_error_before_a_stream_has_its_status(judge: Judge) -> None:
    """The same for `run_stream`."""
    judge.up.play(scripts.error_anthropic(429))
    failed = judge.fails("pieces")
    assert (failed["error"], failed["status"]) == ("ModelRateLimitError", 429)
