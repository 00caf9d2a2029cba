"""The life of a customization: validate, stage, train, export, publish, say so.

Owns the order of these and how a job ends. Each is a step of the journal, and each may happen twice: what was begun is
begun anew, under the same names, and training goes on from its last checkpoint. It must not know how a run is leased or
journaled (`workflows.workflow`), nor how a model is trained (`features.tuning`).
"""

from __future__ import annotations

import asyncio
import errno
import shutil
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import msgspec

from craton.features.hosting import custom
from craton.features.hosting import customization_job as rows
from craton.features.hosting.custom import CustomModel, Form
from craton.features.hosting.customization_job import PROCESSING, TRAINING, VALIDATION, CustomizationJob
from craton.features.importing.listing import File
from craton.features.tuning.hyperparameters import BadHyperParameter
from craton.features.tuning.plan import Plan
from craton.features.tuning.progress import Event
from craton.infra.compute.process import available_cores
from craton.infra.compute.room import Accelerators, free_memory_bytes
from craton.infra.compute.sandbox import Sandbox
from craton.infra.compute.weights_hash import weights_hash, weights_stamp
from craton.infra.store.port import AlreadyExists, Query, Reader, Resource, Transaction, select
from craton.workflows.customize import bases
from craton.workflows.customize.card import describe
from craton.workflows.customize.gathering import gathered, prompted
from craton.workflows.customize.grading import FunctionGrader, own_grader
from craton.workflows.customize.merging import Run, merged, runner
from craton.workflows.customize.places import CHECKPOINT, Location, Output, Scratch, swept
from craton.workflows.customize.planning import plan_of
from craton.workflows.customize.telling import Teller
from craton.workflows.customize.training import Trained, Trainer, places_at_once, turn
from craton.workflows.import_model.source import Source
from craton.workflows.workflow import Job, JobFailed, until_stopped, workflow

NO_ROOM = "There is no room on the server's disk for the training data and what is made of it."
TOO_LARGE = "The {what} data s3://{bucket}/{key} has {size} bytes. It may have {most}."
EMPTY = "The {what} data s3://{bucket}/{key} is empty."
MANY_VALIDATORS = "A customization job takes one file of validation data, and {count} were given."


class Inputs(msgspec.Struct, frozen=True):
    """What the journal knows of the data and the base when they were as they must be."""

    train: File | None
    validation: File | None
    base_sha256: str
    base_stamp: str


MakeTrainer = Callable[[Path, Callable[[Event], None], Callable[[], Awaitable[None]]], "Runs"]


class Runs(Protocol):
    """`training.Trainer`."""

    async def run(self, file: Path, plan: Plan) -> Trained: ...


class Here:
    """What a job's steps share. `trainer` makes what runs a plan, from the scratch and who hears and who stops it.

    `grader` is the job's own function, where it has one; `run` makes what runs programs in a folder.
    """

    def __init__(
        self, job: Job, body: CustomizationJob, name: str, client: Any, trainer: MakeTrainer,
        grader: FunctionGrader | None = None, run: Callable[[Path], Run] | None = None,
    ) -> None:  # fmt: skip
        self.job, self.body, self.name, self.client, self.trainer = job, body, name, client, trainer
        self.grader = grader
        self.home = job.tools.settings.home_path
        self.scratch = Scratch(self.home, body.model_id)
        self.run = run(self.scratch.folder) if run is not None else None
        self.output = Output(client, self.place(body.output["s3Uri"]), job.arn.rpartition("/")[2])

    def place(self, uri: str) -> Location:
        return Location(uri, self.body.role_arn)

    def source(self, uri: str) -> Source:
        return Source(self.client, self.place(uri))

    async def base(self) -> Path:
        """The base's directory. Raises JobFailed if it is gone."""
        return await bases.directory(self.job, self.body.base)

    async def phase(self, name: str, status: str) -> None:
        """Move a phase of the row."""
        now = self.job.tools.clock.now()
        row = await self.job.row()
        if rows.phased(row, name, status, now) is not row:
            await self.job.amend(lambda row: rows.phased(row, name, status, now))


async def fail(job: Job, message: str) -> None:
    """The job's end where it could not be done: nothing of the model stays."""
    body = (await job.row()).read(CustomizationJob)
    arn = custom.model_arn(job.account, job.region, body.base.id, body.model_id)
    if await job.read(lambda store: store.get(arn)) is None:
        await asyncio.to_thread(custom.discard, job.tools.settings.home_path, body.model_id)
    await asyncio.to_thread(Scratch(job.tools.settings.home_path, body.model_id).remove)
    now = job.tools.clock.now()
    await job.amend(lambda row: rows.ended(row, rows.FAILED, now, message))


@workflow(rows.KIND, format=1, failed=fail)
async def run(job: Job) -> None:
    """Bring a job to its end. Whoever made it reads in the row what that is."""
    row = await job.row()
    if row.status not in rows.RUNNING:
        return
    body, settings = row.read(CustomizationJob), job.tools.settings
    role = job.tools.credentials(body.role_arn, f"customize-{body.model_id}")
    client = await asyncio.to_thread(job.tools.s3, role)
    sandbox = Sandbox(settings.file.compute.sandbox, settings.home_path)
    function = own_grader(body.config)
    grader = FunctionGrader(job.tools.functions(role), function, body.role_arn) if function else None
    trainer = partial(Trainer, sandbox, grade=grader.graded if grader is not None else None)
    here = Here(job, body, row.name or "", client, trainer, grader, partial(runner, sandbox))
    try:
        await perform(here)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise JobFailed(NO_ROOM) from None


async def perform(here: Here) -> None:
    """From the files in S3 to a model that may be served. Raises JobFailed."""
    job = here.job
    if job.stopping:
        return await stopped(here)
    await here.phase(VALIDATION, rows.IN_PROGRESS)
    inputs = await job.step("validated", partial(validated, here), Inputs)
    await here.phase(VALIDATION, rows.COMPLETED)
    if not job.done("trained"):
        await here.phase(PROCESSING, rows.IN_PROGRESS)
        if await until_stopped(job, staged(here, inputs)) is None:
            return await stopped(here)
    trained = await job.step("trained", partial(train, here), Trained)
    if trained.stopped or job.stopping:
        return await stopped(here)
    bits = int(here.body.settled.get("mergedBits", "0"))
    if bits and here.run is not None:
        await merged(job, here.run, here.scratch.out, bits)
    await job.step("exported", partial(export, here, inputs, trained.form), bool)
    size = await job.step("placed", partial(placed, here, trained.form), int)
    await publish(here, inputs, trained, size)
    return None


# --- validate and stage ---


async def validated(here: Here) -> Inputs:
    """The files are there and no larger than they may be, the role may read and write, the base can be trained."""
    limits, body = here.job.tools.settings.file.limits, here.body
    train, uri = None, body.training.get("s3Uri")
    if uri is not None:
        train = await checked(here, uri, "training", limits.customization_train_bytes)
    if len(body.validators) > 1:
        raise JobFailed(MANY_VALIDATORS.format(count=len(body.validators)))
    held = None
    for each in body.validators:
        held = await checked(here, each, "validation", limits.customization_validation_bytes)
    await here.output.begin()
    if here.grader is not None:
        await here.grader.check()
    base = await here.base()
    stamp = await asyncio.to_thread(weights_stamp, base)
    return Inputs(train, held, await asyncio.to_thread(weights_hash, base), stamp)


async def checked(here: Here, uri: str, what: str, most: int) -> File:
    place = here.place(uri)
    file = await here.source(uri).one(place.key)
    named = {"what": what, "bucket": place.bucket, "key": place.key}
    if file.size > most:
        raise JobFailed(TOO_LARGE.format(size=file.size, most=most, **named))
    if not file.size:
        raise JobFailed(EMPTY.format(**named))
    return file


async def staged(here: Here, inputs: Inputs) -> bool:
    """Both files on the disk. What a teacher has to say, or what logs hold, becomes the training file too."""
    job, body, scratch = here.job, here.body, here.scratch
    await asyncio.to_thread(scratch.begin)
    size = sum(file.size for file in (inputs.train, inputs.validation) if file is not None)
    if shutil.disk_usage(scratch.folder).free < 2 * size:
        raise JobFailed(NO_ROOM)
    wanted = [(inputs.train, scratch.train, body.training.get("s3Uri", ""))]
    wanted += [(inputs.validation, scratch.validation, uri) for uri in body.validators]
    for file, into, uri in wanted:
        if file is not None:
            if into == scratch.train and body.type == "DISTILLATION":
                into = into.with_name("prompts.jsonl")
            await fetch(here, file, into, uri)
    if body.type == "DISTILLATION":
        await gathered(job, body, scratch, here.client)
    elif "invocationLogsConfig" in body.training:
        await prompted(body, scratch, here.client)
    return True


async def fetch(here: Here, file: File, into: Path, uri: str) -> None:
    """Bring a file to the disk; one that is whole stays. It is no step: whoever goes on elsewhere has no scratch yet."""
    if await asyncio.to_thread(into.is_file):
        return
    came = 0

    def told(more: int) -> None:
        nonlocal came
        came += more
        here.job.progress(came, file.size, "bytes")

    await here.source(uri).fetch(file, into, told)


# --- train ---


async def train(here: Here) -> Trained:
    """Wait for the machine, then run the plan to its end. Raises Later, JobFailed."""
    job, scratch = here.job, here.scratch
    with turn(scratch.folder.parent):
        plan = await plan_kept(here)
        teller = Teller(job, await job.row())
        trainer = here.trainer(scratch.folder, teller.told, job.stop_asked)
        async with teller:
            trained = await trainer.run(scratch.plan, plan)
    if not trained.stopped:
        await here.phase(PROCESSING, rows.COMPLETED)
        await here.phase(TRAINING, rows.COMPLETED)
    return trained


async def plan_kept(here: Here) -> Plan:
    """The plan, the same each time: a run goes on only with the very plan that it began with."""
    base, scratch = await here.base(), here.scratch
    if not scratch.plan.is_file():
        try:
            plan = await asyncio.to_thread(
                plan_of, here.body, scratch, base,
                memory_bytes=free_memory_bytes(), threads=max(1, available_cores() // places_at_once()),
                processes=here.job.tools.settings.file.jobs.training_processes or int(Accelerators().free) or 1,
            )  # fmt: skip
        except BadHyperParameter as error:
            raise JobFailed(str(error)) from None
        drafted = scratch.plan.with_suffix(".part")
        await asyncio.to_thread(drafted.write_bytes, msgspec.json.encode(plan))
        drafted.replace(scratch.plan)
    return await asyncio.to_thread(planned, scratch)


def planned(scratch: Scratch) -> Plan:
    return msgspec.json.decode(scratch.plan.read_bytes(), type=Plan)


# --- export and publish ---


async def export(here: Here, inputs: Inputs, form: Form) -> bool:
    """Everything into S3, with a card that says what it is. Raises JobFailed where the base is another one now."""
    base = await here.base()
    if await asyncio.to_thread(weights_hash, base) != inputs.base_sha256:
        raise JobFailed(custom.OTHER_WEIGHTS.format(base=here.body.base.id, name=here.body.model_name))
    await asyncio.to_thread(describe, here.scratch.out, form, here.name, here.body)
    await here.output.export(here.scratch.out, form)
    return True


async def placed(here: Here, form: Form) -> int:
    return await asyncio.to_thread(custom.place, here.home, here.body.model_id, here.scratch.out / form, form)


async def publish(here: Here, inputs: Inputs, trained: Trained, size: int) -> None:
    """The model's row, and the job's end once it can be deployed. Raises JobFailed where the name was taken."""
    job, body, now = here.job, here.body, here.job.tools.clock.now()
    arn = custom.model_arn(job.account, job.region, body.base.id, body.model_id)
    model = CustomModel(
        base=body.base, type=body.type, form=trained.form, base_sha256=inputs.base_sha256, base_stamp=inputs.base_stamp,
        job_arn=job.arn, job_name=here.name, hyperparameters=body.settled, training=body.training,
        validation=body.validation, output=body.output, config=body.config, training_loss=trained.training_loss,
        validation_loss=trained.validation_loss, size_bytes=size, kms_key=body.kms_key, tags=body.model_tags,
    )  # fmt: skip
    row = Resource(
        account=job.account, region=job.region, kind=custom.KIND, id=body.model_id, arn=arn, name=body.model_name,
        status=custom.ACTIVE, created_at=now, updated_at=now, body=msgspec.json.encode(model),
    )  # fmt: skip

    def work(transaction: Transaction) -> None:
        if transaction.get(arn) is None:
            transaction.create(row)

    try:
        await job.write(work)
    except AlreadyExists:
        raise JobFailed(f"The custom model name {body.model_name} was taken while the job was running.") from None
    await job.spread()
    await asyncio.to_thread(here.scratch.remove)
    await job.amend(lambda row: completed(row, trained, now))
    await sweep(here)


def completed(row: Resource, trained: Trained, now: Any) -> Resource:
    figures = {name: getattr(trained, name) for name in ("training_loss", "validation_loss", "reward")}
    body = msgspec.structs.replace(row.read(CustomizationJob), **figures)
    return rows.ended(msgspec.structs.replace(row, body=msgspec.json.encode(body)), rows.COMPLETED, now)


async def stopped(here: Here) -> None:
    """The last checkpoint goes where the results would have gone; the scratch goes."""
    if here.scratch.checkpoint.is_file():
        await here.output.send(CHECKPOINT, here.scratch.checkpoint)
    await asyncio.to_thread(here.scratch.remove)
    now = here.job.tools.clock.now()
    await here.job.amend(lambda row: rows.ended(row, rows.STOPPED, now))
    await sweep(here)


async def sweep(here: Here) -> None:
    """Nothing is left in the scratch of jobs that are gone."""
    known = await here.job.read(under_way)
    await asyncio.to_thread(swept, here.home, known)


def under_way(store: Reader) -> set[str]:
    """The ids of the models that jobs are about to make, and CreateCustomModel."""
    known = {row.id for row in all_of(store, custom.KIND, custom.CREATING)}
    for status in rows.RUNNING:
        known |= {row.read(CustomizationJob).model_id for row in all_of(store, rows.KIND, status)}
    return known


def all_of(store: Reader, kind: str, status: str) -> Iterator[Resource]:
    query: Query | None = Query(kind=kind, status=status, limit=500)
    while query is not None:
        page = select(store, query, bool)
        yield from page.items
        query = msgspec.structs.replace(query, after=page.after) if page.after is not None else None
