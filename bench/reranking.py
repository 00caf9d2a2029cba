"""How good the reranking stand-in is: the labelled questions about docs/*.md, each with 30 passages, put in order by it.

    python -m bench.reranking [--kept FILE.npz] [--tune]

Owns the passages (300 tokens, by the project's own cutting), the two orders that it is held against (of the vectors
alone, and fused with words by rank) and the halves: the share of the cosine is chosen on the questions with an even place
(`--tune` prints its grid), what is reported is of the odd ones. No server and no network: the packaged model is computed
here. `--kept` keeps the vectors between two runs. Prints a Markdown table with 95 % intervals (bootstrap).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.ranking_measures import Passage, Question, Rankings, difference, interval, mean, questions, scores
from craton.engine.embeddings.tokens import TextEncoder
from craton.engine.embeddings.unconverted import open_unconverted
from craton.features.inference import likeness
from craton.features.rag.chunking.cut import cut
from craton.features.rag.chunking.strategy import Fixed
from craton.features.rag.pieces import Parsed
from craton.models.catalog.local import packaged_models

ROOT = Path(__file__).resolve().parent.parent
CANDIDATES = 30
MEASURES = ("recall@1", "recall@5", "mrr@10", "ndcg@10")
_DAMPED = 10
Vectors = NDArray[np.float32]


def passages(texts: TextEncoder) -> list[Passage]:
    """Every page of docs/, cut."""

    def count(some: Any) -> list[int]:
        return [len(texts.one(one).ids) - 2 for one in some]

    async def every() -> list[Passage]:
        found = []
        for path in sorted((ROOT / "docs").glob("*.md")):
            pieces = await cut(Parsed(path.read_text(encoding="utf-8")), Fixed(240, 40), count)
            found += [Passage(f"docs/{path.name}", piece.text) for piece in pieces]
        return found

    return asyncio.run(every())


def embedded(kept: Path | None) -> tuple[list[Passage], list[Question], Vectors, Vectors]:
    """Passages and questions with their vectors."""
    every = [one for one in questions() if one.answers]
    found, session = open_unconverted(Path(packaged_models()[0].directory), 1)
    texts = TextEncoder(found.path / "tokenizer.json", 256)
    cut_up = passages(texts)
    if kept is not None and kept.is_file():
        with np.load(kept) as both:
            if len(both["passages"]) == len(cut_up) and len(both["questions"]) == len(every):
                return cut_up, every, both["passages"], both["questions"]

    def vectors(some: list[str]) -> Vectors:
        rows = [texts.one(text) for text in some]
        order = sorted(range(len(rows)), key=lambda at: len(rows[at].ids))
        result = np.zeros((len(rows), session.width), np.float32)
        for at in range(0, len(order), 8):
            result[order[at : at + 8]] = session.run([rows[place] for place in order[at : at + 8]])
        return result

    one, other = vectors([passage.text for passage in cut_up]), vectors([question.text for question in every])
    if kept is not None:
        np.savez(kept, passages=one, questions=other)
    return cut_up, every, one, other


def candidates(cut_up: list[Passage], question: Question, cosines: NDArray[np.float32]) -> dict[str, list[int]]:
    """The first CANDIDATES by vectors, and by vectors and words fused."""
    by_vectors = np.argsort(-cosines, kind="stable")
    words = np.asarray(likeness.words(question.text, [passage.text for passage in cut_up]))
    fused = np.zeros(len(cut_up))
    for order in (by_vectors, np.argsort(-words, kind="stable")):
        fused[order[:100]] += 1 / (_DAMPED + np.arange(1, 101))
    return {
        "vectors": by_vectors[:CANDIDATES].tolist(),
        "vectors and words": np.argsort(-fused, kind="stable")[:CANDIDATES].tolist(),
    }


def rankings(kept: Path | None, shares: list[float]) -> tuple[list[Question], dict[str, Rankings]]:
    """Each order as it was, and reranked with each share of the cosine."""
    cut_up, every, one, other = embedded(kept)
    found: dict[str, dict[str, list[Passage]]] = {}
    for question, vector in zip(every, other, strict=True):
        cosines = one @ vector
        for name, places in candidates(cut_up, question, cosines).items():
            some = [cut_up[place] for place in places]
            found.setdefault(name, {})[question.id] = some
            for share in shares:
                scored = likeness.fused(
                    question.text,
                    [passage.text for passage in some],
                    [float(cosines[place]) for place in places],
                    share,
                )
                order = np.argsort(-np.asarray(scored), kind="stable").tolist()
                found.setdefault(f"{name}, reranked {share}", {})[question.id] = [some[place] for place in order]
    return every, dict(found)


def report(kept: Path | None = None, *, tune: bool = False) -> dict[str, float]:
    """Print the table; the gains in MRR@10 over both orders, of the half that chose nothing."""
    shares = [0.0, 0.4, 0.6, likeness.COSINE_SHARE, 0.77, 0.84, 0.9, 1.0] if tune else [likeness.COSINE_SHARE, 1.0]
    every, found = rankings(kept, sorted({*shares, likeness.COSINE_SHARE}))
    halves = {"chosen on": every[::2], "held out": every[1::2]}
    gains = {}
    for half, some in halves.items():
        if half == "chosen on" and not tune:
            continue
        print(f"| {half}: {len(some)} questions | {' | '.join(MEASURES)} |\n{'|---' * (len(MEASURES) + 1)}|")
        for name, ranking in found.items():
            values = scores(some, ranking)
            cells = [
                f"{mean(values[one]):.3f} [{low:.3f}, {high:.3f}]"
                for one in MEASURES
                for low, high in [interval(values[one])]
            ]
            print(f"| {name} | {' | '.join(cells)} |")
        for name in ("vectors", "vectors and words"):
            after = scores(some, found[f"{name}, reranked {likeness.COSINE_SHARE}"])["mrr@10"]
            by, low, high = difference(after, scores(some, found[name])["mrr@10"])
            print(f"\nGain over {name}: {by:+.3f} [{low:+.3f}, {high:+.3f}] of mrr@10")
            gains[name] = by
    return gains


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kept", type=Path)
    parser.add_argument("--tune", action="store_true")
    given = parser.parse_args()
    with contextlib.suppress(BrokenPipeError):
        report(given.kept, tune=given.tune)


if __name__ == "__main__":
    main()
