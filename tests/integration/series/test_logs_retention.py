"""The sweep of events that are over reads the groups as they are kept, and leaves what is younger."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import msgspec

from craton.infra.series.port import DAY_MS, Point, Space, Where
from craton.infra.store.port import Resource
from craton.services.logs.group import KIND, GroupBody, milliseconds
from craton.workflows.log_retention import expire_events
from tests.integration.series.conftest import World

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def test_what_is_over_goes_and_what_is_not_stays(world: World) -> None:
    """Of two groups with old events, the one that keeps them for a day loses them."""
    shop: Any = SimpleNamespace(storage=world.storage, clock=SimpleNamespace(now=lambda: NOW))

    async def left(name: str, days: int | None) -> int:
        body = msgspec.json.encode(GroupBody(space=name, retention_days=days))
        row = Resource(
            account="000000000000", region="us-east-1", kind=KIND, id=name, name=name, arn=f"arn:{name}",
            created_at=NOW - timedelta(days=9), updated_at=NOW, body=body,
        )  # fmt: skip
        await world.storage.keep(lambda tx: tx.create(row))
        space = Space(name, "000000000000", "us-east-1")
        await world.series.create(space, "s", 0)
        for age in (3, 0):
            at_ms = milliseconds(NOW) - age * DAY_MS
            await world.series.append(space, "s", [Point(at_ms, b"x")], 1, at_ms)
        await expire_events(shop)
        found = await world.series.scan(space, Where(), None, limit=9, most_bytes=99, overhead_bytes=0)
        return len(found.entries)

    async def work() -> tuple[int, int]:
        return await left("short", 1), await left("long", None)

    assert asyncio.run(work()) == (1, 2)
