"""How like a query documents are, by words and vectors."""

from __future__ import annotations

import pytest

from craton.features.inference import likeness

PAGES = ["the keys of an account are rotated", "the account is closed", "the account has a name", "all about llamas"]


def test_rare_words_count_more() -> None:
    """A word that most documents hold says little."""
    found = likeness.words("the rotating key", PAGES)
    assert max(found) == found[0] > 0
    assert found[3] == 0


def test_endings_do_not_matter() -> None:
    """`keys` and `key`, `rotated` and `rotating` are the same words."""
    assert likeness.words("key", ["keys", "lock"])[0] > 0
    assert likeness.words("rotating", ["rotated", "lock"])[0] > 0


def test_vectors_decide_where_words_are_silent() -> None:
    """No word in common: the cosine alone puts them in order."""
    found = likeness.fused("animals", ["cars", "cats"], [0.1, 0.8])
    assert found[1] > found[0]


def test_words_decide_among_like_vectors() -> None:
    """A number that one document holds outweighs a small difference of vectors."""
    found = likeness.fused(
        "who uses 8765", ["the server listens on 8765", "the server listens on a port"], [0.60, 0.62]
    )
    assert found[0] > found[1]


@pytest.mark.parametrize("query", ["", "   ", "\x00", "!!! ???", "日本語の質問", "ü" * 10_000, "key " * 2_500])
def test_scores_stay_between_0_and_1(query: str) -> None:
    """Whatever is asked and whatever lies there, also nothing and opposite vectors."""
    for documents in (PAGES, ["", " ", "日本語", "💥"], ["key"] * 3):
        found = likeness.fused(query, documents, [-1.0, 1.0, 0.5, 0.0][: len(documents)])
        assert len(found) == len(documents)
        assert all(0 <= score <= 1 for score in found)
    assert likeness.fused(query, [], []) == []


def test_scripts_without_blanks() -> None:
    """Signs are compared two by two."""
    found = likeness.words("日本語", ["これは日本語です", "これは英語です"])
    assert found[0] > found[1]
