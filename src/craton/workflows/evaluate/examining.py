"""The records of a dataset put to a model many at a time, and scored, in the order of the dataset.

Owns the pace, which calls are numbered how in the spool, and what is known when a run is taken up again. It must not know
where records come from nor where lines go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from functools import partial
from typing import Any

import msgspec

from craton.features.batch.pace import Pace
from craton.features.batch.records import NOWHERE, Outcome, Place
from craton.features.evaluation import rag_scoring, results
from craton.features.evaluation.job import Dataset, EvaluationJob, Subject
from craton.features.evaluation.params import JUDGING, members
from craton.features.evaluation.rag_records import RagRecord
from craton.features.evaluation.rag_scoring import RagScorer
from craton.features.evaluation.records import Record
from craton.features.evaluation.scoring import Generate, Scorer, Who
from craton.workflows.batch.asking import Asking
from craton.workflows.batch.spool import Spool
from craton.workflows.evaluate.asking import Interview, Refused, System
from craton.workflows.evaluate.retrieving import KnowledgeBase
from craton.workflows.tools import JobCredentials
from craton.workflows.workflow import Job

_UNITS = 10_000_000
"""Units (records) that a part may have; a unit's number is the part's times this, and the record's."""


_RETRIEVALS = 8
"""Questions to a knowledge base at a time: each holds a thread."""
Worker = Callable[[Iterator[tuple[int, Any]]], Coroutine[Any, Any, None]]


class Tally(msgspec.Struct, frozen=True, array_like=True):
    """What came of a part. `message` is the first error."""

    total: int
    failed: int
    message: str = ""


class Examination:
    """Asks and scores for one job, whose records are `total`, part by part."""

    def __init__(self, job: Job, body: EvaluationJob, role: JobCredentials, spool: Spool, total: int) -> None:
        self._job = job
        self._role = role
        self._body = body
        self._models = job.tools.models(role)
        self._spool = spool
        self._known: dict[Place, Outcome] | None = None
        self._total = total
        self._done = 0

    async def run(
        self, part: int, subject: Subject, dataset: Dataset, records: Sequence[Record] | Sequence[RagRecord]
    ) -> tuple[list[bytes], Tally]:
        """The lines of a part's output. Raises JobFailed."""
        interview = await self._interview(part, subject)
        pairs = list[tuple[int, Any]](enumerate(records, part * _UNITS))
        lines: list[bytes] = [b""] * len(records)
        errors: list[str] = []

        async def work(waiting: Iterator[tuple[int, Any]]) -> None:
            for unit, record in waiting:
                try:
                    line = await self._line(record, subject, dataset, records, partial(interview.answer, unit))
                except Refused as refused:
                    errors.append(str(refused))
                    failed = rag_scoring.failed if isinstance(record, RagRecord) else results.failed
                    line = failed(record, refused.status, str(refused))
                lines[unit - part * _UNITS] = line
                self._told(1)

        await together(work, pairs, self._most)
        return lines, Tally(len(records), len(errors), errors[0] if errors else "")

    async def _line(
        self, record: Any, subject: Subject, dataset: Dataset, records: Sequence[Any], generate: Generate
    ) -> bytes:
        """A record answered and scored. Raises Refused, JobFailed."""
        if isinstance(record, RagRecord):
            return await RagScorer(self._body, dataset, subject, generate).line(record)
        scorer = Scorer(self._body, dataset, subject, records, generate)
        answer = await scorer.answer(record)
        return results.scored(record, subject, answer, await scorer.scores(record, answer))

    async def settle(self, part: int, tally: Tally) -> None:
        """The part is written: what the spool holds of it may go."""
        if self._known is not None:
            await self._spool.settled(((part + 1) * _UNITS - 1, _UNITS))
        else:
            self._told(tally.total)

    async def close(self) -> None:
        if self._known is not None:
            await self._spool.close(remove=False)

    async def _interview(self, part: int, subject: Subject) -> Interview:
        if self._known is None:
            self._known = await self._spool.open((part * _UNITS - 1, _UNITS) if part else NOWHERE)
            if self._known:
                # What an earlier worker came to is a step forward, although it did not live to say so.
                await self._job.step(f"answers-{part}-{len(self._known)}", _true, bool)
        pace = Pace(self._most, self._job.tools.clock.monotonic)
        called: dict[Who, str] = {"subject": subject.called} if subject.rag is None else {}
        if self._body.judge is not None:
            called["judge"] = self._body.judge.called
        if self._body.custom_judge is not None:
            called["custom judge"] = self._body.custom_judge.called
        models = {
            who: Asking(self._models, model, "Converse", self._job.arn, (), pace) for who, model in called.items()
        }
        settings = {who: members(subject) if who == "subject" else JUDGING for who in called}
        return Interview(models, settings, self._spool, self._known, await self._system(subject))

    async def _system(self, subject: Subject) -> System | None:
        if subject.rag is None or subject.precomputed:
            return None
        tools = self._job.tools
        client = await asyncio.to_thread(tools.aws, "bedrock-agent-runtime", self._role)
        return KnowledgeBase(client, subject, subject.rag, min(self._most, _RETRIEVALS))

    @property
    def _most(self) -> int:
        return self._job.tools.settings.file.jobs.batch_concurrency

    def _told(self, more: int) -> None:
        self._done += more
        self._job.progress(self._done, self._total)


async def _true() -> bool:
    return True


async def together(work: Worker, pairs: Sequence[tuple[int, Any]], most: int) -> None:
    """Have so many workers take the pairs one after another; the first error ends them all."""
    waiting = iter(pairs)
    tasks = [asyncio.create_task(work(waiting)) for _ in range(min(most, len(pairs)))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
