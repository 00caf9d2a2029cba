"""Which model a customization may begin from, found by whatever names one: an id, an ARN, a custom model's name.

Owns that search and its refusals. Weights can be trained that lie on this server in safetensors: those of a local model,
under its own id or where it stands in for a model of the catalog, and those of a custom model that has weights of its
own. It must not know jobs.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from craton.aws.wire.faults import Fault, validation
from craton.context import Call
from craton.features.hosting import custom
from craton.features.hosting.custom import CustomModel
from craton.features.hosting.customization_job import BaseModel
from craton.features.hosting.engines import form_of
from craton.features.hosting.registry import registered
from craton.features.inference.routing.routes import Route, Routes, foundation_model_arn
from craton.infra.store.port import Reader, Resource
from craton.models.catalog.local import LocalModel, boxed_models

INVALID = "The provided model identifier is invalid."
NOT_SUPPORTED = "The base model {id} does not support customization of type {type}."
OUTSIDE = "The base model {id} does not support customization here: an outside upstream answers it, and this server has no weights of it."
NO_WEIGHTS = (
    "The base model {id} does not support customization: there are no weights of it in safetensors on this server."
)
AN_ADAPTER = (
    "The custom model {arn} cannot be customized further: it is an adapter. Customize its base model, or make a custom model "
    "with weights of its own (hyperparameter loraRank 0)."
)
ALL_TYPES = ("FINE_TUNING", "CONTINUED_PRE_TRAINING", "DISTILLATION", "REINFORCEMENT_FINE_TUNING")


def judged_as(call: Call, identifier: str) -> str:
    """The ARN that IAM judges for a base's name."""
    return identifier if identifier.startswith("arn:") else foundation_model_arn(identifier, call.region)


async def base_of(call: Call, identifier: str, kind: str) -> BaseModel:
    """The base for a customization of this type. Raises ValidationException."""
    own = await custom_row(call, identifier)
    if own is not None:
        return whole(own)
    model_id = identifier
    if identifier.startswith("arn:"):
        head, _, model_id = identifier.rpartition("/")
        if not head.endswith(f":{call.region}::foundation-model"):
            raise validation(INVALID)
    catalogued = call.app.catalog.find(model_id)
    routes: Routes = call.app.live.routes
    route = routes.by_id.get(model_id)
    if catalogued is None and route is None:
        raise validation(INVALID)
    if catalogued is not None and kind not in catalogued.customizations and not routes.relaxed:
        raise validation(NOT_SUPPORTED.format(id=model_id, type=kind))
    return await local_base(call, model_id, route)


async def local_base(call: Call, model_id: str, route: Route | None) -> BaseModel:
    """The local model that answers for an id. Raises ValidationException."""
    target = next((one for one in route.targets if one.provider.name == "local"), None) if route is not None else None
    models = await local_models(call)
    if target is None or target.model not in models:
        raise validation(OUTSIDE.format(id=model_id))
    model = models[target.model]
    if model.kind != "chat" or not await asyncio.to_thread(has_tensors, Path(model.directory)):
        raise validation(NO_WEIGHTS.format(id=model_id))
    return BaseModel(id=model_id, local=model.id, standin=target.standin, context_tokens=model.context_tokens)


async def local_models(call: Call) -> dict[str, LocalModel]:
    """The local models by id; one that was registered takes the place of one in the box."""
    account = call.app.settings.account
    mine = await call.app.storage.read(lambda store: registered(store, account))
    return {model.id: model for model in (*boxed_models(), *mine)}


def has_tensors(directory: Path) -> bool:
    try:
        return form_of(directory).tensors
    except OSError:
        return False


async def custom_row(call: Call, identifier: str) -> Resource | None:
    """The caller's custom model of this ARN or name. Raises ValidationException for an ARN that leads to none."""
    if identifier.startswith("arn:") and ":custom-model/" not in identifier:
        return None

    def look(store: Reader) -> Resource | None:
        if identifier.startswith("arn:"):
            return store.get(identifier)
        return store.get_by_name(call.account, call.region, custom.KIND, identifier)

    row = await call.app.storage.read(look)
    if row is not None and row.kind == custom.KIND and (row.account, row.region) == (call.account, call.region):
        return row
    if identifier.startswith("arn:"):
        raise validation(INVALID)
    return None


def whole(row: Resource) -> BaseModel:
    """A custom model as a base. Raises ValidationException for one that is an adapter, or not there yet."""
    model = row.read(CustomModel)
    if row.status != custom.ACTIVE:
        raise unusable(row)
    if model.form == "adapter":
        raise validation(AN_ADAPTER.format(arn=row.arn))
    return BaseModel(
        id=model.base.id, local=row.arn, standin=model.base.standin, context_tokens=model.base.context_tokens,
        custom_arn=row.arn,
    )  # fmt: skip


def unusable(row: Resource) -> Fault:
    return validation(f"The custom model {row.arn} cannot be used while its status is {row.status}.")
