"""How good rankings of passages are, held against questions whose answers are quoted.

Owns the questions' file, when a passage answers one, and the measures with their bootstrap intervals. It must not know who
ranked. A passage answers a question if it is of a document that the question names and holds the quotation; blanks, marks
and case do not count, so that it does not matter what a reader made of Markdown's signs.

Measures of one question, all from 0 to 1: `recall@k`, whether one of the first k passages answers it; `mrr@10`, one by the
place of the first that does; `ndcg@10`, one by the binary logarithm of that place and one (each question wants one
passage); `in 6000 characters`, whether one does that lies wholly within the first 6,000 characters of the ranking, which
is fair to passages of any length.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from functools import cache
from math import log2
from pathlib import Path
from typing import NamedTuple

QUESTIONS = Path(__file__).with_name("questions") / "craton.jsonl"
DEPTH = 10
BUDGET_CHARACTERS = 6000
_DRAWS = 2000


class Answer(NamedTuple):
    """`document` is a path from the root of the repository."""

    document: str
    quote: str


class Question(NamedTuple):
    """`kind`: keyword, natural, howto, paraphrase, error, negative, or none where nothing answers it."""

    id: str
    kind: str
    text: str
    answers: tuple[Answer, ...]


class Passage(NamedTuple):
    """What was found: a document's path and the text."""

    document: str
    text: str


Rankings = Mapping[str, Sequence[Passage]]
"""What was found for each question, by its id, best first."""


def questions(path: Path = QUESTIONS) -> list[Question]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [
        Question(row["id"], row["kind"], row["question"], tuple(Answer(**one) for one in row["answers"]))
        for row in rows
    ]


@cache
def plain(text: str) -> str:
    """Letters and digits alone, without case."""
    return "".join(sign for sign in text.casefold() if sign.isalnum())


def answers(question: Question, passage: Passage) -> bool:
    return any(one.document == passage.document and plain(one.quote) in plain(passage.text) for one in question.answers)


def measures(question: Question, found: Sequence[Passage]) -> dict[str, float]:
    """One question's, by their names."""
    hits = [answers(question, one) for one in found]
    place = hits.index(True) + 1 if True in hits[:DEPTH] else 0
    read, within = 0, False
    for hit, one in zip(hits, found, strict=True):
        read += len(one.text)
        within = within or (hit and read <= BUDGET_CHARACTERS)
    return {
        **{f"recall@{k}": float(0 < place <= k) for k in (1, 5, 10)},
        "mrr@10": 1 / place if place else 0.0,
        "ndcg@10": 1 / log2(place + 1) if place else 0.0,
        "in 6000 characters": float(within),
    }


def scores(asked: Sequence[Question], found: Rankings) -> dict[str, list[float]]:
    """Each measure's values in the order of the questions that have an answer."""
    rows = [measures(one, found[one.id]) for one in asked if one.answers]
    return {name: [row[name] for row in rows] for name in rows[0]}


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def interval(values: Sequence[float], share: float = 0.95) -> tuple[float, float]:
    """Between what the mean lies, by drawing the questions again (percentiles of 2,000 draws from a fixed seed)."""
    chance = random.Random(7)
    means = sorted(mean(chance.choices(values, k=len(values))) for _ in range(_DRAWS))
    return means[int(_DRAWS * (1 - share) / 2)], means[int(_DRAWS * (1 + share) / 2) - 1]


def difference(first: Sequence[float], second: Sequence[float]) -> tuple[float, float, float]:
    """The mean of `first` less that of `second`, question by question, and between what it lies."""
    apart = [one - other for one, other in zip(first, second, strict=True)]
    return (mean(apart), *interval(apart))
