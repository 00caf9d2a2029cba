"""The life of a batch job: validate the input, ask the model record by record, write the answers, say what came of it.

Owns the order of these and how a job ends. What is journaled is the plan of the input, once, and each part of the
output (`writing`). It must not know how a run is leased or journaled (`workflows.workflow`), nor what S3 and the model
say (`files`, `asking`).
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from craton.aws.access.credentials import Principal
from craton.features.batch import job as rows
from craton.features.batch.job import BatchJob, Counts
from craton.features.batch.pace import Pace
from craton.features.batch.plan import Limits
from craton.infra.store.port import Resource
from craton.workflows.batch.asking import Asking
from craton.workflows.batch.files import Files, InputFile
from craton.workflows.batch.spool import Spool, sweep
from craton.workflows.batch.validating import validated
from craton.workflows.batch.writing import PART_BYTES, Writing, upload_step
from craton.workflows.tools import JobCredentials, ModelCaller
from craton.workflows.workflow import Job, JobFailed, workflow

MANIFEST = "manifest.json.out"
PLAN = "plan"


async def fail(job: Job, message: str) -> None:
    """The job's end where it could not be done."""
    await end(job, rows.FAILED, message=message)


@workflow(rows.KIND, format=1, failed=fail)
async def run(job: Job) -> None:
    """Bring a job to its end. Whoever made it reads in the row what that is."""
    row = await job.row()
    if row.status in rows.RUNNING:
        await perform(job, row.read(BatchJob))


async def perform(job: Job, body: BatchJob, part_bytes: int = PART_BYTES) -> None:
    """From the input to the manifest. Raises JobFailed."""
    if job.stopping and not job.done(PLAN):
        await end(job, rows.STOPPED)
        return
    role = job.tools.credentials(body.role_arn, f"batch-{ident_of(job)}")
    client = await asyncio.to_thread(job.tools.s3, role)
    files = Files(client, body.source, body.target, body.role_arn)
    await move(job, rows.VALIDATING)
    plan = await job.step(PLAN, lambda: planned(job, files), list[InputFile])
    total = sum(file.records for file in plan)
    await move(job, rows.SCHEDULED, Counts(total))
    await move(job, rows.IN_PROGRESS)
    pace = Pace(job.tools.settings.file.jobs.batch_concurrency, job.tools.clock.monotonic)
    asking = Asking(
        models(job, body, role), body.called, body.invocation_type, job.arn, [file.key for file in plan], pace
    )
    writing = Writing(job, files, plan, asking, spool_of(job), body, part_bytes)
    counts = await writing.run()
    if counts.processed or not counts.total:
        await files.write(files.beside(ident_of(job), MANIFEST), manifest(counts))
    await end(job, outcome(job, counts), counts=counts)


def models(job: Job, body: BatchJob, role: JobCredentials) -> ModelCaller:
    """Who asks the model. Through a profile it is the job's role, which needs the right to; a model that is named
    itself is Bedrock's to call, and a role has no more than S3 in it (Bedrock user guide, "Create a service role for
    batch inference"): then the account asks, for this model alone.
    """
    if body.as_role:
        return job.tools.models(role)
    ident = body.model_id.rpartition("/")[2]
    named = [f"arn:*:bedrock:*:*:*/{ident}", f"arn:*:bedrock:*:*:inference-profile/{body.called}"]
    allow = {"Effect": "Allow", "Action": "bedrock:InvokeModel", "Resource": named}
    account = Principal(
        account=job.account,
        arn=f"arn:aws:iam::{job.account}:root",
        kind="root",
        user_id=job.account,
        session_policies=(msgspec.json.encode({"Version": "2012-10-17", "Statement": [allow]}).decode(),),
        source_identity="bedrock.amazonaws.com",
    )
    return job.tools.models(job.tools.on_behalf(account))


async def planned(job: Job, files: Files) -> list[InputFile]:
    """The plan: an input that is as it must be, and an output that can be written, which is begun to see that."""
    found = await files.inputs()
    key = files.output_key(ident_of(job), found[0])
    upload = await job.step(upload_step(0), lambda: files.begin(key), str)
    try:
        return await validated(files, found, job.arn, limits_of(job))
    except JobFailed:
        await files.give_up(key, upload)
        raise


def outcome(job: Job, counts: Counts) -> str:
    """The state in which a job ends whose answers are written."""
    if counts.processed == counts.total:
        return rows.COMPLETED
    if job.stopping:
        return rows.STOPPED
    return rows.PARTIALLY if counts.processed else rows.EXPIRED


def manifest(counts: Counts) -> bytes:
    return msgspec.json.encode(
        {
            "totalRecordCount": counts.total,
            "processedRecordCount": counts.processed,
            "successRecordCount": counts.succeeded,
            "errorRecordCount": counts.failed,
            "inputTokenCount": counts.input_tokens,
            "outputTokenCount": counts.output_tokens,
        }
    )


async def move(job: Job, status: str, counts: Counts | None = None) -> None:
    """A later state, and with it the first figures."""
    now = job.tools.clock.now()

    def change(row: Resource) -> Resource:
        later = rows.moved(row, status, now)
        return later if counts is None or row.read(BatchJob).counts.total else rows.counted(later, counts, now)

    # A write counts as a step forward; a run whose workers only die must not seem to make any.
    row = await job.row()
    if change(row) != row:
        await job.amend(change)


async def end(job: Job, status: str, *, counts: Counts | None = None, message: str | None = None) -> None:
    """The row's last change, and nothing left of the scratch."""
    now = job.tools.clock.now()
    await job.amend(lambda row: rows.ended(row, status, now, message=message, counts=counts))
    await asyncio.to_thread(sweep, scratch(job))
    await spool_of(job).close(remove=True)


def scratch(job: Job) -> Path:
    return job.tools.settings.home_path / "scratch" / "batch"


def spool_of(job: Job) -> Spool:
    return Spool(scratch(job) / ident_of(job), job.tools.cipher, job.account, {"job": job.arn})


def ident_of(job: Job) -> str:
    return job.arn.rpartition("/")[2]


def limits_of(job: Job) -> Limits:
    table = job.tools.settings.file.limits
    return Limits(
        table.batch_min_records,
        table.batch_records_per_file,
        table.batch_records_per_job,
        table.batch_file_bytes,
        table.batch_job_bytes,
    )
