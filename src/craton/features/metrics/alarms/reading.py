"""The points that an alarm looks at: its query over the periods that count, up to the last whole minute.

Owns which span that is. A minute counts from some seconds after its end, when what was served in it has been counted.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from craton.features.metrics.alarms.alarm import Watch
from craton.features.metrics.alarms.judge import BEYOND, Point
from craton.features.metrics.faults import as_faults
from craton.features.metrics.metric import ids
from craton.features.metrics.queries import Evaluation, Origin, Query, queries_of
from craton.infra.series import metrics_index, metrics_read
from craton.infra.series.metrics_read import Span

MINUTE_S = 60
SETTLED = timedelta(seconds=8)


class Looked(msgspec.Struct, frozen=True):
    """The points, the oldest first, None where there is none, from `start` on."""

    start: datetime
    found: list[Point | None]


async def look(origin: Origin, watch: Watch) -> Looked:
    """Raises Fault where the queries cannot be reckoned (any more)."""
    period_s = period_of(watch)
    stop_s = window_of(origin.now)
    start_s = stop_s - (watch.periods + BEYOND) * period_s
    queries = queries_of(origin.account, origin.region, watch.queries)
    returned = next(one for one in queries if one.id == watch.returned.Id)
    if returned.metric is not None:
        points = await _measured(origin, returned, Span(start_s, stop_s, period_s))
    else:
        series = await Evaluation(origin, queries, moment(start_s), moment(stop_s)).series(returned)
        points = {at_s: Point(at_s, value) for at_s, value in series[0].points.items()} if series else {}
    return Looked(moment(start_s), [points.get(at_s) for at_s in range(start_s, stop_s, period_s)])


async def _measured(origin: Origin, query: Query, span: Span) -> dict[int, Point]:
    """The points of one metric, with how many samples each is of, in one reading."""
    assert query.metric is not None and query.statistic is not None  # noqa: S101, PT018 - it is no expression
    kept, asked = list(ids(query.metric, query.unit)), query.statistic

    def work(connection: Any) -> dict[int, Point]:
        there = metrics_index.present(connection, kept)
        found = metrics_read.points(connection, there, span, spread=asked.spread) if there else {}
        told = ((at_s, asked.of(one), one.samples) for at_s, one in found.items())
        return {at_s: Point(at_s, value, samples) for at_s, value, samples in told if value is not None}

    with as_faults():
        return await origin.storage.read(lambda store: store.run(work))


def window_of(now: datetime) -> int:
    """Where the span that counts ends, in seconds since 1970: alarms see nothing new until it moves."""
    return int((now - SETTLED).timestamp()) // MINUTE_S * MINUTE_S


def period_of(watch: Watch) -> int:
    """The length of the periods that count, in seconds: an expression's is that of what it is made of."""
    returned = watch.returned
    if returned.MetricStat is not None:
        return max(returned.MetricStat.Period, MINUTE_S)
    periods = (one.MetricStat.Period for one in watch.queries if one.MetricStat is not None)
    return max(returned.Period or 0, *periods, MINUTE_S)


def moment(at_s: int) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)
