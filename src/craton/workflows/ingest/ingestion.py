"""What a run that writes to a knowledge base's index works with, put together: as whom, by which model, from where.

Owns the composition, the right to write (one run at a time for each knowledge base), and what is left on this machine at
the end. It must not know what is to be done with documents.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from craton.features.batch.job import InvocationType
from craton.features.batch.pace import Pace
from craton.features.rag import ledger
from craton.features.rag.embedding import Embedding, embedding_of
from craton.features.rag.resources import DELETING, DataSource, KnowledgeBase, base_arn, source_arn
from craton.infra.documents.child import ChildDocuments
from craton.infra.store.port import Resource, Transaction
from craton.infra.vectors.port import Gone, Version
from craton.models.catalog.rows import load
from craton.workflows.batch.asking import Asking
from craton.workflows.batch.spool import sweep
from craton.workflows.ingest.buckets import Buckets
from craton.workflows.ingest.embedder import Embedder
from craton.workflows.ingest.indexing import Indexing
from craton.workflows.ingest.journal import Journal
from craton.workflows.ingest.model import Answering, answering
from craton.workflows.ingest.pictures import Pictures
from craton.workflows.ingest.recipe import Recipe, recipe_of
from craton.workflows.ingest.sources import Source, source_of
from craton.workflows.ingest.tokens import counting
from craton.workflows.ingest.transforming import Transforming
from craton.workflows.ingest.writing import Writing
from craton.workflows.tools import JobCredentials
from craton.workflows.workflow import Job, JobFailed, Later

WAITS_S = 0.5
BUSY = "Another job writes to the knowledge base's index."
NO_BASE = "The knowledge base was deleted."
NO_SOURCE = "The data source was deleted."
_FILES_EACH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingestion:
    """For one data source. `old` is the version that is visible where it can be read, `anew` whether its chunks cannot be
    gone on with: then all documents are embedded again, and `old` is another index.
    """

    job: Job
    base: Resource
    body: KnowledgeBase
    source_id: str
    source: Source
    recipe: Recipe
    embedding: Embedding
    answering: Answering
    old: Version | None
    anew: bool
    buckets: Buckets
    journal: Journal
    writing: Writing
    embedder: Embedder
    indexing: Indexing
    reader: ChildDocuments

    async def close(self) -> None:
        """Give up what is under way; what was paid for stays for the next attempt."""
        await self.embedder.close()
        await self.writing.abandon()
        await self.journal.close(remove=False)
        await self.reader.close()


async def claim(job: Job, base: str) -> None:
    """Have the right to write to a knowledge base's index, for all attempts of this run. Raises Later.

    A run that has it already writes nothing here: a write counts as progress, and one that kills its workers makes none.
    """
    if await job.read(lambda store: store.run(lambda c: ledger.writer(c, base))) == job.arn:
        return
    if not await job.write(lambda transaction: transaction.run(lambda c: ledger.take(c, base, job.arn))):
        raise Later(BUSY, WAITS_S)


def release(transaction: Transaction, job: Job, base: str) -> None:
    """Give it back, with what the transaction says."""
    transaction.run(lambda connection: ledger.release(connection, base, job.arn))


async def parents(job: Job, base_id: str, source_id: str) -> tuple[Resource, Resource]:
    """The rows of the knowledge base and the data source. Raises JobFailed where they are gone or about to be."""
    here = (job.account, job.region, base_id)
    base = await job.read(lambda store: store.get(base_arn(*here)))
    if base is None or base.status == DELETING:
        raise JobFailed(NO_BASE)
    source = await job.read(lambda store: store.get(source_arn(*here, source_id)))
    if source is None or source.status == DELETING:
        raise JobFailed(NO_SOURCE)
    return base, source


async def open_ingestion(job: Job, base: Resource, source: Resource) -> Ingestion:
    """Everything that a run works with; `close` it. Raises JobFailed, VectorsError."""
    tools, body, of = job.tools, base.read(KnowledgeBase), source.read(DataSource)
    embedding, who = await model_of(job, body)
    old = await readable(job, body.index)
    name = name_of(job, base.id, who)
    visible = old if old is not None and old.index == name else None
    recipe, found = recipe_of(of.ingestion, who.mark), source_of(of.configuration)
    role = tools.credentials(body.role_arn, f"knowledge-base-{base.id}", base.arn)
    buckets = Buckets(await asyncio.to_thread(tools.s3, role), body.role_arn, tools.objects(role))
    journal = Journal(scratch(job) / who.mark, tools.cipher, job.account, {"job": job.arn})
    await journal.open()
    writing = Writing(tools.vectors, name, visible, embedding.dimensions, embedding.kind)
    askings = Askings(job, role)
    table = tools.settings.file.rag
    embedder = Embedder(askings.invoke(embedding.model), embedding, journal, writing, table.embeddings_at_once)
    reader = ChildDocuments(
        timeout_s=table.parse_s, memory_bytes=table.parse_mib << 20, kept_characters=0, at_once=table.parsers,
        files_each=_FILES_EACH,
    )  # fmt: skip
    pictures = Pictures(askings.converse(recipe.parsing.model), recipe.parsing) if recipe.parsing else None
    through = None
    if recipe.transformation is not None:
        client = await asyncio.to_thread(tools.aws, "lambda", role)
        through = Transforming(recipe.transformation, buckets, client, base.id, source.id, job.arn.rpartition("/")[2])
    count = await asyncio.to_thread(counting, who.directory)
    return Ingestion(
        job=job, base=base, body=body, source_id=source.id, source=found, recipe=recipe, embedding=embedding,
        answering=who, old=old, anew=body.index is not None and visible is None, buckets=buckets, journal=journal,
        writing=writing, embedder=embedder, reader=reader,
        indexing=Indexing(recipe, reader, count, embedder, writing, pictures, through),
    )  # fmt: skip


class Askings:
    """Models asked as the knowledge base's role, each with a pace of its own."""

    def __init__(self, job: Job, role: JobCredentials) -> None:
        self._job = job
        self._models = job.tools.models(role)

    def invoke(self, model: str) -> Asking:
        return self._of(model, "InvokeModel")

    def converse(self, model: str) -> Asking:
        return self._of(model, "Converse")

    def _of(self, model: str, kind: InvocationType) -> Asking:
        pace = Pace(self._job.tools.settings.file.rag.embeddings_at_once, time.monotonic)
        return Asking(self._models, model, kind, self._job.arn, (), pace)


async def model_of(job: Job, body: KnowledgeBase) -> tuple[Embedding, Answering]:
    """How the knowledge base's documents are embedded, and who does it."""
    settings = job.tools.settings
    dialects = {one.id: one.dialect for one in settings.file.model if one.dialect}
    embedding = embedding_of(body, await asyncio.to_thread(load), dialects)
    return embedding, await job.read(lambda store: answering(store, settings, embedding))


def name_of(job: Job, base_id: str, who: Answering) -> str:
    """The name of a knowledge base's index: another for each who embeds, since their vectors do not go together."""
    return f"{job.account}-{job.region}-{base_id}-{who.mark}"


async def readable(job: Job, version: Version | None) -> Version | None:
    """A version that can be gone on with: one whose files somebody took away cannot. Raises VectorsError."""
    if version is None:
        return None
    try:
        await job.tools.vectors.open(version)
    except Gone:
        return None
    return version


def scratch(job: Job) -> Path:
    """The run's own folder on this machine."""
    return _scratches(job) / hashlib.sha256(job.arn.encode()).hexdigest()[:24]


def _scratches(job: Job) -> Path:
    return job.tools.settings.home_path / "scratch" / "ingestion"


async def tidy(job: Job) -> None:
    """Nothing is left of the run here, nor of those that ended elsewhere long ago."""
    await asyncio.to_thread(shutil.rmtree, scratch(job), ignore_errors=True)
    await asyncio.to_thread(sweep, _scratches(job))
