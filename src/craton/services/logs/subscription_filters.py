"""Subscription filters of log groups, whose events go to functions.

Owns the operations and what a destination may be: a function of this account that CloudWatch Logs may invoke for the
group, and not the one whose own log the group is, which would feed itself. Messages are `features.logs.subscription`'s,
their delivery `workflows.log_filters`'s. It must not know how functions run.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from craton.aws.access.credentials import Principal
from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.features.logs import due
from craton.features.logs.due import Watched, lane_to
from craton.features.logs.subscription import KIND, PRINCIPAL, Subscription, row_arn
from craton.infra.store.port import Query, Resource, Transaction
from craton.services import stored
from craton.services.logs.faults import NO_GROUP, as_faults, invalid, limit_exceeded, missing
from craton.services.logs.get_events import read_pattern
from craton.services.logs.group import Group, GroupBody, judged, milliseconds
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.logs import (
        DeleteSubscriptionFilterRequest,
        DescribeSubscriptionFiltersRequest,
        DescribeSubscriptionFiltersResponse,
        PutSubscriptionFilterRequest,
    )

MOST: Final = 2
DEFAULT_PAGE: Final = 50
_FUNCTION: Final = re.compile(r"arn:aws[a-z-]*:lambda:([a-z0-9-]+):([0-9]{12}):function:([A-Za-z0-9_-]+)(?::[^:]+)?")
_OWN_LOG: Final = "/aws/lambda/"
NO_FILTER: Final = "The specified subscription filter does not exist."
ONLY_FUNCTIONS: Final = "destinationArn must be the ARN of a Lambda function of this account and region."
ITSELF: Final = "A function cannot be the destination of its own log group."
MAY_NOT: Final = "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute your function."
UNSUPPORTED: Final = "fieldSelectionCriteria, applyOnTransformedLogs and emitSystemFields are not supported."


@operation("logs", "PutSubscriptionFilter", status="partial")
async def put_subscription_filter(call: Call, req: PutSubscriptionFilterRequest) -> None:
    group = await judged(call, "PutSubscriptionFilter", req.logGroupName)
    if req.fieldSelectionCriteria or req.applyOnTransformedLogs or req.emitSystemFields:
        raise invalid(UNSUPPORTED)
    read_pattern(req.filterPattern)
    await check_destination(call, group, req.destinationArn)
    now, space = call.now(), group.body.space
    body = Subscription(
        group=group.name, name=req.filterName, pattern=req.filterPattern, destination=req.destinationArn,
        distribution=req.distribution or "ByLogStream",
    )  # fmt: skip
    row = Resource(
        account=call.account, region=call.region, kind=KIND, id=f"{space}/{body.name}", status="ACTIVE",
        arn=row_arn(call.account, call.region, space, body.name), created_at=now, updated_at=now,
        body=msgspec.json.encode(body),
    )  # fmt: skip

    def work(transaction: Transaction) -> None:
        kept = transaction.get(row.arn)
        if kept is not None:
            transaction.update(msgspec.structs.replace(kept, body=row.body, updated_at=now))
            return
        found, has = of_group(transaction, group.row.arn, space)
        if len(has.subscriptions) >= MOST:
            raise limit_exceeded()
        keep(transaction, found, msgspec.structs.replace(has, subscriptions=(*has.subscriptions, body.name)))
        transaction.create(row)

    with as_faults():
        await call.app.storage.keep(work)


async def check_destination(call: Call, group: Group, destination: str) -> None:
    """Raise InvalidParameterException unless the events can go there."""
    found = _FUNCTION.fullmatch(destination)
    if found is None or (found[1], found[2]) != (call.region, call.account):
        raise invalid(ONLY_FUNCTIONS)
    if group.name == _OWN_LOG + found[3]:
        raise invalid(ITSELF)
    if call.app.settings.file.lambda_.endpoint_url:
        return  # functions are elsewhere, and so are their policies
    from craton.services.lambda_ import gate

    source = f"{group.row.arn}:*"
    logs = Principal(
        account=call.account, arn=PRINCIPAL, kind="service", user_id=PRINCIPAL, name=PRINCIPAL, source_arn=source
    )
    try:
        await gate.opened(msgspec.structs.replace(call, caller=logs), "lambda:InvokeFunction", destination)
    except Fault as fault:
        if not fault.client_fault:
            raise
        raise invalid(MAY_NOT) from None


def of_group(transaction: Transaction, group: str, space: str) -> tuple[Resource, GroupBody]:
    """The group's row as it is now. Raises ResourceNotFoundException."""
    row = transaction.get(group)
    body = None if row is None else row.read(GroupBody)
    if row is None or body is None or body.space != space:
        raise missing(NO_GROUP)
    return row, body


def keep(transaction: Transaction, row: Resource, body: GroupBody) -> None:
    transaction.update(msgspec.structs.replace(row, body=msgspec.json.encode(body)))


@operation("logs", "DescribeSubscriptionFilters")
async def describe_subscription_filters(
    call: Call, req: DescribeSubscriptionFiltersRequest
) -> DescribeSubscriptionFiltersResponse:
    group = await judged(call, "DescribeSubscriptionFilters", req.logGroupName)
    prefix = f"{group.body.space}/{req.filterNamePrefix or ''}"
    shape = stored.listing(call, prefix)
    with as_faults():
        query = Query(
            kind=KIND, account=call.account, region=call.region, sort="id", id_prefix=prefix,
            limit=req.limit or DEFAULT_PAGE, after=call.app.storage.pages.open(shape, req.nextToken),
        )  # fmt: skip
        page = await call.app.storage.read(lambda store: store.list(query))
    filters = [shown(row) for row in page.items]
    token = stored.issued(call, shape, page.after)
    return {"subscriptionFilters": filters, **({"nextToken": token} if token else {})}  # type: ignore[typeddict-item]


@operation("logs", "DeleteSubscriptionFilter")
async def delete_subscription_filter(call: Call, req: DeleteSubscriptionFilterRequest) -> None:
    group = await judged(call, "DeleteSubscriptionFilter", req.logGroupName)
    space, name = group.body.space, req.filterName
    arn = row_arn(call.account, call.region, space, name)

    def work(transaction: Transaction) -> None:
        if transaction.get(arn) is None:
            raise missing(NO_FILTER)
        transaction.delete(arn)
        row, body = of_group(transaction, group.row.arn, space)
        left = tuple(one for one in body.subscriptions if one != name)
        keep(transaction, row, msgspec.structs.replace(body, subscriptions=left))
        watched = row.read(Watched)
        transaction.run(lambda connection: due.forget(connection, row.arn, watched, [lane_to(name)]))

    with as_faults():
        await call.app.storage.keep(work)


def shown(row: Resource) -> dict[str, Any]:
    body = row.read(Subscription)
    return {
        "filterName": body.name,
        "logGroupName": body.group,
        "filterPattern": body.pattern,
        "destinationArn": body.destination,
        "distribution": body.distribution,
        "applyOnTransformedLogs": False,
        "creationTime": milliseconds(row.created_at),
    }
