"""One conversation from its prompts to its scores: what a system found and said, and what a judge makes of it.

Owns the numbers of the questions, so that answers can be kept and found again, and the form of an output's lines (user
guide, "Review metrics for RAG evaluations that use LLMs"). It reaches the system and the judge by `generate` alone.
"""

from __future__ import annotations

import msgspec

from craton.features.evaluation import rag_rubrics, rubrics
from craton.features.evaluation.job import CustomMetric, Dataset, EvaluationJob, Subject
from craton.features.evaluation.names import RAG_METRICS
from craton.features.evaluation.rag_records import Output, RagRecord, Turn
from craton.features.evaluation.rag_rubrics import RAG_RUBRICS
from craton.features.evaluation.rubrics import AGAIN, Verdict
from craton.features.evaluation.scales import Scale
from craton.features.evaluation.scoring import Generate, Question, Score, Who, judged

_TURN, _ANSWER, _JUDGED, _CUSTOM, _JUDGE_TRIES = 10_000, 0, 100, 1000, 2
_NOTHING_CITED = "The answer cites nothing."


class Asked(msgspec.Struct, frozen=True):
    """A turn as the system is asked: in the `session` of the turn before it."""

    text: str
    session: str = ""


class Said(msgspec.Struct, frozen=True):
    """What the system said, and the session in which it goes on."""

    output: Output
    session: str = ""


class ScoredTurn(msgspec.Struct, frozen=True, rename="camel"):
    """A turn in the output."""

    input_record: msgspec.Raw
    output: Output
    results: tuple[Score, ...]


class RagFailure(msgspec.Struct, frozen=True, rename="camel"):
    """Why a conversation has no scores."""

    error_code: int
    error_message: str


class ScoredConversation(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One line of the output."""

    conversation_turns: tuple[ScoredTurn, ...]
    error: RagFailure | None = None


class RagScorer:
    """Asks about and scores conversations of one dataset, for one system."""

    def __init__(self, job: EvaluationJob, dataset: Dataset, subject: Subject, generate: Generate) -> None:
        self._metrics, self._subject, self._generate = dataset.metrics, subject, generate
        self._judge = job.judge.identifier if job.judge else ""
        self._custom_judge = job.custom_judge.identifier if job.custom_judge else ""
        self._custom = {one.name: (number, one) for number, one in enumerate(job.custom)}

    async def line(self, record: RagRecord) -> bytes:
        """The line of a conversation with its scores. Raises what `generate` raises."""
        turns, session = list[ScoredTurn](), ""
        for at, turn in enumerate(record.turns):
            said = await self._said(at * _TURN, turn, session)
            session = said.session
            scores = [await self._score(at * _TURN, metric, turn, said.output) for metric in self._metrics]
            turns.append(ScoredTurn(turn.raw, said.output, tuple(scores)))
        return msgspec.json.encode(ScoredConversation(tuple(turns))) + b"\n"

    async def _said(self, first: int, turn: Turn, session: str) -> Said:
        if self._subject.precomputed and turn.output is not None:
            return Said(turn.output)
        asked = msgspec.json.encode(Asked(turn.prompt.text, session)).decode()
        return msgspec.json.decode(await self._generate(Question(first + _ANSWER, "subject", asked)), type=Said)

    async def _score(self, first: int, metric: str, turn: Turn, output: Output) -> Score:
        if metric in self._custom:
            return await self._own(first, *self._custom[metric], turn, output)
        rubric = RAG_RUBRICS[metric]
        if "citations" in rubric.shows and not output.citations:
            nothing = Verdict(0.0, _NOTHING_CITED) if metric.endswith("Coverage") else None
            return judged(metric, nothing, self._judge, _NOTHING_CITED)
        asked = rag_rubrics.question(rubric, turn, output)
        number = first + _JUDGED + _JUDGE_TRIES * RAG_METRICS.index(metric)
        return judged(metric, await self._verdict(number, "judge", asked, rubric.scale), self._judge)

    async def _own(self, first: int, at: int, metric: CustomMetric, turn: Turn, output: Output) -> Score:
        asked = rag_rubrics.custom_question(metric, turn, output)
        number = first + _CUSTOM + _JUDGE_TRIES * at
        return judged(metric.name, await self._verdict(number, "custom judge", asked, metric.scale), self._custom_judge)

    async def _verdict(self, number: int, who: Who, asked: str, scale: Scale) -> Verdict | None:
        """The verdict, asked for once more where the first answer held none."""
        for again in range(_JUDGE_TRIES):
            said = await self._generate(Question(number + again, who, asked if not again else AGAIN + asked))
            found = rubrics.verdict(said, scale)
            if found is not None:
                return found
        return None


def failed(record: RagRecord, status: int, message: str) -> bytes:
    """The line of a conversation that could not be had."""
    turns = tuple(ScoredTurn(turn.raw, Output(), ()) for turn in record.turns)
    return msgspec.json.encode(ScoredConversation(turns, RagFailure(status, message))) + b"\n"
