"""A local embedding model in a process of its own, standing in for Bedrock's embedding and reranking models."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from craton import config
from craton.engine.embeddings.package import package
from craton.features.hosting import registry
from craton.infra.store.opening import open_store
from craton.models.canon.embedding import is_unit
from craton.models.catalog.local import read_card
from craton.supervision import store_url
from tests.fakes import tiny_encoder
from tests.running import Running

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from langchain_aws import BedrockEmbeddings, BedrockRerank

TITAN, COHERE, RERANK = "amazon.titan-embed-text-v2:0", "cohere.embed-multilingual-v3", "amazon.rerank-v1:0"
TEXTS = ["a dog", "the cat sat on the mat", "stocks fell on monday"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A home in which the model is registered, as `craton models add` does it."""
    home = tmp_path_factory.mktemp("home")
    source = tiny_encoder.write(tmp_path_factory.mktemp("source") / "tiny")
    package(source, home / "tiny", model_id="tiny-encoder", say=lambda _: None)
    settings = config.load(home=str(home))
    store = open_store(store_url(settings), durable=True)
    registry.add(store, settings.account, read_card(home / "tiny"), datetime.now(UTC))
    store.close()
    with Running(home) as running:
        yield running


def invoked(server: Running, model: str, body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    reply = server.client("bedrock-runtime").invoke_model(modelId=model, body=json.dumps(body))
    return json.loads(reply["body"].read()), reply["ResponseMetadata"]["HTTPHeaders"]


def test_it_stands_in_for_titan(server: Running) -> None:
    """In Titan's schema and length, with the engine's count; the answer says who gave it and what is filled up."""
    native, headers = invoked(server, TITAN, {"inputText": "hello there"})
    assert len(native["embedding"]) == 1024
    assert is_unit(native["embedding"][: tiny_encoder.WIDTH])
    assert not any(native["embedding"][tiny_encoder.WIDTH :])
    assert native["inputTextTokenCount"] == int(headers["x-amzn-bedrock-input-token-count"]) == 4
    assert (headers["x-craton-standin"], headers["x-craton-dropped"]) == ("tiny-encoder", "dimensions")


def test_a_text_that_it_cannot_read_whole(server: Running) -> None:
    """Cut at its end and said so; refused where the caller forbids it."""
    _, headers = invoked(server, TITAN, {"inputText": "hello there " * 100})
    assert headers["x-craton-dropped"] == "inputText, dimensions"
    assert headers["x-amzn-bedrock-input-token-count"] == str(tiny_encoder.TOKENS)
    body = {"texts": ["hello there " * 100], "input_type": "search_query"}
    assert "texts" not in invoked(server, COHERE, {**body, "truncate": "END"})[1]["x-craton-dropped"]
    with pytest.raises(ClientError, match="more than") as caught:
        invoked(server, COHERE, {**body, "truncate": "NONE"})
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_its_own_id(server: Running) -> None:
    """With OpenAI's body, at its own length."""
    native, headers = invoked(server, "tiny-encoder", {"input": ["hello", "there"]})
    assert [len(one["embedding"]) for one in native["data"]] == [tiny_encoder.WIDTH] * 2
    assert "x-craton-standin" not in headers


def test_langchain_uses_it(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many texts in one call, and a ranking by vectors and words: what equals the query comes first."""
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    found = BedrockEmbeddings(model_id=COHERE).embed_documents(TEXTS * 10)
    assert [len(vector) for vector in found] == [1024] * 30
    assert found[0] == pytest.approx(found[3], abs=1e-4)
    ranker = BedrockRerank(model_arn=f"arn:aws:bedrock:us-east-1::foundation-model/{RERANK}")
    results = ranker.rerank(TEXTS, "stocks fell on monday")
    assert results[0]["index"] == 2
    assert results[0]["relevance_score"] == pytest.approx(1.0, abs=1e-4)
