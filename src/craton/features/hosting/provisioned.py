"""Provisioned throughput: so many replicas of a model that are kept for one ARN alone.

Owns the row's body, the way from a row to its deployment and to what callers may do with it, and how its status follows
from its replicas. It must not know the operations (`services`), nor how replicas are started (`fleet`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec

from craton.features.hosting.custom import files_of
from craton.features.hosting.deployment import Deployment, Scale
from craton.features.hosting.ground import Ground, rows_of
from craton.infra.compute.port import ModelSpec
from craton.infra.store.port import Query, Reader, Resource
from craton.models.catalog.hosted import Hosted, Speaks
from craton.models.catalog.local import Kind
from craton.models.catalog.rows import partition

KIND = "provisioned-model"
ORIGIN = "provisioned"
PRIORITY = 100
"""Above models on demand, which make room for it where memory is short."""
GONE = "The model of this provisioned throughput is no longer on this server."
_PAGE_ROWS = 500


class Source(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The model whose replicas are kept: its ARN and its foundation model's as they are shown, and who serves it.

    `deployment` runs it on demand. `lineage`: a change is only possible between models that have the same. The others
    are as in `Hosted`; `foundation` is the id by which routes know the model, empty for weights that an account brought.
    """

    arn: str
    foundation_arn: str
    deployment: str
    lineage: str
    foundation: str = ""
    standin: str = ""
    kind: Kind = "chat"
    speaks: Speaks = "engine"
    schema: str = "openai.chat"
    context_tokens: int = 0
    converse: bool = True
    adapter: str = ""


class ProvisionedBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The row's body, format 1. `former` is the model before a change, until all replicas are of the new one."""

    source: Source
    units: int
    former: Source | None = None
    commitment: str = ""
    commitment_ends: datetime | None = None
    tags: dict[str, str] = {}


def provisioned_arn(account: str, region: str, ident: str) -> str:
    return f"arn:{partition(region)}:bedrock:{region}:{account}:{KIND}/{ident}"


# --- what is to run, and how it is called ---


def deployments_of(row: Resource, ground: Ground) -> list[Deployment]:
    """Its own replicas, run as those of its model."""
    body = row.read(ProvisionedBody)
    base = ground.deployments.get(body.source.deployment)
    if base is None:
        nothing = ModelSpec(id=row.arn, command=())
        return [Deployment(id=row.arn, spec=nothing, priority=PRIORITY, origin=ORIGIN, fault=GONE)]
    scale, units = base.scale, body.units
    kept = Scale(least=units, most=units, target=scale.target, idle_timeout_s=0.0, queue=scale.queue)
    spec, adapter = renamed(base.spec, row.arn), body.source.adapter
    own = {adapter: str(files_of(ground.settings.home_path, adapter, "adapter"))} if adapter else {}
    made = msgspec.structs.replace(base, id=row.arn, spec=spec, scale=kept, priority=PRIORITY, origin=ORIGIN)
    return [msgspec.structs.replace(made, adapters=own)]


def renamed(spec: ModelSpec, arn: str) -> ModelSpec:
    """The same program under another name: an engine is told on its command line by which name it is asked."""
    command = tuple(arn if word == spec.id else word for word in spec.command)
    return msgspec.structs.replace(spec, id=arn, command=command)


def hosted_of(row: Resource) -> Hosted:
    """How it is called: like its model, by its own ARN."""
    body = row.read(ProvisionedBody)
    source = body.source
    return Hosted(
        arn=row.arn,
        account=row.account,
        region=row.region,
        name=row.name or "",
        deployment=row.arn,
        adapter=source.adapter,
        speaks=source.speaks,
        schema=source.schema,
        kind=source.kind,
        foundation=source.foundation,
        standin=source.standin,
        context_tokens=source.context_tokens,
        converse=source.converse,
        tags=body.tags,
    )


provisioned = rows_of(KIND, deployments_of, hosted_of)
"""The source of deployments; it needs those of all models on demand before it."""


# --- what others ask of the rows ---


def kept_of(store: Reader, deployment: str) -> list[str]:
    """The ARNs of what is provisioned of a deployment: it must not go before them."""
    return [
        row.arn
        for row, body in _all(store)
        if deployment in {one.deployment for one in (body.source, body.former) if one}
    ]


def kept_of_model(store: Reader, model: str) -> list[str]:
    """The ARNs of what is provisioned of the model with this ARN."""
    return [
        row.arn
        for row, body in _all(store)
        if model in {one.arn for one in (body.source, body.former) if one is not None}
    ]


def free_units(store: Reader, account: str, region: str) -> int:
    """Model units of an account in a region that no commitment binds."""
    return sum(body.units for _, body in _all(store, account, region) if not body.commitment)


def _all(
    store: Reader, account: str | None = None, region: str | None = None
) -> Iterator[tuple[Resource, ProvisionedBody]]:
    query = Query(kind=KIND, account=account, region=region, limit=_PAGE_ROWS)
    while True:
        page = store.list(query)
        for row in page.items:
            yield row, row.read(ProvisionedBody)
        if page.after is None:
            return
        query = msgspec.structs.replace(query, after=page.after)
