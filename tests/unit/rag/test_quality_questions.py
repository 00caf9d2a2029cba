"""The labelled questions of bench/: that they are what their README says, and that the measures are right."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bench.ranking_measures import Answer, Passage, Question, difference, interval, measures, plain, questions, scores

ROOT = Path(__file__).resolve().parents[3]
ASKED = Question("q", "natural", "Where?", (Answer("a.md", "by the RED | door"), Answer("b.md", "behind it")))
RIGHT, WRONG = Passage("a.md", "It is by\nthe `red` door, there."), Passage("c.md", "It is by the red door.")


def test_there_are_enough_questions_of_every_kind() -> None:
    """At least 150 that something answers and 15 that nothing does, no two alike."""
    every = questions()
    kinds = Counter(one.kind for one in every)
    assert sum(number for kind, number in kinds.items() if kind != "none") >= 150
    assert min(kinds[kind] for kind in ("keyword", "natural", "howto", "paraphrase", "error", "negative", "none")) >= 15
    assert len({one.id for one in every}) == len({one.text for one in every}) == len(every)
    assert all(bool(one.answers) == (one.kind != "none") for one in every)


def test_every_quotation_stands_once_in_its_document() -> None:
    """A page that changes takes its questions along: see bench/questions/README.md."""
    texts = {one.document: "" for asked in questions() for one in asked.answers}
    texts = {name: plain((ROOT / name).read_text(encoding="utf-8")) for name in texts}
    counts = {
        (one.document, one.quote): texts[one.document].count(plain(one.quote)) for q in questions() for one in q.answers
    }
    assert {place: number for place, number in counts.items() if number != 1} == {}


def test_a_passage_answers_by_its_document_and_its_words() -> None:
    """Blanks, marks and case do not count; the document does."""
    found = measures(ASKED, [WRONG, RIGHT])
    assert (found["recall@1"], found["recall@5"], found["mrr@10"]) == (0.0, 1.0, 0.5)
    assert found["ndcg@10"] == pytest.approx(0.6309, abs=1e-4)


def test_what_lies_beyond_the_depth_or_the_room_is_not_found() -> None:
    """Ten passages count, and of the text that a prompt has room for, six thousand characters."""
    assert measures(ASKED, [WRONG] * 10 + [RIGHT])["mrr@10"] == 0.0
    long = Passage("c.md", "x" * 5990)
    assert measures(ASKED, [long, RIGHT])["in 6000 characters"] == 0.0
    assert measures(ASKED, [RIGHT, long])["in 6000 characters"] == 1.0


def test_questions_without_an_answer_are_in_no_measure() -> None:
    """They are asked to see what comes, not to be scored."""
    nothing = Question("n", "none", "What?", ())
    assert scores([ASKED, nothing], {"q": [RIGHT], "n": [RIGHT]})["recall@1"] == [1.0]


def test_intervals_hold_the_mean_and_are_the_same_each_time() -> None:
    """Bootstrap from a fixed seed; a difference is taken question by question."""
    values = [0.0, 1.0] * 50
    low, high = interval(values)
    assert 0.35 < low < 0.5 < high < 0.65
    assert interval(values) == (low, high)
    assert difference(values, values) == (0.0, 0.0, 0.0)
