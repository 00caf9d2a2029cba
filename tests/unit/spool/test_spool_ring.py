"""The ring before a spool: bounded memory, batches off the path, and an honest count of what did not fit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from craton.infra.spool import folder, ring, spool
from craton.infra.spool.port import Group, Losses, SpoolError
from craton.infra.spool.ring import Ring
from craton.infra.spool.segment import take
from craton.infra.spool.spool import Block, Spool

GROUP = Group("111122223333", "us-east-1", b"{}")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ring, "GATHER_S", 0.01)
    monkeypatch.setattr(ring, "_RETRY_S", 0.01)


async def sealed(group: Group, name: str, key: bytes) -> bytes:
    """No secret: the tests read with it."""
    return key


def opened(path: Path, losses: Losses, budget: int = 1 << 20) -> tuple[Spool, list[tuple[str, str]]]:
    told: list[tuple[str, str]] = []
    return Spool(path, budget, sealed, losses, lambda *owner: told.append(owner), durable=False), told


def held(path: Path) -> list[bytes]:
    """All blocks in a folder of closed segments."""
    found = []
    for one in folder.segments(path):
        reading = take(one)
        assert reading is not None
        key = reading.sealed_key()
        reading.group(key)
        found += list(reading.blocks(key))
        reading.close()
    return found


def encoded(*items: bytes) -> Callable[[], Mapping[Group, Block]]:
    return lambda: {GROUP: Block(b"".join(items), len(items))}


def test_items_leave_in_batches() -> None:
    """What is put within a moment is written together, and its memory is free again."""
    batches: list[list[str]] = []

    async def main() -> None:
        async def write(batch: list[str]) -> None:
            batches.append(batch)

        one: Ring[str] = Ring(write, 100, Losses())
        assert one.put("a", 10)
        assert one.put("b", 20)
        assert one.held_bytes == 30
        await one.close()
        assert one.held_bytes == 0

    asyncio.run(main())
    assert batches == [["a", "b"]]


def test_memory_is_bounded_and_losses_counted() -> None:
    """When the disk does not keep up, what does not fit is lost and counted; one item over the bound may be alone."""

    async def main() -> Losses:
        gate = asyncio.Event()

        async def write(batch: list[str]) -> None:
            await gate.wait()

        losses = Losses()
        one: Ring[str] = Ring(write, 100, losses)
        assert one.put("large", 500)
        assert not one.put("next", 1)
        assert not one.hold(1)
        gate.set()
        await one.close()
        assert one.held_bytes == 0
        return losses

    assert asyncio.run(main()).memory == 1


def test_a_disk_that_is_away_is_asked_again() -> None:
    """Nothing is lost while there is room in memory."""
    kept: list[str] = []

    async def main() -> Losses:
        left = [OSError(28, "full"), SpoolError("the store is away")]

        async def write(batch: list[str]) -> None:
            if left:
                raise left.pop()
            kept.extend(batch)

        losses = Losses()
        one: Ring[str] = Ring(write, 100, losses)
        one.put("a", 10)
        one.put("b", 10)
        await asyncio.sleep(0.1)
        assert one.held_bytes == 0
        await one.close()
        return losses

    assert asyncio.run(main()).total == 0
    assert kept == ["a", "b"]


def test_what_cannot_be_written_at_the_end_is_counted() -> None:
    """A server that ends with a full disk says how much it gave up."""

    async def main() -> Losses:
        async def write(batch: list[str]) -> None:
            raise OSError(28, "full")

        losses = Losses()
        one: Ring[str] = Ring(write, 100, losses)
        one.put("a", 10)
        await one.close()
        return losses

    assert asyncio.run(main()).unwritten == 1


def test_blocks_of_one_group_share_a_segment(tmp_path: Path) -> None:
    """A segment is closed at the end, and who empties the spool is told."""

    async def main() -> list[tuple[str, str]]:
        one, told = opened(tmp_path, Losses())
        await one.write(encoded(b"a"))
        await one.write(encoded(b"b"))
        await one.close()
        return told

    assert asyncio.run(main()) == [("111122223333", "us-east-1")]
    assert len(folder.segments(tmp_path)) == 1
    assert held(tmp_path) == [b"a", b"b"]


def test_a_segment_is_closed_when_its_time_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits longer for its delivery because nothing follows it."""
    monkeypatch.setattr(spool, "_OPEN_S", 0.02)

    async def main() -> None:
        one, told = opened(tmp_path, Losses())
        await one.write(encoded(b"a"))
        await asyncio.sleep(0.1)
        assert told
        assert held(tmp_path) == [b"a"]
        await one.close()

    asyncio.run(main())


def test_the_disk_budget_holds_and_its_losses_are_told(tmp_path: Path) -> None:
    """What has no room is counted, beside the segments for the doctor, and the rest stays whole."""
    losses = Losses()

    async def main() -> None:
        one, _ = opened(tmp_path, losses, budget=1000)
        await one.write(encoded(b"x" * 600))
        await one.write(encoded(b"y" * 300, b"y" * 300))
        await one.write(encoded(b"z" * 100))
        await one.close()

    asyncio.run(main())
    assert losses.budget == 2
    assert folder.read_losses(tmp_path).budget == 2
    assert held(tmp_path) == [b"x" * 600, b"z" * 100]
    assert folder.waiting(tmp_path).size_bytes <= 1000 + 200


def test_a_write_that_fails_ends_its_segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a full disk nothing half written stands, and the next block goes into a new segment."""
    import os

    async def main() -> None:
        one, _ = opened(tmp_path, Losses())
        await one.write(encoded(b"a"))
        writev = os.writev
        monkeypatch.setattr(os, "writev", lambda file, parts: (_ for _ in ()).throw(OSError(28, "full")))
        with pytest.raises(OSError, match="full"):
            await one.write(encoded(b"b"))
        monkeypatch.setattr(os, "writev", writev)
        await one.write(encoded(b"b"))
        await one.close()

    asyncio.run(main())
    assert sorted(held(tmp_path)) == [b"a", b"b"]
