"""Documents that somebody asked for one by one: taken in or taken out, as long as the ledger has any that wait.

Owns the order: what waits longest first, in portions, each made visible by itself. It takes no input but the ledger, so
whoever asks only wakes it. It must not know how a document becomes chunks.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from msgspec.structs import replace

from craton.features.rag import ledger
from craton.features.rag.documents import DOCUMENTS_RUN, LEAVING, Document
from craton.features.rag.resources import base_arn
from craton.infra.cipher.port import CipherError
from craton.infra.store.port import Resource, Transaction, microseconds
from craton.infra.vectors.port import VectorsError
from craton.workflows.ingest.body import UNWRITTEN
from craton.workflows.ingest.carrying import carry
from craton.workflows.ingest.fetching import Fetching, Unfetched
from craton.workflows.ingest.guarding import guard_of
from craton.workflows.ingest.indexing import Room
from craton.workflows.ingest.ingestion import Ingestion, claim, open_ingestion, parents, release, tidy
from craton.workflows.ingest.material import lost
from craton.workflows.ingest.publishing import Settled, publish
from craton.workflows.ingest.syncing import gather
from craton.workflows.workflow import Job, JobFailed, until_stopped, workflow

PORTION = 100
_BEGUN = frozenset({"IN_PROGRESS", "DELETE_IN_PROGRESS"})


async def fail(job: Job, message: str) -> None:
    """What waits cannot be done, and says why; it is not tried again until somebody asks again."""
    base, source = names_of(job)
    arn = base_arn(job.account, job.region, base)

    def work(transaction: Transaction) -> None:
        now = microseconds(job.tools.clock.now())
        waiting = transaction.run(lambda c: ledger.waiting(c, arn, source, PORTION))
        while waiting:
            ended = [replace(one, status="FAILED", reason=message, updated_at=now) for one in waiting]
            transaction.run(lambda c, ended=ended: ledger.settle(c, ended, []))  # type: ignore[misc]
            waiting = transaction.run(lambda c: ledger.waiting(c, arn, source, PORTION))
        release(transaction, job, arn)

    await job.write(work)
    await tidy(job)


@workflow(DOCUMENTS_RUN, format=1, failed=fail)
async def run(job: Job) -> None:
    """Do what is asked for a data source's documents, until nothing is."""
    try:
        if not job.stopping:
            await until_stopped(job, emptied(job))
    except VectorsError as error:
        raise JobFailed(UNWRITTEN.format(why=error)) from error
    base, _ = names_of(job)
    await job.write(lambda transaction: release(transaction, job, base_arn(job.account, job.region, base)))
    await tidy(job)


async def emptied(job: Job) -> bool:
    """Portion after portion. Raises Later, JobFailed, VectorsError."""
    base_id, source_id = names_of(job)
    arn = base_arn(job.account, job.region, base_id)
    while True:
        waiting = await job.read(lambda store: store.run(lambda c: ledger.waiting(c, arn, source_id, PORTION)))
        if not waiting:
            return True
        base, source = await parents(job, base_id, source_id)
        await claim(job, arn)
        await portion(job, base, source, waiting)


async def portion(job: Job, base: Resource, source: Resource, waiting: Sequence[Document]) -> None:
    """Some documents, from the question to the transaction that makes the answer visible."""
    leaving = [one for one in waiting if one.status in LEAVING]
    coming = [one for one in waiting if one.status not in LEAVING]

    def begun(transaction: Transaction) -> None:
        transaction.run(lambda c: ledger.advance(c, coming, "IN_PROGRESS"))
        transaction.run(lambda c: ledger.advance(c, leaving, "DELETE_IN_PROGRESS"))

    if any(one.status not in _BEGUN for one in waiting):  # a write counts as progress
        await job.write(begun)
    settled = Settled()
    ingestion = await open_ingestion(job, base, source)
    try:
        fetching = Fetching(ingestion, await guard_of(ingestion.source, ingestion.buckets))
        room = Room()
        works = [partial(taken, ingestion, fetching, room, one, settled) for one in coming]
        await gather(works, job.tools.settings.file.rag.documents_at_once)
        await ingestion.writing.remove(one.key for one in leaving if one.chunks)
        settled.forget(leaving)
        await carry(ingestion, settled)
        version = await ingestion.writing.finish()
        retired = ingestion.body.index.index if ingestion.anew and ingestion.body.index is not None else ""
        now = microseconds(job.tools.clock.now())
        await job.write(lambda transaction: publish(transaction, base.arn, version, settled, now))
        if retired and version is not None and retired != version.index:
            await job.tools.vectors.drop(retired)
    finally:
        await ingestion.close()


async def taken(ingestion: Ingestion, fetching: Fetching, room: Room, document: Document, settled: Settled) -> None:
    """One document into the draft, or the reason why not: then nothing of it is in the index. Raises JobFailed."""
    async with room.take(len(document.asked)):
        try:
            material = await fetching.asked(document)
        except (Unfetched, CipherError) as error:
            await ingestion.writing.remove([document.key] if document.chunks else [])
            settled.keep(lost(document, str(error)))
            return
        settled.keep(await ingestion.indexing.index(material, document))


def names_of(job: Job) -> tuple[str, str]:
    """The ids of the knowledge base and the data source, as the run's ARN has them (`documents.documents_run`)."""
    parts = job.arn.split("/")
    return parts[1], parts[3]
