"""Log groups: made, listed, deleted; how long they keep events, and under which key.

Owns the operations. Events of a group go with it in one transaction. Another key holds for what comes after it; what
was kept before stays readable under the old one. It must not know how events are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from craton.aws.access.request import tag_keys
from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.features.logs import due, metric_filter, subscription
from craton.features.logs.due import Watched
from craton.infra.store.ids import lower_id
from craton.infra.store.port import AlreadyExists, Page, Query, Reader, Resource, Transaction, select
from craton.services import stored
from craton.services.kms import asked
from craton.services.kms.asked import ONLY_ENABLED, Need
from craton.services.logs.faults import GROUP_EXISTS, NO_GROUP, as_faults, broken, exists, invalid, missing
from craton.services.logs.group import (
    KIND,
    Group,
    GroupBody,
    any_group,
    change,
    group_arn,
    group_of,
    judged,
    milliseconds,
    name_in,
)
from craton.services.logs.tags import checked
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.logs import (
        AssociateKmsKeyRequest,
        CreateLogGroupRequest,
        DeleteLogGroupRequest,
        DeleteRetentionPolicyRequest,
        DescribeLogGroupsRequest,
        DescribeLogGroupsResponse,
        DisassociateKmsKeyRequest,
        PutLogGroupDeletionProtectionRequest,
        PutRetentionPolicyRequest,
    )

DEFAULT_PAGE = 50
DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
RESERVED = "Log groups starting with AWS/ are reserved for AWS."
ONE_FILTER = "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."
ONE_PLACE = "Exactly one of logGroupName and resourceIdentifier must be given."
BAD_KEY = "The specified KMS key does not exist or is not allowed to be used with Arn '{arn}'"
_KEY_ACTIONS = ("kms:DescribeKey", "kms:GenerateDataKey", "kms:Decrypt")


@operation("logs", "CreateLogGroup")
async def create_log_group(call: Call, req: CreateLogGroupRequest) -> None:
    name, tags = req.logGroupName, checked(req.tags or {})
    arn = group_arn(call, name)
    given = tag_keys(request_tags=tags)
    call.authorize("logs:CreateLogGroup", f"{arn}:*", given=given)
    if tags:
        call.authorize("logs:TagResource", arn, given=given)
    if name.lower().startswith("aws/"):
        raise invalid(RESERVED)
    key = await usable_key(call, arn, req.kmsKeyId) if req.kmsKeyId is not None else None
    now = call.now()
    body = GroupBody(
        space=lower_id(), key=key, group_class=req.logGroupClass or "STANDARD", tags=tags,
        protected=bool(req.deletionProtectionEnabled),
    )  # fmt: skip
    row = Resource(
        account=call.account, region=call.region, kind=KIND, id=name, name=name, arn=arn, status="ACTIVE",
        created_at=now, updated_at=now, body=msgspec.json.encode(body),
    )  # fmt: skip
    with as_faults():
        try:
            await call.app.storage.keep(lambda transaction: transaction.create(row))
        except AlreadyExists:
            raise exists(GROUP_EXISTS) from None


@operation("logs", "DeleteLogGroup")
async def delete_log_group(call: Call, req: DeleteLogGroupRequest) -> None:
    await judged(call, "DeleteLogGroup", req.logGroupName)
    arn = group_arn(call, req.logGroupName)

    def work(transaction: Transaction) -> None:
        from craton.infra.series import index

        row = transaction.get(arn)
        if row is None:
            raise missing(NO_GROUP)
        body = row.read(GroupBody)
        if body.protected:
            raise Fault("ValidationException", f"Log group {row.id} is protected against deletion.")
        transaction.delete(arn)
        forget_filters(transaction, row)
        transaction.run(lambda connection: index.remove_space(connection, body.space))

    with as_faults():
        await call.app.storage.keep(work)


def forget_filters(transaction: Transaction, group: Resource) -> None:
    """Filters go with their group."""
    watched = group.read(Watched)
    for kind in (metric_filter.KIND, subscription.KIND):
        query = Query(
            kind=kind, account=group.account, region=group.region, sort="id", id_prefix=f"{watched.space}/", limit=1000
        )
        for row in transaction.list(query).items:
            transaction.delete(row.arn)
    transaction.run(lambda connection: due.forget(connection, group.arn, watched, [*watched.lanes, due.EMBEDDED]))


@operation("logs", "PutLogGroupDeletionProtection")
async def put_log_group_deletion_protection(call: Call, req: PutLogGroupDeletionProtectionRequest) -> None:
    name = name_in(call, req.logGroupIdentifier)
    await judged(call, "PutLogGroupDeletionProtection", name)
    protected = req.deletionProtectionEnabled
    await change(call, name, lambda body: msgspec.structs.replace(body, protected=protected))


@operation("logs", "DescribeLogGroups")
async def describe_log_groups(call: Call, req: DescribeLogGroupsRequest) -> DescribeLogGroupsResponse:
    call.authorize("logs:DescribeLogGroups", any_group(call))
    if req.logGroupNamePrefix is not None and req.logGroupNamePattern is not None:
        raise invalid(ONE_FILTER)
    if req.logGroupIdentifiers is not None:
        return await described(call, [name_in(call, one) for one in req.logGroupIdentifiers])
    prefix, pattern, group_class = req.logGroupNamePrefix, req.logGroupNamePattern, req.logGroupClass
    shape = stored.listing(call, prefix, pattern, group_class)
    with as_faults():
        query = Query(
            kind=KIND, account=call.account, region=call.region, sort="id", limit=req.limit or DEFAULT_PAGE,
            id_prefix=prefix, name_contains=pattern or None, after=call.app.storage.pages.open(shape, req.nextToken),
        )  # fmt: skip
        page = await call.app.storage.read(lambda store: listed(store, query, group_class))
    groups = await shown(call, [group_of(row) for row in page.items])
    if pattern is not None:
        groups = [{key: group[key] for key in ("arn", "creationTime", "logGroupName")} for group in groups]
    token = stored.issued(call, shape, page.after)
    return {"logGroups": groups, **({"nextToken": token} if token else {})}  # type: ignore[typeddict-item]


def listed(store: Reader, query: Query, group_class: str | None) -> Page:
    if group_class is None:
        return store.list(query)
    return select(store, query, lambda row: row.read(GroupBody).group_class == group_class)


async def described(call: Call, names: list[str]) -> DescribeLogGroupsResponse:
    """The groups of these names, of those that are there."""
    arns = [group_arn(call, name) for name in dict.fromkeys(names)]
    with as_faults():
        rows = await call.app.storage.read(lambda store: [store.get(arn) for arn in arns])
    return {"logGroups": await shown(call, [group_of(row) for row in rows if row is not None])}  # type: ignore[typeddict-item]


async def shown(call: Call, groups: list[Group]) -> list[dict[str, Any]]:
    """The groups as the API has them."""
    with as_faults():
        sizes = await call.app.series.sizes([group.body.space for group in groups]) if groups else {}
    return [
        {
            "logGroupName": group.name,
            "creationTime": milliseconds(group.row.created_at),
            "metricFilterCount": group.body.metric_filters,
            "arn": f"{group.row.arn}:*",
            "logGroupArn": group.row.arn,
            "storedBytes": sizes.get(group.body.space, 0),
            "logGroupClass": group.body.group_class,
            "deletionProtectionEnabled": group.body.protected,
            **({"kmsKeyId": group.body.key} if group.body.key is not None else {}),
            **({"retentionInDays": group.body.retention_days} if group.body.retention_days is not None else {}),
        }
        for group in groups
    ]


@operation("logs", "PutRetentionPolicy")
async def put_retention_policy(call: Call, req: PutRetentionPolicyRequest) -> None:
    await judged(call, "PutRetentionPolicy", req.logGroupName)
    days = req.retentionInDays
    if days not in DAYS:
        raise broken(days, "retentionInDays", f"Member must satisfy enum value set: {list(DAYS)}")
    await change(call, req.logGroupName, lambda body: msgspec.structs.replace(body, retention_days=days))


@operation("logs", "DeleteRetentionPolicy")
async def delete_retention_policy(call: Call, req: DeleteRetentionPolicyRequest) -> None:
    await judged(call, "DeleteRetentionPolicy", req.logGroupName)
    await change(call, req.logGroupName, lambda body: msgspec.structs.replace(body, retention_days=None))


@operation("logs", "AssociateKmsKey")
async def associate_kms_key(call: Call, req: AssociateKmsKeyRequest) -> None:
    name = placed(call, req)
    await judged(call, "AssociateKmsKey", name)
    key = await usable_key(call, group_arn(call, name), req.kmsKeyId)
    await change(call, name, lambda body: msgspec.structs.replace(body, key=key))


@operation("logs", "DisassociateKmsKey")
async def disassociate_kms_key(call: Call, req: DisassociateKmsKeyRequest) -> None:
    name = placed(call, req)
    await judged(call, "DisassociateKmsKey", name)
    await change(call, name, lambda body: msgspec.structs.replace(body, key=None))


def placed(call: Call, req: AssociateKmsKeyRequest | DisassociateKmsKeyRequest) -> str:
    """The group whose key is changed; results of queries have none here. Raises InvalidParameterException."""
    if (req.logGroupName is None) == (req.resourceIdentifier is None):
        raise invalid(ONE_PLACE)
    return req.logGroupName or name_in(call, req.resourceIdentifier, "resourceIdentifier")


async def usable_key(call: Call, group: str, key: str) -> str:
    """The ARN of the key, for the caller to use through this service. Raises InvalidParameterException."""
    arn = key
    for action in _KEY_ACTIONS:
        via = f"logs.{call.region}.amazonaws.com"
        need = Need(action=action, states=ONLY_ENABLED, context={}, via=via)
        try:
            arn = (await asked.usable(call, key, need)).arn
        except Fault as fault:
            if not fault.client_fault:
                raise
            raise invalid(BAD_KEY.format(arn=group)) from None
    return arn
