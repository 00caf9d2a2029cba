"""Writes that leave together."""

from __future__ import annotations

import asyncio
from typing import cast

from craton.infra.burst import Burst


class Sink:
    """A transport that notes what is written to it."""

    def __init__(self, log: list[tuple[str, bytes]], name: str) -> None:
        self._log, self._name = log, name

        self.gone = False

    def write(self, data: bytes) -> None:
        if self.gone:  # as uvloop has it
            raise RuntimeError("the handler is closed")
        self._log.append((self._name, data))


def sinks(log: list[tuple[str, bytes]]) -> tuple[asyncio.WriteTransport, asyncio.WriteTransport]:
    return cast("asyncio.WriteTransport", Sink(log, "a")), cast("asyncio.WriteTransport", Sink(log, "b"))


def test_what_is_written_leaves_in_order_after_what_is_ready() -> None:
    """Tasks that are ready run first, then all writes are made in the order in which they were asked for."""
    log: list[tuple[str, bytes]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        burst, (first, second) = Burst(loop), sinks(log)
        loop.call_soon(lambda: burst.write(first, b"1"))
        loop.call_soon(lambda: burst.write(second, b"2"))
        loop.call_soon(lambda: log.append(("ran", b"")))
        await asyncio.sleep(0)
        assert log == [("ran", b"")]
        await asyncio.sleep(0)

    asyncio.run(main())
    assert log == [("ran", b""), ("a", b"1"), ("b", b"2")]


def test_leaving_early_writes_each_message_once() -> None:
    """Who must write by itself lets the others go first; nothing is written again at the round's end."""
    log: list[tuple[str, bytes]] = []

    async def main() -> None:
        burst, (first, second) = Burst(asyncio.get_running_loop()), sinks(log)
        burst.write(first, b"1")
        burst.leave()
        burst.write(second, b"2")
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(main())
    assert log == [("a", b"1"), ("b", b"2")]


def test_who_has_gone_takes_nobody_along() -> None:
    """A connection that was closed before the round's end is left out, and the others get what is theirs."""
    log: list[tuple[str, bytes]] = []
    one, other = Sink(log, "a"), Sink(log, "b")

    async def main() -> None:
        burst = Burst(asyncio.get_running_loop())
        burst.write(cast("asyncio.WriteTransport", one), b"1")
        burst.write(cast("asyncio.WriteTransport", other), b"2")
        one.gone = True
        await asyncio.sleep(0)

    asyncio.run(main())
    assert log == [("b", b"2")]
