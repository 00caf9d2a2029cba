"""How many of a function may run at once: reserved and provisioned concurrency.

Owns the account's limit and how it is shared out. Counting what runs is the functions' host's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.features.functions.choosing import plan_of
from craton.features.functions.function import FUNCTION, LATEST, Function, Provisioned
from craton.infra.store.port import Query, Reader, Transaction, select
from craton.services.lambda_ import changing, gate, paging, shown, versions
from craton.services.lambda_.faults import as_faults, invalid
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.lambda_ import (
        Concurrency,
        DeleteFunctionConcurrencyRequest,
        DeleteProvisionedConcurrencyConfigRequest,
        GetFunctionConcurrencyRequest,
        GetFunctionConcurrencyResponse,
        GetProvisionedConcurrencyConfigRequest,
        GetProvisionedConcurrencyConfigResponse,
        ListProvisionedConcurrencyConfigsRequest,
        ListProvisionedConcurrencyConfigsResponse,
        PutFunctionConcurrencyRequest,
        PutProvisionedConcurrencyConfigRequest,
        PutProvisionedConcurrencyConfigResponse,
    )

_MOST_ROWS: Final = 10_000
_LEAST_FREE: Final = 100
_TOO_FEW: Final = (
    "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its "
    "minimum value of [{least}]."
)
_NONE: Final = "No Provisioned Concurrency Config found for this function"
_ON_LATEST: Final = "Provisioned Concurrency Configs cannot be applied to unpublished function versions."


@operation("lambda", "PutFunctionConcurrency")
async def put_function_concurrency(call: Call, req: PutFunctionConcurrencyRequest) -> Concurrency:
    found = await gate.opened(call, "lambda:PutFunctionConcurrency", req.FunctionName)
    wanted, limit = req.ReservedConcurrentExecutions, call.app.settings.file.lambda_.concurrency

    def work(transaction: Transaction) -> None:
        row = versions.current(transaction, found.row)
        others = reserved(transaction, row.account, row.region, but=row.arn)
        least = min(_LEAST_FREE, limit)
        if wanted and limit - others - wanted < least:
            raise invalid(_TOO_FEW.format(least=least))
        body = msgspec.structs.replace(row.read(Function), reserved=wanted)
        transaction.update(msgspec.structs.replace(row, body=msgspec.json.encode(body)))

    with as_faults():
        await call.app.storage.keep(work)
    return {"ReservedConcurrentExecutions": wanted}


def reserved(store: Reader, account: str, region: str, *, but: str = "") -> int:
    """What the functions of an account have reserved in a region, one of them left out."""
    query = Query(kind=FUNCTION, account=account, region=region, limit=_MOST_ROWS)
    return sum(row.read(Function).reserved or 0 for row in select(store, query, lambda row: row.arn != but).items)


@operation("lambda", "GetFunctionConcurrency")
async def get_function_concurrency(call: Call, req: GetFunctionConcurrencyRequest) -> GetFunctionConcurrencyResponse:
    found = await gate.opened(call, "lambda:GetFunctionConcurrency", req.FunctionName)
    given = found.function.reserved
    return {} if given is None else {"ReservedConcurrentExecutions": given}


@operation("lambda", "DeleteFunctionConcurrency")
async def delete_function_concurrency(call: Call, req: DeleteFunctionConcurrencyRequest) -> None:
    found = await gate.opened(call, "lambda:DeleteFunctionConcurrency", req.FunctionName)
    await changing.change(call, found.row, lambda body: msgspec.structs.replace(body, reserved=None))


# --- provisioned ---


@operation("lambda", "PutProvisionedConcurrencyConfig")
async def put_provisioned_concurrency_config(
    call: Call, req: PutProvisionedConcurrencyConfigRequest
) -> PutProvisionedConcurrencyConfigResponse:
    """Environments that are kept ready; they are made at once, and again by the first invocation after a restart."""
    found = await gate.opened(call, "lambda:PutProvisionedConcurrencyConfig", req.FunctionName, req.Qualifier)
    if req.Qualifier == LATEST:
        raise invalid(_ON_LATEST)
    count = req.ProvisionedConcurrentExecutions
    if found.function.reserved is not None and count > found.function.reserved:
        raise invalid(
            "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function"
        )
    made = Provisioned(count, call.now())
    after = await _changed(call, found, req.Qualifier, made)
    plan = plan_of(after, found.row.arn, found.named.asked, req.Qualifier, found.configuration)
    await call.app.functions.ready(plan)
    return _shown(made)  # type: ignore[return-value]


@operation("lambda", "GetProvisionedConcurrencyConfig")
async def get_provisioned_concurrency_config(
    call: Call, req: GetProvisionedConcurrencyConfigRequest
) -> GetProvisionedConcurrencyConfigResponse:
    found = await gate.opened(call, "lambda:GetProvisionedConcurrencyConfig", req.FunctionName, req.Qualifier)
    held = found.function.provisioned.get(req.Qualifier)
    if held is None:
        raise Fault("ProvisionedConcurrencyConfigNotFoundException", _NONE, fields={"Type": "User"})
    return _shown(held)  # type: ignore[return-value]


@operation("lambda", "DeleteProvisionedConcurrencyConfig")
async def delete_provisioned_concurrency_config(call: Call, req: DeleteProvisionedConcurrencyConfigRequest) -> None:
    found = await gate.opened(call, "lambda:DeleteProvisionedConcurrencyConfig", req.FunctionName, req.Qualifier)
    if req.Qualifier not in found.function.provisioned:
        return
    after = await _changed(call, found, req.Qualifier, None)
    plan = plan_of(after, found.row.arn, found.named.asked, req.Qualifier, found.configuration)
    await call.app.functions.ready(plan)


@operation("lambda", "ListProvisionedConcurrencyConfigs")
async def list_provisioned_concurrency_configs(
    call: Call, req: ListProvisionedConcurrencyConfigsRequest
) -> ListProvisionedConcurrencyConfigsResponse:
    """All at once: a function has few."""
    found = await gate.opened(call, "lambda:ListProvisionedConcurrencyConfigs", req.FunctionName)
    held = sorted(found.function.provisioned.items())
    told = [{"FunctionArn": f"{found.row.arn}:{name}", **_shown(one)} for name, one in held]
    return paging.paged({"ProvisionedConcurrencyConfigs": told}, None)  # type: ignore[return-value]


async def _changed(call: Call, found: gate.Opened, qualifier: str, to: Provisioned | None) -> Function:
    def changed(body: Function) -> Function:
        return msgspec.structs.replace(body, provisioned=changing.with_one(body.provisioned, qualifier, to))

    return await changing.change(call, found.row, changed)


def _shown(held: Provisioned) -> dict[str, Any]:
    return {
        "RequestedProvisionedConcurrentExecutions": held.count,
        "AllocatedProvisionedConcurrentExecutions": held.count,
        "AvailableProvisionedConcurrentExecutions": held.count,
        "Status": "READY",
        "LastModified": shown.moment(held.modified_at),
    }
