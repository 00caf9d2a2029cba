"""Usage in the store, on both databases: exact sums whoever writes, each batch once, gone when it is old."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from craton.features.metering import tally, usage
from craton.features.metering.record import Record, Row, Use
from craton.features.metering.usage import Used
from craton.infra.store.opening import open_store
from tests.integration.series.conftest import World

HOUR = 3600
T0 = 1_700_000_000 // 86_400 * 86_400


def keep(world: World, work: Any) -> Any:
    return asyncio.run(world.storage.keep(lambda tx: tx.run(work)))


def row(at_s: int = T0, principal: str = "arn:ann", model: str = "m", **counts: Any) -> Row:
    return Row(
        at_s, "1", "r", model, Record(**({"invocations": 1} | counts)), Use(principal, "base", tags='[["a","b"]]')
    )


def read(
    world: World, names: Sequence[str], start_s: int = T0, stop_s: int = T0 + 24 * HOUR, **more: str
) -> list[Used]:
    return keep(world, lambda c: list(usage.read(c, names, start_s, stop_s, **more)))  # type: ignore[no-any-return]


def test_hours_add_up(world: World) -> None:
    """Every count, by the names that are asked for."""
    told = [
        row(client_errors=1, server_errors=2, throttles=3, images=4, latency_ms={10: 2}, input_tokens={5: 3}),
        row(T0 + 60, output_tokens={7: 1}, cache_read_tokens={1: 1}, cache_write_tokens={2: 1}),
        row(T0 + HOUR, "arn:bob"),
    ]
    keep(world, lambda c: usage.add(c, told))
    keep(world, lambda c: usage.add(c, told[:1]))
    first, second = read(world, ["principal", "tags"])
    assert (first.hour, first.principal, first.tags, first.model) == (T0 // HOUR, "arn:ann", '[["a","b"]]', "")
    assert first.counts == {
        "invocations": 3, "errors": 6, "throttles": 6, "images": 8, "input_tokens": 30, "output_tokens": 7,
        "cache_read_tokens": 1, "cache_write_tokens": 2, "latency_ms": 40,
    }  # fmt: skip
    assert (second.principal, second.counts["invocations"]) == ("arn:bob", 1)
    assert [one.hour for one in read(world, ["region"], T0 + 1)] == [T0 // HOUR + 1]
    assert read(world, ["region"], account="2") == []


def test_a_batch_is_kept_once(world: World) -> None:
    """With its metrics or not at all: one whose end was in doubt comes again under its number."""
    store = open_store(world.place)
    for number in (1, 1, 2, 1):
        tally.kept("writer", number, [row(input_tokens={5: 1})], store)
    tally.kept("other", 1, [row()], store)
    store.close()
    (found,) = read(world, [])
    assert (found.counts["invocations"], found.counts["input_tokens"]) == (3, 10)


def test_servers_write_together(world: World) -> None:
    """In whatever order each has its rows; nothing is lost, and none waits for ever."""

    def write(writer: int) -> None:
        mine = world.again()
        models = [f"m{number}" for number in range(8)]
        for _ in range(5):
            keep(mine, lambda c: usage.add(c, [row(model=model) for model in (models[::-1] if writer % 2 else models)]))
        mine.storage.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert {one.model: one.counts["invocations"] for one in read(world, ["model"])} == {
        f"m{number}": 20 for number in range(8)
    }


def test_old_hours_go(world: World) -> None:
    """As a whole, the younger ones stay."""
    keep(world, lambda c: usage.add(c, [row(), row(T0 + HOUR)]))
    keep(world, lambda c: usage.expire(c, T0 + HOUR))
    assert [one.hour for one in read(world, [])] == [T0 // HOUR + 1]
