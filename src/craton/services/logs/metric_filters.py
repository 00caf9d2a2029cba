"""Metric filters of log groups: put, described, deleted, tried out.

Owns the operations and what a filter may be. What filters make of events is `features.logs.metric_filter`'s, when they
see them `workflows.log_filters`'s. It must not know how metrics are kept.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

from craton.context import Call
from craton.features.logs import due
from craton.features.logs.due import Watched
from craton.features.logs.metric_filter import KIND, SYSTEM_FIELDS, BadMetric, Measure, MetricFilter, extracted
from craton.features.logs.patterns.text import BadPattern
from craton.infra.store.port import Query, Resource, Transaction
from craton.services import stored
from craton.services.logs.faults import NO_GROUP, as_faults, broken, invalid, limit_exceeded, missing
from craton.services.logs.get_events import read_pattern
from craton.services.logs.group import GroupBody, group_arn, judged, milliseconds
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.logs import (
        DeleteMetricFilterRequest,
        DescribeMetricFiltersRequest,
        DescribeMetricFiltersResponse,
        PutMetricFilterRequest,
        TestMetricFilterRequest,
        TestMetricFilterResponse,
    )

MOST = 100
MOST_DIMENSIONS = 3
DEFAULT_PAGE = 50
NO_FILTER = "The specified metric filter does not exist."
BAD_VALUE = "Invalid metric transformation: metricValue and dimensions must be numbers or fields of the filter pattern."
NOT_BOTH = "Invalid metric transformation: dimensions and default value are mutually exclusive properties."
UNSUPPORTED = "fieldSelectionCriteria and applyOnTransformedLogs are not supported."
NO_NAME = "Invalid metric transformation: metricName and metricNamespace must not be empty, and not begin with AWS/."


@operation("logs", "PutMetricFilter", status="partial")
async def put_metric_filter(call: Call, req: PutMetricFilterRequest) -> None:
    group = await judged(call, "PutMetricFilter", req.logGroupName)
    if req.fieldSelectionCriteria or req.applyOnTransformedLogs:
        raise invalid(UNSUPPORTED)
    body = filter_of(call, req)
    space, now = group.body.space, call.now()
    row = Resource(
        account=call.account, region=call.region, kind=KIND, id=f"{space}/{body.name}", status="ACTIVE",
        arn=row_arn(call, space, body.name), created_at=now, updated_at=now, body=msgspec.json.encode(body),
    )  # fmt: skip

    def work(transaction: Transaction) -> None:
        kept = transaction.get(row.arn)
        if kept is not None:
            transaction.update(msgspec.structs.replace(kept, body=row.body, updated_at=now))
            return
        count(transaction, group.row.arn, space, 1)
        transaction.create(row)

    with as_faults():
        await call.app.storage.keep(work)


def count(transaction: Transaction, group: str, space: str, change: int) -> None:
    """The group has one filter more or less. Raises ResourceNotFoundException, LimitExceededException."""
    row = transaction.get(group)
    body = None if row is None else row.read(GroupBody)
    if row is None or body is None or body.space != space:
        raise missing(NO_GROUP)
    number = body.metric_filters + change
    if number > MOST:
        raise limit_exceeded()
    after = msgspec.structs.replace(body, metric_filters=max(0, number))
    transaction.update(msgspec.structs.replace(row, body=msgspec.json.encode(after)))
    if number <= 0:
        watched = row.read(Watched)
        transaction.run(lambda connection: due.forget(connection, group, watched, [due.METRICS]))


def filter_of(call: Call, req: PutMetricFilterRequest) -> MetricFilter:
    """What a request says. Raises InvalidParameterException."""
    (given,) = req.metricTransformations
    dimensions = given.dimensions or {}
    if not given.metricName or not given.metricNamespace or given.metricNamespace.startswith("AWS/"):
        raise invalid(NO_NAME)
    if dimensions and given.defaultValue is not None:
        raise invalid(NOT_BOTH)
    if len(dimensions) > MOST_DIMENSIONS:
        shown = "Member must have length less than or equal to 3"
        raise broken(dimensions, "metricTransformations.1.member.dimensions", shown)
    if given.defaultValue is not None and not math.isfinite(given.defaultValue):
        raise invalid(BAD_VALUE)
    emitted = tuple(dict.fromkeys(req.emitSystemFieldDimensions or ()))
    if any(name not in SYSTEM_FIELDS for name in emitted):
        raise invalid(f"emitSystemFieldDimensions may hold {' and '.join(SYSTEM_FIELDS)}.")
    body = MetricFilter(
        group=req.logGroupName, name=req.filterName, pattern=req.filterPattern, metric=given.metricName,
        namespace=given.metricNamespace, value=given.metricValue, default=given.defaultValue, dimensions=dimensions,
        unit=given.unit or "None", emitted=emitted,
    )  # fmt: skip
    try:
        Measure(body, call.account, call.region)
    except BadPattern as error:
        raise invalid(str(error)) from None
    except BadMetric:
        raise invalid(BAD_VALUE) from None
    return body


@operation("logs", "DescribeMetricFilters")
async def describe_metric_filters(call: Call, req: DescribeMetricFiltersRequest) -> DescribeMetricFiltersResponse:
    if (req.metricName is None) != (req.metricNamespace is None):
        raise invalid("metricName and metricNamespace must be given together.")
    prefix = None
    if req.logGroupName is not None:
        group = await judged(call, "DescribeMetricFilters", req.logGroupName)
        prefix = f"{group.body.space}/{req.filterNamePrefix or ''}"
    else:
        call.authorize("logs:DescribeMetricFilters", f"{group_arn(call, '*')}:*")
    shape = stored.listing(call, prefix, req.filterNamePrefix, req.metricName, req.metricNamespace)
    most = req.limit or DEFAULT_PAGE
    with as_faults():
        query = Query(
            kind=KIND, account=call.account, region=call.region, sort="id", id_prefix=prefix, limit=most,
            after=call.app.storage.pages.open(shape, req.nextToken),
        )  # fmt: skip
        page = await call.app.storage.read(lambda store: store.list(query))
    filters = [(row, row.read(MetricFilter)) for row in page.items]
    wanted = [shown(row, body) for row, body in filters if is_wanted(body, req)]
    token = stored.issued(call, shape, page.after)
    return {"metricFilters": wanted, **({"nextToken": token} if token else {})}  # type: ignore[typeddict-item]


def is_wanted(body: MetricFilter, req: DescribeMetricFiltersRequest) -> bool:
    is_metric = req.metricName is None or (body.metric, body.namespace) == (req.metricName, req.metricNamespace)
    return is_metric and body.name.startswith(req.filterNamePrefix or "")


@operation("logs", "DeleteMetricFilter")
async def delete_metric_filter(call: Call, req: DeleteMetricFilterRequest) -> None:
    group = await judged(call, "DeleteMetricFilter", req.logGroupName)
    space = group.body.space
    arn = row_arn(call, space, req.filterName)

    def work(transaction: Transaction) -> None:
        if transaction.get(arn) is None:
            raise missing(NO_FILTER)
        transaction.delete(arn)
        count(transaction, group.row.arn, space, -1)

    with as_faults():
        await call.app.storage.keep(work)


@operation("logs", "TestMetricFilter")
async def test_metric_filter(call: Call, req: TestMetricFilterRequest) -> TestMetricFilterResponse:
    call.authorize("logs:TestMetricFilter", "*")
    sieve = read_pattern(req.filterPattern)
    matches = []
    for number, message in enumerate(req.logEventMessages, 1):
        data = message.encode()
        if sieve is None or sieve.matches(data):
            match = {"eventNumber": number, "eventMessage": message, "extractedValues": extracted(sieve, data)}
            matches.append(match)
    return {"matches": matches}  # type: ignore[typeddict-item]


def row_arn(call: Call, space: str, name: str) -> str:
    """Ours, not AWS's: filters have none there, and it never leaves the store."""
    return f"arn:craton:logs:{call.region}:{call.account}:metric-filter/{space}/{name}"


def shown(row: Resource, body: MetricFilter) -> dict[str, Any]:
    transformation = {
        "metricName": body.metric,
        "metricNamespace": body.namespace,
        "metricValue": body.value,
        "unit": body.unit,
        **({"defaultValue": body.default} if body.default is not None else {}),
        **({"dimensions": body.dimensions} if body.dimensions else {}),
    }
    return {
        "filterName": body.name,
        "filterPattern": body.pattern,
        "metricTransformations": [transformation],
        "creationTime": milliseconds(row.created_at),
        "logGroupName": body.group,
        "applyOnTransformedLogs": False,
        **({"emitSystemFieldDimensions": list(body.emitted)} if body.emitted else {}),
    }
