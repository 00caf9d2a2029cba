"""Several rankings made one.

Owns reciprocal rank fusion. Pure; it must not know what is ranked, nor how a ranking came about.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

_DAMPING = 10
"""Added to each rank, so that the first places do not outweigh all others. The usual figure is 60; on the labelled questions
anything from 5 to 20 finds more, whatever is indexed (docs/knowledge-bases.md)."""

_Item = TypeVar("_Item", bound=Hashable)


def fused(rankings: Sequence[Sequence[_Item]], limit: int) -> dict[_Item, float]:
    """The best of several rankings, best first, with scores from 0 to 1: what is first in all of them has 1.

    Of equals the one that came first in an earlier ranking stands first.
    """
    best = len(rankings) / (_DAMPING + 1)
    scores: dict[_Item, float] = {}
    for ranking in rankings:
        for rank, item in enumerate(ranking, 1):
            scores[item] = scores.get(item, 0.0) + 1 / (_DAMPING + rank)
    order = sorted(scores, key=lambda item: -scores[item])[:limit]
    return {item: min(scores[item] / best, 1.0) for item in order}
