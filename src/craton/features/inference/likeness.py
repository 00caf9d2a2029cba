"""How like a query documents are, by words and vectors: the score of a reranking stand-in.

Owns the mixture: BM25 over the documents given (words that few of them hold count more) and the cosine of an embedding.
Either alone is worse: an embedding blurs names and numbers, words miss what is said differently. Pure; knows no model.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

COSINE_SHARE = 0.69
"""How much the cosine counts beside the words; chosen on one half of bench/questions, measured on the other."""

_WORD = re.compile(r"[^\W_]+")
# Scripts without blanks between words: two signs at a time stand for a word.
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")
_SATURATED, _BY_LENGTH = 1.2, 0.75
_ENDINGS = ("ing", "ed", "es", "s")
_LEAST_STEM = 3


def words(query: str, documents: Sequence[str]) -> list[float]:
    """BM25 of each document; 1 is that of one of average length that holds every word of the query once."""
    counts = [Counter(_words(document)) for document in documents]
    average = sum(count.total() for count in counts) / max(1, len(counts)) or 1.0
    rarities = {}
    for word in set(_words(query)):
        holding = sum(1 for count in counts if word in count)
        rarities[word] = math.log(1 + (len(counts) - holding + 0.5) / (holding + 0.5))
    once = sum(rarities.values()) or 1.0
    return [_bm25(count, rarities, count.total() / average) / once for count in counts]


def fused(query: str, documents: Sequence[str], cosines: Sequence[float], share: float = COSINE_SHARE) -> list[float]:
    """The score of each document, 0 to 1. What is unlike the query scores 0, not less."""
    alike = words(query, documents)
    return [
        min(1.0, share * max(0.0, cosine) + (1 - share) * word) for cosine, word in zip(cosines, alike, strict=True)
    ]


def _bm25(count: Counter[str], rarities: dict[str, float], length: float) -> float:
    damped = _SATURATED * (1 - _BY_LENGTH + _BY_LENGTH * length)
    return sum(
        rarity * count[word] * (_SATURATED + 1) / (count[word] + damped)
        for word, rarity in rarities.items()
        if word in count
    )


def _words(text: str) -> list[str]:
    found: list[str] = []
    for word in _WORD.findall(text.casefold()):
        if _WIDE.match(word):
            found += [word[at : at + 2] for at in range(max(1, len(word) - 1))]
        else:
            found.append(_stem(word))
    return found


def _stem(word: str) -> str:
    """Without an English ending: `keys` and `key` are one word."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _LEAST_STEM:
            return word[: -len(ending)]
    return word
