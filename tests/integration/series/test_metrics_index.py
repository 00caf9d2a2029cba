"""Metrics in the store, on both databases: exact sums whoever writes, what is listed, what grows old."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from craton.infra.series import metrics_index as index
from craton.infra.series import metrics_read
from craton.infra.series.metrics_index import Metric, Sample
from craton.infra.series.metrics_read import Span
from craton.infra.series.metrics_summary import Summary, of_values
from tests.integration.series.conftest import World

HOUR, DAY = 3600, 86_400
T0 = 1_700_000_000 // DAY * DAY


def metric(name: str = "m", **dimensions: str) -> Metric:
    return Metric("1", "r", "Own", name, tuple(sorted(dimensions.items())), "Count")


def sample(at_s: int, *values: float, of: Metric | None = None) -> Sample:
    return Sample(of or metric(), at_s // 60 * 60, of_values([(value, 1.0) for value in values]))


def keep(world: World, work: Any) -> Any:
    return asyncio.run(world.storage.keep(lambda tx: tx.run(work)))


def put(world: World, *samples: Sample) -> None:
    keep(world, lambda connection: index.add(connection, samples))


def points(world: World, span: Span, *metrics: Metric, spread: bool = False) -> dict[int, Summary]:
    ids = [one.id for one in metrics or (metric(),)]
    return keep(world, lambda connection: metrics_read.points(connection, ids, span, spread=spread))  # type: ignore[no-any-return]


def totals(found: dict[int, Summary]) -> dict[int, float]:
    return {at_s: one.total for at_s, one in found.items()}


def test_samples_add_up(world: World) -> None:
    """Within a minute, and over any period, which begins where the span does."""
    for minute in range(0, 180, 7):
        put(world, sample(T0 + minute * 60, 1.0), sample(T0 + minute * 60 + 30, 2.0))
    minutes = totals(points(world, Span(T0, T0 + 3 * HOUR, 60)))
    assert minutes == {T0 + minute * 60: 3.0 for minute in range(0, 180, 7)}
    for start, period in ((T0, HOUR), (T0 + 420, 300), (T0 + 60, 2 * HOUR)):
        found = points(world, Span(start, T0 + 3 * HOUR, period))
        assert sum(one.total for one in found.values()) == sum(v for at, v in minutes.items() if at >= start)
        assert all((at_s - start) % period == 0 for at_s in found)


def test_writers_of_several_servers_lose_nothing(world: World) -> None:
    """Each reads, adds and writes the same rows at the same time."""
    servers = [world.again() for _ in range(4)]
    put(world, sample(T0, 0.0))

    def write(server: World) -> None:
        for number in range(10):
            put(server, sample(T0 + number, 1.0), sample(T0, 2.0, of=metric(a="b")), sample(T0 + HOUR, 3.0))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, servers))
    for server in servers:
        server.storage.close()
    span = Span(T0, T0 + 2 * HOUR, HOUR)
    assert totals(points(world, span)) == {T0: 40.0, T0 + HOUR: 120.0}
    assert totals(points(world, span, metric(a="b"))) == {T0: 80.0}


def test_a_batch_is_kept_once(world: World) -> None:
    """However often it is given, and a later one after it."""
    for number in (1, 1, 2, 1, 2):
        keep(world, lambda connection, n=number: index.add_once(connection, "writer", n, [sample(T0, 1.0)], T0))
    keep(world, lambda connection: index.add_once(connection, "other", 1, [sample(T0, 1.0)], T0))
    assert totals(points(world, Span(T0, T0 + HOUR, HOUR))) == {T0: 3.0}


def test_old_hours_grow_coarse_and_go(world: World) -> None:
    """Sums and percentiles stay; what is finer goes, and in the end the metric."""
    for minute in range(120):
        put(world, sample(T0 + minute * 60, float(minute), 100.0))
    span = Span(T0, T0 + 2 * HOUR, 300)
    before = points(world, span, spread=True)
    assert keep(world, lambda connection: index.thin(connection, T0 + HOUR, 300, 10)) == 1
    assert keep(world, lambda connection: index.thin(connection, T0 + HOUR, 300, 10)) == 0
    after = points(world, span, spread=True)
    assert totals(after) == totals(before)
    assert [one.percentile(0.5) for one in after.values()] == [one.percentile(0.5) for one in before.values()]
    assert len(points(world, Span(T0, T0 + 2 * HOUR, 60))) == 12 + 60
    put(world, sample(T0 + 61, 7.0))  # late
    assert points(world, span)[T0].total == before[T0].total + 7
    keep(world, lambda connection: index.expire(connection, T0 + HOUR, 0))
    assert set(points(world, Span(T0, T0 + 2 * HOUR, HOUR))) == {T0 + HOUR}
    keep(world, lambda connection: index.expire(connection, T0 + DAY, 0))
    assert keep(world, lambda connection: index.present(connection, [metric().id])) == []


def test_metrics_are_listed_page_by_page(world: World) -> None:
    """In one order, each row once, those of the account and region alone."""
    made = [metric(name, a=str(number)) for name in "xy" for number in range(5)]
    put(world, *(sample(T0 + HOUR * number, 1.0, of=one) for number, one in enumerate(made)))
    put(world, sample(T0, 1.0, of=Metric("2", "r", "Own", "x")))

    def listed(connection: Any, **more: Any) -> Any:
        asked = {"namespace": None, "name": None, "since_s": None, "after": None, "limit": 3, **more}
        return index.listed(connection, "1", "r", **asked)

    found, after = [], None
    while rows := keep(world, lambda connection, at=after: listed(connection, after=at)):
        found += [one for _, one in rows]
        after = rows[-1][0]
    assert sorted(found, key=repr) == sorted(made, key=repr)
    named = keep(world, lambda connection: listed(connection, namespace="Own", name="y", limit=9))
    assert {one.name for _, one in named} == {"y"}
    recent = keep(world, lambda connection: listed(connection, since_s=T0 + 8 * HOUR, limit=9))
    assert {one for _, one in recent} == set(made[8:])


def test_an_account_has_so_many_metrics(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes beyond is refused as a whole; what is there goes on. The server's own are always kept."""
    monkeypatch.setattr(index, "MOST_METRICS", 2)
    put(world, sample(T0, 1.0), sample(T0, 1.0, of=metric("n")))
    with pytest.raises(index.TooMany):
        put(world, sample(T0, 1.0), sample(T0, 1.0, of=metric("o")))
    put(world, sample(T0, 1.0))
    assert totals(points(world, Span(T0, T0 + HOUR, HOUR))) == {T0: 2.0}
    keep(world, lambda connection: index.add_once(connection, "w", 1, [sample(T0, 1.0, of=metric("o"))], T0))
    assert totals(points(world, Span(T0, T0 + HOUR, HOUR), metric("o"))) == {T0: 1.0}
