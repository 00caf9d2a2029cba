"""Whether a passage bears a sentence out: words that stand together, and every figure."""

from __future__ import annotations

import pytest

from craton.features.rag.generation.support import FOUND, MARKED, WINDOW, Ground, claim_of

PASSAGE = (
    "Deliveries to Norway take 1,250 minutes on average. The A320 carries 180 passengers; its wings span 35.80 metres. "
    "The committee's decision of twelve members was unanimous."
)


def share(sentence: str, passage: str = PASSAGE) -> float:
    return Ground(passage).share(claim_of(sentence))


@pytest.mark.parametrize(
    "sentence",
    [
        "Delivering to Norway takes 1250 minutes on average.",
        "The A320 carries 180 passengers.",
        "Its wing spans 35,8 metres.",
        "The committee has 12 members and decided unanimously.",
        "3. The A320 carries 180 passengers.",
    ],
)
def test_the_same_in_other_words(sentence: str) -> None:
    """Endings, number formats and number words make no difference."""
    assert share(sentence) >= FOUND


@pytest.mark.parametrize(
    "sentence",
    [
        "Deliveries to Norway take 1,260 minutes on average.",
        "The A321 carries 180 passengers.",
        "The committee's decision of thirteen members was unanimous.",
    ],
)
def test_a_wrong_figure_is_no_support(sentence: str) -> None:
    """One figure that the passage lacks and nothing of the rest counts."""
    assert share(sentence) == 0


def test_words_must_stand_together() -> None:
    """Words that are strewn over a long passage do not make up the sentence."""
    strewn = " filler".join(f" {word} " + "pad " * WINDOW for word in ("purple", "elephants", "dance", "quietly"))
    assert share("Purple elephants dance quietly.", strewn) < MARKED
    assert share("Purple elephants dance quietly.", "Look: purple elephants dance quietly there.") == 1


def test_nothing_said_is_not_supported() -> None:
    """A sentence of stop words claims nothing."""
    assert share("Yes, it is.") == 0
    assert share("") == 0


def test_scripts_without_blanks() -> None:
    """Japanese is compared by pairs of letters."""
    assert share("東京は日本の首都です。", "日本の首都は東京です。東京は日本の首都です。") == 1
    assert share("大阪は港町である。", "日本の首都は東京です。") < MARKED
