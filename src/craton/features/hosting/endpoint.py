"""Marketplace endpoints: a known model's container, in as many replicas as instances were asked for.

Owns the row's body, which known model an endpoint was made of, and the way from a row to its deployment and to what
callers may do with it. It must not know the operations (`services`), nor how replicas are started (`fleet`).
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from craton.config_containers import MarketplaceModelTable
from craton.features.hosting.containers import spec_of, what
from craton.features.hosting.deployment import Deployment, Scale
from craton.features.hosting.ground import Ground, rows_of
from craton.features.hosting.instances import Instance, instance
from craton.features.hosting.standing import CREATING, Status
from craton.infra.compute.port import ModelSpec
from craton.infra.store.port import Resource
from craton.models.catalog.hosted import Hosted
from craton.models.catalog.rows import partition

KIND = "marketplace-model-endpoint"
ORIGIN = "endpoint"
PRIORITY = 50
"""Between models on demand, which make room for it, and provisioned throughput."""
GONE = "The configuration of this server has no container for {source} any more."
_HUB = ":hub-content/SageMakerPublicHub/Model/"


class Terms(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The configuration of an endpoint as it was asked for; a network of Amazon's is kept and shown, nothing more."""

    count: int
    instance_type: str
    role: str
    kms_key: str = ""
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()


class EndpointBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The row's body, format 1. `former` is the configuration before a change, until all replicas are of the new one,
    `known` how it stood when somebody last looked.

    The others are of the model as it was known when the endpoint was made; its container is the configuration's of now.
    """

    source: str
    terms: Terms
    former: Terms | None = None
    known: Status = CREATING
    registered: bool = True
    speaks: str = "sagemaker"
    schema: str = ""
    context_tokens: int = 0
    tags: dict[str, str] = {}


def endpoint_arn(account: str, region: str, name: str) -> str:
    """Endpoints are SageMaker's, by name."""
    return f"arn:{partition(region)}:sagemaker:{region}:{account}:endpoint/{name}"


# --- the models that endpoints can be made of ---


def source_name(source: str) -> str:
    """The model's name in a hub content's ARN, without its version; what is no such ARN is a name itself."""
    return source.partition(_HUB)[2].partition("/")[0] if _HUB in source else source


def known_model(models: Iterable[MarketplaceModelTable], source: str) -> MarketplaceModelTable | None:
    """The table for a hub content's ARN: the one with this very ARN, else the one with its name."""
    rows = list(models)
    named = source_name(source)
    found = next((row for row in rows if row.source == source), None)
    return found or next((row for row in rows if _HUB not in row.source and row.source == named), None)


# --- what is to run, and how it is called ---


def deployments_of(row: Resource, ground: Ground) -> list[Deployment]:
    """One replica for each instance."""
    body = row.read(EndpointBody)
    table = known_model(ground.settings.file.marketplace.model, body.source)
    if table is None:
        nothing = ModelSpec(id=row.arn, command=())
        fault = GONE.format(source=body.source)
        return [Deployment(id=row.arn, spec=nothing, priority=PRIORITY, origin=ORIGIN, fault=fault)]
    container, terms = table.container, body.terms
    size = instance(terms.instance_type) or Instance(0, 0.0)
    spec = spec_of(row.arn, container, ground.settings.file.compute, size)
    scale = Scale(
        least=terms.count, most=terms.count, target=container.target, idle_timeout_s=0.0, queue=container.queue
    )
    note = f"{what(container)}, speaks {container.speaks}, {terms.count} × {terms.instance_type}"
    return [Deployment(id=row.arn, spec=spec, scale=scale, priority=PRIORITY, origin=ORIGIN, note=note)]


def hosted_of(row: Resource) -> Hosted | None:
    """How it is called: by the endpoint's ARN, while it is registered."""
    body = row.read(EndpointBody)
    if not body.registered:
        return None
    return Hosted(
        arn=row.arn,
        account=row.account,
        region=row.region,
        name=row.name or "",
        deployment=row.arn,
        speaks="openai" if body.speaks == "openai" else "sagemaker",
        schema=body.schema or "openai.chat",
        context_tokens=body.context_tokens,
        tags=body.tags,
    )


endpoints = rows_of(KIND, deployments_of, hosted_of)
"""The source of deployments. An endpoint that is deregistered keeps its replicas, and nobody can call it."""
