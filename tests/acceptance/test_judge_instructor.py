"""Instructor, unmodified: typed answers over Converse in each of its modes for Bedrock."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.clients.judging import SONNET_PROFILE, Judge, judging
from tests.acceptance.serving import CLAUDE, HAIKU
from tests.fakes import scripts

# Anthropic's own API behind a model, or an OpenAI-compatible server in its place.
BOTH = pytest.mark.parametrize("model", [CLAUDE, HAIKU], ids=["passed", "translated"])
ADA = {"name": "Ada", "age": 36}


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    with judging(tmp_path_factory.mktemp("home"), "judge_instructor.py") as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(judge: Judge) -> None:
    judge.begin()


@BOTH
def test_an_object_by_a_tool(judge: Judge, model: str) -> None:
    """The default mode forces a tool made of the class; the system message reaches the vendor."""
    assert judge.value("extract", model=model) == ADA
    assert "Be exact" in str(judge.sent())


def test_an_object_out_of_markdown(judge: Judge) -> None:
    """The mode that only asks in words."""
    judge.up.play(scripts.anthropic_reply('```json\n{"name": "Ada", "age": 36}\n```'))
    assert judge.value("extract", mode="MD_JSON") == ADA


@pytest.mark.parametrize("mode", ["JSON_SCHEMA", "TOOLS_STRICT"])
def test_an_object_by_the_models_own_schemas(judge: Judge, mode: str) -> None:
    """`outputConfig` and strict tools, for a model that has them."""
    assert judge.value("extract", mode=mode, model=SONNET_PROFILE) == ADA


def test_an_answer_that_does_not_pass_is_asked_again(judge: Judge) -> None:
    """The next turn holds the call and, as its result, what was wrong."""
    call = {"type": "tool_use", "id": "toolu_1", "name": "Loud", "input": {"name": "Ada", "age": 36}}
    better = {**call, "id": "toolu_2", "input": {"name": "ADA", "age": 36}}
    judge.up.play(*(scripts.reply(scripts.anthropic_message("", "tool_use", [block])) for block in (call, better)))
    assert judge.value("asked_again") == {"name": "ADA", "age": 36}
    assert "shout the name" in str(judge.sent()["messages"][-1])


def test_a_client_by_the_models_name(judge: Judge) -> None:
    """`from_provider` makes its own boto3 client."""
    assert judge.value("by_name") == ADA


def test_a_list_of_objects(judge: Judge) -> None:
    """A schema with references and arrays goes through."""
    assert judge.value("several") == [ADA]


def test_an_error_is_the_cause(judge: Judge) -> None:
    """Instructor wraps what botocore raised, with Bedrock's words in it."""
    judge.up.play(scripts.error_anthropic(429))
    failed = judge.fails("extract")
    assert failed["error"] == "InstructorRetryException"
    assert "ThrottlingException" in failed["message"]
