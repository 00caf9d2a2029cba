"""Data sources and knowledge bases taken away: jobs under way end in order first, then nothing is left behind.

Owns the order of that, and what goes with what. A data source whose policy is RETAIN leaves its chunks in the index; with
the knowledge base the index goes in any case, since nothing else can reach it. It must not know how documents come.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from craton.features.rag import ledger
from craton.features.rag.documents import BASE_DELETION_RUN, SOURCE_DELETION_RUN, documents_run
from craton.features.rag.resources import (
    DATA_SOURCE,
    DELETE_UNSUCCESSFUL,
    DELETING,
    INGESTION_JOB,
    DataSource,
    KnowledgeBase,
    base_arn,
    below,
)
from craton.infra.jobs import runs
from craton.infra.store.port import Query, Reader, Resource, Transaction, microseconds
from craton.infra.vectors.port import VectorsError, Version
from craton.workflows.ingest.ingestion import claim, model_of, name_of, readable, release, tidy
from craton.workflows.ingest.publishing import Settled, publish
from craton.workflows.ingest.writing import Writing
from craton.workflows.workflow import Job, JobFailed, Later, workflow

WAITS_S = 0.3
ENDING = "Jobs of what is deleted are under way; they are asked to stop."
UNDELETED = "The index could not be changed: {why}"
_PAGE = 200


async def fail(job: Job, message: str) -> None:
    """What could not be deleted says why, and can be asked to go again."""

    def change(row: Resource) -> Resource:
        shape = KnowledgeBase if row.kind != DATA_SOURCE else DataSource
        body = msgspec.json.encode(msgspec.structs.replace(row.read(shape), failures=(message,)))
        now = job.tools.clock.now()
        return msgspec.structs.replace(row, status=DELETE_UNSUCCESSFUL, body=body, updated_at=now)

    await job.amend(change)
    base = base_arn(job.account, job.region, job.arn.split("/")[1])
    await job.write(lambda transaction: release(transaction, job, base))


@workflow(SOURCE_DELETION_RUN, format=1, failed=fail)
async def delete_source(job: Job) -> None:
    """Take a data source, and unless its policy is RETAIN all that came from it."""
    row = await job.row()
    if row.status != DELETING or job.stopping:  # the knowledge base goes as a whole
        return
    of = row.read(DataSource)
    base = base_arn(job.account, job.region, of.base_id)
    await quiet(job, below(of.base_id, row.id, ""), [documents_run(row.arn)])
    await claim(job, base)
    retains = of.deletion_policy == "RETAIN"
    try:
        version = None if retains else await without(job, base, row.id)
    except VectorsError as error:
        raise JobFailed(UNDELETED.format(why=error)) from error

    def work(transaction: Transaction) -> None:
        if version is not None:
            publish(transaction, base, version, Settled(), microseconds(job.tools.clock.now()))
        if not retains:
            transaction.run(lambda c: ledger.drop_source(c, base, row.id))
        forget(transaction, [*rows_below(transaction, row, INGESTION_JOB, below(of.base_id, row.id, ""))])
        transaction.run(lambda c: runs.forget(c, documents_run(row.arn)))
        transaction.delete(row.arn)
        release(transaction, job, base)

    await job.write(work)
    await tidy(job)


@workflow(BASE_DELETION_RUN, format=1, failed=fail)
async def delete_base(job: Job) -> None:
    """Take a knowledge base with its data sources, jobs, index and ledger."""
    row = await job.row()
    if row.status != DELETING:
        return
    beneath = below(row.id, "")
    sources = await job.read(lambda store: [*rows_below(store, row, DATA_SOURCE, beneath)])
    others = [name for one in sources for name in (one.arn, documents_run(one.arn))]
    await quiet(job, beneath, others)
    await claim(job, row.arn)
    body = row.read(KnowledgeBase)
    _, who = await model_of(job, body)
    try:
        for index in {name_of(job, row.id, who), *([body.index.index] if body.index is not None else [])}:
            await job.tools.vectors.drop(index)
    except VectorsError as error:
        raise JobFailed(UNDELETED.format(why=error)) from error

    def work(transaction: Transaction) -> None:
        for kind in (INGESTION_JOB, DATA_SOURCE):
            forget(transaction, [*rows_below(transaction, row, kind, beneath)])
        for name in others:
            transaction.run(lambda c, name=name: runs.forget(c, name))  # type: ignore[misc]
        transaction.run(lambda c: ledger.drop_base(c, row.arn))
        transaction.delete(row.arn)

    await job.write(work)
    await tidy(job)


async def without(job: Job, base: str, source: str) -> Version | None:
    """The index without a data source's chunks; None where it has none. Raises VectorsError, JobFailed."""
    row = await job.read(lambda store: store.get(base))
    if row is None or row.status == DELETING:
        raise JobFailed("The knowledge base is being deleted.")
    visible = await readable(job, row.read(KnowledgeBase).index)
    if visible is None:
        return None
    shape = visible.shape
    writing = Writing(job.tools.vectors, visible.index, visible, shape.dimensions, shape.kind)
    try:
        await writing.remove_source(source)
        return await writing.finish()
    finally:
        await writing.abandon()


async def quiet(job: Job, beneath: str, others: list[str]) -> None:
    """Have every run below end: ingestion jobs by this part of their names, and these. Raises Later until they have."""
    row = await job.row()

    def work(transaction: Transaction) -> bool:
        names = [one.arn for one in rows_below(transaction, row, INGESTION_JOB, beneath)] + others
        asked = [transaction.run(lambda c, name=name: runs.ask_stop(c, name)) for name in names]  # type: ignore[misc]
        return any(asked)

    if await job.write(work):
        raise Later(ENDING, WAITS_S)


def rows_below(store: Reader, row: Resource, kind: str, beneath: str) -> Iterator[Resource]:
    """The rows of a kind whose names have this part, in the account and region of `row`."""
    query = Query(kind=kind, account=row.account, region=row.region, name_contains=beneath, limit=_PAGE)
    while True:
        page = store.list(query)
        yield from (one for one in page.items if (one.name or "").startswith(beneath))
        if page.after is None:
            return
        query = msgspec.structs.replace(query, after=page.after)


def forget(transaction: Transaction, rows: list[Resource]) -> None:
    """Rows with their runs."""
    for one in rows:
        transaction.run(lambda c, arn=one.arn: runs.forget(c, arn))  # type: ignore[misc]
        transaction.delete(one.arn)
