"""Semantic cuts: where the meaning of neighbouring sentences differs most.

Owns the distances and the threshold; what embeds the sentences comes from outside. A cut becomes a hard boundary of the
units, so that packing them afterwards keeps pieces within their size.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from craton.features.rag.chunking.pack import Counted
from craton.features.rag.chunking.units import HARD

Embed = Callable[[Sequence[str]], Awaitable[Sequence[Sequence[float]]]]
"""Texts to their vectors, all of one length."""

_AT_ONCE = 256


async def mark(found: Counted, embed: Embed, *, buffer: int, percentile: int) -> None:
    """Make those boundaries hard at which the distance is beyond the percentile of all distances."""
    import numpy as np

    number = len(found.units)
    if number < 3:
        return
    distances = np.empty(number - 1, dtype=np.float32)
    before: Any = None
    for first in range(0, number, _AT_ONCE):
        groups = [_group(found, n, buffer) for n in range(first, min(first + _AT_ONCE, number))]
        vectors = np.asarray(await embed(groups), dtype=np.float32)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        chain = vectors if before is None else np.concatenate([before, vectors])
        begin = first if before is None else first - 1
        distances[begin : begin + len(chain) - 1] = 1.0 - np.einsum("ij,ij->i", chain[:-1], chain[1:])
        before = vectors[-1:]
    strengths = found.units.strengths
    inside = [n for n in range(number - 1) if strengths[n + 1] < HARD]
    if not inside:
        return
    threshold = np.percentile(distances[inside], percentile)
    for n in inside:
        if distances[n] > threshold:
            strengths[n + 1] = HARD


def _group(found: Counted, number: int, buffer: int) -> str:
    """A sentence and its neighbours, none from over a hard boundary."""
    strengths = found.units.strengths
    first = last = number
    while first > number - buffer and first > 0 and strengths[first] < HARD:
        first -= 1
    while last < number + buffer and last + 1 < len(strengths) and strengths[last + 1] < HARD:
        last += 1
    return found.text[found.units.starts[first] : found.units.starts[last + 1]].strip()
