"""langchain-aws in its newest version, unmodified: schemas, embeddings, ranking and counts, beyond the standard tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.clients.judging import (
    COHERE_EMBED,
    COHERE_RERANK,
    SONNET_PROFILE,
    TITAN_EMBED,
    Judge,
    judging,
)
from tests.acceptance.serving import CLAUDE_2, HAIKU, LLAMA, TITAN

ADA = {"name": "Ada", "age": 36}


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    with judging(tmp_path_factory.mktemp("home"), "judge_langchain.py") as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(judge: Judge) -> None:
    judge.begin()


def test_structured_output_by_the_models_own_schemas(judge: Judge) -> None:
    """`method="json_schema"` is `outputConfig`, which reaches the vendor as its own format."""
    assert judge.value("structured", model=SONNET_PROFILE) == ADA
    assert judge.sent()["output_config"]["format"]["type"] == "json_schema"


def test_a_family_without_schemas_says_so(judge: Judge) -> None:
    """Bedrock's own refusal, whatever stands behind the model."""
    failed = judge.fails("structured", model=HAIKU)
    assert failed["code"] == "ValidationException"
    assert "outputConfig.textFormat" in failed["message"]


def test_structured_output_by_a_tool(judge: Judge) -> None:
    """The method for every model that has tools."""
    assert judge.value("structured", model=HAIKU, method="function_calling") == ADA


def test_chat_bedrock_takes_the_other_route(judge: Judge) -> None:
    """ChatBedrock with `beta_use_converse_api`."""
    assert judge.value("by_converse") == "Echo: Hello"


@pytest.mark.parametrize("model", [TITAN_EMBED, COHERE_EMBED])
def test_texts_are_embedded(judge: Judge, model: str) -> None:
    """The nearer text is nearer."""
    near, far = judge.value("similar", model=model)
    assert near > far


def test_documents_are_ranked(judge: Judge) -> None:
    """`BedrockRerank` over bedrock-agent-runtime."""
    assert judge.value("rerank", model=COHERE_RERANK) == ["the cat sat"]


def test_tokens_are_counted(judge: Judge) -> None:
    """`get_num_tokens_from_messages` asks CountTokens."""
    assert judge.value("count") == 42


@pytest.mark.parametrize("model", [CLAUDE_2, TITAN, LLAMA])
def test_text_models_complete(judge: Judge, model: str) -> None:
    """BedrockLLM writes each family's own body."""
    assert judge.value("complete", model=model) == "Echo: Hello"
