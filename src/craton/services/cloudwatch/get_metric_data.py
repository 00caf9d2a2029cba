"""GetMetricData: many statistics and expressions over one span of time, page by page.

Owns pages: they are counted in points, and a query whose points do not all fit goes on with the next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from craton.context import Call
from craton.features.metrics.faults import as_faults, invalid
from craton.features.metrics.math.series import Series
from craton.features.metrics.metric import moment
from craton.features.metrics.queries import Evaluation, Origin, Query, queries_of
from craton.infra.series.metrics_index import Metric
from craton.infra.store.pages import Listing
from craton.infra.store.port import fingerprint
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.cloudwatch import GetMetricDataInput, GetMetricDataOutput

MOST_POINTS = 100_800
Start = tuple[int, int, int]
"""Where a page begins: which query, which of its series, and how many points of that were given."""


@operation("cloudwatch", "GetMetricData")
async def get_metric_data(call: Call, req: GetMetricDataInput) -> GetMetricDataOutput:
    call.authorize("cloudwatch:GetMetricData", "*")
    queries = queries_of(call.account, call.region, req.MetricDataQueries)
    most = MOST_POINTS if req.MaxDatapoints is None else req.MaxDatapoints
    if not 0 < most <= MOST_POINTS:
        raise invalid(f"The value {most} for parameter MaxDatapoints must be between 1 and {MOST_POINTS}.")
    listing = Listing(call.account, call.region, "GetMetricData", fingerprint([
        req.StartTime.timestamp(), req.EndTime.timestamp(), req.ScanBy, [(one.Id, one.Expression) for one in req.MetricDataQueries]
    ]))  # fmt: skip
    with as_faults():
        after = call.app.storage.pages.open(listing, req.NextToken)
    start = (0, 0, 0) if after is None else _opened(str(after[0]))
    evaluation = Evaluation(origin_of(call), queries, req.StartTime, req.EndTime)
    results, reached = await _page(evaluation, queries, start, most, newest_first=req.ScanBy != "TimestampAscending")
    token = call.app.storage.pages.issue(listing, None if reached is None else ("/".join(map(str, reached)), ""))
    messages: list[Any] = []
    return {"MetricDataResults": results, "Messages": messages, **({"NextToken": token} if token else {})}  # type: ignore[typeddict-item]


def origin_of(call: Call) -> Origin:
    """The caller's own metrics, now."""
    return Origin(call.account, call.region, call.app.storage, call.now())


async def _page(
    evaluation: Evaluation, queries: Sequence[Query], start: Start, most: int, *, newest_first: bool
) -> tuple[list[dict[str, Any]], Start | None]:
    """The results from a place on, and where the next page begins."""
    results: list[dict[str, Any]] = []
    for number in range(start[0], len(queries)):
        query = queries[number]
        if not query.returned:
            continue
        found = await evaluation.series(query)
        for index, one in enumerate(found):
            skipped = start[2] if (number, index) == start[:2] else 0
            if (number, index) < start[:2]:
                continue
            moments = sorted(one.points, reverse=newest_first)[skipped:]
            given = moments[:most]
            results.append(_result(query, one, given, several=len(found) > 1, is_whole=len(given) == len(moments)))
            if len(given) < len(moments):
                return results, (number, index, skipped + len(given))
            most -= len(given)
            if most == 0 and (index + 1 < len(found) or any(each.returned for each in queries[number + 1 :])):
                return results, (number, index + 1, 0)
    return results, None


def _result(query: Query, one: Series, moments: Sequence[int], *, several: bool, is_whole: bool) -> dict[str, Any]:
    own = one.label if isinstance(query.metric, Metric) or several else query.id
    label = query.label if query.label is not None and not several else f"{query.label} {own}" if query.label else own
    return {
        "Id": query.id,
        "Label": label,
        "Timestamps": [moment(at_s) for at_s in moments],
        "Values": [one.points[at_s] for at_s in moments],
        "StatusCode": "Forbidden" if query.foreign else "Complete" if is_whole else "PartialData",
    }


def _opened(place: str) -> Start:
    query, index, points = map(int, place.split("/"))
    return query, index, points
