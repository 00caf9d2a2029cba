"""The source of deployments that are local models: those in the box, and those that the account registered.

Owns how a directory becomes a deployment under the model's own id. It must not know how replicas are kept.
"""

from __future__ import annotations

from craton.features.hosting import registry
from craton.features.hosting.deployment import Deployment
from craton.features.hosting.engines import CannotServe
from craton.features.hosting.ground import Found, Ground
from craton.infra.compute.port import ModelSpec
from craton.models.catalog.local import LocalModel, boxed_models


def local_models(ground: Ground) -> Found:
    """Every local model, as a deployment that sleeps until it is asked for."""
    return Found(deployments=tuple(deployed(model, ground) for model in known(ground)))


def known(ground: Ground) -> list[LocalModel]:
    """The local models; one that was registered under the id of one in the box takes its place."""
    models = {model.id: model for model in boxed_models()}
    for account, model in ground.rows(registry.KIND, registry.registration_of):
        if account == ground.settings.account:
            models[model.id] = model
    return list(models.values())


def deployed(model: LocalModel, ground: Ground) -> Deployment:
    """The deployment of a local model; a directory that cannot be served becomes its fault."""
    origin = "box" if model.boxed else "registered"
    try:
        spec = ground.engines.spec(model.id, model.directory, model.engine)
        choice = ground.engines.choice(model.directory, model.engine)
    except (CannotServe, OSError) as error:
        fault = str(error) if isinstance(error, CannotServe) else f"{model.directory}: {error.strerror or error}"
        return Deployment(id=model.id, spec=ModelSpec(id=model.id, command=()), origin=origin, fault=fault)
    note = f"{choice.engine}: {choice.reason}"
    return Deployment(id=model.id, spec=spec, scale=ground.on_demand, origin=origin, note=note)
