"""Deployments of custom models: rows by whose ARN callers reach a custom model, and what serves them all.

Owns the rows' body, and the way from custom models and their deployments to what is to run. Adapters of one base share
the replicas of one deployment (`BASE#adapters`), into which they are loaded while they have a deployment; a model with
weights of its own has replicas of its own. It must not know the operations, nor how replicas are started.

A deployment has a second ARN, of its `probe`: by it the server itself asks a model that is about to be served, through
the gateway and so by the whole way that callers take, while the deployment's own ARN still leads to the model before.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from craton.aws.access.actions import arn_of
from craton.features.hosting import custom
from craton.features.hosting.custom import CustomModel, deployment_of, files_of, folder_of, stamp_of, wrong_base
from craton.features.hosting.customization_job import BaseModel
from craton.features.hosting.deployment import Deployment
from craton.features.hosting.engines import CannotServe
from craton.features.hosting.ground import Found, Ground
from craton.features.hosting.local_models import known
from craton.infra.compute.port import ModelSpec
from craton.infra.store.port import Query, Reader, Resource
from craton.models.catalog.hosted import Hosted

KIND = "custom-model-deployment"
SHOWN = "custom model deployment"
CREATING, ACTIVE, FAILED = "Creating", "Active", "Failed"
UPDATING, UPDATED, UPDATE_FAILED = "Updating", "UpdateCompleted", "UpdateFailed"
ORIGIN = "custom"
MAX_MESSAGE = 2048
_PAGE_ROWS = 500


class Served(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A custom model as a deployment serves it; `adapter` is empty where the model has weights of its own."""

    arn: str
    base: BaseModel
    deployment: str
    adapter: str = ""


class DeploymentBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The row's body. `current` answers by the ARN, `coming` by the probe's: it takes the other's place once it answers.

    `update` says how the last change of the model stands, `updated_at` since when.
    """

    probe: str
    current: Served | None = None
    coming: Served | None = None
    update: str = ""
    update_model: str = ""
    updated_at: datetime | None = None
    description: str | None = None
    message: str | None = None
    tags: dict[str, str] = {}

    @property
    def model_arn(self) -> str:
        """The model that Get shows."""
        shown = self.current or self.coming
        return shown.arn if shown is not None else self.update_model


def deployment_arn(account: str, region: str, ident: str) -> str:
    return arn_of(KIND, region, account, id=ident)


def probe_arn(row: Resource) -> str:
    return deployment_arn(row.account, row.region, row.read(DeploymentBody).probe)


def served_of(row: Resource) -> Served:
    """A custom model's row as a deployment serves it."""
    model = row.read(CustomModel)
    adapter = row.id if model.form == "adapter" else ""
    return Served(arn=row.arn, base=model.base, deployment=deployment_of(model, row.arn), adapter=adapter)


# --- what is to run, and how it is called ---


class _Model(msgspec.Struct, frozen=True):
    row: Resource
    body: CustomModel


class _Held(msgspec.Struct, frozen=True):
    """A deployment's row with what workers are told: of each model as it is, and as it is when it cannot be loaded."""

    row: Resource
    body: DeploymentBody
    good: tuple[Hosted, ...]
    bad: tuple[Hosted, ...]


def custom_models(ground: Ground) -> Found:
    """The source of deployments; it needs those of local models before it."""
    models = {one.row.arn: one for one in ground.rows(custom.KIND, lambda row: _Model(row, row.read(CustomModel)))}
    held = ground.rows(KIND, _held)
    folders = directories(ground, models)
    faults = faults_of(models, folders)
    used = {served.arn for one in held for served in (one.body.current, one.body.coming) if served is not None}
    deployments = list(_shared(ground, models, faults, used, folders))
    deployments += [_own(ground, one) for one in models.values() if one.body.form == "model"]
    hosted: list[Hosted] = []
    for one in held:
        for served, good, bad in zip(_served(one.body), one.good, one.bad, strict=True):
            fault = faults.get(served.arn, custom.NO_BASE.format(base=served.base.local, name=served.arn))
            hosted.append(bad if fault else good)
            if fault:
                nothing = ModelSpec(id=bad.deployment, command=())
                deployments.append(Deployment(id=bad.deployment, spec=nothing, origin=ORIGIN, fault=fault))
    return Found(deployments=tuple(deployments), hosted=tuple(hosted))


def faults_of(models: dict[str, _Model], folders: dict[str, Path]) -> dict[str, str]:
    """Why each model cannot be loaded, by its ARN; empty for those that can. Each base is looked at once."""
    stamps = {local: stamp_of(folders.get(local)) for local in {one.body.base.local for one in models.values()}}

    def fault(one: _Model) -> str:
        local = one.body.base.local
        return wrong_base(one.body, custom.named(one.row), folders.get(local), stamps[local])

    return {arn: fault(one) for arn, one in models.items()}


def directories(ground: Ground, models: dict[str, _Model]) -> dict[str, Path]:
    """Where the weights of each base lie: local models, and custom models that have weights of their own."""
    found = {model.id: Path(model.directory) for model in known(ground)}
    home = ground.settings.home_path
    return found | {arn: files_of(home, one.row.id, "model") for arn, one in models.items() if one.body.form == "model"}


def _shared(
    ground: Ground, models: dict[str, _Model], faults: dict[str, str], used: set[str], folders: dict[str, Path]
) -> Iterator[Deployment]:
    """One deployment for each base that has adapters; it sleeps until one of them is asked for."""
    home, bases = ground.settings.home_path, dict[str, dict[str, str]]()
    for arn, one in models.items():
        if one.body.form == "adapter" and not faults[arn] and one.row.status == custom.ACTIVE:
            adapters = bases.setdefault(one.body.base.local, {})
            if arn in used:
                adapters[one.row.id] = str(files_of(home, one.row.id, "adapter"))
    for local, adapters in sorted(bases.items()):
        ident, directory = f"{local}{custom.ADAPTERS}", str(folders[local])
        try:
            spec = ground.engines.spec(ident, directory, adapters=(str(folder_of(home)),))
        except (CannotServe, OSError) as error:
            yield Deployment(id=ident, spec=ModelSpec(id=ident, command=()), origin=ORIGIN, fault=str(error))
            continue
        note = f"{len(adapters)} adapters on {local}"
        yield Deployment(
            id=ident,
            spec=spec,
            scale=ground.on_demand,
            adapters=dict(sorted(adapters.items())),
            origin=ORIGIN,
            note=note,
        )


def _own(ground: Ground, one: _Model) -> Deployment:
    """A model with weights of its own."""
    arn, directory = one.row.arn, str(files_of(ground.settings.home_path, one.row.id, "model"))
    try:
        spec = ground.engines.spec(arn, directory)
    except (CannotServe, OSError) as error:
        return Deployment(id=arn, spec=ModelSpec(id=arn, command=()), origin=ORIGIN, fault=str(error))
    return Deployment(
        id=arn, spec=spec, scale=ground.on_demand, origin=ORIGIN, note=f"weights of its own, {one.body.type}"
    )


def _served(body: DeploymentBody) -> list[Served]:
    return [served for served in (body.current, body.coming) if served is not None]


def _held(row: Resource) -> _Held:
    body = row.read(DeploymentBody)
    good, bad = list[Hosted](), list[Hosted]()
    for served in _served(body):
        arn = row.arn if served is body.current else probe_arn(row)
        good.append(hosted(row, body, served, arn))
        bad.append(msgspec.structs.replace(good[-1], deployment=f"{arn}!"))
    return _Held(row, body, tuple(good), tuple(bad))


def hosted(row: Resource, body: DeploymentBody, served: Served, arn: str) -> Hosted:
    """How a model is called by this ARN: by the rules and the schema of the foundation model that it was made of."""
    return Hosted(
        arn=arn,
        account=row.account,
        region=row.region,
        name=row.name or "",
        deployment=served.deployment,
        adapter=served.adapter,
        foundation=served.base.id,
        standin=served.base.standin,
        context_tokens=served.base.context_tokens,
        tags=body.tags,
    )


# --- what others ask of the rows ---


def standing_on(store: Reader, model: str) -> list[str]:
    """The ARNs of the deployments of a custom model: it must not go before them."""
    found, query = list[str](), Query(kind=KIND, limit=_PAGE_ROWS)
    while True:
        page = store.list(query)
        for row in page.items:
            if model in {one.arn for one in _served(row.read(DeploymentBody))}:
                found.append(row.arn)
        if page.after is None:
            return found
        query = msgspec.structs.replace(query, after=page.after)
