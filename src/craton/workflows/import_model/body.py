"""The life of a model import: validate, fetch, convert, measure, prove, put into place, say so.

Owns the order of these and how a job ends. Each is a step of the journal, and each may happen twice: what was begun is
begun anew, under the same names. It must not know how a run is leased or journaled (`workflows.workflow`), nor what makes
a model good (`features.importing`).
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from functools import partial

import msgspec

from craton.features.hosting import copy_job, imported
from craton.features.hosting import import_job as rows
from craton.features.hosting.folders import Folders, strays
from craton.features.hosting.import_job import ImportJob
from craton.features.hosting.imported import ImportedModel, Quality
from craton.features.importing.listing import File
from craton.infra.store.port import AlreadyExists, Query, Reader, Resource, Transaction, select
from craton.workflows.import_model import making
from craton.workflows.import_model.making import Workshop
from craton.workflows.import_model.source import Source
from craton.workflows.import_model.validating import Validated, check_fetched, validated
from craton.workflows.workflow import Job, JobFailed, workflow

NO_ROOM = "There is no room on the server's disk for a model of {size} bytes."
_ROOM, _ROOM_TO_CONVERT = 1.05, 2.5
"""How much of the source's size must be free: for itself, and for what is made of it, a moment long twice."""


class Measured(msgspec.Struct, frozen=True):
    """What the journal knows of the measuring, which may have come to nothing."""

    quality: Quality | None = None


async def fail(job: Job, message: str) -> None:
    """The job's end where it could not be done: nothing of the model stays."""
    row = await job.row()
    body = row.read(ImportJob)
    arn = imported.model_arn(job.account, job.region, body.model_id)
    if await job.read(lambda store: store.get(arn)) is None:
        await asyncio.to_thread(folders_of(job, body).remove)
    now = job.tools.clock.now()
    await job.amend(lambda row: rows.ended(row, rows.FAILED, now, message))


@workflow(rows.KIND, format=1, failed=fail)
async def run(job: Job) -> None:
    """Bring a job to its end. Whoever made it reads in the row what that is."""
    row = await job.row()
    if row.status == rows.IN_PROGRESS:
        settings = job.tools.settings
        await perform(job, row.read(ImportJob), row.name or "", Workshop(settings.file.compute, settings.home_path))


async def perform(job: Job, body: ImportJob, name: str, workshop: Workshop) -> None:
    """From the folder in S3 to a model that is served. Raises JobFailed."""
    folders, arn = folders_of(job, body), imported.model_arn(job.account, job.region, body.model_id)
    role = job.tools.credentials(body.role_arn, f"import-{body.model_id}")
    source = Source(await asyncio.to_thread(job.tools.s3, role), body)
    most = job.tools.settings.file.limits.import_model_bytes
    found = await job.step("validated", lambda: validated(source, most), Validated)
    if not job.done("placed"):
        factor = _ROOM_TO_CONVERT if workshop.precision(found.facts) else _ROOM
        await asyncio.to_thread(begin, folders, found.size_bytes, factor)
        await fetch_all(job, source, folders, found)
    precision = await job.step("converted", partial(convert, workshop, folders, arn, found), str)
    measured = await job.step("measured", partial(measure, workshop, folders, precision), Measured)
    await job.step("proved", partial(prove, workshop, folders, arn), bool)
    size = await job.step("placed", lambda: asyncio.to_thread(folders.place), int)
    model = ImportedModel(
        job_arn=job.arn, job_name=name, uri=body.uri, architecture=found.facts.architecture,
        schema=found.facts.schema, converse=found.facts.converse, instruct=found.facts.instruct,
        context_tokens=found.facts.context_tokens, parameters=found.facts.parameters, units=found.facts.units,
        precision=precision, quality=measured.quality, size_bytes=size, kms_key=body.kms_key, tags=body.model_tags,
    )  # fmt: skip
    await publish(job, body, arn, model)


def folders_of(job: Job, body: ImportJob) -> Folders:
    return Folders(job.tools.settings.home_path, body.model_id)


def begin(folders: Folders, size_bytes: int, factor: float) -> None:
    """Make the folders, if there is room. Raises JobFailed."""
    folders.begin()
    held = sum(file.stat().st_size for file in folders.draft.rglob("*") if file.is_file())
    if shutil.disk_usage(folders.draft).free + held < size_bytes * factor:
        raise JobFailed(NO_ROOM.format(size=size_bytes))


async def fetch_all(job: Job, source: Source, folders: Folders, found: Validated) -> None:
    """Bring every file to the disk, each a step."""
    came = 0

    def told(more: int) -> None:
        nonlocal came
        came += more
        job.progress(came, found.size_bytes, "bytes")

    for number, file in enumerate(found.files):
        if job.done(f"fetched-{number}"):
            told(file.size)
        await job.step(f"fetched-{number}", partial(fetch, source, folders, file, told), str)


async def fetch(source: Source, folders: Folders, file: File, told: Callable[[int], None]) -> str:
    return await source.fetch(file, folders.source / file.name, told)


async def convert(workshop: Workshop, folders: Folders, arn: str, found: Validated) -> str:
    """The precision of what was made of the weights; empty where they are served as they are."""
    await asyncio.to_thread(check_fetched, folders.source, found.files)
    await asyncio.to_thread(making.add_template, folders.source, found.facts)
    await asyncio.to_thread(folders.afresh)
    precision = workshop.precision(found.facts)
    return await workshop.convert(folders, arn, precision) if precision else ""


async def measure(workshop: Workshop, folders: Folders, precision: str) -> Measured:
    return Measured(await workshop.measure(folders) if precision else None)


async def prove(workshop: Workshop, folders: Folders, arn: str) -> bool:
    await workshop.prove(arn, await asyncio.to_thread(folders.join))
    return True


async def publish(job: Job, body: ImportJob, arn: str, model: ImportedModel) -> None:
    """The model's row, and the job's end once callers can reach it. Raises JobFailed where the name was taken."""
    now = job.tools.clock.now()
    row = Resource(
        account=job.account, region=job.region, kind=imported.KIND, id=body.model_id, arn=arn, name=body.model_name,
        status=imported.ACTIVE, created_at=now, updated_at=now, body=msgspec.json.encode(model),
    )  # fmt: skip

    def work(transaction: Transaction) -> None:
        if transaction.get(arn) is None:
            transaction.create(row)

    try:
        await job.write(work)
    except AlreadyExists:
        raise JobFailed(f"The imported model name {body.model_name} was taken while the job was running.") from None
    await job.spread()
    await job.amend(lambda row: rows.ended(row, rows.COMPLETED, now))
    await sweep(job)


async def sweep(job: Job) -> None:
    """Remove what killed jobs and cut deletions left, which no job has any more."""
    home = job.tools.settings.home_path
    found = await asyncio.to_thread(strays, home)
    if not found:
        return
    # The folders were listed first: what appears later belongs to somebody.
    known = await job.read(under_way)
    for ident, folder in found:
        if ident not in known:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def under_way(store: Reader) -> set[str]:
    """The ids of the models that jobs are about to make."""
    known: set[str] = set()
    for row in all_of(store, Query(kind=rows.KIND, status=rows.IN_PROGRESS, limit=500)):
        known.add(row.read(ImportJob).model_id)
    for row in all_of(store, Query(kind=copy_job.KIND, status=copy_job.IN_PROGRESS, limit=500)):
        known.add(row.read(copy_job.CopyJob).model_id)
    return known


def all_of(store: Reader, query: Query) -> list[Resource]:
    found: list[Resource] = []
    while True:
        page = select(store, query, bool)
        found += page.items
        if page.after is None:
            return found
        query = msgspec.structs.replace(query, after=page.after)
