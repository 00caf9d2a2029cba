"""DescribeAlarms and DescribeAlarmsForMetric: which alarms there are, and in which state.

Owns filters and pages, by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from craton.context import Call
from craton.features.metrics.alarms.alarm import COMPOSITE, KIND, METRIC, Alarm, alarm_arn
from craton.features.metrics.alarms.rule import alarms_in, parse
from craton.features.metrics.faults import as_faults, combination
from craton.features.metrics.metric import dimensions_of
from craton.infra.store.pages import Listing
from craton.infra.store.port import Page, Query, Reader, Resource, fingerprint, select
from craton.services.cloudwatch.alarm_shown import briefly, shown
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.cloudwatch import (
        DescribeAlarmsForMetricInput,
        DescribeAlarmsForMetricOutput,
        DescribeAlarmsInput,
        DescribeAlarmsOutput,
    )

PAGE = 50
_MOST = 1_000_000
Keep = Callable[[Resource], bool]


@operation("cloudwatch", "DescribeAlarms")
async def describe_alarms(call: Call, req: DescribeAlarmsInput) -> DescribeAlarmsOutput:
    call.authorize("cloudwatch:DescribeAlarms", alarm_arn(call.account, call.region, "*"))
    if req.AlarmNames and req.AlarmNamePrefix is not None:
        raise combination("AlarmNames and AlarmNamePrefix cannot both be given.")
    if req.ChildrenOfAlarmName is not None or req.ParentsOfAlarmName is not None:
        return await related(call, req.ChildrenOfAlarmName, req.ParentsOfAlarmName)
    types = frozenset(req.AlarmTypes or (METRIC,))
    names, action = frozenset(req.AlarmNames or ()), req.ActionPrefix

    def keep(row: Resource) -> bool:
        alarm = row.read(Alarm)
        targets = (target for some in alarm.actions.values() for target in some)
        return (
            alarm.type in types
            and (not names or row.id in names)
            and (action is None or any(target.startswith(action) for target in targets))
        )

    asked = [sorted(types), sorted(names), req.AlarmNamePrefix, req.StateValue, action]
    listing = Listing(call.account, call.region, "DescribeAlarms", fingerprint(asked))
    pages = call.app.storage.pages
    with as_faults():
        query = Query(
            kind=KIND, account=call.account, region=call.region, status=req.StateValue, id_prefix=req.AlarmNamePrefix,
            sort="id", limit=req.MaxRecords or PAGE, after=pages.open(listing, req.NextToken),
        )  # fmt: skip
        page: Page = await call.app.storage.read(lambda store: select(store, query, keep))
    token = pages.issue(listing, page.after)
    return parted(page.items, shown, {"NextToken": token} if token else {})


async def related(call: Call, children_of: str | None, parents_of: str | None) -> DescribeAlarmsOutput:
    """The alarms that a composite one is made of, or those that are made of an alarm."""
    if children_of is not None and parents_of is not None:
        raise combination("ChildrenOfAlarmName and ParentsOfAlarmName cannot both be given.")

    def arn_of(name: str) -> str:
        return name if name.startswith("arn:") else alarm_arn(call.account, call.region, name)

    def spoken_of(row: Resource) -> set[str]:
        found = row.read(Alarm).combination
        return set() if found is None else {arn_of(one) for one in alarms_in(parse(found.rule))}

    def work(store: Reader) -> list[Resource]:
        if children_of is not None:
            row = store.get(arn_of(children_of))
            rows = [] if row is None else [store.get(arn) for arn in sorted(spoken_of(row))]
            return [one for one in rows if one is not None and one.account == call.account]
        wanted = arn_of(parents_of or "")
        query = Query(kind=KIND, account=call.account, region=call.region, sort="id", limit=_MOST)
        return [row for row in store.list(query).items if wanted in spoken_of(row)]

    with as_faults():
        rows = await call.app.storage.read(work)
    return parted(tuple(rows), briefly, {})


@operation("cloudwatch", "DescribeAlarmsForMetric")
async def describe_alarms_for_metric(
    call: Call, req: DescribeAlarmsForMetricInput
) -> DescribeAlarmsForMetricOutput:  # fmt: skip
    call.authorize("cloudwatch:DescribeAlarmsForMetric", "*")
    dimensions = dimensions_of(req.Dimensions, "Metric")
    stat = req.Statistic or req.ExtendedStatistic

    def keep(row: Resource) -> bool:
        watch = row.read(Alarm).watch
        found = None if watch is None or not watch.plain else watch.returned.MetricStat
        if found is None or (found.Metric.Namespace, found.Metric.MetricName) != (req.Namespace, req.MetricName):
            return False
        held = tuple(sorted((one.Name, one.Value) for one in found.Metric.Dimensions or ()))
        return (
            held == dimensions
            and stat in (None, found.Stat)
            and req.Period in (None, found.Period)
            and req.Unit in (None, found.Unit)
        )

    query = Query(kind=KIND, account=call.account, region=call.region, sort="id", limit=_MOST)
    with as_faults():
        page = await call.app.storage.read(lambda store: select(store, query, keep))
    found: list[Any] = [shown(row) for row in page.items]
    return {"MetricAlarms": found}


def parted(
    rows: tuple[Resource, ...], show: Callable[[Resource], dict[str, Any]], more: dict[str, str]
) -> DescribeAlarmsOutput:
    """Alarms by their type."""
    found: dict[str, list[Any]] = {METRIC: [], COMPOSITE: []}
    for row in rows:
        found[row.read(Alarm).type].append(show(row))
    return {"MetricAlarms": found[METRIC], "CompositeAlarms": found[COMPOSITE], **more}  # type: ignore[typeddict-item]
