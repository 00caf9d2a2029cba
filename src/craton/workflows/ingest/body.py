"""The life of an ingestion job: wait for the right to write, sync, publish, end.

Owns the order of these and how a job ends. What a crash may repeat is reading and cutting; vectors that were paid for
are in the run's journal, and nothing is visible before the one transaction that publishes it. It must not know how a
run is leased (`workflows.workflow`), nor what a sync does with documents.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from craton.features.events import job_change
from craton.features.rag.documents import INGESTION_RUN
from craton.features.rag.resources import (
    COMPLETE,
    FAILED,
    IN_PROGRESS,
    RUNNING,
    STARTING,
    STOPPED,
    STOPPING,
    IngestionJob,
    Statistics,
    base_arn,
)
from craton.infra.store.port import Resource, Transaction, microseconds
from craton.infra.vectors.port import VectorsError, Version
from craton.workflows.ingest.carrying import carry
from craton.workflows.ingest.guarding import guard_of
from craton.workflows.ingest.ingestion import Ingestion, claim, open_ingestion, parents, release, tidy
from craton.workflows.ingest.publishing import MAX_REASON, publish, reasons
from craton.workflows.ingest.syncing import Progress, Sync
from craton.workflows.ingest.websites import WebSync
from craton.workflows.workflow import Job, JobFailed, announce, until_stopped, workflow

TOLD_EVERY_S = 2.0
RETIRED = "retired"
UNLISTED = "The data source has nothing that could be listed: its documents are taken in one by one."
UNWRITTEN = "The knowledge base's index could not be written: {why}"


async def fail(job: Job, message: str) -> None:
    """The job's end where it could not be done."""
    await end(job, FAILED, (message[:MAX_REASON],))


@workflow(INGESTION_RUN, format=1, failed=fail)
async def run(job: Job) -> None:
    """Bring a job to its end. Whoever made it reads in the row what that is."""
    row = await job.row()
    body = row.read(IngestionJob)
    if row.status in RUNNING:
        try:
            whole = None if job.stopping else await until_stopped(job, synced(job, body))
        except VectorsError as error:
            raise JobFailed(UNWRITTEN.format(why=error)) from error
        if whole is None:
            await end(job, STOPPED)
            return
    elif row.status != COMPLETE:  # killed in its end: what it would have replaced is still what people see
        await end(job, row.status)
        return
    await leave(job, body)


async def synced(job: Job, body: IngestionJob) -> Resource | None:
    """Everything up to the transaction that makes it visible; None where a stop was granted before that.

    Raises Later, JobFailed, VectorsError.
    """
    base, source = await parents(job, body.base_id, body.source_id)
    await claim(job, base.arn)
    if (await job.row()).status == STARTING:
        await job.amend(lambda row: with_status(row, IN_PROGRESS, job) if row.status == STARTING else row)
    ingestion = await open_ingestion(job, base, source)
    try:
        sync = await sync_of(ingestion)
        telling = asyncio.create_task(tell(job, sync, (await job.row()).read(IngestionJob)))
        try:
            await sync.run()
            await carry(ingestion, sync.settled)
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
        version = await ingestion.writing.finish()
        await retire(job, ingestion, version)
        return await published(job, ingestion, sync, version)
    finally:
        await ingestion.close()


async def sync_of(ingestion: Ingestion) -> Progress:
    """What the source's kind asks for."""
    if ingestion.source.kind == "WEB":
        return WebSync(ingestion)
    if ingestion.source.place is None:
        raise JobFailed(UNLISTED)
    return Sync(ingestion, await guard_of(ingestion.source, ingestion.buckets))


async def tell(job: Job, sync: Progress, body: IngestionJob) -> None:
    """Show people how far the job is while it runs: only what no attempt has reached yet, for a write counts as progress."""
    reached = reach(body.statistics)
    while True:
        await asyncio.sleep(TOLD_EVERY_S)
        job.progress(sync.done, sync.planned, "documents")
        counted = sync.counts.statistics
        if reach(counted) > reached:
            reached = reach(counted)
            await job.amend(lambda row, counted=counted: counting(row, counted, job))  # type: ignore[misc]


def reach(counted: Statistics) -> int:
    """How many documents are done with."""
    return counted.new + counted.modified + counted.metadata_modified + counted.deleted + counted.failed


async def retire(job: Job, ingestion: Ingestion, version: Version | None) -> None:
    """Note the index that nobody will see any more once the new one is visible, so that it goes even after a crash."""
    old = ingestion.body.index
    if old is not None and version is not None and old.index != version.index:

        async def noted() -> str:
            return old.index

        await job.step(RETIRED, noted, str)


async def published(job: Job, ingestion: Ingestion, sync: Progress, version: Version | None) -> Resource | None:
    """The one transaction; None where somebody was told before it that the job stops: then nothing is published.

    Raises JobFailed where the knowledge base or the job's row is gone.
    """
    counted, failures = sync.counts.statistics, reasons(sync.counts.reasons)
    base = ingestion.base.arn
    before: Resource | None = None

    def work(transaction: Transaction) -> Resource | None:
        nonlocal before
        now = job.tools.clock.now()
        before = transaction.get(job.arn)
        if before is None:
            raise JobFailed("The job was deleted.")
        if before.status == STOPPING:
            return None
        publish(transaction, base, version, sync.settled, microseconds(now))
        if not job.done(RETIRED):
            release(transaction, job, base)
        body = msgspec.structs.replace(before.read(IngestionJob), statistics=counted, failures=failures)
        changed = with_status(before, COMPLETE, job)
        made = transaction.update(msgspec.structs.replace(changed, body=msgspec.json.encode(body)))
        job_change.tell(transaction, before, made, now)
        return made

    after = await job.write(work)
    if before is not None and after is not None:
        announce(before, after)
    return after


async def leave(job: Job, body: IngestionJob) -> None:
    """What comes after the end, and may be done more than once: an index without readers goes, and the scratch."""
    if job.done(RETIRED):
        name = await job.step(RETIRED, _never, str)
        await job.tools.vectors.drop(name)
        arn = base_arn(job.account, job.region, body.base_id)
        await job.write(lambda transaction: release(transaction, job, arn))
    await tidy(job)


async def _never() -> str:
    raise AssertionError("the step is done")


async def end(job: Job, status: str, failures: Sequence[str] = ()) -> None:
    """An end without anything to show for it: the index is as it was."""

    def change(row: Resource) -> Resource:
        if row.status not in RUNNING:
            return row
        body = msgspec.structs.replace(row.read(IngestionJob), failures=tuple(failures))
        return msgspec.structs.replace(with_status(row, status, job), body=msgspec.json.encode(body))

    row = await job.amend(change)
    base = base_arn(job.account, job.region, row.read(IngestionJob).base_id)
    await job.write(lambda transaction: release(transaction, job, base))
    await tidy(job)


def with_status(row: Resource, status: str, job: Job) -> Resource:
    return msgspec.structs.replace(row, status=status, updated_at=job.tools.clock.now())


def counting(row: Resource, counted: Statistics, job: Job) -> Resource:
    """The row with the statistics so far, unless the job is over."""
    body = row.read(IngestionJob)
    if row.status not in RUNNING or body.statistics == counted:
        return row
    body = msgspec.structs.replace(body, statistics=counted)
    return msgspec.structs.replace(with_status(row, row.status, job), body=msgspec.json.encode(body))
