"""Where the weights of a base lie, as the worker of a job finds them. It must not know what is done with them."""

from __future__ import annotations

from pathlib import Path

from craton.features.hosting import custom
from craton.features.hosting.customization_job import BaseModel
from craton.features.hosting.registry import registered
from craton.models.catalog.local import LocalModel, boxed_models
from craton.workflows.workflow import Job, JobFailed

GONE = "The base model {id} is no longer on this server."


async def directory(job: Job, base: BaseModel) -> Path:
    """The base's directory. Raises JobFailed where there is none any more."""
    found = await lookup(job, base)
    if found is None or not found.is_dir():
        raise JobFailed(GONE.format(id=base.id))
    return found


async def lookup(job: Job, base: BaseModel) -> Path | None:
    settings = job.tools.settings
    if base.custom_arn:
        row = await job.read(lambda store: store.get(base.custom_arn))
        return custom.files_of(settings.home_path, row.id, "model") if row is not None else None
    models = await local_models(job)
    return Path(models[base.local].directory) if base.local in models else None


async def local_models(job: Job) -> dict[str, LocalModel]:
    """The local models by id; one that was registered takes the place of one in the box."""
    account = job.tools.settings.account
    mine = await job.read(lambda store: registered(store, account))
    return {model.id: model for model in (*boxed_models(), *mine)}
