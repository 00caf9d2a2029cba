"""Blocks for readers elsewhere: each event reaches a query once, also when blocks are merged under it."""

from __future__ import annotations

import asyncio

import pytest

from craton.features.logs.insights.program import Order, Reader, Share
from craton.infra.series import engine as engine_module
from craton.infra.series.port import Kept, Point, Space, batch_of, ident_of
from tests.integration.series.conftest import World

SPACE = Space("space1", "000000000000", "us-east-1")
T0 = 1_700_000_000_000


async def put(world: World, at: int) -> None:
    await world.series.append(SPACE, "s", [Point(T0 + at, b'{"n": %d}' % at)], 10, T0)


def test_a_query_sees_each_event_once_while_blocks_are_merged(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks that went away under the reader come again within others, and their events are not counted twice."""
    monkeypatch.setattr(engine_module, "_FIRST_ROUND_BYTES", 1)

    async def work() -> Reader:
        await world.series.create(SPACE, "s", T0)
        for at in range(30):
            await put(world, at)
        reader = Reader(Order("stats count(*), sum(n)", None, T0 + 1_000_000, 60.0))
        is_first = True
        async for some in world.series.blocks(SPACE, T0 + 1, T0 + 30):
            reader.read(Share("0:g", some.sealed, some.lasting, T0 + 1))
            if is_first:
                is_first = False
                await world.series._merger._merge(SPACE, "s")
        return reader

    reader = asyncio.run(work())
    tally = reader.tally()
    assert (tally.scanned, tally.matched, tally.is_damaged) == (29, 29, False)
    assert reader.result().rows == [[("count(*)", "29"), ("sum(n)", str(sum(range(1, 30))))]]


def test_what_is_written_with_an_append_knows_its_batch(world: World) -> None:
    """`also` runs in the append's own commit, and its batch is that of the idents of its points."""
    told: list[Kept] = []

    async def work() -> list[int]:
        await world.series.create(SPACE, "s", T0)
        await put(world, 1)
        await world.series.append(
            SPACE, "s", [Point(T0 + 2, b"x"), Point(T0 + 5, b"y")], 2, T0, lambda _, kept: told.append(kept)
        )
        from craton.infra.series.port import Where

        found = await world.series.scan(SPACE, Where(start_ms=T0 + 2), None, limit=9, most_bytes=99, overhead_bytes=0)
        return [batch_of(entry.ident) for entry in found.entries]

    batches = asyncio.run(work())
    assert [(kept.first_ms - T0, kept.last_ms - T0) for kept in told] == [(2, 5)]
    assert batches == [told[0].batch] * 2
    assert batch_of(ident_of(T0, 12345, 7)) == 12345
