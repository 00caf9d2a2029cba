"""langchain-aws's and LlamaIndex's retrievers of knowledge bases, unmodified."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.acceptance.clients.judging import TITAN_EMBED, Judge, judging
from tests.acceptance.knowledge import Knowledge, knowledge
from tests.acceptance.retrieving import Chunk, fill

BOTH = pytest.mark.parametrize("client", ["langchain", "llama_index"])
TEA = Chunk("s3://kitchen/tea.txt", "Tea is brewed for three minutes.", {"drink": "tea", "cups": 2.0})
COFFEE = Chunk("s3://kitchen/coffee.txt", "Coffee is brewed for four minutes.", {"drink": "coffee", "cups": 1.0})
MILK = Chunk("s3://kitchen/milk.txt", "Milk is kept cold.", {"drink": "milk", "cups": 3.0})


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    with judging(tmp_path_factory.mktemp("home"), "judge_knowledge.py") as running:
        yield running


@pytest.fixture(scope="module")
def library(judge: Judge) -> Knowledge:
    known = knowledge(judge.served.server, "judged-kitchen")
    models = judge.served.server.client("bedrock-runtime")

    def embed(text: str) -> list[float]:
        reply = models.invoke_model(modelId=TITAN_EMBED, body=json.dumps({"inputText": text}))
        found: list[float] = json.loads(reply["body"].read())["embedding"]
        return found

    fill(judge.served.server, known, [TEA, COFFEE, MILK], embed)
    return known


@BOTH
def test_the_best_passages(judge: Judge, library: Knowledge, client: str) -> None:
    """As many as were asked for, the best first, with text and metadata where their users look for them."""
    found = judge.value(client, base=library.base, text="how long is coffee brewed")
    assert [one[0] for one in found] == [COFFEE.text, TEA.text]
    metadata = found[0][-1]
    inner = metadata.get("source_metadata") or metadata.get("sourceMetadata") or metadata
    assert inner["drink"] == "coffee"
    assert inner["x-amz-bedrock-kb-source-uri"] == COFFEE.document
    assert metadata["location"]["s3Location"]["uri"] == COFFEE.document


@BOTH
def test_a_filter(judge: Judge, library: Knowledge, client: str) -> None:
    """It is passed on as its user wrote it."""
    where = {"orAll": [{"greaterThan": {"key": "cups", "value": 2}}, {"equals": {"key": "drink", "value": "tea"}}]}
    found = judge.value(client, base=library.base, text="brewed", results=5, where=where)
    assert {one[0] for one in found} == {TEA.text, MILK.text}


@BOTH
def test_searching_by_vector_alone(judge: Judge, library: Knowledge, client: str) -> None:
    """SEMANTIC works as HYBRID does."""
    found = judge.value(client, base=library.base, text="milk is kept", results=1, mode="SEMANTIC")
    assert [one[0] for one in found] == [MILK.text]


def test_a_least_score(judge: Judge, library: Knowledge) -> None:
    """langchain drops what scores less than its user wants, so scores are between 0 and 1."""
    found = judge.value("langchain", base=library.base, text="milk is kept cold", results=3, least=0.99)
    assert [one[0] for one in found] == [MILK.text]


def test_llama_index_asynchronously(judge: Judge, library: Knowledge) -> None:
    """`aretrieve` works as well."""
    assert judge.value("llama_index_async", base=library.base, text="tea", results=1) == [TEA.text]


@BOTH
def test_a_knowledge_base_that_is_not_there(judge: Judge, client: str) -> None:
    """The client raises an error that names it."""
    failed = judge.fails(client, base="ZZZZZZZZZZ", text="tea")
    assert "ZZZZZZZZZZ" in str(failed)
