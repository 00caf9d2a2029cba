"""Functions: made, shown, listed, deleted.

Owns what belongs to the whole of a function. How one is changed is `updating`'s, its versions `versions`'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from craton.aws.access.request import tag_keys
from craton.context import Call
from craton.features.functions.function import (
    ACTIVE,
    ALIAS,
    FUNCTION,
    LATEST,
    URL,
    VERSION,
    Configuration,
    Function,
)
from craton.infra.store.port import Query, Resource, Transaction, select
from craton.services.lambda_ import asked, gate, paging, shown, source, tags, versions
from craton.services.lambda_.faults import as_faults, conflict, invalid, no_function
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.lambda_ import (
        CreateFunctionRequest,
        DeleteFunctionRequest,
        DeleteFunctionResponse,
        FunctionConfiguration,
        GetFunctionConfigurationRequest,
        GetFunctionRequest,
        GetFunctionResponse,
        ListFunctionsRequest,
        ListFunctionsResponse,
    )

_MOST_NAME: Final = 64
_MOST_ROWS: Final = 1000


@operation("lambda", "CreateFunction")
async def create_function(call: Call, req: CreateFunctionRequest) -> FunctionConfiguration:
    named = gate.named(call, req.FunctionName)
    if named.qualifier is not None or len(named.name) > _MOST_NAME:
        raise invalid(f"Invalid function name: {req.FunctionName[:200]}")
    given = tags.checked(req.Tags or {})
    layer_keys = {"lambda:layer": tuple(req.Layers)} if req.Layers else {}
    call.authorize("lambda:CreateFunction", named.arn, given={**tag_keys(request_tags=given), **layer_keys})
    if given:
        call.authorize("lambda:TagResource", named.arn, given=tag_keys(request_tags=given))
    if named.account != call.account:
        raise invalid("Functions cannot be created in another account.")
    asked.check_supported(req)
    asked.check_runtime(call, req.Runtime, req.Handler)
    await asked.check_role(call, req.Role, named.arn)
    latest = await first(call, req, named.arn)
    row = Resource(
        account=call.account, region=call.region, kind=FUNCTION, id=named.name, name=named.name, arn=named.arn,
        status=ACTIVE, created_at=call.now(), updated_at=call.now(),
        body=msgspec.json.encode(Function(latest=latest, tags=given)),
    )  # fmt: skip
    published = await _made(call, row, publish=bool(req.Publish))
    if call.app.functions is not None:
        call.app.functions.wake()  # whoever makes a function will invoke it
    return await shown.configuration(call, row, published, qualified=False)


async def first(call: Call, req: CreateFunctionRequest, arn: str) -> Configuration:
    """The configuration of a function that is asked for, its code kept and its variables sealed."""
    kms_key = await asked.key(call, req.KMSKeyArn or None, None)
    blank = Configuration(
        role=req.Role,
        code=await source.kept(call, req.Code),
        modified_at=call.now(),
        revision=asked.new_revision(),
        runtime=req.Runtime or "",
        architecture=asked.architecture(list(req.Architectures) if req.Architectures else None),
        kms_key=kms_key,
        logging={"LogFormat": "Text", "LogGroup": f"/aws/lambda/{arn.rpartition(':')[2]}"},
    )
    configuration = asked.sized(blank, req)
    variables = (req.Environment.Variables if req.Environment is not None else None) or {}
    return msgspec.structs.replace(
        configuration,
        environment=await asked.variables(call, arn, kms_key, variables),
        layers=await asked.layers(call, list(req.Layers or ()), configuration.code.unpacked),
    )


async def _made(call: Call, row: Resource, *, publish: bool) -> Configuration:
    """Keep a new function, and its first version if it is to have one; what of it is shown. Raises on a name taken."""

    def work(transaction: Transaction) -> Configuration:
        if transaction.get(row.arn) is not None:
            raise conflict(f"Function already exist: {row.id}")
        made = transaction.create(row)
        if not publish:
            return made.read(Function).latest
        return versions.publish(transaction, made, None, call.now()).read(Configuration)

    with as_faults():
        return await call.app.storage.keep(work)


@operation("lambda", "GetFunction")
async def get_function(call: Call, req: GetFunctionRequest) -> GetFunctionResponse:
    found = await gate.opened(call, "lambda:GetFunction", req.FunctionName, req.Qualifier)
    of = found.configuration
    told: GetFunctionResponse = {
        "Configuration": await _shown(call, found),
        "Code": {"RepositoryType": "S3", "Location": await source.link(call, found.row.account, of.code)},
    }
    if found.function.tags:
        told["Tags"] = found.function.tags
    if found.function.reserved is not None:
        told["Concurrency"] = {"ReservedConcurrentExecutions": found.function.reserved}
    return told


@operation("lambda", "GetFunctionConfiguration")
async def get_function_configuration(call: Call, req: GetFunctionConfigurationRequest) -> FunctionConfiguration:
    found = await gate.opened(call, "lambda:GetFunctionConfiguration", req.FunctionName, req.Qualifier)
    return await _shown(call, found)


async def _shown(call: Call, found: gate.Opened) -> FunctionConfiguration:
    """The version that was named, under the name that was used."""
    told = await shown.configuration(call, found.row, found.configuration)
    told["FunctionArn"] = found.named.asked
    return told


@operation("lambda", "ListFunctions")
async def list_functions(call: Call, req: ListFunctionsRequest) -> ListFunctionsResponse:
    """All of the account's in this region; with FunctionVersion ALL every version of each."""
    call.authorize("lambda:ListFunctions", "*")
    every = req.FunctionVersion == "ALL"
    rows, marker = await paging.rows(call, Query(kind=FUNCTION, sort="name"), req.Marker, req.MaxItems, every)
    told: list[FunctionConfiguration] = []
    for row in rows:
        latest = row.read(Function).latest
        told.append(await shown.configuration(call, row, latest, qualified=every))
        if every:
            told += [
                await shown.configuration(call, row, one, qualified=True) for one in await versions.all_of(call, row)
            ]
    return paging.paged({"Functions": told}, marker)  # type: ignore[return-value]


@operation("lambda", "DeleteFunction")
async def delete_function(call: Call, req: DeleteFunctionRequest) -> DeleteFunctionResponse:
    """A function with all that hangs on it, or one version of it."""
    found = await gate.opened(call, "lambda:DeleteFunction", req.FunctionName, req.Qualifier)
    qualifier = found.named.qualifier
    if qualifier == LATEST:
        raise invalid("$LATEST version cannot be deleted without deleting the function.")
    if qualifier is not None and found.alias is not None:
        raise invalid("The qualifier of a function to delete must be a version, not an alias.")

    def work(transaction: Transaction) -> None:
        if qualifier is None:
            _remove_all(transaction, found.row)
        else:
            versions.remove(transaction, found.row, qualifier)

    with as_faults():
        await call.app.storage.keep(work)
    return {"StatusCode": 204}


def _remove_all(transaction: Transaction, row: Resource) -> None:
    if transaction.get(row.arn) is None:
        raise no_function(row.arn)
    for kind in (VERSION, ALIAS, URL):
        for one in below(transaction, row, kind):
            transaction.delete(one.arn)
    transaction.delete(row.arn)


def below(transaction: Transaction, row: Resource, kind: str) -> list[Resource]:
    """All rows of a kind that belong to a function: their ARNs begin with its own."""
    prefix = None if kind == URL else f"{row.id}:"
    query = Query(kind=kind, account=row.account, region=row.region, id_prefix=prefix, limit=_MOST_ROWS)
    return list(select(transaction, query, lambda one: _is_of(one.arn, row.arn)).items)


def _is_of(arn: str, function: str) -> bool:
    return arn == function or arn.startswith(f"{function}:")
