"""Layers: zips that functions share, in versions that never change.

Owns their rows and who may use one of another account's. Source: AWS Lambda developer guide, "Lambda layers".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from craton.aws.arn import parse
from craton.context import Call
from craton.features.functions.code import shown_sha256
from craton.features.functions.function import ACTIVE, LAYER, LAYER_VERSION, Layer, LayerVersion, layer_arn
from craton.infra.store.port import Query, Resource, Transaction
from craton.services.lambda_ import gate, paging, shown, source
from craton.services.lambda_.faults import as_faults, invalid, missing
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.lambda_ import (
        DeleteLayerVersionRequest,
        GetLayerVersionByArnRequest,
        GetLayerVersionRequest,
        GetLayerVersionResponse,
        ListLayersRequest,
        ListLayersResponse,
        ListLayerVersionsRequest,
        ListLayerVersionsResponse,
        PublishLayerVersionRequest,
        PublishLayerVersionResponse,
    )

_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,140}")
_ARN: Final = re.compile(r"arn:aws[a-zA-Z-]*:lambda:[a-z0-9-]+:\d{12}:layer:([a-zA-Z0-9_-]{1,140})(?::(\d{1,9}))?")
NO_LAYER: Final = "The resource you requested does not exist."
BAD_NUMBER: Final = "Layer Version Cannot be less than 1."
_MOST_ROWS: Final = 10_000


@operation("lambda", "PublishLayerVersion")
async def publish_layer_version(call: Call, req: PublishLayerVersionRequest) -> PublishLayerVersionResponse:
    arn = base_arn(call, req.LayerName)
    call.authorize("lambda:PublishLayerVersion", arn)
    if arn.split(":")[4] != call.account:
        raise invalid("Layers cannot be published in another account.")
    name = arn.rpartition(":")[2]
    body = LayerVersion(
        code=await source.kept(call, req.Content),
        version=0,
        description=req.Description or "",
        runtimes=tuple(req.CompatibleRuntimes or ()),
        architectures=tuple(req.CompatibleArchitectures or ()),
        license=req.LicenseInfo,
    )

    def work(transaction: Transaction) -> Resource:
        number = _next(transaction, call, arn, name)
        return transaction.create(
            Resource(
                account=call.account, region=call.region, kind=LAYER_VERSION, id=f"{name}:{number}",
                arn=f"{arn}:{number}", status=ACTIVE, created_at=call.now(), updated_at=call.now(),
                body=msgspec.json.encode(msgspec.structs.replace(body, version=number)),
            )
        )  # fmt: skip

    with as_faults():
        row = await call.app.storage.keep(work)
    return await _whole(call, row)


def _next(transaction: Transaction, call: Call, arn: str, name: str) -> int:
    """The next number of a layer, whose own row remembers it after all versions are gone."""
    row = transaction.get(arn)
    if row is None:
        transaction.create(
            Resource(
                account=call.account, region=call.region, kind=LAYER, id=name, name=name, arn=arn, status=ACTIVE,
                created_at=call.now(), updated_at=call.now(), body=msgspec.json.encode(Layer(2)),
            )
        )  # fmt: skip
        return 1
    number = row.read(Layer).next_version
    transaction.update(msgspec.structs.replace(row, body=msgspec.json.encode(Layer(number + 1))))
    return number


@operation("lambda", "GetLayerVersion")
async def get_layer_version(call: Call, req: GetLayerVersionRequest) -> GetLayerVersionResponse:
    row = await found(call, "lambda:GetLayerVersion", version_arn(call, req.LayerName, req.VersionNumber))
    return await _whole(call, row)


@operation("lambda", "GetLayerVersionByArn")
async def get_layer_version_by_arn(call: Call, req: GetLayerVersionByArnRequest) -> GetLayerVersionResponse:
    matched = _ARN.fullmatch(req.Arn)
    if matched is None or matched[2] is None:
        raise invalid(f"Invalid layer version ARN: {req.Arn[:300]}")
    return await _whole(call, await found(call, "lambda:GetLayerVersion", req.Arn))


@operation("lambda", "DeleteLayerVersion")
async def delete_layer_version(call: Call, req: DeleteLayerVersionRequest) -> None:
    """Functions that have it keep it. One that is not there is no error."""
    arn = version_arn(call, req.LayerName, req.VersionNumber)
    call.authorize("lambda:DeleteLayerVersion", arn)

    def work(transaction: Transaction) -> None:
        row = transaction.get(arn)
        if row is not None and row.kind == LAYER_VERSION:
            transaction.delete(arn)

    with as_faults():
        await call.app.storage.keep(work)


@operation("lambda", "ListLayerVersions")
async def list_layer_versions(call: Call, req: ListLayerVersionsRequest) -> ListLayerVersionsResponse:
    """The newest first."""
    arn = base_arn(call, req.LayerName)
    call.authorize("lambda:ListLayerVersions", arn)
    query = Query(kind=LAYER_VERSION, id_prefix=f"{arn.rpartition(':')[2]}:", descending=True)
    rows, marker = await paging.rows(
        call, query, req.Marker, req.MaxItems, req.CompatibleRuntime, req.CompatibleArchitecture,
        keep=lambda row: _suits(row.read(LayerVersion), req),
    )  # fmt: skip
    return paging.paged({"LayerVersions": [item(row) for row in rows]}, marker)  # type: ignore[return-value]


@operation("lambda", "ListLayers")
async def list_layers(call: Call, req: ListLayersRequest) -> ListLayersResponse:
    """Layers that have a version, with the newest that suits."""
    call.authorize("lambda:ListLayers", "*")
    rows, marker = await paging.rows(
        call,
        Query(kind=LAYER, sort="name"),
        req.Marker,
        req.MaxItems,
        req.CompatibleRuntime,
        req.CompatibleArchitecture,
    )
    told = []
    for row in rows:
        newest = await _newest(call, row, req)
        if newest is not None:
            told.append({"LayerName": row.id, "LayerArn": row.arn, "LatestMatchingVersion": item(newest)})
    return paging.paged({"Layers": told}, marker)  # type: ignore[return-value]


async def _newest(call: Call, layer: Resource, req: Any) -> Resource | None:
    query = Query(kind=LAYER_VERSION, account=layer.account, region=layer.region, id_prefix=f"{layer.id}:",
                  limit=_MOST_ROWS)  # fmt: skip
    with as_faults():
        page = await call.app.storage.read(lambda store: store.list(query))
    suited = [row for row in page.items if _suits(row.read(LayerVersion), req)]
    return max(suited, key=lambda row: row.read(LayerVersion).version, default=None)


def _suits(body: LayerVersion, req: Any) -> bool:
    """Whether a version is said to go with a runtime and an architecture; one that says nothing goes with none asked."""
    runtime, architecture = req.CompatibleRuntime, req.CompatibleArchitecture
    return (runtime is None or runtime in body.runtimes) and (
        architecture is None or architecture in body.architectures
    )


# --- found, shown ---


def base_arn(call: Call, name: str) -> str:
    """A layer's ARN by name or ARN."""
    matched = _ARN.fullmatch(name)
    if matched is not None and matched[2] is None:
        return name
    if not _NAME.fullmatch(name):
        raise invalid(f"Invalid layer name: {name[:200]}")
    return layer_arn(call.account, call.region, name)


def version_arn(call: Call, name: str, number: int) -> str:
    if number < 1:
        raise invalid(BAD_NUMBER)
    return f"{base_arn(call, name)}:{number}"


async def found(call: Call, action: str, arn: str) -> Resource:
    """A layer's version, if the caller may do the action on it. Raises ResourceNotFoundException."""
    with as_faults():
        row = await call.app.storage.read(lambda store: store.get(arn))
    body = row.read(LayerVersion) if row is not None and row.kind == LAYER_VERSION else None
    policy = body.policy.document if body is not None and body.policy is not None else None
    refused = gate.judged(call, action, arn, policy)
    if refused is not None:
        raise refused
    if row is None or body is None:
        raise missing(NO_LAYER)
    return row


async def usable(call: Call, arn: str) -> Resource:
    """A layer's version for a function of the caller's. Raises InvalidParameterValueException for one that is not there."""
    where = parse(arn)
    if where is None or not _ARN.fullmatch(arn) or not arn.rpartition(":")[2].isdigit():
        raise invalid(f"Invalid layer version ARN: {arn[:300]}")
    if where.region != call.region:
        raise invalid(
            f"Layers are not in the same region as the function. Layers are expected to be in region {call.region}."
        )
    with as_faults():
        row = await call.app.storage.read(lambda store: store.get(arn))
    if where.account != call.account:
        return await found(call, "lambda:GetLayerVersion", arn)
    if row is None or row.kind != LAYER_VERSION:
        raise invalid(f"Layer version {arn} does not exist.")
    return row


def item(row: Resource) -> dict[str, Any]:
    """A version as listings show it."""
    body = row.read(LayerVersion)
    told: dict[str, Any] = {
        "LayerVersionArn": row.arn,
        "Version": body.version,
        "Description": body.description,
        "CreatedDate": shown.moment(row.created_at),
        "CompatibleRuntimes": list(body.runtimes),
    }
    if body.architectures:
        told["CompatibleArchitectures"] = list(body.architectures)
    if body.license is not None:
        told["LicenseInfo"] = body.license
    return told


async def _whole(call: Call, row: Resource) -> GetLayerVersionResponse:
    """A version with the link to its zip."""
    code = row.read(LayerVersion).code
    content = {
        "Location": await source.link(call, row.account, code),
        "CodeSha256": shown_sha256(code),
        "CodeSize": code.size,
    }
    told: Any = {"Content": content, "LayerArn": row.arn.rpartition(":")[0], **item(row)}
    return told  # type: ignore[no-any-return]
