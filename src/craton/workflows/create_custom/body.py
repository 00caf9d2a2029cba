"""The life of a CreateCustomModel: look at what lies in S3, fetch it, put it into place, say so.

A folder is an adapter as a customization job exports it, whose mark says on which base it was trained, or whole weights
in safetensors. Nothing in it is believed: a base is looked up here, and its weights must be those of the mark. Owns the
order of these and how the model becomes Active or Failed. It must not know who serves it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import msgspec

from craton.features.hosting import custom
from craton.features.hosting.custom import CustomModel, Form
from craton.features.hosting.customization_job import BaseModel
from craton.features.importing import safetensors
from craton.features.importing.document import document
from craton.features.importing.fault import BadModel
from craton.features.importing.listing import File
from craton.infra.compute.weights_hash import weights_hash, weights_stamp
from craton.infra.store.port import Resource
from craton.models.catalog.local import LocalModel
from craton.models.catalog.rows import load
from craton.workflows.customize import bases
from craton.workflows.customize.card import MARK, Mark
from craton.workflows.customize.places import Location, Scratch
from craton.workflows.import_model import making
from craton.workflows.import_model.source import Source
from craton.workflows.import_model.validating import check_fetched, validated
from craton.workflows.workflow import Job, JobFailed, workflow

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
NO_MARK = f"The adapter lacks {MARK}, by which it is known on which base it was trained. Customization jobs export it."
NOT_KNOWN = "The base model {id} of the adapter is not on this server."
NOT_LORA = f"{CONFIG} must describe a LoRA adapter."
_TEXT_BYTES = 1 << 20


class Made(msgspec.Struct, frozen=True):
    """What the journal knows of the files on the disk."""

    form: Form
    base: BaseModel
    sha256: str = ""
    stamp: str = ""
    type: str = "IMPORTED"


async def fail(job: Job, message: str) -> None:
    """The model is Failed, and nothing of it stays on the disk."""
    row, home = await job.row(), job.tools.settings.home_path
    if row.status == custom.CREATING:
        await asyncio.to_thread(custom.discard, home, row.id)
    await asyncio.to_thread(Scratch(home, row.id).remove)
    now = job.tools.clock.now()

    def change(row: Resource) -> Resource:
        body = msgspec.structs.replace(row.read(CustomModel), message=message[:2048])
        return msgspec.structs.replace(row, status=custom.FAILED, updated_at=now, body=msgspec.json.encode(body))

    await job.amend(change)


@workflow(custom.KIND, format=1, failed=fail)
async def run(job: Job) -> None:
    """Bring a model to its end. Whoever made it reads in the row what that is."""
    row = await job.row()
    if row.status != custom.CREATING:
        return
    body, scratch = row.read(CustomModel), Scratch(job.tools.settings.home_path, row.id)
    role = job.tools.credentials(body.role_arn, f"create-{row.id}")
    client = await asyncio.to_thread(job.tools.s3, role)
    source = Source(client, Location(body.source_uri, body.role_arn))
    made = await job.step("made", partial(make, job, source, scratch), Made)
    size = await job.step("placed", partial(placed, job, row.id, scratch, made.form), int)
    now = job.tools.clock.now()

    def change(row: Resource) -> Resource:
        after = msgspec.structs.replace(
            row.read(CustomModel), form=made.form, base=made.base, base_sha256=made.sha256, base_stamp=made.stamp,
            type=made.type, size_bytes=size,
        )  # fmt: skip
        return msgspec.structs.replace(row, status=custom.ACTIVE, updated_at=now, body=msgspec.json.encode(after))

    await job.amend(change)
    await job.spread()
    await asyncio.to_thread(scratch.remove)


async def placed(job: Job, ident: str, scratch: Scratch, form: Form) -> int:
    return await asyncio.to_thread(custom.place, job.tools.settings.home_path, ident, scratch.out / form, form)


async def make(job: Job, source: Source, scratch: Scratch) -> Made:
    """The files in the scratch, and what they are. Raises JobFailed."""
    await asyncio.to_thread(scratch.begin)
    files = {file.name: file for file in await source.files()}
    try:
        if CONFIG in files:
            return await adapter(job, source, files, scratch.out / "adapter")
        return await whole(job, source, scratch.out / "model")
    except BadModel as error:
        raise JobFailed(f"The custom model cannot be created. {error}") from None


# --- an adapter ---


async def adapter(job: Job, source: Source, files: Mapping[str, File], folder: Path) -> Made:
    """Fetch it, and find its base. Raises JobFailed, BadModel."""
    if MARK not in files:
        raise BadModel(NO_MARK)
    if WEIGHTS not in files:
        raise BadModel(f"The adapter lacks {WEIGHTS}.")
    for name in (CONFIG, MARK):
        if files[name].size > _TEXT_BYTES:
            raise BadModel(f"{name} has {files[name].size} bytes.")
    if document(CONFIG, await source.read(files[CONFIG])).get("peft_type") != "LORA":
        raise BadModel(NOT_LORA)
    try:
        mark = msgspec.json.decode(await source.read(files[MARK]), type=Mark)
    except msgspec.DecodeError as error:
        raise BadModel(f"{MARK} cannot be read: {error}") from None
    base, directory = await base_of(job, mark.base)
    sha256 = await asyncio.to_thread(weights_hash, directory)
    if sha256 != mark.base_sha256:
        raise BadModel(custom.OTHER_WEIGHTS.format(base=base.id, name="it"))
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    for name in (CONFIG, WEIGHTS, MARK):
        await source.fetch(files[name], folder / name, lambda _: None)
    await asyncio.to_thread(check_header, folder / WEIGHTS)
    stamp = await asyncio.to_thread(weights_stamp, directory)
    return Made("adapter", base, sha256, stamp, mark.type if mark.type in _TYPES else "IMPORTED")


_TYPES = frozenset({"FINE_TUNING", "CONTINUED_PRE_TRAINING", "DISTILLATION", "REINFORCEMENT_FINE_TUNING"})


def check_header(file: Path) -> None:
    """Raises BadModel for what is no whole file of tensors."""
    size = file.stat().st_size
    with file.open("rb") as opened:
        length = safetensors.header_bytes(file.name, opened.read(safetensors.PREFIX_BYTES), size)
        safetensors.tensors(file.name, opened.read(length), size)


async def base_of(job: Job, told: BaseModel) -> tuple[BaseModel, Path]:
    """The base of this server that a mark names, and its directory. Raises BadModel."""
    if told.custom_arn:
        row = await job.read(lambda store: store.get(told.custom_arn))
        if row is None or (row.kind, row.account, row.status) != (custom.KIND, job.account, custom.ACTIVE):
            raise BadModel(NOT_KNOWN.format(id=told.custom_arn))
        model = row.read(CustomModel)
        found = msgspec.structs.replace(model.base, local=row.arn, custom_arn=row.arn)
        return found, custom.files_of(job.tools.settings.home_path, row.id, "model")
    models = await bases.local_models(job)
    if told.local not in models or not _may_be(told, models[told.local]):
        raise BadModel(NOT_KNOWN.format(id=told.id))
    local = models[told.local]
    standin = local.id if told.id != local.id else ""
    return BaseModel(id=told.id, local=local.id, standin=standin, context_tokens=local.context_tokens), Path(
        local.directory
    )


def _may_be(told: BaseModel, local: LocalModel) -> bool:
    return local.kind == "chat" and (told.id == local.id or load().find(told.id) is not None)


# --- weights of its own ---


async def whole(job: Job, source: Source, folder: Path) -> Made:
    """Fetch a model that stands by itself. Raises JobFailed."""
    found = await validated(source, job.tools.settings.file.limits.import_model_bytes)
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    for file in found.files:
        await source.fetch(file, folder / file.name, lambda _: None)
    await asyncio.to_thread(check_fetched, folder, found.files)
    await asyncio.to_thread(making.add_template, folder, found.facts)
    return Made("model", BaseModel(id="", local="", context_tokens=found.facts.context_tokens))
