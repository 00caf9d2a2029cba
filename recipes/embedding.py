"""Scores of the packaged embedding model, and of the ranking that stands on it: the labelled questions about docs/*.md.

This file owns the flat form that floors share; the passages, the orders and the measures are the benchmark's.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.ranking_measures import mean
from bench.ranking_measures import scores as measured
from bench.reranking import rankings
from craton.features.inference import likeness

MEASURES = ("recall@5", "mrr@10", "ndcg@10")


def scores(_: Path) -> Mapping[str, float]:
    """Percent, by "order: measure"; what reranking gains is of the half of the questions that chose nothing of it."""
    every, found = rankings(None, [likeness.COSINE_SHARE])
    reranked = f"vectors, reranked {likeness.COSINE_SHARE}"
    told = {f"vectors: {one}": percent(mean(measured(every, found["vectors"])[one])) for one in MEASURES}
    held_out = every[1::2]
    before, after = (mean(measured(held_out, found[name])["mrr@10"]) for name in ("vectors", reranked))
    return {**told, "reranked: mrr@10": percent(after), "reranked: gain in mrr@10": percent(after - before)}


def percent(share: float) -> float:
    return round(100 * float(share), 1)
