"""The data retention mode of an account in a region: got and put.

Owns the two operations. What a mode means for a call is `features.inference.retention`'s; when PutAccountDataRetention
has answered, every worker routes by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from craton.context import Call
from craton.features.inference.routing.retention import KIND, RetentionBody
from craton.infra.store.own_rows import own_arn, own_row
from craton.infra.store.port import Resource, Transaction
from craton.services import stored
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock import (
        GetAccountDataRetentionRequest,
        GetAccountDataRetentionResponse,
        PutAccountDataRetentionRequest,
        PutAccountDataRetentionResponse,
    )


@operation("bedrock", "GetAccountDataRetention")
async def get_account_data_retention(
    call: Call, req: GetAccountDataRetentionRequest
) -> GetAccountDataRetentionResponse:
    call.authorize("bedrock:GetAccountDataRetention", "*")
    arn = own_arn(KIND, call.account, call.region)
    with stored.faults("data retention mode"):
        row = await call.app.storage.read(lambda reader: reader.get(arn))
    # So every new account begins (user guide, "Data retention").
    return {"mode": "inherit"} if row is None else shown(row)


@operation("bedrock", "PutAccountDataRetention")
async def put_account_data_retention(
    call: Call, req: PutAccountDataRetentionRequest
) -> PutAccountDataRetentionResponse:
    call.authorize("bedrock:PutAccountDataRetention", "*")
    fresh = own_row(KIND, call.account, call.region, msgspec.json.encode(RetentionBody(req.mode)), call.now())

    def work(transaction: Transaction) -> Resource:
        row = transaction.get(fresh.arn)
        if row is None:
            return transaction.create(fresh)
        return transaction.update(msgspec.structs.replace(row, body=fresh.body, updated_at=fresh.updated_at))

    with stored.faults("data retention mode"):
        return shown(await call.app.storage.write(work))


def shown(row: Resource) -> GetAccountDataRetentionResponse:
    return {"mode": row.read(RetentionBody).mode, "updatedAt": row.updated_at}
