"""GetMetricStatistics: one metric over time, in the statistics that are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from craton.context import Call
from craton.features.metrics.faults import as_faults, combination, invalid
from craton.features.metrics.metric import check_period, check_points, dimensions_of, ids, is_in_order, moment, span_of
from craton.features.metrics.statistic import Statistic, statistic
from craton.infra.series import metrics_index, metrics_read
from craton.infra.series.metrics_index import Metric
from craton.infra.series.metrics_read import Span
from craton.infra.series.metrics_summary import Summary
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.cloudwatch import GetMetricStatisticsInput, GetMetricStatisticsOutput

MOST_POINTS = 1440
DISORDERLY = "The parameter StartTime must be less than the parameter EndTime."


@operation("cloudwatch", "GetMetricStatistics")
async def get_metric_statistics(call: Call, req: GetMetricStatisticsInput) -> GetMetricStatisticsOutput:
    call.authorize("cloudwatch:GetMetricStatistics", "*")
    plain = [statistic(name) for name in req.Statistics or ()]
    extended = [statistic(name, "ExtendedStatistics") for name in req.ExtendedStatistics or ()]
    if not plain and not extended:
        raise combination("Must specify either Statistics or ExtendedStatistics")
    check_period(req.Period)
    if not is_in_order(req.StartTime, req.EndTime):
        raise invalid(DISORDERLY)
    span = span_of(req.StartTime, req.EndTime, req.Period, call.now())
    check_points(span, MOST_POINTS)
    metric = Metric(call.account, call.region, req.Namespace, req.MetricName, dimensions_of(req.Dimensions, "Metric"))
    units = ids(metric, req.Unit)
    spread = any(one.spread for one in extended)

    def work(store: Any) -> list[tuple[int, str, Summary]]:
        return store.run(lambda connection: by_unit(connection, units, span, spread=spread))  # type: ignore[no-any-return]

    with as_faults():
        found = await call.app.storage.read(work)
    points: list[Any] = [shown(at_s, unit, one, plain, extended) for at_s, unit, one in found]
    return {"Label": req.MetricName, "Datapoints": points}


def by_unit(connection: Any, units: dict[bytes, str], span: Span, *, spread: bool) -> list[tuple[int, str, Summary]]:
    """Points in order of time; samples of different units are never brought together."""
    found = [
        (at_s, units[ident], one)
        for ident in metrics_index.present(connection, list(units))
        for at_s, one in metrics_read.points(connection, [ident], span, spread=spread).items()
    ]
    return sorted(found, key=lambda point: point[:2])


def shown(at_s: int, unit: str, one: Summary, plain: list[Statistic], extended: list[Statistic]) -> dict[str, Any]:
    point: dict[str, Any] = {"Timestamp": moment(at_s), "Unit": unit}
    point.update((each.name, each.of(one)) for each in plain)
    more = {each.name: value for each in extended if (value := each.of(one)) is not None}
    return {**point, **({"ExtendedStatistics": more} if more else {})}
