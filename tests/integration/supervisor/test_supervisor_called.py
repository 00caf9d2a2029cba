"""What principals called in several workers, from which any one of them drafts a policy."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from craton.aws.access.record import MAX_PAIRS, Record
from craton.infra.control.called import Called
from craton.infra.control.client import ControlClient
from craton.infra.control.line import WorkerSupervisor
from craton.infra.control.server import ControlServer, listen_unix
from craton.infra.control.wire import ControlFault

ARN = "arn:aws:iam::111122223333:role/reader"
READ, WRITE = ("s3:GetObject", "arn:aws:s3:::b/k"), ("s3:PutObject", "arn:aws:s3:::b/k")


def test_a_worker_hears_what_others_saw(tmp_path: Path) -> None:
    """Pairs of two workers come together, with their verdicts; who called nothing is not known."""
    one, other = Record(), Record()
    one.of(ARN).take(READ, allowed=True)
    other.of(ARN).take(WRITE, allowed=False)

    async def body() -> None:
        called = Called()
        server = ControlServer(called.methods)
        await server.start(listen_unix(tmp_path / "c"))
        client = ControlClient(tmp_path / "c")
        await client.open()
        try:
            for record in (one, other):
                await client.call("calls.tell", {"news": record.news()})
            with pytest.raises(ControlFault, match="news"):
                await client.call("calls.tell", {"news": [1]})
            line = WorkerSupervisor(client)
            heard = await line.calls(ARN)
            assert heard == (ARN, [READ], [WRITE])
            one.hear([heard])
            called.clear()
            assert await line.calls(ARN) is None
        finally:
            await client.close()
            await server.close()

    asyncio.run(asyncio.wait_for(body(), 30))
    calls = one.known(ARN)
    assert calls is not None
    assert (calls.allowed, calls.refused) == ({READ}, {WRITE})


def test_only_what_is_new_is_told() -> None:
    """Once, until the principal calls something else; a crowd is told of bit by bit, and all of it within the bounds."""
    record = Record()
    record.of(ARN).take(READ, allowed=True)
    assert record.news() == [(ARN, [READ], [])]
    assert record.news() == []
    record.of(ARN).take(READ, allowed=True)
    assert record.news() == []
    record.of(ARN).take(WRITE, allowed=True)
    assert [arn for arn, *_ in record.news()] == [ARN]
    for number in range(40):
        record.of(f"{ARN}{number}").take(READ, allowed=True)
    told = [len(record.news()) for _ in range(4)]
    assert told == [16, 16, 8, 0]
    crowd = [(action, READ[1]) for action in map(str, range(2 * MAX_PAIRS))]
    record.hear([(ARN, crowd, [])])
    assert len(record.of(ARN).allowed) == MAX_PAIRS
