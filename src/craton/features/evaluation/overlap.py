"""How alike two texts are: words in common, words in a common order, and whether they are the same.

Owns the way in which texts become words: lower case, accents kept, everything but letters, digits and marks a
separator, and the articles of English left out where two short answers are compared. It must not know tasks. Pure.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

_WORD = re.compile(r"\w+(?:['’]\w+)*")
_ARTICLES = frozenset({"a", "an", "the"})
MAX_WORDS = 2000
"""Longer texts are compared by so many first words: the common sequence costs the product of both lengths."""


def words(text: str) -> list[str]:
    """The words of a text; scripts without blanks between words give one word for each run of letters."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).lower())


def answer_words(text: str) -> list[str]:
    """The words of a short answer, where an article more or less means nothing."""
    found = words(text)
    return [word for word in found if word not in _ARTICLES] or found


def same(answer: str, reference: str) -> bool:
    """Whether two short answers are the same words (exact match)."""
    return answer_words(answer) == answer_words(reference)


def f1(answer: list[str], reference: list[str]) -> float:
    """The harmonic mean of precision and recall of the words, each counted as often as it occurs."""
    if not answer or not reference:
        return float(answer == reference)
    return _harmonic((Counter(answer) & Counter(reference)).total(), len(answer), len(reference))


def rouge_l(answer: list[str], reference: list[str]) -> float:
    """The same of the longest sequence of words that both have in order (ROUGE-L, Lin 2004, with beta = 1)."""
    answer, reference = answer[:MAX_WORDS], reference[:MAX_WORDS]
    if not answer or not reference:
        return float(answer == reference)
    return _harmonic(_longest(answer, reference), len(answer), len(reference))


def _longest(one: list[str], other: list[str]) -> int:
    """The length of the longest common subsequence."""
    line = [0] * (len(other) + 1)
    for word in one:
        before = 0
        for at, against in enumerate(other, 1):
            before, line[at] = line[at], before + 1 if word == against else max(line[at], line[at - 1])
    return line[-1]


def _harmonic(common: int, size: int, reference_size: int) -> float:
    return 2 * common / (size + reference_size)
