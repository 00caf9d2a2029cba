"""Model invocation logging of an account in a region: put, got and deleted.

Owns the three operations. What the terms mean is `features.invocations`'; whether buckets and groups take logs is
`log_targets`'. When Put or Delete has answered, every worker lives by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from craton.aws.wire.faults import validation
from craton.context import Call
from craton.features.invocations.terms import KIND, Terms, read
from craton.infra.store.own_rows import own_arn, own_row
from craton.infra.store.port import Resource, Transaction
from craton.services import stored
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock import (
        DeleteModelInvocationLoggingConfigurationRequest,
        DeleteModelInvocationLoggingConfigurationResponse,
        GetModelInvocationLoggingConfigurationRequest,
        GetModelInvocationLoggingConfigurationResponse,
        PutModelInvocationLoggingConfigurationRequest,
        PutModelInvocationLoggingConfigurationResponse,
    )

NOWHERE = "Provide at least one of cloudWatchConfig and s3Config in loggingConfig."
_SWITCHES = ("text", "image", "embedding", "video", "audio")


@operation("bedrock", "PutModelInvocationLoggingConfiguration")
async def put_configuration(
    call: Call, req: PutModelInvocationLoggingConfigurationRequest
) -> PutModelInvocationLoggingConfigurationResponse:
    call.authorize("bedrock:PutModelInvocationLoggingConfiguration", "*")
    given = msgspec.to_builtins(req.loggingConfig)
    on = {f"{name}DataDeliveryEnabled": True for name in _SWITCHES}
    body = msgspec.json.encode(on | {name: value for name, value in given.items() if value is not None})
    terms = read(body)
    await check(call, terms)
    fresh = own_row(KIND, call.account, call.region, body, call.now())

    def work(transaction: Transaction) -> Resource:
        row = transaction.get(fresh.arn)
        if row is None:
            return transaction.create(fresh)
        return transaction.update(msgspec.structs.replace(row, body=fresh.body, updated_at=fresh.updated_at))

    with stored.faults("logging configuration"):
        await call.app.storage.write(work)
    return {}


async def check(call: Call, terms: Terms) -> None:
    """Raise ValidationException unless every place of the terms takes logs now; AccessDeniedException for PassRole."""
    if not terms.delivers:
        raise validation(NOWHERE)
    from craton.services.bedrock import log_targets  # S3 and its tables, which many servers never load

    group = terms.cloud_watch_config
    if group is not None:
        await log_targets.check_group(call, group)
    for bucket in (terms.s3_config, group.large_data_delivery_s3_config if group is not None else None):
        if bucket is not None:
            await log_targets.check_bucket(call, bucket)


@operation("bedrock", "GetModelInvocationLoggingConfiguration")
async def get_configuration(
    call: Call, req: GetModelInvocationLoggingConfigurationRequest
) -> GetModelInvocationLoggingConfigurationResponse:
    call.authorize("bedrock:GetModelInvocationLoggingConfiguration", "*")
    arn = own_arn(KIND, call.account, call.region)
    with stored.faults("logging configuration"):
        row = await call.app.storage.read(lambda reader: reader.get(arn))
    return {} if row is None else {"loggingConfig": msgspec.json.decode(row.body)}


@operation("bedrock", "DeleteModelInvocationLoggingConfiguration")
async def delete_configuration(
    call: Call, req: DeleteModelInvocationLoggingConfigurationRequest
) -> DeleteModelInvocationLoggingConfigurationResponse:
    call.authorize("bedrock:DeleteModelInvocationLoggingConfiguration", "*")
    arn = own_arn(KIND, call.account, call.region)

    def work(transaction: Transaction) -> None:
        if transaction.get(arn) is not None:
            transaction.delete(arn)

    with stored.faults("logging configuration"):
        await call.app.storage.write(work)
    return {}
