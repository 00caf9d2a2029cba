"""Series kept in the store: in order, whole, sealed, whoever writes beside and whatever is merged meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from craton.features.logs.patterns.sieve import sieve_of
from craton.infra.cipher.port import KeyUnusable
from craton.infra.cipher.rows import DISABLED, KeyBody, new_key
from craton.infra.series import engine as engine_module
from craton.infra.series import index, searchers
from craton.infra.series.port import DAY_MS, Entry, NoSuchSeries, Point, SeriesExists, Space, Where
from craton.infra.store.port import Resource
from tests.integration.series.conftest import World

ACCOUNT, REGION = "000000000000", "us-east-1"
SPACE = Space("space1", ACCOUNT, REGION)
T0 = 1_700_000_000_000


async def put(world: World, name: str, moments: Sequence[int], label: str = "") -> None:
    points = [Point(T0 + moment, f"{label}{moment}".encode()) for moment in moments]
    await world.series.append(SPACE, name, points, sum(len(point.data) for point in points), T0)


async def everything(world: World, limit: int = 1000, sieve: Any = None, **where: Any) -> list[Entry]:
    """All pages of a search, one after the other."""
    found: list[Entry] = []
    asked = Where(**where)
    while True:
        page = await world.series.scan(SPACE, asked, sieve, limit=limit, most_bytes=1 << 20, overhead_bytes=26)
        assert len(page.entries) <= limit
        found += page.entries
        if page.reached is None:
            return found
        assert page.reached != asked.beyond
        asked = msgspec.structs.replace(asked, beyond=page.reached)


def test_events_of_many_writers_come_out_in_one_order(world: World) -> None:
    """Two processes write three series at once, out of order; a reader gets each point once, by time, both ways."""
    other = world.again()
    rng = random.Random(7)

    async def work() -> tuple[list[Entry], list[Entry]]:
        for name in "abc":
            await world.series.create(SPACE, name, T0)
        batches = [sorted(rng.randrange(5000) for _ in range(rng.randrange(1, 9))) for _ in range(240)]
        await asyncio.gather(
            *(put((world, other)[n % 2], "abc"[n % 3], batch, f"{n}:") for n, batch in enumerate(batches))
        )
        await asyncio.gather(world.series._merger.settled(), other.series._merger.settled())
        expected = sorted((moment, f"{n}:{moment}") for n, batch in enumerate(batches) for moment in batch)
        forward = await everything(world, limit=37)
        assert sorted((entry.at_ms - T0, entry.data.decode()) for entry in forward) == expected
        return forward, await everything(other, limit=41, newest_first=True)

    forward, backward = asyncio.run(work())
    other.storage.close()
    assert [entry.ident for entry in forward] == sorted({entry.ident for entry in forward})
    assert backward == forward[::-1]


def test_a_search_goes_on_while_blocks_are_merged(world: World) -> None:
    """A reader page by page misses nothing and gets nothing twice when the blocks under it change."""

    async def work() -> list[int]:
        await world.series.create(SPACE, "s", T0)
        seen: list[int] = []
        asked = Where()
        for number in range(0, 400, 2):
            await put(world, "s", [number, number + 1])
        while True:
            page = await world.series.scan(SPACE, asked, None, limit=23, most_bytes=1 << 20, overhead_bytes=26)
            seen += [entry.at_ms - T0 for entry in page.entries]
            if page.reached is None:
                return seen
            asked = Where(beyond=page.reached)
            await put(world, "s", [1000 + len(seen)])

    seen = asyncio.run(work())
    assert [moment for moment in seen if moment < 400] == list(range(400))


def test_many_blocks_at_one_moment_can_be_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """More blocks than one look into the index shows, all of the same moment, are no dead end."""
    monkeypatch.setattr(engine_module, "_INDEX_ROWS", 4)

    async def work() -> int:
        for number in range(12):
            await world.series.create(SPACE, f"s{number}", T0)
            await put(world, f"s{number}", [5, 5, 9])
        return len(await everything(world, limit=5))

    assert asyncio.run(work()) == 36


def test_small_blocks_become_few(world: World) -> None:
    """A thousand appends of one point do not stay a thousand blocks, and their series counts them once."""

    async def work() -> tuple[int, int, int]:
        await world.series.create(SPACE, "s", T0)
        for start in range(0, 1000, 50):
            await asyncio.gather(*(put(world, "s", [moment]) for moment in range(start, start + 50)))
        await world.series._merger.settled()
        chunks = await world.storage.read(lambda store: store.run(lambda c: index.reaching(c, "space1", Where(), 2000)))
        sizes = await world.series.sizes(["space1"])
        return len(chunks), len(await everything(world)), sizes["space1"]

    chunks, points, size_bytes = asyncio.run(work())
    assert (chunks < 150, points, size_bytes) == (True, 1000, 10 * 1 + 90 * 2 + 900 * 3)


def test_a_series_is_there_or_not(world: World) -> None:
    """Names are made once; nothing goes into a series that is not there, and a deleted one takes its points along."""

    async def work() -> None:
        await world.series.create(SPACE, "s", T0)
        with pytest.raises(SeriesExists):
            await world.series.create(SPACE, "s", T0)
        with pytest.raises(NoSuchSeries):
            await put(world, "t", [1])
        await put(world, "s", [1, 2])
        await world.series.delete(SPACE, "s")
        with pytest.raises(NoSuchSeries):
            await world.series.delete(SPACE, "s")
        assert await everything(world) == []

    asyncio.run(work())


def test_a_disabled_key_makes_its_points_unreadable(world: World) -> None:
    """What was kept under a customer's key cannot be read while the key is disabled, and can afterwards."""

    async def work() -> None:
        row = await world.storage.write(
            lambda tx: tx.create(
                new_key(world.cipher.keyring, ACCOUNT, REGION, datetime.now(UTC), KeyBody(policy="", materials=[]))
            )
        )
        space = Space("space1", ACCOUNT, REGION, row.arn)
        await world.series.create(space, "s", T0)
        await world.series.append(space, "s", [Point(T0, b"x")], 1, T0)
        disabled = await world.storage.write(lambda tx: tx.update(with_status(row, DISABLED)))
        with pytest.raises(KeyUnusable):
            await world.series.scan(space, Where(), None, limit=1, most_bytes=100, overhead_bytes=0)
        await world.storage.write(lambda tx: tx.update(with_status(disabled, "Enabled")))
        found = await world.series.scan(space, Where(), None, limit=1, most_bytes=100, overhead_bytes=0)
        assert [entry.data for entry in found.entries] == [b"x"]

    asyncio.run(work())


def with_status(row: Resource, status: str) -> Resource:
    return msgspec.structs.replace(row, status=status)


def test_blocks_that_are_over_are_removed(world: World) -> None:
    """Retention takes whole blocks, and what they were counted as."""

    async def work() -> None:
        await world.series.create(SPACE, "s", T0)
        await put(world, "s", [0, 5])
        await put(world, "s", [3 * DAY_MS])
        gone = await world.storage.keep(lambda tx: tx.run(lambda c: index.expire(c, "space1", T0 + DAY_MS)))
        assert gone == 1
        assert [entry.at_ms - T0 for entry in await everything(world)] == [3 * DAY_MS]
        assert await world.series.sizes(["space1"]) == {"space1": len(str(3 * DAY_MS))}

    asyncio.run(work())


def test_listings_by_name_and_by_time_page_through(world: World) -> None:
    """Series come by name or by their last point, up or down, page by page, each once."""

    async def pages(**asked: Any) -> list[str]:
        names: list[str] = []
        after = None
        while True:
            page = await world.series.listed(SPACE, limit=2, after=after, **asked)
            names += [one.name for one in page.items]
            if page.after is None:
                return names
            after = page.after

    async def work() -> None:
        for name, moment in (("a1", 30), ("a2", 10), ("b1", 20), ("b2", 20), ("c", None)):
            await world.series.create(SPACE, name, T0)
            if moment is not None:
                await put(world, name, [moment])
        assert await pages() == ["a1", "a2", "b1", "b2", "c"]
        assert await pages(descending=True) == ["c", "b2", "b1", "a2", "a1"]
        assert await pages(prefix="b") == ["b1", "b2"]
        assert await pages(by_time=True) == ["c", "a2", "b1", "b2", "a1"]
        assert await pages(by_time=True, descending=True) == ["a1", "b2", "b1", "a2", "c"]

    asyncio.run(work())


def test_a_long_search_runs_in_children(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is searched beside the process is what is searched in it, and a child that dies costs nothing."""
    monkeypatch.setattr(searchers, "_HERE_BYTES", 0)
    monkeypatch.setattr(searchers, "_IN_PLACE_BYTES", 0)
    sieve = sieve_of("%[02468]$%")

    async def work() -> tuple[list[int], list[int]]:
        await world.series.create(SPACE, "s", T0)
        for start in range(0, 900, 100):
            await put(world, "s", range(start, start + 100))
        first = await everything(world, limit=100, sieve=sieve)
        for child in world.series._searchers._idle:
            child.kill()
        again = await everything(world, limit=100, sieve=sieve, newest_first=True)
        await world.series.close()
        return [entry.at_ms - T0 for entry in first], [entry.at_ms - T0 for entry in again]

    first, again = asyncio.run(work())
    assert first == again[::-1] == list(range(0, 900, 2))
