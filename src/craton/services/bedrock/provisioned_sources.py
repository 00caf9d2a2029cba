"""Which model a provisioned throughput may be made of, found by whatever names one: an id, an ARN, a custom model's name.

Owns that search and its refusals. Replicas can be kept of a model that this server's own processes serve; of one that an
outside upstream answers there is nothing to keep. It must not know rows.
"""

from __future__ import annotations

from typing import Any

from craton.aws.wire.faults import Fault, access_denied, not_found, validation
from craton.context import Call
from craton.features.hosting import custom
from craton.features.hosting.custom_deployment import served_of
from craton.features.hosting.provisioned import Source
from craton.features.inference.routing.hosted import PROVIDERS, owned
from craton.features.inference.routing.routes import NO_ACCESS, Route, Routes, foundation_model_arn
from craton.infra.store.port import Reader, Resource
from craton.models.catalog.hosted import Hosted
from craton.services.bedrock.tuning_bases import unusable
from craton.services.stored import belongs

NOT_RESOLVED = "Could not resolve the foundation model from the provided model identifier."
OUTSIDE = (
    "Provisioned Throughput cannot be made of the model {id}: an outside upstream answers it here, and there are no "
    "replicas of it to keep. Bound what reaches an upstream with max_concurrent of its target, or serve the model itself."
)
NOTHING_SERVES = "Provisioned Throughput cannot be made of the model {id}: nothing on this server serves it."
_IMPORTED = ":imported-model/"
_COPIED = ":custom-model/imported/"
_CUSTOM = (_IMPORTED, ":custom-model/")


async def named(call: Call, model_id: str) -> str:
    """The ARN that IAM judges for a model's name: an own model's, else a foundation model's."""
    routes: Routes = call.app.live.routes
    found = own_model(routes, model_id, call) or await customized(call, model_id)
    return found.arn if found is not None else as_foundation(model_id, call.region)


def as_foundation(model_id: str, region: str) -> str:
    return model_id if model_id.startswith("arn:") else foundation_model_arn(model_id, region)


async def source_of(call: Call, model_id: str) -> Source:
    """The model, and who serves it here. Raises ResourceNotFoundException, ValidationException, AccessDeniedException."""
    routes: Routes = call.app.live.routes
    found = own_model(routes, model_id, call)
    if found is not None:
        return own_source(routes, found, call.region)
    made = await customized(call, model_id)
    if made is not None:
        return custom_source(routes, made, call.region)
    if model_id.startswith("arn:"):
        head, _, model_id = model_id.rpartition("/")
        if not head.endswith(f":{call.region}::foundation-model"):
            raise not_found(NOT_RESOLVED)
    route = routes.by_id.get(model_id)
    if route is None:
        raise not_found(NOT_RESOLVED) if call.app.catalog.find(model_id) is None else unserved(model_id)
    if not routes.agreements.allow(route.model, call.account):
        raise access_denied(NO_ACCESS)
    rows = await call.app.supervisor.deployments()
    return foundation_source(route, {row["id"]: row for row in rows}, call.region)


def unserved(model_id: str) -> Fault:
    return validation(NOTHING_SERVES.format(id=model_id))


def own_model(routes: Routes, name: str, call: Call) -> Hosted | None:
    """The account's imported or custom model with this ARN or name; an imported one also by the ARN of a custom model."""
    if name.startswith("arn:"):
        found = routes.hosted.get(name) or routes.hosted.get(name.replace(_COPIED, _IMPORTED))
        mine = found is not None and found.account == call.account and found.region == call.region
        return found if mine and found is not None and is_custom(found) else None
    mine_all = owned(routes.hosted.values(), call.account, call.region)
    return next((one for one in mine_all if one.name == name and is_custom(one)), None)


async def customized(call: Call, name: str) -> Resource | None:
    """The account's custom model with this ARN or name, that a customization made: it is reached by no ARN of its own."""

    def look(store: Reader) -> Resource | None:
        return store.get(name) if arn else store.get_by_name(call.account, call.region, custom.KIND, name)

    arn = name.startswith("arn:")
    if arn and ":custom-model/" not in name:
        return None
    row = await call.app.storage.read(look)
    return row if row is not None and row.kind == custom.KIND and belongs(call, row) else None


def custom_source(routes: Routes, row: Resource, region: str) -> Source:
    """An adapter on its base, or weights that were trained. Raises ValidationException for one that is not there yet."""
    if row.status != custom.ACTIVE:
        raise unusable(row)
    base, served = row.read(custom.CustomModel).base, served_of(row)
    return Source(
        arn=row.arn,
        foundation_arn=foundation_model_arn(base.id, region),
        deployment=served.deployment,
        lineage=f"custom {base.id}",
        foundation=base.id if base.id in routes.by_id else "",
        standin=base.standin,
        context_tokens=base.context_tokens,
        adapter=served.adapter,
    )


def is_custom(hosted: Hosted) -> bool:
    return any(kind in hosted.arn for kind in _CUSTOM)


def own_source(routes: Routes, hosted: Hosted, region: str) -> Source:
    """Weights that an account brought. One without a known ancestor is shown as its own."""
    arn = hosted.arn.replace(_IMPORTED, _COPIED)
    return Source(
        arn=arn,
        foundation_arn=foundation_model_arn(hosted.foundation, region) if hosted.foundation else arn,
        deployment=hosted.deployment,
        lineage=f"custom {hosted.foundation or hosted.schema}",
        foundation=hosted.foundation if hosted.foundation in routes.by_id else "",
        standin=hosted.standin,
        kind=hosted.kind,
        speaks=hosted.speaks,
        schema=hosted.schema,
        context_tokens=hosted.context_tokens,
        converse=hosted.converse,
        adapter=hosted.adapter,
    )


def check_there(store: Reader, source: Source) -> None:
    """An account's own model may have been deleted since it was found. Raises ResourceNotFoundException."""
    for arn in (source.deployment, source.arn if source.adapter else ""):
        if arn.startswith("arn:") and not arn.endswith(custom.ADAPTERS) and store.get(arn) is None:
            raise not_found(NOT_RESOLVED)


def foundation_source(route: Route, deployments: dict[str, dict[str, Any]], region: str) -> Source:
    """A model of the catalog or of this server: the first of its targets that has replicas."""
    for target in route.targets:
        if target.provider.name in PROVIDERS.values() and target.model in deployments:
            break
    else:
        raise validation(OUTSIDE.format(id=route.model_id)) if route.targets else unserved(route.model_id)
    arn = foundation_model_arn(route.model_id, region)
    return Source(
        arn=arn,
        foundation_arn=arn,
        deployment=target.model,
        lineage="",
        foundation=route.model_id,
        standin=target.standin,
        kind=route.kind,
        speaks="engine" if target.provider.name == "local" else "sagemaker",
    )
