"""What a judge is asked, what of its answer counts, and the order of questions for a record."""

from __future__ import annotations

import asyncio

import pytest

from craton.features.evaluation import rubrics
from craton.features.evaluation.job import CustomMetric, Dataset, EvaluationJob, Judge, Subject
from craton.features.evaluation.names import JUDGED
from craton.features.evaluation.records import Record
from craton.features.evaluation.rubrics import FIVE, RUBRICS, TWO, verdict
from craton.features.evaluation.scales import Scale
from craton.features.evaluation.scoring import UNREAD, Question, Score, Scorer

WORDS: Scale = (("ugly", "bad"), ("fair", "good"))


@pytest.mark.parametrize(
    ("said", "scale", "result"),
    [
        ('{"explanation": "e", "rating": 5}', FIVE, 1.0),
        ('{"explanation": "e", "rating": "2"}', FIVE, 0.25),
        ('Thinking {of} it: ```json\n{"explanation": "e", "rating": 1}\n```', FIVE, 0.0),
        ('{"rating": 1} no, rather {"rating": 4}', FIVE, 0.75),
        ('{"rating": 6}', FIVE, None),
        ('{"rating": 2.5}', FIVE, None),
        ('{"rating": true}', TWO, None),
        ("5", FIVE, None),
        ('{"rating": 5', FIVE, None),
        ("{" * 5000, FIVE, None),
        ('{"rating": "GOOD"}', WORDS, "good"),
        ('{"rating": 0.3}', (), 0.3),
        ('{"rating": "fine"}', (), "fine"),
    ],
)
def test_verdicts(said: str, scale: Scale, result: float | str | None) -> None:
    """Only a rating of the scale in a JSON object counts, the last of several."""
    found = verdict(said, scale)
    assert (found.result if found else None) == result


def test_every_judge_metric_has_a_rubric() -> None:
    """Bedrock's eleven."""
    assert tuple(RUBRICS) == JUDGED
    assert len(JUDGED) == 11
    assert all(one.question and len(one.scale) > 1 for one in RUBRICS.values())


def test_questions_hold_what_is_judged() -> None:
    """Prompt and answer are in it, the reference only where the rubric lets the judge see it."""
    record = Record("PROMPT", "REFERENCE")
    asked = rubrics.question(RUBRICS["Builtin.Correctness"], record, "ANSWER")
    assert all(word in asked for word in ("PROMPT", "ANSWER", "REFERENCE"))
    assert "REFERENCE" not in rubrics.question(RUBRICS["Builtin.Relevance"], record, "ANSWER")


def test_custom_instructions_are_filled_in() -> None:
    """The three variables have their values, once: what they hold is not filled in again."""
    metric = CustomMetric("own", "{{prompt}}/{{ prediction }}/{{ground_truth}}/{{other}}", WORDS)
    asked = rubrics.custom_question(metric, Record("P", "G"), "{{prompt}}")
    assert asked.startswith('P/{{prompt}}/G/{{other}}\n\nRatings:\n"bad": ugly\n"good": fair')


def scored(answers: dict[int, str], *metrics: str) -> tuple[list[Score], list[Question]]:
    """The scores of one record whose questions are answered by number."""
    asked: list[Question] = []

    async def generate(question: Question) -> str:
        asked.append(question)
        return answers.get(question.number, "nothing")

    job = EvaluationJob(
        role_arn="r", target="t", datasets=(), subjects=(), judge=Judge("j", "j"),
        custom=(CustomMetric("own", "x"),), custom_judge=Judge("k", "k"),
    )  # fmt: skip
    record = Record("What?", "Rome")
    scorer = Scorer(job, Dataset("QuestionAndAnswer", "d", metrics), Subject("m"), [record], generate)

    async def both() -> list[Score]:
        return await scorer.scores(record, await scorer.answer(record))

    return asyncio.run(both()), asked


def test_a_judge_is_asked_once_more() -> None:
    """An answer without a rating is asked for again; without one then the score is null, and says why."""
    correct = 100
    scores, asked = scored({correct + 1: '{"rating": 2, "explanation": "e"}'}, "Builtin.Correctness")
    assert scores[0].result == 1
    assert [one.number for one in asked] == [0, correct, correct + 1]
    scores, _ = scored({}, "Builtin.Correctness")
    assert (scores[0].result, scores[0].evaluator_details[0].explanation) == (None, UNREAD)


def test_every_question_has_a_number_of_its_own() -> None:
    """No two questions of a record share a number, whatever is asked."""
    everything = ("Builtin.Accuracy", "Builtin.Robustness", "Builtin.Toxicity", *RUBRICS, "own")
    scores, asked = scored({0: "Rome"}, *everything)
    numbers = [one.number for one in asked]
    assert len(set(numbers)) == len(numbers) == 1 + 3 + 2 * 11 + 2
    assert [one.metric_name for one in scores[:3]] == ["Accuracy", "Robustness", "Toxicity"]
    assert [one.who for one in asked[-2:]] == ["custom judge"] * 2
    assert scores[1].result == 100
