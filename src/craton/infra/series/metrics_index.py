"""The rows of metrics: samples are added to their hour, hours are read, metrics are listed, what is old is given up.

Owns the statements, in SQL that SQLite and PostgreSQL both understand, and the order in which rows are locked: a metric's
own row before its hours, and metrics by id, so that writers of several servers wait for each other and none is lost.
Every function works on one connection inside the caller's transaction. It must not know AWS's rules for metrics.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, text, tuple_, update

from craton.infra.series import metrics_block
from craton.infra.series.metrics_block import HOUR_S
from craton.infra.series.metrics_summary import Summary, merged
from craton.infra.series.metrics_tables import HOURS, METRICS, WRITERS

MINUTE_S = 60
UNITS = (
    "Seconds", "Microseconds", "Milliseconds", "Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes", "Bits",
    "Kilobits", "Megabits", "Gigabits", "Terabits", "Percent", "Count", "Bytes/Second", "Kilobytes/Second",
    "Megabytes/Second", "Gigabytes/Second", "Terabytes/Second", "Bits/Second", "Kilobits/Second", "Megabits/Second",
    "Gigabits/Second", "Terabits/Second", "Count/Second", "None",
)  # fmt: skip
MOST_METRICS = 50_000
"""Metrics of one account and region; what comes beyond is refused."""
_AT_ONCE = 300
_ID_BYTES = 16

Dimensions = tuple[tuple[str, str], ...]


class TooMany(Exception):
    """The account has as many metrics as it may."""


class Metric(msgspec.Struct, frozen=True):
    """What a metric is. `dimensions` are in order of their names."""

    account: str
    region: str
    namespace: str
    name: str
    dimensions: Dimensions = ()
    unit: str = "None"

    @property
    def ident(self) -> bytes:
        return _hash((self.account, self.region, self.namespace, self.name, self.dimensions))

    @property
    def id(self) -> bytes:
        return _hash((self.account, self.region, self.namespace, self.name, self.dimensions, self.unit))


class Sample(msgspec.Struct, frozen=True):
    """What was measured of a metric in the minute that begins at `at_s`."""

    metric: Metric
    at_s: int
    summary: Summary


class Hour(msgspec.Struct, frozen=True):
    """One row of an hour. `data` is empty where it was not asked for."""

    metric: bytes
    hour: int
    step_s: int
    samples: float
    total: float
    least: float
    most: float
    data: bytes = b""

    @property
    def summary(self) -> Summary:
        return Summary(self.samples, self.total, self.least, self.most)


Place = tuple[str, str, bytes]
"""Where a listing stopped: namespace, name, ident."""

_SEEN = text(
    "INSERT INTO metrics (id, ident, account, region, namespace, name, dimensions, unit, first_s, last_s) VALUES "
    "(:id, :ident, :account, :region, :namespace, :name, :dimensions, :unit, :first_s, :last_s) "
    "ON CONFLICT (id) DO UPDATE SET "
    "first_s = CASE WHEN excluded.first_s < metrics.first_s THEN excluded.first_s ELSE metrics.first_s END, "
    "last_s = CASE WHEN excluded.last_s > metrics.last_s THEN excluded.last_s ELSE metrics.last_s END"
)
_KEPT = text(
    "INSERT INTO metric_hours (metric, hour, step_s, samples, total, least, most, data) VALUES "
    "(:metric, :hour, :step_s, :samples, :total, :least, :most, :data) "
    "ON CONFLICT (metric, hour) DO UPDATE SET samples = excluded.samples, total = excluded.total, "
    "least = excluded.least, most = excluded.most, data = excluded.data"
)
_PLAIN = [HOURS.c[name] for name in Hour.__struct_fields__ if name != "data"]
_WHOLE = [HOURS.c[name] for name in Hour.__struct_fields__]


# --- adding ---


def add(connection: Connection, samples: Sequence[Sample], *, bounded: bool = True) -> None:
    """Add samples to what is there. Raises TooMany, and adds nothing, where metrics are `bounded`."""
    by_id: dict[bytes, list[Sample]] = {}
    for sample in samples:
        by_id.setdefault(sample.metric.id, []).append(sample)
    if bounded:
        _make_room(connection, by_id)
    if by_id:
        connection.execute(_SEEN, [_seen(ident, found) for ident, found in sorted(by_id.items())])
    for some in _some(sorted(by_id)):
        _add(connection, {ident: by_id[ident] for ident in some})


def add_once(connection: Connection, writer: str, number: int, samples: Sequence[Sample], now_s: int) -> bool:
    """The server's own, whose number nothing bounds: the batch `number` of a writer, which counts them up.

    One that is kept already is not kept again; the answer is whether it was new.
    """
    kept = connection.execute(select(WRITERS.c.number).where(WRITERS.c.name == writer)).scalar_one_or_none()
    if kept is not None and kept >= number:
        return False
    add(connection, samples, bounded=False)
    if kept is None:
        connection.execute(insert(WRITERS).values(name=writer, number=number, at_s=now_s))
    else:
        connection.execute(update(WRITERS).where(WRITERS.c.name == writer).values(number=number, at_s=now_s))
    return True


def _make_room(connection: Connection, by_id: dict[bytes, list[Sample]]) -> None:
    new: dict[tuple[str, str], int] = {}
    for some in _some(sorted(by_id)):
        there = set(connection.execute(select(METRICS.c.id).where(METRICS.c.id.in_(some))).scalars())
        for ident in some:
            metric = by_id[ident][0].metric
            if ident not in there:
                new[metric.account, metric.region] = new.get((metric.account, metric.region), 0) + 1
    for (account, region), more in new.items():
        owned = (METRICS.c.account == account, METRICS.c.region == region)
        if (
            connection.execute(select(func.count()).select_from(METRICS).where(*owned)).scalar_one() + more
            > MOST_METRICS
        ):
            raise TooMany


def _seen(ident: bytes, samples: Sequence[Sample]) -> dict[str, Any]:
    metric, moments = samples[0].metric, [sample.at_s for sample in samples]
    return {
        "id": ident, "ident": metric.ident, "account": metric.account, "region": metric.region,
        "namespace": metric.namespace, "name": metric.name, "dimensions": written(metric.dimensions),
        "unit": metric.unit, "first_s": min(moments), "last_s": max(moments),
    }  # fmt: skip


def _add(connection: Connection, by_id: dict[bytes, list[Sample]]) -> None:
    hours: dict[tuple[bytes, int], list[Sample]] = {}
    for ident, samples in by_id.items():
        for sample in samples:
            hours.setdefault((ident, sample.at_s // HOUR_S), []).append(sample)
    asked = select(*_WHOLE).where(HOURS.c.metric.in_(by_id), HOURS.c.hour.in_({hour for _, hour in hours}))
    there = {(row.metric, row.hour): row for row in map(_hour, connection.execute(asked))}
    rows = [_grown(ident, hour, there.get((ident, hour)), samples) for (ident, hour), samples in hours.items()]
    connection.execute(_KEPT, rows)


def _grown(ident: bytes, hour: int, there: Hour | None, samples: Sequence[Sample]) -> dict[str, Any]:
    step_s = MINUTE_S if there is None else there.step_s
    found = {} if there is None else {part: [one] for part, one in metrics_block.unpack(there.data).items()}
    for sample in samples:
        found.setdefault(sample.at_s % HOUR_S // step_s, []).append(sample.summary)
    parts = {part: ones[0] if len(ones) == 1 else merged(ones) for part, ones in found.items()}
    return {"metric": ident, "hour": hour, "step_s": step_s, **_sums(parts), "data": metrics_block.pack(parts)}


def _sums(parts: dict[int, Summary]) -> dict[str, float]:
    ones = parts.values()
    return {
        "samples": sum(one.samples for one in ones),
        "total": sum(one.total for one in ones),
        "least": min(one.least for one in ones),
        "most": max(one.most for one in ones),
    }


# --- reading ---


def hours(
    connection: Connection, metrics: Sequence[bytes], start_s: int, stop_s: int, *, whole: bool = True
) -> Iterator[Hour]:
    """The hours of these metrics that reach into a span of time; `whole`: with their parts."""
    columns = _WHOLE if whole else _PLAIN
    for some in _some(metrics):
        asked = select(*columns).where(
            HOURS.c.metric.in_(some), HOURS.c.hour >= start_s // HOUR_S, HOURS.c.hour <= (stop_s - 1) // HOUR_S
        )
        yield from map(_hour, connection.execute(asked))


def present(connection: Connection, metrics: Sequence[bytes]) -> list[bytes]:
    """Those of these metrics that have samples."""
    found = [
        connection.execute(select(METRICS.c.id).where(METRICS.c.id.in_(some))).scalars() for some in _some(metrics)
    ]
    return [bytes(ident) for some in found for ident in some]


def listed(
    connection: Connection, account: str, region: str, *, namespace: str | None, name: str | None, since_s: int | None,
    after: Place | None, limit: int,
) -> list[tuple[Place, Metric]]:  # fmt: skip
    """Metrics by namespace and name, one row for each unit. `since_s`: with a sample at that moment or later."""
    columns = METRICS.c
    fields = [columns[field] for field in Metric.__struct_fields__]
    asked = select(columns.ident, *fields).where(columns.account == account, columns.region == region)
    if namespace is not None:
        asked = asked.where(columns.namespace == namespace)
    if name is not None:
        asked = asked.where(columns.name == name)
    if since_s is not None:
        asked = asked.where(columns.last_s >= since_s)
    order = (columns.namespace, columns.name, columns.ident)
    if after is not None:
        asked = asked.where(tuple_(*order) > tuple_(*after))
    rows = connection.execute(asked.order_by(*order, columns.id).limit(limit)).all()
    return [((row.namespace, row.name, bytes(row.ident)), _metric(row)) for row in rows]


def _metric(row: Any) -> Metric:
    return Metric(row.account, row.region, row.namespace, row.name, read(row.dimensions), row.unit)


# --- growing old ---


def thin(connection: Connection, before_s: int, step_s: int, limit: int) -> int:
    """Bring hours that ended before a moment to a longer step, some of them; how many."""
    asked = select(*_WHOLE).where(HOURS.c.hour < before_s // HOUR_S, HOURS.c.step_s < step_s).limit(limit)
    rows = [_hour(row) for row in connection.execute(asked)]
    for row in rows:
        parts = metrics_block.coarser(metrics_block.unpack(row.data), row.step_s, step_s)
        change = update(HOURS).where(HOURS.c.metric == row.metric, HOURS.c.hour == row.hour)
        connection.execute(change.values(step_s=step_s, data=metrics_block.pack(parts)))
    return len(rows)


def expire(connection: Connection, before_s: int, writers_before_s: int) -> None:
    """Give up hours that ended before a moment, metrics without any sample since, and writers long gone."""
    connection.execute(delete(HOURS).where(HOURS.c.hour < before_s // HOUR_S))
    connection.execute(delete(METRICS).where(METRICS.c.last_s < before_s))
    connection.execute(delete(WRITERS).where(WRITERS.c.at_s < writers_before_s))


# --- forms ---


def written(dimensions: Dimensions) -> str:
    return msgspec.json.encode(dimensions).decode()


def read(dimensions: str) -> Dimensions:
    return msgspec.json.decode(dimensions, type=Dimensions)


def _hash(parts: Any) -> bytes:
    return sha256(msgspec.msgpack.encode(parts)).digest()[:_ID_BYTES]


def _hour(row: Any) -> Hour:
    metric, hour, *rest = tuple(row)
    return Hour(bytes(metric), hour, *rest)


def _some(ids: Sequence[bytes]) -> Iterable[Sequence[bytes]]:
    return (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))
