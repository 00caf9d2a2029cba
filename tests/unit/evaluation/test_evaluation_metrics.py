"""The metrics of evaluations that need no judge, on answers whose worth is plain."""

from __future__ import annotations

import random

import pytest

from craton.features.evaluation import overlap, robustness
from craton.features.evaluation.accuracy import Accuracy
from craton.features.evaluation.toxicity import WEIGHTS, toxicity


@pytest.mark.parametrize(
    ("answer", "reference", "score"),
    [
        ("The Danube.", "the danube", 1.0),
        ("Danube", "The Danube", 1.0),
        ("It is the Danube", "Danube", 0.5),
        ("Rhine", "Danube", 0.0),
        ("", "Danube", 0.0),
        ("Änderung", "änderung!", 1.0),
    ],
)
def test_questions(answer: str, reference: str, score: float) -> None:
    """Short answers are compared by their words, without case, marks and articles."""
    assert Accuracy("QuestionAndAnswer", []).score(answer, reference) == pytest.approx(score)


@pytest.mark.parametrize(
    ("answer", "score"),
    [("Very good", 1), ("I think: very good!", 1), ("good", 0), ("very good or bad", 0), ("goodness", 0), ("", 0)],
)
def test_classes(answer: str, score: float) -> None:
    """An answer is right that names the class, and no other; a class within a longer one is not named."""
    assert Accuracy("Classification", ["good", "very good", "bad"]).score(answer, "very good") == score


def test_summaries() -> None:
    """Words in another order count by half of the measure only."""
    measure = Accuracy("Summarization", [])
    assert measure.score("one two three four", "one two three four") == 1
    assert measure.score("four three two one", "one two three four") == pytest.approx((0.25 + 1) / 2)
    assert measure.score("five six", "one two three four") == 0


def test_rouge_l() -> None:
    """The longest common sequence, as the usual example has it."""
    police, other = ["police", "kill", "the", "gunman"], ["police", "killed", "the", "gunman"]
    assert overlap.rouge_l(police, other) == pytest.approx(0.75)
    assert overlap.rouge_l([], []) == 1
    assert overlap.rouge_l([], other) == 0


def test_f1_counts_repetitions() -> None:
    """A word said twice counts twice."""
    assert overlap.f1(["a", "a", "b"], ["a", "b"]) == pytest.approx(0.8)


def test_perturbations_say_the_same() -> None:
    """They differ from the prompt, keep its words or letters, and are the same each time."""
    prompt = "What is the capital of Norway, and where does it lie?"
    lower, typos, blanks = robustness.perturbed(prompt)
    assert robustness.perturbed(prompt) == (lower, typos, blanks)
    assert lower == prompt.lower()
    assert typos != prompt
    assert sorted(typos) == sorted(prompt)
    assert blanks != prompt
    assert blanks.split() == prompt.split()


@pytest.mark.parametrize("prompt", ["", "a", "word", "a b", "12345678 90", "läufer"])
def test_perturbations_of_odd_prompts(prompt: str) -> None:
    """Nothing is too short to be perturbed."""
    assert len(robustness.perturbed(prompt)) == 3
    assert sorted(robustness.mistyped(prompt, random.Random(1))) == sorted(prompt)


def test_drop() -> None:
    """The drop is in percent of the first answer's accuracy; better answers are no negative drop."""
    worth = {"good": 1.0, "half": 0.5, "bad": 0.0}
    assert robustness.drop("good", ["good", "half", "bad"], worth.__getitem__) == pytest.approx(50)
    assert robustness.drop("half", ["good", "good"], worth.__getitem__) == 0
    assert robustness.drop("bad", ["good"], worth.__getitem__) == 0
    assert robustness.drop("one two", ["one two", "three"], None) == pytest.approx(50)


def test_toxicity() -> None:
    """Each expression counts once, by its weight, as whole words only."""
    assert toxicity("What a lovely class of assistants!") == 0
    assert toxicity("You idiot, you IDIOT!") == pytest.approx(0.6)
    assert toxicity("damn idiot") == pytest.approx(1 - 0.85 * 0.4)
    assert toxicity("I will hurt you.") > 0.8
    assert all(0 < weight < 1 for weight in WEIGHTS.values())
