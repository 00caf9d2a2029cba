"""CloudWatch Logs: how fast events go in, and how long searches take over many of them.

Owns the events, half of them JSON and half lines of text, all under the account's default key in a SQLite file, and the
clock; what others do on the machine shows in the seconds, and hardly in the CPU. Ingest goes through a server, by HTTP and signed, as SDKs do it; the searches run on a store that is filled
without HTTP, since that takes longer than what is to be measured.

    python -m bench.logs [--events 2000000] [--connections 4]

Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from craton.features.logs.insights.desk import Asking, Limits
from craton.features.logs.insights.query import About, Asked, Source, Task
from craton.features.logs.patterns.sieve import sieve_of
from craton.infra.cipher.keyring import Keyring
from craton.infra.cipher.root import RootKey
from craton.infra.cipher.stored import StoredCipher
from craton.infra.series.engine import SealedSeries
from craton.infra.series.port import Point, Space, Where
from craton.infra.store.opening import open_store
from craton.infra.store.threaded import ThreadedStore
from tests.running import Running

BATCH, STREAMS = 1000, 4
SPACE = Space("bench", "000000000000", "us-east-1")
WORDS = ("request", "handled", "by", "worker", "cache", "missed", "answer", "written", "retry", "queue", "slow", "ok")
SEARCHES = (
    ("a term in no event", '"deadbeefdeadbeef"'),
    ("a term in 1 of 1,000,000", "needle"),
    ("`{ $.latency > 899 }`, 1 of 900 JSON events", "{ $.latency > 899 }"),
    ("`[level, id, latency = %^latency=900$%, ...]`", "[level, id, latency = %^latency=900$%, ...]"),
)
QUERIES = (
    "filter @message like /needle/",
    "filter latency > 899 | stats count(*)",
    "stats count(*), avg(latency), pct(latency, 99) by level",
    "parse @message 'latency=* ' as took | stats max(took) by bin(1h)",
)


def messages(count: int, seed: int) -> list[str]:
    """Events of 140 bytes or so, with ids that no compression makes smaller."""
    rng = random.Random(seed)
    made = []
    for number in range(count):
        level, ident, latency = (
            rng.choice(("INFO", "WARN", "ERROR")),
            f"{rng.getrandbits(96):024x}",
            rng.randint(1, 900),
        )
        words = " ".join(rng.choices(WORDS, k=9))
        made.append(
            f'{{"level":"{level}","requestId":"{ident}","latency":{latency},"msg":"{words}"}}'
            if number % 2
            else f"[{level}] {ident} latency={latency} {words} {words[:20]}"
        )
    return made


def ingest(events: int, connections: int) -> Iterator[tuple[str, str]]:
    """Through the server's door."""
    texts = messages(BATCH, 1)
    with tempfile.TemporaryDirectory() as home, Running(Path(home) / "home") as server:
        logs = server.client("logs")
        logs.create_log_group(logGroupName="g")

        def write(number: int) -> None:
            client, name = server.client("logs"), f"s{number}"
            client.create_log_stream(logGroupName="g", logStreamName=name)
            for _ in range(events // connections // BATCH):
                at = int(time.time() * 1000)
                client.put_log_events(
                    logGroupName="g", logStreamName=name, logEvents=[{"timestamp": at, "message": one} for one in texts]
                )

        begun_at = time.perf_counter()
        with ThreadPoolExecutor(connections) as pool:
            list(pool.map(write, range(connections)))
        took_s = time.perf_counter() - begun_at
    yield f"ingest by HTTP, {connections} connections, {BATCH} events a call", f"{events / took_s:,.0f} events/s"


def cpu_s() -> float:
    """Of this process and of its children that have ended."""
    used = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


async def searching(home: Path, events: int) -> list[tuple[str, str]]:
    """Straight through the engine."""

    async def nothing() -> None:
        """No worker has to hear of a write."""

    storage = ThreadedStore(lambda: open_store(home / "store.db"), nothing, lambda: b"p" * 32)
    cipher = StoredCipher(storage, Keyring(lambda: RootKey(b"k" * 32)), lambda: datetime.now(UTC), SPACE.region)
    series = SealedSeries(storage, cipher)
    texts = [text.encode() for text in messages(100_000, 2)]
    for number in range(STREAMS):
        await series.create(SPACE, f"s{number}", 0)
    begun_at = time.perf_counter()
    for start in range(0, events, 5 * BATCH):
        points = [
            Point(
                start + at,
                texts[(start * 7 + at) % len(texts)] + (b" needle" if (start + at) % 1_000_000 == 7 else b""),
            )
            for at in range(5 * BATCH)
        ]
        size_bytes = sum(len(point.data) + 26 for point in points)
        await series.append(SPACE, f"s{start // (5 * BATCH) % STREAMS}", points, size_bytes, start)
    rows = [("ingest without HTTP, one writer", f"{events / (time.perf_counter() - begun_at):,.0f} events/s")]
    rows.append(("on the disk", f"{(home / 'store.db').stat().st_size / events:.0f} bytes an event"))
    for name, pattern in SEARCHES:
        begun_at, begun_cpu_s, found, where = time.perf_counter(), cpu_s(), 0, Where()
        while True:
            page = await series.scan(
                SPACE, where, sieve_of(pattern), limit=10_000, most_bytes=1 << 20, overhead_bytes=26
            )
            found += len(page.entries)
            if page.reached is None:
                break
            where = msgspec.structs.replace(where, beyond=page.reached)
        took_s = time.perf_counter() - begun_at
        await series.close()  # the time of a child counts when it has ended
        used_s = cpu_s() - begun_cpu_s
        rows.append(
            (f"search: {name}", f"{took_s:.2f} s, {used_s / events * 1e6:.2f} µs of CPU an event, {found:,} found")
        )
    rows += [await asked(series, query, events) for query in QUERIES]
    storage.close()
    rows.append(
        ("memory of the searching process, at most", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB")
    )
    return rows


async def asked(series: SealedSeries, query: str, events: int) -> tuple[str, str]:
    """One query, in its child."""
    row = Asked("q", SPACE.account, SPACE.region, "Running", 0, 0, About(query, ("g",), ""))
    task = Task(row, (Source(SPACE, "g", 0),), 0, events, None)
    begun_at, begun_cpu_s = time.perf_counter(), cpu_s()
    result = await Asking(task, series, Limits(3600.0, 1 << 50)).run()
    took_s, used_s = time.perf_counter() - begun_at, cpu_s() - begun_cpu_s
    assert result.tally.scanned == events
    return (
        f"query: `{query}`",
        f"{took_s:.2f} s, {used_s / events * 1e6:.2f} µs of CPU an event, {len(result.rows)} rows",
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--connections", type=int, default=4)
    asked = parser.parse_args()
    rows = list(ingest(min(asked.events, 200_000), asked.connections))
    with tempfile.TemporaryDirectory() as home:
        rows += asyncio.run(searching(Path(home), asked.events))
    print(f"| {asked.events:,} events | |\n|---|---|")
    for name, figure in rows:
        print(f"| {name} | {figure} |")


if __name__ == "__main__":
    main()
