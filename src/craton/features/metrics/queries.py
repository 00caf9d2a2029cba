"""The queries of a GetMetricData request, checked and reckoned.

Owns what a query may be and the order in which queries are read: one at a time and each once, however many expressions
speak of it, so that what a request asks of the store comes in small parts. It must not know pages.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from craton.aws.wire.faults import Fault
from craton.context import Storage
from craton.features.metrics.faults import as_faults, both, combination, invalid, missing, too_long
from craton.features.metrics.math import search
from craton.features.metrics.math.parse import Node, names_in, parse
from craton.features.metrics.math.reckon import Reckoner
from craton.features.metrics.math.series import MOST_SERIES, MathFault, Series, Value
from craton.features.metrics.metric import check_period, dimensions_of, ids, span_of
from craton.features.metrics.statistic import Statistic, statistic
from craton.infra.series import metrics_index, metrics_read
from craton.infra.series.metrics_index import Metric
from craton.infra.series.metrics_read import Span

MOST_QUERIES = 500
_ID = re.compile(r"[a-z][A-Za-z0-9_]*")
_SEARCH_PAGE = 1000
_SEARCH_MOST = 20_000


class Query(msgspec.Struct, frozen=True):
    """One query: a statistic of a metric, or an expression."""

    id: str
    label: str | None
    returned: bool
    period_s: int
    foreign: bool = False
    metric: Metric | None = None
    unit: str | None = None
    statistic: Statistic | None = None
    node: Node | None = None


def queries_of(account: str, region: str, given: Sequence[Any]) -> list[Query]:
    """Raises Fault for the first query that cannot be one."""
    if not given:
        raise missing("MetricDataQueries")
    if len(given) > MOST_QUERIES:
        raise too_long("MetricDataQueries", MOST_QUERIES)
    found = [_query(account, region, one, f"MetricDataQueries.member.{number}") for number, one in enumerate(given, 1)]
    names = [one.id for one in found]
    if len(set(names)) != len(names):
        raise invalid("The values for parameter id in MetricDataQueries are not unique")
    if not any(one.returned for one in found):
        raise combination("At least one of the queries must have ReturnData set to true.")
    _check_references(found)
    return found


def _query(account: str, region: str, one: Any, place: str) -> Query:
    if _ID.fullmatch(one.Id) is None:
        rule = "must begin with a small letter and hold letters, digits and underscores alone"
        raise invalid(f"The value {one.Id} for parameter {place}.Id {rule}.")
    returned = one.ReturnData is not False
    if one.MetricStat is not None and one.Expression is not None:
        raise both(f"{place}.MetricStat", f"{place}.Expression")
    if one.Expression is not None:
        if one.Period is not None:
            check_period(one.Period, f"{place}.Period")
        try:
            return Query(one.Id, one.Label, returned, one.Period or 0, node=parse(one.Expression))
        except MathFault as fault:
            raise _wrong(one.Id, fault) from None
    stat = one.MetricStat
    if stat is None:
        raise missing(f"{place}.MetricStat")
    if not stat.Metric.Namespace or not stat.Metric.MetricName:
        raise missing(f"{place}.MetricStat.Metric.{'Namespace' if not stat.Metric.Namespace else 'MetricName'}")
    check_period(stat.Period, f"{place}.MetricStat.Period")
    dimensions = dimensions_of(stat.Metric.Dimensions, f"{place}.MetricStat.Metric")
    metric = Metric(account, region, stat.Metric.Namespace, stat.Metric.MetricName, dimensions)
    return Query(
        one.Id, one.Label, returned, stat.Period, one.AccountId not in (None, account), metric, stat.Unit,
        statistic(stat.Stat, f"{place}.MetricStat.Stat"),
    )  # fmt: skip


def _check_references(queries: Sequence[Query]) -> None:
    """Every id is there and none leads back to itself."""
    reads = {one.id: _reads(one) for one in queries}
    open_: set[str] = set()
    done: set[str] = set()

    def visit(name: str, by: str) -> None:
        if name not in reads:
            raise _wrong(by, MathFault(f"there is no query with the id '{name}'"))
        if name in open_:
            raise _wrong(by, MathFault("the expression depends on itself"))
        if name not in done:
            open_.add(name)
            for inner in reads[name]:
                visit(inner, name)
            open_.discard(name)
            done.add(name)

    for one in queries:
        visit(one.id, one.id)


def _reads(one: Query) -> list[str]:
    from craton.features.metrics.math.functions import WORDS

    return [] if one.node is None else [name for name in names_in(one.node) if name.upper() not in WORDS]


def _wrong(ident: str, fault: MathFault) -> Fault:
    return Fault("ValidationError", f"Error in expression '{ident}': {fault}", status=400)


class Origin(msgspec.Struct, frozen=True):
    """Whose metrics are read, and when."""

    account: str
    region: str
    storage: Storage
    now: datetime


class Evaluation:
    """The values of one request's queries, each reckoned when it is first asked for."""

    def __init__(self, origin: Origin, queries: Sequence[Query], start: datetime, stop: datetime) -> None:
        self._origin = origin
        self._queries = {one.id: one for one in queries}
        self._start, self._stop, self._now = start, stop, origin.now
        self._values: dict[str, Value] = {}
        self._default_s = max((one.period_s for one in queries if one.metric is not None), default=60)

    async def series(self, query: Query) -> list[Series]:
        """What a query gives back. Raises ValidationError for an expression that cannot be reckoned."""
        try:
            value = await self._value(query.id)
        except MathFault as fault:
            raise _wrong(query.id, fault) from None
        if isinstance(value, Series):
            return [value]
        if isinstance(value, list):
            return value
        raise _wrong(query.id, MathFault("the result is no time series"))

    async def _value(self, ident: str) -> Value:
        if ident not in self._values:
            query = self._queries[ident]
            if query.node is None:
                self._values[ident] = await self._read(query)
            else:
                self._values[ident] = await Reckoner(self._value, self._metrics, self._search).value(query.node)
        return self._values[ident]

    async def _read(self, query: Query) -> Series:
        assert query.metric is not None and query.statistic is not None  # noqa: S101, PT018 - it is no expression
        span = span_of(self._start, self._stop, query.period_s, self._now)
        if query.foreign:
            return Series({}, span.period_s, query.metric.name)
        points = await self._points(list(ids(query.metric, query.unit)), span, query.statistic)
        return Series(points, span.period_s, query.metric.name)

    async def _points(self, metrics: list[bytes], span: Span, asked: Statistic) -> dict[int, float]:
        def work(connection: Any) -> dict[int, float]:
            there = metrics_index.present(connection, metrics)
            found = metrics_read.points(connection, there, span, spread=asked.spread) if there else {}
            return {at_s: value for at_s, one in found.items() if (value := asked.of(one)) is not None}

        with as_faults():
            return await self._origin.storage.read(lambda store: store.run(work))

    async def _metrics(self, holding: str) -> list[Series]:
        names = [one.id for one in self._queries.values() if one.metric is not None and holding in one.id]
        return [value for name in names if isinstance(value := await self._value(name), Series)]

    async def _search(self, text: str, stat: str, period_s: int) -> list[Series]:
        wanted, asked = search.parse(text), statistic(stat)
        period_s = period_s or self._default_s
        check_period(period_s)
        span = span_of(self._start, self._stop, period_s, self._now)
        by_ident: dict[bytes, tuple[Metric, list[bytes]]] = {}
        for metric in await self._candidates(wanted):
            by_ident.setdefault(metric.ident, (metric, []))[1].append(metric.id)
        found = [
            Series(await self._points(metrics, span, asked), period_s, _label(metric))
            for metric, metrics in list(by_ident.values())[:MOST_SERIES]
        ]
        return [one for one in found if one.points]

    async def _candidates(self, wanted: search.Search) -> list[Metric]:
        origin, after, read, found = self._origin, None, 0, list[Metric]()
        while True:

            def work(connection: Any, after: Any = after) -> Any:
                return metrics_index.listed(
                    connection, origin.account, origin.region, namespace=wanted.namespace, name=None, since_s=None,
                    after=after, limit=_SEARCH_PAGE,
                )  # fmt: skip

            with as_faults():
                rows = await origin.storage.read(lambda store, work=work: store.run(work))  # type: ignore[misc]
            found += [metric for _, metric in rows if wanted.matches(metric)]
            read += len(rows)
            if len(rows) < _SEARCH_PAGE or read >= _SEARCH_MOST:
                return found
            after = rows[-1][0]


def _label(metric: Metric) -> str:
    return " ".join([*(value for _, value in metric.dimensions), metric.name])
