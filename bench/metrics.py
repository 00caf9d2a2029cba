"""CloudWatch's metrics: how long queries take over many of them, and what looking after alarms costs.

Owns the data, which is written into a SQLite file as the server would have left it: a month of minutes, thinned as they
grow old. Queries run on the store without HTTP; what others do on the machine shows in the seconds.

    python -m bench.metrics [--streams 5000] [--days 30] [--alarms 1000]

Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from craton.features.metrics.alarms.alarm import DataQuery, Dimension, MetricStat, NamedMetric, Watch
from craton.features.metrics.alarms.reading import look
from craton.features.metrics.queries import Evaluation, Origin, queries_of
from craton.infra.series import metrics_block
from craton.infra.series.metrics_index import Metric, written
from craton.infra.series.metrics_summary import Summary, of_values
from craton.infra.series.metrics_tables import HOURS, METRICS
from craton.infra.store.opening import open_store
from craton.infra.store.threaded import ThreadedStore

ACCOUNT, REGION, SPACE, NAME = "000000000000", "us-east-1", "Bench", "latency"
FINE_DAYS = 15
WEEK = timedelta(days=7)
SAMPLES = 5


def metric_of(number: int) -> Metric:
    return Metric(ACCOUNT, REGION, SPACE, NAME, (("stream", f"s{number:05d}"),))


def blocks(minutes: int, count: int) -> list[tuple[bytes, Summary]]:
    """Hours of some streams, made once: every stream has one of them at each hour, since what is in it costs alike."""
    rng = random.Random(7)
    found = []
    for _ in range(count):
        parts = {part: of_values([(rng.uniform(5, 900), 1.0) for _ in range(3)]) for part in range(60 // minutes)}
        total = sum(one.total for one in parts.values())
        ends = (min(one.least for one in parts.values()), max(one.most for one in parts.values()))
        found.append((metrics_block.pack(parts), Summary(3.0 * len(parts), total, *ends)))
    return found


def fill(path: Path, streams: int, days: int, now_s: int) -> None:
    """Write the rows of all streams, hour by hour as a server does, so that those of one stream lie far from each other."""
    fine, coarse = blocks(1, 50), blocks(5, 50)
    last = now_s // 3600
    metrics = [metric_of(number) for number in range(streams)]
    ids = [metric.id for metric in metrics]
    first_s = now_s - days * 86_400
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -1000000")
        connection.executemany(
            f"INSERT INTO metrics ({', '.join(METRICS.c.keys())}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (one.id, one.ident, ACCOUNT, REGION, SPACE, NAME, written(one.dimensions), "None", first_s, now_s)
                for one in metrics
            ],
        )
        for hour in range(last - days * 24, last):
            is_fine = hour >= last - FINE_DAYS * 24
            some, step_s = (fine, 60) if is_fine else (coarse, 300)
            rows = (
                (ident, hour, step_s, one.samples, one.total, one.least, one.most, data)
                for number, ident in enumerate(ids)
                for data, one in (some[(number + hour) % 50],)
            )
            connection.executemany(
                f"INSERT INTO metric_hours ({', '.join(HOURS.c.keys())}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows
            )
            if hour % 24 == 0:
                connection.commit()
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def asked(number: int, stat: str, period_s: int) -> DataQuery:
    dimensions = (Dimension("stream", f"s{number:05d}"),)
    return DataQuery(f"q{number}", MetricStat(NamedMetric(SPACE, NAME, dimensions), period_s, stat))


async def timed(work: Callable[[int], Awaitable[Any]], times: int = 15) -> tuple[float, float]:
    """The median of some runs in ms, by the clock and of CPU."""
    taken, spent = [], []
    for turn in range(times):
        began, before = time.perf_counter(), time.process_time()
        await work(turn)
        taken.append(time.perf_counter() - began)
        spent.append(time.process_time() - before)
    return statistics.median(taken) * 1000, statistics.median(spent) * 1000


async def measure(storage: ThreadedStore, now: datetime, streams: int, alarms: int) -> list[tuple[str, float, float]]:
    origin = Origin(ACCOUNT, REGION, storage, now)

    async def week(queries: list[DataQuery]) -> None:
        evaluation = Evaluation(origin, queries_of(ACCOUNT, REGION, queries), now - WEEK, now)
        for query in queries_of(ACCOUNT, REGION, queries):
            if query.returned:
                await evaluation.series(query)

    def watch(number: int) -> Watch:
        return Watch(
            queries=(asked(number % streams, "Average", 60),), plain=True, comparison="GreaterThanThreshold",
            threshold=900.0, periods=3, to_alarm=3,
        )  # fmt: skip

    async def sweep(_: int) -> None:
        for number in range(alarms):
            await look(origin, watch(number))

    rng = random.Random(1)
    some = [rng.randrange(streams) for _ in range(100)]
    found = []
    for stat in ("Sum", "Average", "p99"):
        found.append((f"one stream, {stat}", *await timed(lambda turn, s=stat: week([asked(some[turn], s, 300)]))))  # type: ignore[misc]
    several = [asked(number, "Sum", 300) for number in sorted(set(some))[:10]]
    found.append((f"{len(several)} streams, Sum", *await timed(lambda _: week(several), 5)))
    found.append((f"{alarms} alarms looked at", *await timed(sweep, 1)))
    return found


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--streams", type=int, default=5000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--alarms", type=int, default=1000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "metrics.db"
        store = open_store(f"sqlite:///{path}")
        now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(seconds=30)
        fill(path, given.streams, given.days, int(now.timestamp()))
        storage = ThreadedStore(lambda: store, _nothing, lambda: b"secret")
        print(f"{given.streams} streams × {given.days} days, {path.stat().st_size / 2**20:.0f} MiB\n")
        print("| a week at 5 minutes | ms | of CPU, ms |\n|---|---|---|")
        for name, taken_ms, spent_ms in await measure(storage, now, given.streams, given.alarms):
            print(f"| {name} | {taken_ms:.1f} | {spent_ms:.1f} |", flush=True)
        storage.close()


async def _nothing() -> None:
    """There are no workers to tell."""


if __name__ == "__main__":
    asyncio.run(main())
