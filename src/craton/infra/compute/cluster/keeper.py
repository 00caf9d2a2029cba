"""One replica on a node of a cluster: the same life as on a gateway's own machine, behind a port of its own.

A program: started by the replica's actor, told what to run by a `Seating` on its standard input, it runs a
`LocalModelHost` of one replica and its `Relay`, and writes `News` to its standard output whenever there is some, once a
second at least. The end of its input is its own. It imports nothing of Ray, so that the process in which sandboxes are
made has one thread and little memory. Must not know: gateways, other replicas.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from craton.infra.compute.cluster.messages import News, Seating, line, settled
from craton.infra.compute.local import LocalModelHost
from craton.infra.compute.port import ModelSpec, ReplicaStatus
from craton.infra.compute.relay import Relay
from craton.infra.compute.sandbox import Sandbox

_TELL_EVERY_S = 1.0
_STOP = b"stop "
"""Then the seconds of grace: the one thing that is said to a keeper after its seating."""


class Keeper:
    """One replica and its port."""

    def __init__(self, seating: Seating, folder: Path) -> None:
        wanted = seating.assignment
        sandbox: Any = wanted.sandbox
        self._seating = seating
        self._spec = settled(wanted.spec)
        self._relay = Relay(wanted.secret)
        self._host = LocalModelHost(folder / "r", None, sandbox=Sandbox(sandbox, Path(wanted.hidden)))
        self._host.on_change = self.tell
        self._missing = ""

    async def run(self, orders: asyncio.StreamReader) -> None:
        """Keep the replica until the orders end or say so."""
        seat = self._seating
        await self._relay.start(seat.host)
        self._missing = missing(self._spec, seat.node)
        if not self._missing:
            self._host.start(seat.assignment.replica, self._spec)
        telling = asyncio.create_task(self._tell_often())
        try:
            grace_s = 0.0
            async for order in orders:
                if order.startswith(_STOP):
                    grace_s = float(order.removeprefix(_STOP))
                    break
            await self._host.stop(seat.assignment.replica, grace_s)
        finally:
            telling.cancel()
            await self._relay.close()
            await self._host.close()

    def tell(self) -> None:
        """Say how the replica is now."""
        status = self._status()
        if status is None:
            return
        news = News(status=status, log=self._host.log(self._seating.assignment.replica))
        os.write(1, line(news))

    def _status(self) -> ReplicaStatus | None:
        seat = self._seating
        if self._missing:
            return ReplicaStatus(
                id=seat.assignment.replica, deployment=self._spec.id, state="failed", address="", node=seat.node,
                last_error=self._missing,
            )  # fmt: skip
        rows = self._host.replicas()
        if not rows:
            return None
        self._relay.lead(rows[0].address)
        return msgspec.structs.replace(rows[0], address=self._relay.address, node=seat.node)

    async def _tell_often(self) -> None:
        while True:
            self.tell()
            await asyncio.sleep(_TELL_EVERY_S)


def missing(spec: ModelSpec, node: str) -> str:
    """What the replica must read and this node does not have, in words; "" where all is there."""
    gone = [path for path in spec.reads if not Path(path).exists()]
    if not gone:
        return ""
    return (
        f"node {node} has no {', '.join(gone)}: the files of models must lie at the same path on every node, "
        "in a folder that all of them share (docs/cluster.md)"
    )


async def _serve(seating: Seating, folder: Path) -> None:
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    await Keeper(seating, folder).run(orders)


def main() -> None:
    """Read the seating and serve it."""
    os.umask(0o077)
    first = bytearray()
    while not first.endswith(b"\n"):  # byte by byte: what follows is the loop's to read
        byte = os.read(0, 1)
        if not byte:
            return
        first += byte
    seating = msgspec.json.decode(first, type=Seating)
    # Short, for a socket's path has 107 bytes; wherever the node keeps what is temporary.
    folder = Path(tempfile.mkdtemp(prefix="craton-"))
    try:
        with contextlib.suppress(BrokenPipeError):  # its actor has gone
            asyncio.run(_serve(seating, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
