"""GetAccountSettings: what an account may have, and has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from craton.context import Call
from craton.features.functions import archive
from craton.features.functions.function import FUNCTION
from craton.infra.store.port import Reader
from craton.services.lambda_ import source
from craton.services.lambda_.concurrency import reserved
from craton.services.lambda_.faults import as_faults
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.lambda_ import GetAccountSettingsRequest, GetAccountSettingsResponse

_ZIPPED = 52_428_800


@operation("lambda", "GetAccountSettings")
async def get_account_settings(call: Call, req: GetAccountSettingsRequest) -> GetAccountSettingsResponse:
    call.authorize("lambda:GetAccountSettings", "*")
    table = call.app.settings.file.lambda_

    def look(store: Reader) -> tuple[int, int]:
        return (
            store.count(call.account, call.region, FUNCTION),
            reserved(store, call.account, call.region),
        )  # fmt: skip

    with as_faults():
        count, taken = await call.app.storage.read(look)
    return {
        "AccountLimit": {
            "TotalCodeSize": table.code_bytes,
            "CodeSizeUnzipped": archive.MOST_UNPACKED,
            "CodeSizeZipped": _ZIPPED,
            "ConcurrentExecutions": table.concurrency,
            "UnreservedConcurrentExecutions": max(0, table.concurrency - taken),
        },
        "AccountUsage": {"TotalCodeSize": await source.stored_bytes(call), "FunctionCount": count},
    }
