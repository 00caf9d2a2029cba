"""The life of a model copy: link the files, put them into place, say so.

A copy shares its source's files by hard links where the file system has them, so it costs no room, and either may be
deleted without the other. It must not know how a run is leased or journaled (`workflows.workflow`).
"""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import msgspec

from craton.features.hosting import copy_job as rows
from craton.features.hosting import imported
from craton.features.hosting.copy_job import CopyJob
from craton.features.hosting.folders import Folders, synced
from craton.features.hosting.imported import ImportedModel
from craton.infra.store.port import AlreadyExists, Resource, Transaction
from craton.workflows.workflow import Job, JobFailed, workflow

GONE = "The source model {arn} is no longer there."


async def fail(job: Job, message: str) -> None:
    """The job's end where it could not be done: nothing of the copy stays."""
    body = (await job.row()).read(CopyJob)
    arn = imported.model_arn(job.account, job.region, body.model_id)
    if await job.read(lambda store: store.get(arn)) is None:
        await asyncio.to_thread(Folders(job.tools.settings.home_path, body.model_id).remove)
    now = job.tools.clock.now()
    await job.amend(lambda row: rows.ended(row, rows.FAILED, now, message))


@workflow(rows.KIND, format=1, failed=fail)
async def run(job: Job) -> None:
    """Bring a job to its end. Whoever made it reads in the row what that is."""
    row = await job.row()
    if row.status != rows.IN_PROGRESS:
        return
    body = row.read(CopyJob)
    source = await job.read(lambda store: store.get(body.source_row))
    if source is None:
        raise JobFailed(GONE.format(arn=body.source))
    home = job.tools.settings.home_path
    await job.step("linked", lambda: asyncio.to_thread(link, home, source.id, body.model_id), int)
    await publish(job, body, source)


def link(home: Path, source: str, made: str) -> int:
    """Have the files of one model under another's id; their bytes. May be done again. Raises JobFailed, OSError."""
    origin, folders = imported.folder_of(home) / source, Folders(home, made)
    if not folders.final.is_dir():
        if not origin.is_dir():
            raise JobFailed(GONE.format(arn=source))
        shutil.rmtree(folders.draft, ignore_errors=True)
        folders.draft.mkdir(mode=0o700)
        for file in origin.iterdir():
            try:
                os.link(file, folders.draft / file.name)
            except OSError:  # another file system, or one without links
                shutil.copyfile(file, folders.draft / file.name)
        synced(folders.draft)
        folders.draft.rename(folders.final)
        synced(folders.final.parent)
    return sum(file.stat().st_size for file in folders.final.iterdir())


async def publish(job: Job, body: CopyJob, source: Resource) -> None:
    """The copy's row, and the job's end once callers can reach it. Raises JobFailed where the name was taken."""
    now = job.tools.clock.now()
    model = msgspec.structs.replace(
        source.read(ImportedModel), job_arn="", job_name="", source_arn=body.source, kms_key=body.kms_key,
        tags=body.model_tags,
    )  # fmt: skip
    row = Resource(
        account=job.account, region=job.region, kind=imported.KIND, id=body.model_id,
        arn=imported.model_arn(job.account, job.region, body.model_id), name=body.model_name,
        status=imported.ACTIVE, created_at=now, updated_at=now, body=msgspec.json.encode(model),
    )  # fmt: skip

    def work(transaction: Transaction) -> None:
        if transaction.get(source.arn) is None:
            raise JobFailed(GONE.format(arn=body.source))
        if transaction.get(row.arn) is None:
            transaction.create(row)

    try:
        await job.write(work)
    except AlreadyExists:
        raise JobFailed(f"The target model name {body.model_name} was taken while the job was running.") from None
    await job.spread()
    await job.amend(lambda row: rows.ended(row, rows.COMPLETED, now))
