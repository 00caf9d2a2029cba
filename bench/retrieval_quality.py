"""How good retrieval is: the labelled questions about docs/*.md, asked of a knowledge base on a running server.

    python -m bench.retrieval_quality [--peer PYTHON] [--model ID] [--source DIR] [--tokens N] [--precision int8] [--rerank] [--kinds]

Puts the documents into S3, has them ingested as a user would, and asks Retrieve for the first ten passages: SEMANTIC, HYBRID
(the default) and, with `--rerank`, HYBRID put in order by a reranking model; by words alone through the vector store, for the API has no such
search. Beside them LlamaIndex where `--peer` names a Python that has llama-index-core and llama-index-retrievers-bm25, with
the same embeddings, its own splitter and BM25. Prints Markdown tables with 95 % intervals (bootstrap), and by how much
HYBRID is apart from the others, question by question. `--source` adds a sentence-transformers directory in `--precision`
and embeds with that one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.ranking_measures import DEPTH, Passage, Question, Rankings, difference, interval, mean, questions, scores
from craton import config
from craton.features.rag.resources import KnowledgeBase, base_arn
from craton.infra.store.opening import open_store
from craton.infra.vectors.opening import open_vectors
from craton.infra.vectors.port import Reach, Version
from craton.storing import store_url
from tests.acceptance.knowledge import Knowledge, knowledge, vector
from tests.running import Running

ROOT = Path(__file__).resolve().parent.parent
PACKAGED = "craton.minilm-l6-v2"
RERANKER = "arn:aws:bedrock:us-east-1::foundation-model/amazon.rerank-v1:0"
RERANKED_OF = 30
PEER_SIZES = {"LlamaIndex, 1024 tokens": None, "LlamaIndex, 300 tokens": (300, 60)}


def documents() -> dict[str, str]:
    """The corpus: what the questions are about, by the path in the repository."""
    return {f"docs/{path.name}": path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}


def asked(known: Knowledge, text: str, **search: Any) -> list[Passage]:
    """What Retrieve finds."""
    given = {"vectorSearchConfiguration": {"numberOfResults": DEPTH, **search}}
    reply = known.runtime.retrieve(
        knowledgeBaseId=known.base, retrievalQuery={"text": text}, retrievalConfiguration=given
    )
    cut = len(f"s3://{known.bucket}/")
    return [
        Passage(one["location"]["s3Location"]["uri"][cut:], one["content"]["text"]) for one in reply["retrievalResults"]
    ]


def reranking() -> dict[str, Any]:
    model = {"modelConfiguration": {"modelArn": RERANKER}, "numberOfRerankedResults": DEPTH}
    chosen = {"type": "BEDROCK_RERANKING_MODEL", "bedrockRerankingConfiguration": model}
    return {"numberOfResults": RERANKED_OF, "rerankingConfiguration": chosen}


def by_api(known: Knowledge, every: Sequence[Question], *, rerank: bool) -> dict[str, Rankings]:
    ways: dict[str, dict[str, Any]] = {
        "vectors (SEMANTIC)": {"overrideSearchType": "SEMANTIC"},
        "HYBRID": {"overrideSearchType": "HYBRID"},
    }
    if rerank:
        ways[f"HYBRID, {RERANKED_OF} reranked"] = {"overrideSearchType": "HYBRID", **reranking()}
    with ThreadPoolExecutor(2) as pool:
        return {
            name: dict(zip(
                (one.id for one in every), pool.map(lambda one, way=way: asked(known, one.text, **way), every), strict=True
            ))
            for name, way in ways.items()
        }  # fmt: skip


def visible(settings: config.Settings, base: str) -> Version:
    store = open_store(store_url(settings), durable=True)
    try:
        row = store.get(base_arn(settings.account, "us-east-1", base))
        assert row is not None
        version = row.read(KnowledgeBase).index
        assert version is not None
        return version
    finally:
        store.close()


async def by_words(settings: config.Settings, known: Knowledge, every: Sequence[Question]) -> Rankings:
    """What the vector store finds by words alone."""
    vectors = open_vectors(settings.file.vectors, settings.home_path)
    shelf = await vectors.open(visible(settings, known.base))
    cut = len(f"{known.source}/s3://{known.bucket}/")
    found = {
        one.id: [Passage(hit.document[cut:], hit.text) for hit in await shelf.matching(one.text, DEPTH, Reach())]
        for one in every
    }
    await vectors.close()
    return found


class Peer:
    """LlamaIndex in its own environment; it asks for vectors by lines."""

    def __init__(self, python: str, runtime: Any, model: str) -> None:
        self._python, self._runtime, self._model = python, runtime, model
        self._known: dict[str, list[float]] = {}

    def found(self, corpus: dict[str, str], every: Sequence[Question]) -> dict[str, Rankings]:
        peer = str(Path(__file__).with_name("retrieval_peer.py"))
        process = subprocess.Popen([self._python, peer], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdin is not None
        assert process.stdout is not None
        work = {"documents": corpus, "questions": {one.id: one.text for one in every}, "sizes": PEER_SIZES}
        print(json.dumps(work), file=process.stdin, flush=True)
        for line in process.stdout:
            said = json.loads(line) if line.startswith("{") else {}
            if "embed" in said:
                print(json.dumps(self._vectors(said["embed"])), file=process.stdin, flush=True)
            if "found" in said:
                process.stdin.close()
                process.wait()
                return {
                    name: {ident: [Passage(*one) for one in ranking] for ident, ranking in rankings.items()}
                    for name, rankings in said["found"].items()
                }
        raise RuntimeError(f"LlamaIndex's side ended with {process.wait()}")

    def _vectors(self, texts: Sequence[str]) -> list[list[float]]:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        for at in range(0, len(new), 64):
            some = new[at : at + 64]
            reply = self._runtime.invoke_model(modelId=self._model, body=json.dumps({"input": some}))
            rows = json.loads(reply["body"].read())["data"]
            self._known |= zip(some, (row["embedding"] for row in rows), strict=True)
        return [self._known[text] for text in texts]


def ingested(server: Running, corpus: dict[str, str], model: str, tokens: int | None) -> tuple[Knowledge, str]:
    """A knowledge base of the documents, and what its ingestion came to."""
    sized = {"maxTokens": tokens, "overlapPercentage": 20}
    way = {"chunkingStrategy": "FIXED_SIZE", "fixedSizeChunkingConfiguration": sized}
    more = {"chunkingConfiguration": way} if tokens else {}
    known = knowledge(server, "quality", config=vector(f"arn:aws:bedrock:us-east-1::foundation-model/{model}"), **more)
    for name, text in corpus.items():
        known.put(name, text)
    began = time.perf_counter()
    job = known.sync(timeout_s=900)
    if job["status"] != "COMPLETE" or job["statistics"]["numberOfDocumentsFailed"]:
        raise RuntimeError(job)
    return known, f"{len(corpus)} documents ingested in {time.perf_counter() - began:.1f} s"


def told(every: Sequence[Question], sides: dict[str, Rankings]) -> list[str]:
    """The table of all sides, and how far HYBRID is from each."""
    answered = [one for one in every if one.answers]
    found = {name: scores(every, rankings) for name, rankings in sides.items()}
    names = list(next(iter(found.values())))
    lines = [f"| {len(answered)} questions | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for side, values in found.items():
        cells = [f"{mean(row):.3f} [{low:.3f}, {high:.3f}]" for row in values.values() for low, high in [interval(row)]]
        lines.append(f"| {side} | {' | '.join(cells)} |")
    lines += ["", f"| HYBRID less … | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for side, values in found.items():
        if side != "HYBRID":
            apart = [difference(found["HYBRID"][name], row) for name, row in values.items()]
            cells = [f"{by:+.3f} [{low:+.3f}, {high:+.3f}]" for by, low, high in apart]
            lines.append(f"| {side} | {' | '.join(cells)} |")
    return lines


def by_kind(every: Sequence[Question], sides: dict[str, Rankings]) -> list[str]:
    """MRR@10 by the kind of the question."""
    kinds = sorted({one.kind for one in every if one.answers})
    lines = [f"| mrr@10 | {' | '.join(kinds)} |", "|---" * (len(kinds) + 1) + "|"]
    for side, rankings in sides.items():
        some = {kind: [one for one in every if one.kind == kind] for kind in kinds}
        cells = [f"{mean(scores(some[kind], rankings)['mrr@10']):.3f} ({len(some[kind])})" for kind in kinds]
        lines.append(f"| {side} | {' | '.join(cells)} |")
    return lines


def added(home: Path, source: str, precision: str) -> str:
    """A sentence-transformers directory as a model of the home's."""
    import sys

    command = [sys.executable, "-m", "craton.cli.main", "models", "add", source, "--id", "bench-embedder"]
    subprocess.run([*command, "--precision", precision, "--home", str(home)], check=True)
    return "bench-embedder"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer", help="a Python with LlamaIndex")
    parser.add_argument("--model", default=PACKAGED)
    parser.add_argument("--source", help="a sentence-transformers directory to embed with")
    parser.add_argument("--precision", default="int8")
    parser.add_argument("--tokens", type=int, help="chunks of this size in place of the default ones")
    parser.add_argument("--rerank", action="store_true", help="also by a reranking model (30 texts a question: slow)")
    parser.add_argument("--kinds", action="store_true", help="also by kind of question")
    given = parser.parse_args()
    every, corpus = questions(), documents()
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(Running(home))
        model = added(home, given.source, given.precision) if given.source else given.model
        known, line = ingested(server, corpus, model, given.tokens)
        settings = config.load(home=str(home))
        print(f"{line}, {visible(settings, known.base).chunks} chunks, embedded by {model}\n", flush=True)
        sides = {
            "words (BM25)": asyncio.run(by_words(settings, known, every)),
            **by_api(known, every, rerank=given.rerank),
        }
        if given.peer:
            sides |= Peer(given.peer, server.client("bedrock-runtime"), model).found(corpus, every)
    print("\n".join([*told(every, sides), *(["", *by_kind(every, sides)] if given.kinds else [])]))


if __name__ == "__main__":
    main()
