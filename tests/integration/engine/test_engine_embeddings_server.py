"""The encoder as a process: its paths, its refusals, many at once, its end."""

from __future__ import annotations

import base64
import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from craton.engine import convert
from craton.engine.embeddings.directory import GRAPH, describe
from tests.fakes.encoders import TEXTS, add_modules, torch_hidden, torch_scores, write_encoder, write_reranker
from tests.integration.engine.engine_process import EngineProcess

MEAN = {"pooling_mode_mean_tokens": True}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`embedding` and `rerank`, with the directories that they were converted to beside them."""
    place = tmp_path_factory.mktemp("encoders")
    prompts = {"prompts": {"query": "water ", "passage": "weather "}}
    add_modules(write_encoder(place / "embedding"), MEAN)
    (place / "embedding" / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    write_reranker(place / "rerank")
    for kind in ("embedding", "rerank"):
        assert convert.main([str(place / kind), str(place / f"{kind}-made"), "--id", f"craton.tiny-{kind}"]) == 0
    return place


@pytest.fixture(scope="module")
def embedder(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    with EngineProcess(tmp_path_factory.mktemp("e"), model=sources / "embedding-made") as engine:
        yield engine


@pytest.fixture(scope="module")
def reranker(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    with EngineProcess(tmp_path_factory.mktemp("r"), model=sources / "rerank-made") as engine:
        yield engine


def vectors(engine: EngineProcess, texts: Any, **fields: Any) -> list[list[float]]:
    status, told = engine.post("/v1/embeddings", {"input": texts, "model": "craton.tiny-embedding", **fields})
    assert status == 200, told
    assert [each["index"] for each in told["data"]] == list(range(len(told["data"])))
    return [each["embedding"] for each in told["data"]]


def refusal(engine: EngineProcess, path: str, **fields: Any) -> tuple[int, str | None, str]:
    status, told = engine.post(path, fields)
    return status, told["error"]["param"], told["error"]["code"]


def test_vectors_are_torchs(embedder: EngineProcess, sources: Path) -> None:
    """Cosine to transformers with mean pooling over 0.9999 through the whole server."""
    hidden, mask = torch_hidden(sources / "embedding", TEXTS, 32)
    weights = mask.unsqueeze(-1).float()
    mean = ((hidden * weights).sum(1) / weights.sum(1)).numpy()
    ours = np.array(vectors(embedder, TEXTS))
    assert ((ours * mean).sum(axis=1) / np.linalg.norm(mean, axis=1)).min() > 0.9999


def test_what_nobody_waits_for_is_the_same(embedder: EngineProcess) -> None:
    """Many texts of low priority, in front and beside, have the vectors that they have otherwise."""
    plain = np.array(vectors(embedder, TEXTS))
    for _ in range(3):
        found = np.array(vectors(embedder, TEXTS * (100 // len(TEXTS) + 1), priority="batch"))
        assert np.allclose(found[: len(TEXTS)], plain, atol=1e-5)


def test_openais_shape(embedder: EngineProcess) -> None:
    """A text alone or a list; floats or base64 of the same numbers; usage counts what the model read."""
    status, told = embedder.post("/v1/embeddings", {"input": "water boils", "model": "", "user": "ignored"})
    assert (status, told["object"], told["model"]) == (200, "list", "craton.tiny-embedding")
    # [CLS] water boils [SEP]
    assert told["usage"] == {"prompt_tokens": 4, "total_tokens": 4}
    assert told["data"][0]["object"] == "embedding"
    packed = vectors(embedder, ["water boils"], encoding_format="base64", dimensions=32)[0]
    assert np.frombuffer(base64.b64decode(str(packed)), "<f4").tolist() == told["data"][0]["embedding"]


def test_openais_client(embedder: EngineProcess, sources: Path, tmp_path: Path) -> None:
    """The vendor's own SDK, which asks for base64 by itself, reads the vectors."""
    import openai

    with EngineProcess(tmp_path, model=sources / "embedding-made") as engine:
        import httpx

        transport = httpx.HTTPTransport(uds=str(engine.uds))
        with httpx.Client(transport=transport) as http:
            client = openai.OpenAI(base_url="http://engine/v1", api_key="-", http_client=http)
            told = client.embeddings.create(model="craton.tiny-embedding", input=["yes", "water"])
    assert np.allclose([each.embedding for each in told.data], vectors(embedder, ["yes", "water"]), atol=1e-6)


def test_prompts_by_purpose(embedder: EngineProcess) -> None:
    """A model that was trained with prompts gets the one for a query or for a document."""
    assert vectors(embedder, "boils", input_type="query") == vectors(embedder, "water boils")
    assert vectors(embedder, "boils", input_type="document") == vectors(embedder, "weather boils")


def test_long_texts(embedder: EngineProcess) -> None:
    """The end is cut off unless it is to be the start, or nothing."""
    text = "the " * 20 + "water " * 20
    assert vectors(embedder, text) == vectors(embedder, "the " * 20 + "water " * 10)
    assert vectors(embedder, text, truncate="start") == vectors(embedder, "the " * 10 + "water " * 20)
    told = refusal(embedder, "/v1/embeddings", input=text, truncate="none")
    assert told == (400, "input", "context_length_exceeded")


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"input": []}, "input", "invalid_value"),
        ({"input": ["a"] * 2049}, "input", "invalid_value"),
        ({"input": [[1, 2]]}, "input[0]", "invalid_type"),
        ({"input": "a", "dimensions": 16}, "dimensions", "invalid_value"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format", "invalid_type"),
        ({"input": "a", "truncate": "middle"}, "truncate", "invalid_type"),
    ],
)
def test_what_embeddings_refuse(embedder: EngineProcess, fields: dict[str, Any], param: str, code: str) -> None:
    """400 with the member's name."""
    assert refusal(embedder, "/v1/embeddings", **fields) == (400, param, code)


def test_other_paths_and_models(embedder: EngineProcess, reranker: EngineProcess) -> None:
    """Each kind has its own path; another model's name is 404; health and statistics are as for chats."""
    assert refusal(embedder, "/v1/rerank", query="a", documents=["b"])[0] == 404
    assert refusal(reranker, "/v1/embeddings", input="a")[0] == 404
    assert refusal(embedder, "/v1/chat/completions", messages=[])[0] == 404
    assert refusal(embedder, "/v1/embeddings", input="a", model="x") == (404, "model", "model_not_found")
    assert embedder.get("/v1/embeddings")[0] == 405
    assert embedder.get("/health")[1]["state"] == "ready"
    assert embedder.get("/stats")[1]["context_tokens"] == 32
    assert embedder.post("/tokenize", {"prompt": "water boils"})[1]["count"] == 4
    assert "context=32" in embedder.log.read_text()


def test_many_at_once_get_their_own(embedder: EngineProcess) -> None:
    """Forty clients with texts of all lengths: each gets what it gets alone."""
    texts = [" ".join(TEXTS[at % 4].split()[: at % 7 + 1]) for at in range(40)]
    alone = {text: vectors(embedder, text)[0] for text in set(texts)}
    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(lambda text: vectors(embedder, text)[0], texts))
    assert np.allclose(found, [alone[text] for text in texts], atol=1e-5)


def test_ranking(reranker: EngineProcess, sources: Path) -> None:
    """Best first, scores between 0 and 1 as the logistic function of torch's logits; `top_n` keeps the best."""
    documents = ["water boils", "the weather is sunny", "yes", ""]
    status, told = reranker.post("/v1/rerank", {"query": "the answer", "documents": documents, "model": ""})
    logits = np.array(torch_scores(sources / "rerank", "the answer", documents, 64))
    expected = 1 / (1 + np.exp(-logits))
    assert status == 200
    assert [each["index"] for each in told["results"]] == np.argsort(-expected).tolist()
    assert np.allclose([each["relevance_score"] for each in told["results"]], sorted(expected, reverse=True), atol=1e-4)
    assert told["usage"] == {"total_tokens": 7 + 9 + 8 + 5}
    best = reranker.post("/v1/rerank", {"query": "the answer", "documents": documents, "top_n": 2})[1]["results"]
    assert best == told["results"][:2]
    assert refusal(reranker, "/v1/rerank", query="a", documents=[]) == (400, "documents", "invalid_value")
    assert refusal(reranker, "/v1/rerank", query="a", documents=["b"], top_n=0) == (400, "top_n", "invalid_value")


def test_a_running_answer_ends_before_the_process(sources: Path, tmp_path: Path) -> None:
    """SIGTERM drains; the exit status is 0 and the socket is gone."""
    with EngineProcess(tmp_path, model=sources / "embedding-made") as engine, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(vectors, engine, ["the weather in Paris"] * 1500)
        engine.until("waiting", 1)
        engine.process.send_signal(signal.SIGTERM)
        assert len(answer.result(30)) == 1500
        assert engine.process.wait(10) == 0
        assert not engine.uds.exists()


def test_a_full_queue_is_429(sources: Path, tmp_path: Path) -> None:
    """With room for none, the client is told to come back."""
    with EngineProcess(tmp_path, "--max-waiting", "0", model=sources / "embedding-made") as engine:
        assert refusal(engine, "/v1/embeddings", input="a") == (429, None, "queue_full")


def test_a_directory_that_cannot_be_served_is_said(sources: Path, tmp_path: Path) -> None:
    """A missing graph, a changed file, an unknown kind: exit status 1 and one line that says which."""
    import shutil

    broken = Path(shutil.copytree(sources / "embedding-made", tmp_path / "broken"))
    assert describe(broken).card.id == "craton.tiny-embedding"
    (broken / GRAPH).write_bytes(b"none")
    with EngineProcess(tmp_path, model=broken, wait=False) as engine:
        assert engine.process.wait(30) == 1
        assert "model.onnx is not the file" in engine.log.read_text()
    (broken / GRAPH).unlink()
    with EngineProcess(tmp_path, model=broken, wait=False) as engine:
        assert engine.process.wait(30) == 1
        assert "model.onnx is missing" in engine.log.read_text()
    (broken / "craton.json").write_text('{"kind": "smell"}')
    with EngineProcess(tmp_path, model=broken, wait=False) as engine:
        assert engine.process.wait(30) == 1
        assert "kind 'smell'" in engine.log.read_text()
