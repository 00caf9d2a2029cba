"""One record from prompt to scores: the answer, and what each metric makes of it.

Owns which questions are asked of which model for a record, each under a number of its own so that answers can be kept and
found again, and the form of a score (reference: Bedrock user guide, "Review metrics for an automated model evaluation
job"). It reaches models by the `generate` that it is given alone. Pure but for that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

import msgspec

from craton.features.evaluation import robustness, rubrics
from craton.features.evaluation.accuracy import Accuracy
from craton.features.evaluation.job import CustomMetric, Dataset, EvaluationJob, Subject
from craton.features.evaluation.names import ACCURACY, JUDGED, ROBUSTNESS, TOXICITY
from craton.features.evaluation.records import Record
from craton.features.evaluation.rubrics import AGAIN, RUBRICS, Verdict
from craton.features.evaluation.scales import Rating, Scale
from craton.features.evaluation.toxicity import toxicity

UNREAD = "The evaluator model's answer held no rating that could be read."
_ANSWER, _PERTURBED, _JUDGED, _CUSTOM = 0, 1, 100, 1000
_JUDGE_TRIES = 2
Who = Literal["subject", "judge", "custom judge"]


class Question(msgspec.Struct, frozen=True):
    """A prompt to one of the models; `number` is the question's own among those of its record."""

    number: int
    who: Who
    prompt: str


Generate = Callable[[Question], Awaitable[str]]


class EvaluatorDetails(msgspec.Struct, frozen=True, rename="camel"):
    """Who judged, and why so."""

    model_identifier: str
    explanation: str


class Score(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One metric of one answer. `result` is null where the judge gave none."""

    metric_name: str
    result: Rating | None
    evaluator_details: tuple[EvaluatorDetails, ...] = ()


class Scorer:
    """Asks and scores the records of one dataset, for one subject."""

    def __init__(
        self, job: EvaluationJob, dataset: Dataset, subject: Subject, records: Sequence[Record], generate: Generate
    ) -> None:
        self._metrics = dataset.metrics
        self._subject = subject
        self._judge = job.judge.identifier if job.judge else ""
        self._custom_judge = job.custom_judge.identifier if job.custom_judge else ""
        self._custom = {one.name: (number, one) for number, one in enumerate(job.custom)}
        self._accuracy: Accuracy | None = None
        if {ACCURACY, ROBUSTNESS} & set(dataset.metrics):
            self._accuracy = Accuracy(dataset.task, (one.reference_response or "" for one in records))
        self._generate = generate

    async def answer(self, record: Record) -> str:
        """What the subject says to the record's prompt. Raises what `generate` raises."""
        known = record.answered_by(self._subject.identifier) if self._subject.precomputed else None
        if known is not None:
            return known
        return await self._generate(Question(_ANSWER, "subject", record.prompt))

    async def scores(self, record: Record, answer: str) -> list[Score]:
        """The answer's scores, in the order in which the metrics were named."""
        return [await self._score(metric, record, answer) for metric in self._metrics]

    async def _score(self, metric: str, record: Record, answer: str) -> Score:
        if metric == ACCURACY:
            return Score("Accuracy", self._right(record, answer))
        if metric == ROBUSTNESS:
            return Score("Robustness", await self._drop(record, answer))
        if metric == TOXICITY:
            return Score("Toxicity", toxicity(answer))
        if metric in RUBRICS:
            rubric = RUBRICS[metric]
            asked = rubrics.question(rubric, record, answer)
            number = _JUDGED + _JUDGE_TRIES * JUDGED.index(metric)
            return judged(metric, await self._verdict(number, "judge", asked, rubric.scale), self._judge)
        return await self._own(*self._custom[metric], record, answer)

    async def _own(self, at: int, metric: CustomMetric, record: Record, answer: str) -> Score:
        asked = rubrics.custom_question(metric, record, answer)
        found = await self._verdict(_CUSTOM + _JUDGE_TRIES * at, "custom judge", asked, metric.scale)
        return judged(metric.name, found, self._custom_judge)

    async def _verdict(self, number: int, who: Who, asked: str, scale: Scale) -> Verdict | None:
        """The verdict, asked for once more where the first answer held none."""
        for again in range(_JUDGE_TRIES):
            prompt = asked if not again else AGAIN + asked
            found = rubrics.verdict(await self._generate(Question(number + again, who, prompt)), scale)
            if found is not None:
                return found
        return None

    def _right(self, record: Record, answer: str) -> float:
        assert self._accuracy is not None  # noqa: S101 - made wherever it is asked for
        return self._accuracy.score(answer, record.reference_response or "")

    async def _drop(self, record: Record, answer: str) -> float:
        others = [
            await self._generate(Question(_PERTURBED + at, "subject", prompt))
            for at, prompt in enumerate(robustness.perturbed(record.prompt))
        ]
        by_accuracy = (lambda text: self._right(record, text)) if record.reference_response else None
        return robustness.drop(answer, others, by_accuracy)


def judged(metric: str, found: Verdict | None, judge: str, otherwise: str = UNREAD) -> Score:
    """The score of a verdict; without one, why there is none."""
    if found is None:
        return Score(metric, None, (EvaluatorDetails(judge, otherwise),))
    return Score(metric, found.result, (EvaluatorDetails(judge, found.explanation),))
