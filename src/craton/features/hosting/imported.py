"""Imported models, copies among them, as rows of the store: what is kept of each, and what serves it.

Owns the rows' body, where a model's files lie in the home, and the way from a row to a deployment of its own (its ARN is
the deployment's id) and to what callers may do with it. How the files came there is `workflows.import_model`'s.

A model's files lie flat in HOME/models/imported/ID: the weights as they were imported, and beside them, where there is
one, the graph that was made of them for processors without a GPU. They are not sealed: engines map them into memory.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from craton.aws.access.actions import arn_of
from craton.features.hosting.deployment import Deployment
from craton.features.hosting.engines import CannotServe
from craton.features.hosting.ground import Ground, rows_of
from craton.infra.compute.port import ModelSpec
from craton.infra.store.port import Reader, Resource
from craton.models.catalog.hosted import Hosted

KIND = "imported-model"
SHOWN = "imported model"
ORIGIN = "imported"
_AS_CUSTOM = ":custom-model/imported/"
ACTIVE = "Active"
UNITS_VERSION = "v1.0"
"""Of the way in which models are counted in units."""
SHARED_WITH = "craton:shared-with"
"""A tag of the source by which its owner lets other accounts copy it: their ids, with spaces between."""


class Quality(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What quantising cost on a fixed text, as `engine.quality` measures it.

    Perplexity after and before; how far what is expected next moved (Kullback-Leibler, nats a token); how often the same
    token would be said next, from 0 to 1.
    """

    perplexity: float
    perplexity_base: float
    kl_mean_nats: float
    same_next_token: float


class ImportedModel(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of a model's row.

    `schema` names the native schema of bodies with a prompt. `precision` is that of the graph, empty where the weights
    are served as they are. `source_arn` is that of the model which this is a copy of: no import job made it.
    """

    job_arn: str = ""
    job_name: str = ""
    uri: str
    architecture: str
    schema: str
    converse: bool = True
    instruct: bool = True
    context_tokens: int
    parameters: int
    units: int
    precision: str = ""
    quality: Quality | None = None
    size_bytes: int = 0
    kms_key: str | None = None
    source_arn: str = ""
    tags: dict[str, str] = {}


def model_arn(account: str, region: str, ident: str) -> str:
    return arn_of(KIND, region, account, id=ident)


def custom_arn(arn: str) -> str:
    """The ARN that copying, and provisioning, have for the model: to them it is a custom model, of the base `imported`."""
    return arn.replace(":imported-model/", _AS_CUSTOM)


def folder_of(home: Path) -> Path:
    """Where the files of all imported models lie, each in a folder by its id."""
    return home / "models" / "imported"


def named_by(store: Reader, arn: str) -> Resource | None:
    """The model that an ARN of custom models names."""
    found = store.get(arn.replace(_AS_CUSTOM, ":imported-model/"))
    return found if found is not None and found.kind == KIND else None


def deployments_of(row: Resource, ground: Ground) -> list[Deployment]:
    """What serves the model: its own files under its own ARN; files that are gone become the deployment's fault."""
    directory = str(folder_of(ground.settings.home_path) / row.id)
    try:
        spec = ground.engines.spec(row.arn, directory)
        choice = ground.engines.choice(directory)
    except (CannotServe, OSError) as error:
        fault = str(error) if isinstance(error, CannotServe) else f"{directory}: {error.strerror or error}"
        return [Deployment(id=row.arn, spec=ModelSpec(id=row.arn, command=()), origin=ORIGIN, fault=fault)]
    note = f"{choice.engine}: {choice.reason}{told(row.read(ImportedModel))}"
    return [Deployment(id=row.arn, spec=spec, scale=ground.on_demand, origin=ORIGIN, note=note)]


def told(body: ImportedModel) -> str:
    """What quantising cost, for people; empty where nothing was quantised."""
    if body.quality is None:
        return ""
    found = body.quality
    return (
        f"; {body.precision}: perplexity {found.perplexity:.4g} (as imported {found.perplexity_base:.4g}), "
        f"{found.kl_mean_nats:.3g} nats a token, the same next token in {found.same_next_token:.1%}"
    )


def hosted_of(row: Resource) -> Hosted:
    """What callers may do with the model."""
    body = row.read(ImportedModel)
    return Hosted(
        arn=row.arn,
        account=row.account,
        region=row.region,
        name=row.name or "",
        deployment=row.arn,
        schema=body.schema,
        context_tokens=body.context_tokens,
        converse=body.converse,
        active=row.status == ACTIVE,
        tags=body.tags,
    )


imported = rows_of(KIND, deployments_of, hosted_of)
"""The source of deployments that are imported models."""
