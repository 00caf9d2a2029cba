"""Picking one token from one row of logits.

Pure arithmetic on numpy rows: temperature, top-k, top-p, penalties, masks, log probabilities. Knows no model, no
request queue, and keeps no state but the random stream and the counts that belong to one request.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from craton.engine.backend import Sampling, TokenLogprob

Logits = NDArray[np.float32]

# Candidates looked at before widening: nearly always the nucleus lies in the first 64, and a partial selection
# costs a tenth of sorting the vocabulary.
WIDTHS = (64, 1024, 16384)


def forbid(logits: Logits, mask: NDArray[np.int32]) -> None:
    """Set every token whose bit in `mask` (little-endian words, as llguidance writes them) is 0 to minus infinity."""
    bits = np.unpackbits(mask.view(np.uint8), bitorder="little")
    allowed = bits[: logits.shape[0]]
    if allowed.shape[0] < logits.shape[0]:
        logits[allowed.shape[0] :] = -np.inf
    np.copyto(logits[: allowed.shape[0]], -np.inf, where=allowed == 0)


class Sampler:
    """The picking rule of one request: parameters, random stream, and how often each token was generated."""

    __slots__ = ("_counts", "_penalised", "_random", "greedy", "sampling")

    def __init__(self, sampling: Sampling) -> None:
        self.sampling = sampling
        self._random = np.random.Generator(np.random.PCG64(sampling.seed))
        self._penalised = bool(sampling.presence_penalty or sampling.frequency_penalty)
        self._counts: dict[int, int] = {}
        self.greedy = sampling.temperature <= 0 or sampling.top_k == 1

    @property
    def plain(self) -> bool:
        """True when the answer is the bare argmax of the logits, so that a whole batch can be picked at once."""
        return self.greedy and not self._penalised and self.sampling.top_logprobs is None

    def pick(self, logits: Logits, mask: NDArray[np.int32] | None = None) -> tuple[int, TokenLogprob | None]:
        """Pick from one row of shape (vocabulary,); the row may be overwritten."""
        raw = logits.copy() if self.sampling.top_logprobs is not None else None
        if self._penalised:
            self._penalise(logits)
        if mask is not None:
            forbid(logits, mask)
        token = int(logits.argmax()) if self.greedy else self._draw(logits)
        if self._penalised:
            self._counts[token] = self._counts.get(token, 0) + 1
        return token, None if raw is None else _logprob(raw, token, self.sampling.top_logprobs or 0)

    def _penalise(self, logits: Logits) -> None:
        if not self._counts:
            return
        ids = np.fromiter(self._counts.keys(), np.int64, len(self._counts))
        seen = np.fromiter(self._counts.values(), np.float32, len(self._counts))
        logits[ids] -= self.sampling.presence_penalty + self.sampling.frequency_penalty * seen

    def _draw(self, logits: Logits) -> int:
        scaled = logits.astype(np.float64) / self.sampling.temperature
        weights = np.exp(scaled - scaled.max())
        if 0 < self.sampling.top_k < weights.shape[0]:
            ids = np.argpartition(weights, -self.sampling.top_k)[-self.sampling.top_k :]
            kept = weights[ids]
            order = np.argsort(-kept, kind="stable")
            ids, kept = ids[order], kept[order]
            if self.sampling.top_p < 1:
                count = _nucleus(kept, self.sampling.top_p * kept.sum())
                ids, kept = ids[:count], kept[:count]
        elif self.sampling.top_p < 1:
            ids, kept = _top_p(weights, self.sampling.top_p)
        else:
            ids, kept = None, weights
        edges = np.cumsum(kept)
        at = int(np.searchsorted(edges, self._random.random() * edges[-1], side="right"))
        at = min(at, len(kept) - 1)
        return at if ids is None else int(ids[at])


def _top_p(weights: NDArray[np.float64], top_p: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The smallest set of likeliest tokens whose share reaches `top_p`, likeliest first."""
    wanted = top_p * float(weights.sum())
    for width in WIDTHS:
        if width >= weights.shape[0]:
            break
        ids = np.argpartition(weights, -width)[-width:]
        kept = weights[ids]
        if kept.sum() >= wanted:
            return _cut(ids, kept, wanted)
    return _cut(np.arange(weights.shape[0]), weights, wanted)


def _cut(
    ids: NDArray[np.int64], weights: NDArray[np.float64], wanted: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    order = np.argsort(-weights, kind="stable")
    count = _nucleus(weights[order], wanted)
    return ids[order[:count]], weights[order[:count]]


def _nucleus(sorted_weights: NDArray[np.float64], wanted: float) -> int:
    """How many of the sorted weights are needed to reach `wanted`; at least one."""
    return min(int(np.searchsorted(np.cumsum(sorted_weights), wanted, side="left")) + 1, len(sorted_weights))


def _logprob(logits: Logits, token: int, top: int) -> TokenLogprob:
    shifted = logits.astype(np.float64) - float(logits.max())
    total = float(np.log(np.exp(shifted).sum()))
    best: list[tuple[int, float]] = []
    if top:
        count = min(top, shifted.shape[0])
        ids = np.argpartition(shifted, -count)[-count:]
        best = [(int(i), float(shifted[i]) - total) for i in ids[np.argsort(-shifted[ids])]]
    return TokenLogprob(token, float(shifted[token]) - total, best)
