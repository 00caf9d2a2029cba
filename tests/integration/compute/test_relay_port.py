"""A replica's port on the network: requests reach its Unix socket, answers come back, ends are handed on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

from craton.infra.compute.relay import Relay

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
ASK = b"POST /known/x HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi"
ASKED = b"POST /x HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi"


async def related(
    folder: Path, serve: Serve
) -> tuple[Relay, asyncio.Server, asyncio.StreamReader, asyncio.StreamWriter]:
    """A relay with the secret `known`, what it leads to, and a connection to it."""
    path = folder / "sock"
    server = await asyncio.start_unix_server(serve, path)
    relay = Relay("known")
    await relay.start("127.0.0.1")
    relay.lead(f"unix:{path}")
    port = int(relay.address.removesuffix("/known").rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    return relay, server, reader, writer


def test_bytes_pass_both_ways(tmp_path: Path) -> None:
    """More than fits any buffer, in both directions, on one connection."""
    size = 3 << 20

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(await reader.readexactly(size))
        await writer.drain()

    async def scene() -> None:
        relay, server, reader, writer = await related(tmp_path, echo)
        body = bytes(range(256)) * (size // 256)
        writer.write(b"POST /known/x HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % size + body)
        assert await asyncio.wait_for(reader.readexactly(size), 20) == body
        await relay.close()
        server.close()

    asyncio.run(scene())


def test_a_client_that_leaves_is_gone_for_the_replica(tmp_path: Path) -> None:
    """So that it stops computing."""
    left = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(len(ASKED)) == ASKED
        with contextlib.suppress(ConnectionError):
            await reader.read()
        left.set()

    async def scene() -> None:
        relay, server, _, writer = await related(tmp_path, wait)
        writer.write(ASK)
        await asyncio.sleep(0.05)
        writer.close()
        await asyncio.wait_for(left.wait(), 60)
        await relay.close()
        server.close()

    asyncio.run(scene())


def test_a_wrong_secret_is_answered_and_never_reaches_the_replica(tmp_path: Path) -> None:
    """404, and the connection ends."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        asked.append(await reader.read())

    async def scene() -> bytes:
        relay, server, reader, writer = await related(tmp_path, serve)
        writer.write(b"GET /guess/health HTTP/1.1\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 60)
        await relay.close()
        server.close()
        return answer

    assert asyncio.run(scene()).startswith(b"HTTP/1.1 404 ")
    assert asked == []


def test_a_replica_that_is_not_there_is_a_connection_that_breaks(tmp_path: Path) -> None:
    """Nothing is answered in its place: the gateway asks another."""

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise AssertionError

    async def scene() -> bytes:
        relay, server, reader, writer = await related(tmp_path, never)
        relay.lead(f"unix:{tmp_path / 'nowhere'}")
        writer.write(ASK)
        try:
            return await asyncio.wait_for(reader.read(), 60)
        except ConnectionError:
            return b""
        finally:
            await relay.close()
            server.close()

    assert asyncio.run(scene()) == b""
