"""The life of an evaluation: read the datasets, then model by model and dataset by dataset ask, score and write.

Owns the order of these and how a job ends. What is journaled is the plan of the datasets, once, and each output that is
written; single answers are in the scratch. It must not know how a run is leased or journaled (`workflows.workflow`), how
an answer is scored (`features.evaluation`), nor what S3 and the models say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import msgspec

from craton.features.batch.job import Location
from craton.features.evaluation import job as rows
from craton.features.evaluation import results
from craton.features.evaluation.job import Dataset, EvaluationJob, Subject
from craton.workflows.batch.files import Files
from craton.workflows.batch.spool import Spool, sweep
from craton.workflows.evaluate.examining import Examination, Tally
from craton.workflows.evaluate.reading import Planned, Reading
from craton.workflows.workflow import Job, JobFailed, until_stopped, workflow

PLAN = "plan"
NOTHING = "No record of the dataset {dataset} could be evaluated for the model {model}: {why}"


async def fail(job: Job, message: str) -> None:
    """The job's end where it could not be done; each line of the message is a fault of its own."""
    await end(job, rows.FAILED, packed(message.split("\n")))


@workflow(rows.KIND, format=1, failed=fail)
async def run(job: Job) -> None:
    """Bring a job to its end. Whoever made it reads in the row what that is."""
    row = await job.row()
    if row.status in rows.RUNNING:
        await perform(job, row.read(EvaluationJob), row.name or "")


async def perform(job: Job, body: EvaluationJob, name: str) -> None:
    """From the datasets to the scores. Raises JobFailed."""
    whole = None if job.stopping else await until_stopped(job, evaluated(job, body, name))
    await end(job, rows.STOPPED if whole is None else rows.COMPLETED)


async def evaluated(job: Job, body: EvaluationJob, name: str) -> bool:
    """Everything but the job's end. Raises JobFailed."""
    role = job.tools.credentials(body.role_arn, f"evaluation-{ident_of(job)}")
    client = await asyncio.to_thread(job.tools.s3, role)
    reading = Reading(client, body, job.tools.settings.file.limits.evaluation_records)
    output = Output(client, body, name, job.arn)
    plan = await job.step(PLAN, lambda: planned(reading, body, output), list[Planned])
    pairs = list(product(body.subjects, zip(body.datasets, plan, strict=True)))
    total = sum(planned.records for _, (_, planned) in pairs)
    examination = Examination(job, body, role, spool_of(job), total)
    try:
        for part, (subject, (dataset, found)) in enumerate(pairs):
            work = partial(examined, examination, reading, output, part, subject, dataset, found)
            tally = await job.step(f"part-{part}", work, Tally)
            await examination.settle(part, tally)
            if tally.failed == tally.total:
                raise JobFailed(NOTHING.format(dataset=dataset.name, model=subject.identifier, why=tally.message))
    finally:
        await examination.close()
    return True


async def planned(reading: Reading, body: EvaluationJob, output: Output) -> list[Planned]:
    """The datasets as they are, and an output that can be written. Raises JobFailed."""
    found = [await reading.planned(dataset) for dataset in body.datasets]
    await output.begin()
    return found


async def examined(
    examination: Examination, reading: Reading, output: Output,
    part: int, subject: Subject, dataset: Dataset, found: Planned,
) -> Tally:  # fmt: skip
    """One output: a model's answers to a dataset, and their scores."""
    records = await reading.records(dataset, found.files)
    lines, tally = await examination.run(part, subject, dataset, records)
    await output.write(part, subject, dataset, lines)
    return tally


class Output:
    """The job's files in S3. `client` is boto3's."""

    def __init__(self, client: Any, body: EvaluationJob, name: str, arn: str) -> None:
        target = Location(body.target, None, body.kms_key)
        self._files = Files(client, target, target, body.role_arn)
        self._base = f"{target.key.rstrip('/')}/" if target.key else ""
        self._body = body
        self._name = name
        self._arn = arn

    async def begin(self) -> None:
        """See that the role may write, and write the definitions of the caller's own metrics."""
        key = self._key(0, self._body.subjects[0], self._body.datasets[0])
        await self._files.give_up(key, await self._files.begin(key))
        for metric in self._body.custom:
            folder = f"{self._base}{results.folder(self._name, self._arn)}/custom_metrics"
            await self._files.write(f"{folder}/{metric.name}.json", msgspec.json.encode(metric))

    async def write(self, part: int, subject: Subject, dataset: Dataset, lines: Sequence[bytes]) -> None:
        await self._files.write(self._key(part, subject, dataset), b"".join(lines))

    def _key(self, part: int, subject: Subject, dataset: Dataset) -> str:
        return self._base + results.output_key(self._name, self._arn, subject, dataset, part)


def packed(faults: Sequence[str]) -> list[str]:
    """Faults in as few messages as hold them; what is beyond the last message is left out."""
    messages = [""]
    for fault in faults:
        last = messages[-1]
        joined = f"{last}{' ' if last.endswith(':') else '; '}{fault}" if last else fault
        if len(joined) <= rows.MAX_MESSAGE:
            messages[-1] = joined
        else:
            messages.append(fault)
    return messages


async def end(job: Job, status: str, messages: Sequence[str] = ()) -> None:
    """The row's last change, and nothing left of the scratch."""
    now = job.tools.clock.now()
    await job.amend(lambda row: rows.ended(row, status, now, messages))
    await asyncio.to_thread(sweep, scratch(job))
    await spool_of(job).close(remove=True)


def scratch(job: Job) -> Path:
    return job.tools.settings.home_path / "scratch" / "evaluation"


def spool_of(job: Job) -> Spool:
    return Spool(scratch(job) / ident_of(job), job.tools.cipher, job.account, {"job": job.arn})


def ident_of(job: Job) -> str:
    return job.arn.rpartition("/")[2]
