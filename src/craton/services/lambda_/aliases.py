"""Aliases: names that lead to a version, or to two by weight.

Owns their rows and rules. Which version an invocation takes is `features.functions.choosing`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from craton.context import Call
from craton.features.functions.function import ACTIVE, ALIAS, LATEST, Alias, Function
from craton.infra.store.port import Query, Reader, Resource, Transaction
from craton.services.lambda_ import asked, gate, paging, versions
from craton.services.lambda_.faults import as_faults, conflict, invalid, no_alias, no_function
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.lambda_ import (
        AliasConfiguration,
        CreateAliasRequest,
        DeleteAliasRequest,
        GetAliasRequest,
        ListAliasesRequest,
        ListAliasesResponse,
        UpdateAliasRequest,
    )

_MOST_WEIGHTS: Final = 1
_LATEST_WEIGHED = "$LATEST is not supported for an alias pointing to more than 1 version"


@operation("lambda", "CreateAlias")
async def create_alias(call: Call, req: CreateAliasRequest) -> AliasConfiguration:
    found = await gate.opened(call, "lambda:CreateAlias", req.FunctionName)
    arn = f"{found.row.arn}:{req.Name}"
    made = Alias(
        version=req.FunctionVersion,
        revision=asked.new_revision(),
        description=req.Description or "",
        weights=_weights(req.RoutingConfig, req.FunctionVersion),
    )
    row = Resource(
        account=found.row.account, region=found.row.region, kind=ALIAS, id=f"{found.row.id}:{req.Name}", arn=arn,
        status=ACTIVE, created_at=call.now(), updated_at=call.now(), body=msgspec.json.encode(made),
    )  # fmt: skip

    def work(transaction: Transaction) -> None:
        if transaction.get(arn) is not None:
            raise conflict(f"Alias already exists: {arn}")
        _check_versions(transaction, found.row, made)
        transaction.create(row)

    with as_faults():
        await call.app.storage.keep(work)
    return shown(row)


@operation("lambda", "GetAlias")
async def get_alias(call: Call, req: GetAliasRequest) -> AliasConfiguration:
    found = await gate.opened_alias(call, "lambda:GetAlias", req.FunctionName, req.Name)
    assert found.alias is not None  # noqa: S101 - else it would have raised
    return shown(found.alias)


@operation("lambda", "UpdateAlias")
async def update_alias(call: Call, req: UpdateAliasRequest) -> AliasConfiguration:
    found = await gate.opened_alias(call, "lambda:UpdateAlias", req.FunctionName, req.Name)
    arn = f"{found.row.arn}:{req.Name}"

    def work(transaction: Transaction) -> Resource:
        row = transaction.get(arn)
        if row is None:
            raise no_alias(arn)
        before = row.read(Alias)
        versions.check_revision(before, req.RevisionId)
        version = req.FunctionVersion or before.version
        after = Alias(
            version=version,
            revision=asked.new_revision(),
            description=before.description if req.Description is None else req.Description,
            weights=before.weights if req.RoutingConfig is None else _weights(req.RoutingConfig, version),
        )
        _check_versions(transaction, found.row, after)
        return transaction.update(
            msgspec.structs.replace(row, body=msgspec.json.encode(after), updated_at=call.now())
        )  # fmt: skip

    with as_faults():
        return shown(await call.app.storage.keep(work))


@operation("lambda", "DeleteAlias")
async def delete_alias(call: Call, req: DeleteAliasRequest) -> None:
    """An alias that is not there is no error."""
    found = await gate.opened(call, "lambda:DeleteAlias", req.FunctionName)
    arn = f"{found.row.arn}:{req.Name}"

    def work(transaction: Transaction) -> None:
        alias = transaction.get(arn)
        if alias is None or alias.kind != ALIAS:
            return
        transaction.delete(arn)
        row = versions.current(transaction, found.row)
        transaction.update(msgspec.structs.replace(row, body=versions.without(row.read(Function), req.Name)))

    with as_faults():
        await call.app.storage.keep(work)


@operation("lambda", "ListAliases")
async def list_aliases(call: Call, req: ListAliasesRequest) -> ListAliasesResponse:
    found = await gate.opened(call, "lambda:ListAliases", req.FunctionName)
    wanted = req.FunctionVersion
    rows, marker = await paging.rows(
        call, Query(kind=ALIAS, id_prefix=f"{found.row.id}:", sort="id"), req.Marker, req.MaxItems, wanted,
        keep=lambda row: wanted is None or _leads(row.read(Alias), wanted),
    )  # fmt: skip
    return paging.paged({"Aliases": [shown(row) for row in rows]}, marker)  # type: ignore[return-value]


def shown(row: Resource) -> AliasConfiguration:
    alias = row.read(Alias)
    told: AliasConfiguration = {
        "AliasArn": row.arn,
        "Name": row.id.rpartition(":")[2],
        "FunctionVersion": alias.version,
        "Description": alias.description,
        "RevisionId": alias.revision,
    }
    if alias.weights:
        told["RoutingConfig"] = {"AdditionalVersionWeights": alias.weights}
    return told


def _weights(given: Any, version: str) -> dict[str, float]:
    """The shares of further versions. Raises InvalidParameterValueException."""
    weights = dict((given.AdditionalVersionWeights if given is not None else None) or {})
    if len(weights) > _MOST_WEIGHTS:
        raise invalid("Number of items in AdditionalVersionWeights cannot be greater than 1")
    if version in weights:
        raise invalid(
            f"Invalid function version {version}. Function version {version} is already included in routing configuration."
        )
    if weights and LATEST in (version, *weights):
        raise invalid(_LATEST_WEIGHED)
    return weights


def _check_versions(store: Reader, row: Resource, alias: Alias) -> None:
    """Raise ResourceNotFoundException unless every version that an alias leads to is there."""
    for number in (alias.version, *alias.weights):
        if number != LATEST and store.get(f"{row.arn}:{number}") is None:
            raise no_function(f"{row.arn}:{number}")


def _leads(alias: Alias, version: str) -> bool:
    return alias.version == version or version in alias.weights
