"""A worker's ring of audit records: batches, what must be kept, what is lost and counted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from craton.infra.audit.port import AuditFailed
from craton.infra.audit.ring import Ring
from craton.infra.control.wire import ControlLost


class Supervisor:
    """Takes batches; `open` lets them through, `broken` loses the connection."""

    def __init__(self) -> None:
        self.batches: list[Mapping[str, Any]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.broken = False

    async def send(self, method: str, params: Mapping[str, object]) -> None:
        assert method == "audit.append"
        await self.open.wait()
        if self.broken:
            raise ControlLost("gone")
        self.batches.append(params)

    @property
    def records(self) -> list[bytes]:
        return [record for batch in self.batches for record in batch["records"]]


def run(test: Callable[[Supervisor, Ring], Awaitable[None]], capacity: int = 8192) -> None:
    async def whole() -> None:
        supervisor = Supervisor()
        ring = Ring(supervisor.send, capacity)
        async with asyncio.timeout(20):
            await test(supervisor, ring)
            await ring.close()

    asyncio.run(whole())


def test_records_leave_in_batches_and_in_order() -> None:
    """Many at once take few calls."""

    async def test(supervisor: Supervisor, ring: Ring) -> None:
        for number in range(1000):
            ring.put(b"%d" % number)
        await ring.close()
        assert supervisor.records == [b"%d" % number for number in range(1000)]
        assert len(supervisor.batches) == 2

    run(test)


def test_keep_returns_when_the_record_is_there() -> None:
    """With all that came before it, and without waiting for others to gather."""

    async def test(supervisor: Supervisor, ring: Ring) -> None:
        ring.put(b"a")
        await ring.keep(b"b")
        assert supervisor.records == [b"a", b"b"]
        await asyncio.gather(*(ring.keep(b"%d" % number) for number in range(50)))
        assert len(supervisor.batches) <= 4

    run(test)


def test_what_does_not_fit_is_counted_and_told() -> None:
    """Nobody waits for room; the next batch says how many were lost."""

    async def test(supervisor: Supervisor, ring: Ring) -> None:
        supervisor.open.clear()
        for number in range(25):
            ring.put(b"%d" % number)
        assert ring.lost == 15
        supervisor.open.set()
        await ring.close()
        assert supervisor.records == [b"%d" % number for number in range(10)]
        assert sum(batch["lost"] for batch in supervisor.batches) == 15

    run(test, capacity=10)


def test_a_lost_supervisor_fails_who_must_know_and_loses_nothing() -> None:
    """The record is sent again when it is back."""

    async def test(supervisor: Supervisor, ring: Ring) -> None:
        supervisor.broken = True
        ring.put(b"a")
        with pytest.raises(AuditFailed):
            await ring.keep(b"b")
        supervisor.broken = False
        await ring.keep(b"c")
        assert supervisor.records == [b"a", b"b", b"c"]

    run(test)


def test_who_leaves_before_the_answer_leaves_its_record() -> None:
    """A cancelled request has done what it did."""

    async def test(supervisor: Supervisor, ring: Ring) -> None:
        supervisor.open.clear()
        task = asyncio.create_task(ring.keep(b"a"))
        await asyncio.sleep(0.01)
        task.cancel()
        supervisor.open.set()
        await asyncio.wait([task])
        await ring.close()
        assert supervisor.records == [b"a"]

    run(test)
