"""Builtin.Accuracy: how right an answer is, by its task, between 0 and 1.

    Summarization       the mean of ROUGE-L and of the words' F1, against the reference
    QuestionAndAnswer   1 for the same words; else F1 of the words
    Classification      1 if the answer names the reference's class and no other class of the dataset
    Generation          F1 of the words, against the reference

Owns that table. Bedrock's own measures (BERTScore, real world knowledge) need models of their own; these need none, so
figures compare among jobs here and not with Bedrock's. It must not know datasets or models. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from craton.features.evaluation.overlap import answer_words, f1, rouge_l, same, words


class Accuracy:
    """Scores answers of one dataset. `references` are those of all its records: the classes there are."""

    def __init__(self, task: str, references: Iterable[str]) -> None:
        measures: dict[str, Callable[[str, str], float]] = {
            "Summarization": _summary, "QuestionAndAnswer": _question,
            "Classification": self._class, "Generation": _generation,
        }  # fmt: skip
        self._measure = measures[task]
        self._classes = {" ".join(words(one)) for one in references} if task == "Classification" else set()

    def score(self, answer: str, reference: str) -> float:
        return self._measure(answer, reference)

    def _class(self, answer: str, reference: str) -> float:
        said, wanted = f" {' '.join(words(answer))} ", " ".join(words(reference))
        # The longest first, and what was found is taken out: "very good" does not name "good" as well.
        named = set()
        for label in sorted(self._classes, key=lambda one: (-len(one), one)):
            if label and f" {label} " in said:
                named.add(label)
                said = said.replace(f" {label} ", "  ")
        return float(named == {wanted})


def _summary(answer: str, reference: str) -> float:
    said, wanted = words(answer), words(reference)
    return (rouge_l(said, wanted) + f1(said, wanted)) / 2


def _question(answer: str, reference: str) -> float:
    return 1.0 if same(answer, reference) else f1(answer_words(answer), answer_words(reference))


def _generation(answer: str, reference: str) -> float:
    return f1(answer_words(answer), answer_words(reference))
