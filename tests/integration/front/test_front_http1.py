"""HTTP/1.1 on a real socket: what a connection may do, in which order, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from craton.front.connections import Connections, Limits
from craton.front.http1 import Http1
from craton.front.turn import BodyLate

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"


class App:
    """Echoes the path and the body; its paths name its moods."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.cancelled = 0
        self.go_on = asyncio.Event()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.seen.append(scope)
        path, body, more = scope["path"], b"", True
        try:
            if path == "/early":
                await self.answer(send, 413, b"no")
                return
            while more:
                message = await receive()
                body += message.get("body", b"")
                more = message.get("more_body", False)
            if path == "/hold":
                await self.go_on.wait()
            if path == "/break":
                raise KeyError("secret")
            if path == "/forget":
                return
            if path == "/inject":
                await send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"a\r\nset-cookie: b")]})
                await send({"type": "http.response.body", "body": b""})
                return
            if path == "/stream":
                await send({"type": "http.response.start", "status": 200, "headers": []})
                for piece in (b"one", b"two"):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
                return
            await self.answer(send, 200, path.encode() + b":" + body)
        except BodyLate:
            await self.answer(send, 408, b"late")
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    async def answer(self, send: Any, status: int, body: bytes) -> None:
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class Place:
    """A server in this loop."""

    def __init__(self, app: App, connections: Connections, port: int) -> None:
        self.app, self.connections, self.port = app, connections, port

    async def connect(self) -> Streams:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def exchange(self, data: bytes) -> bytes:
        """All that comes back until the server closes."""
        reader, writer = await self.connect()
        writer.write(data)
        got = await asyncio.wait_for(reader.read(), 60)
        writer.close()
        return got


@asynccontextmanager
async def serving(**limits: Any) -> AsyncIterator[Place]:
    app = App()
    connections = Connections(app, Limits(**limits))
    server = await asyncio.get_running_loop().create_server(partial(Http1, connections), "127.0.0.1", 0)
    try:
        yield Place(app, connections, server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await connections.drain(0.1)
        await connections.cut_short(0.1)


def run(test: Callable[[Place], Awaitable[None]], **limits: Any) -> None:
    async def whole() -> None:
        async with serving(**limits) as place:
            await test(place)

    asyncio.run(whole())


async def answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body of one answer that tells its length."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return head, await reader.readexactly(length)


def test_pipelined_requests_are_answered_in_order() -> None:
    """All that one segment brings, with their own bodies, one after the other."""

    async def test(place: Place) -> None:
        reader, writer = await place.connect()
        post = b"POST /%d HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n%d"
        writer.write(b"".join(post % (number, number) for number in range(5)))
        assert [(await answer(reader))[1] for _ in range(5)] == [b"/%d:%d" % (one, one) for one in range(5)]
        writer.close()

    run(test)


def test_a_pipelining_client_is_not_read_without_end() -> None:
    """While the first request is held, what the client goes on sending stays with the client."""

    async def test(place: Place) -> None:
        reader, writer = await place.connect()
        writer.write(GET.replace(b"/a", b"/hold"))
        filler = GET.replace(b"Host: x", b"Host: x\r\nX-Filler: " + b"y" * 30_000)
        for _ in range(400):
            writer.write(filler)
        await asyncio.sleep(0.3)
        assert writer.transport.get_write_buffer_size() > 1_000_000
        place.app.go_on.set()
        assert (await answer(reader))[1] == b"/hold:"
        writer.transport.abort()

    run(test)


def test_a_stream_is_chunked_for_1_1_and_ends_the_connection_for_1_0() -> None:
    """Who cannot read chunks gets the end of the connection as the end of the answer."""

    async def test(place: Place) -> None:
        new = await place.exchange(b"GET /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert new.endswith(b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
        assert b"transfer-encoding: chunked" in new
        old = await place.exchange(b"GET /stream HTTP/1.0\r\n\r\n")
        assert old.endswith(b"\r\n\r\nonetwo")
        assert b"transfer-encoding" not in old

    run(test)


def test_a_1_0_client_may_keep_its_connection() -> None:
    """If it asks for that and the length is told."""

    async def test(place: Place) -> None:
        reader, writer = await place.connect()
        for _ in range(2):
            writer.write(b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            head, body = await answer(reader)
            assert b"connection: keep-alive" in head
            assert body == b"/a:"
        writer.close()

    run(test)


def test_head_has_no_body() -> None:
    """But the length that GET would have; the next request is read from where it begins."""

    async def test(place: Place) -> None:
        got = await place.exchange(
            b"HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n" + GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        )
        first, _, second = got.partition(b"\r\n\r\n")
        assert b"content-length: 3" in first
        assert second.startswith(b"HTTP/1.1 200 OK")

    run(test)


def test_an_upgrade_is_an_offer_that_is_not_taken() -> None:
    """Java's client offers h2c with its first request; it is answered in HTTP/1.1, and the connection goes on."""

    async def test(place: Place) -> None:
        reader, writer = await place.connect()
        offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
        writer.write(b"POST /a HTTP/1.1\r\nHost: x\r\n" + offer + b"Content-Length: 3\r\n\r\nabc")
        assert (await answer(reader))[1] == b"/a:abc"
        writer.write(GET)
        assert (await answer(reader))[1] == b"/a:"
        writer.close()

    run(test)


def test_an_absolute_target_is_a_path() -> None:
    """As a proxy sends it."""

    async def test(place: Place) -> None:
        got = await place.exchange(b"GET http://elsewhere/b?c=d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert got.endswith(b"/b:")
        assert place.app.seen[0]["query_string"] == b"c=d"

    run(test)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        (b"FOO / HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        (b"GET / HTTP/3.0\r\nHost: x\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 101 + b"\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 70_000, b"431"),
        (b"GET /" + b"b" * 40_000, b"414"),
    ],
    ids=[
        "connect",
        "method",
        "version",
        "both-framings",
        "two-lengths",
        "many-headers",
        "endless-header",
        "endless-path",
    ],
)
def test_what_is_not_served_gets_a_bare_status(data: bytes, status: bytes) -> None:
    """And the connection ends."""

    async def test(place: Place) -> None:
        got = await place.exchange(data)
        assert got.split(b" ")[1] == status
        assert b"connection: close" in got
        assert place.app.seen == []

    run(test)


def test_a_header_that_would_break_out_of_its_line_is_not_sent() -> None:
    """The answer is cut off instead."""

    async def test(place: Place) -> None:
        assert b"set-cookie" not in await place.exchange(GET.replace(b"/a", b"/inject"))

    run(test)


@pytest.mark.parametrize("path", [b"/break", b"/forget"])
def test_an_application_that_fails_is_a_500(path: bytes) -> None:
    """Without a word of its error."""

    async def test(place: Place) -> None:
        got = await place.exchange(GET.replace(b"/a", path))
        assert got.startswith(b"HTTP/1.1 500 ")
        assert b"secret" not in got

    run(test)


def test_an_early_answer_arrives_though_the_body_goes_on() -> None:
    """It is read to its end, then the connection is over."""

    async def test(place: Place) -> None:
        reader, writer = await place.connect()
        writer.write(b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 100_000)
        head, body = await answer(reader)
        assert head.startswith(b"HTTP/1.1 413 ")
        assert b"connection: close" in head
        assert body == b"no"
        writer.write(b"x" * 100_000)
        assert await asyncio.wait_for(reader.read(), 60) == b""
        writer.close()

    run(test, linger_s=0.3)


def test_connections_above_the_limit_are_told_to_come_back() -> None:
    """503, which SDKs try again; those that are there go on."""

    async def test(place: Place) -> None:
        reader, writer = await place.connect()
        writer.write(GET)
        await answer(reader)
        assert (await place.exchange(GET)).startswith(b"HTTP/1.1 503 ")
        writer.write(GET)
        assert (await answer(reader))[1] == b"/a:"
        writer.close()

    run(test, connections=1)


@pytest.mark.parametrize("data", [b"", b"PRI", b"GET /a HT", GET], ids=["silent", "preface", "half-head", "idle"])
def test_a_connection_that_asks_nothing_is_closed(data: bytes) -> None:
    """After `head_s`: before its first request, within a head, and between two."""

    async def test(place: Place) -> None:
        got = await place.exchange(data)
        assert got == b"" or got.endswith(b"/a:")
        assert place.connections.open == set()

    run(test, head_s=0.3, body_s=0.8)


def test_a_client_that_leaves_ends_its_request() -> None:
    """The task is cancelled at once."""

    async def test(place: Place) -> None:
        _, writer = await place.connect()
        writer.write(GET.replace(b"/a", b"/hold"))
        while not place.connections.busy:
            await asyncio.sleep(0.01)
        writer.close()
        async with asyncio.timeout(5):
            while place.connections.busy:
                await asyncio.sleep(0.01)
        assert place.app.cancelled == 1

    run(test)


def test_draining_answers_what_is_open_and_closes_what_is_idle() -> None:
    """The answer says that the connection ends."""

    async def test(place: Place) -> None:
        idle, idle_writer = await place.connect()
        idle_writer.write(GET)
        await answer(idle)
        reader, writer = await place.connect()
        writer.write(GET.replace(b"/a", b"/hold"))
        while not place.connections.busy:
            await asyncio.sleep(0.01)
        draining = asyncio.create_task(place.connections.drain(5))
        assert await asyncio.wait_for(idle.read(), 60) == b""
        place.app.go_on.set()
        head, body = await answer(reader)
        assert b"connection: close" in head
        assert body == b"/hold:"
        await asyncio.wait_for(draining, 60)
        for one in (writer, idle_writer):
            one.close()

    run(test)


def test_in_a_crowd_every_answer_is_whole_and_in_order() -> None:
    """Answers that leave together come whole: pipelined ones in order, and those after which the connection ends."""

    async def test(place: Place) -> None:
        held = [await place.connect() for _ in range(6)]
        for _, writer in held:
            writer.write(b"GET /hold HTTP/1.1\r\nHost: x\r\n\r\n")
        pair = GET + b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n" + GET
        last = b"GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        ends = [pair + last, pair + b"GET /early HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"] * 6
        waiting = [asyncio.create_task(place.exchange(data)) for data in ends]
        await asyncio.sleep(0.05)
        place.app.go_on.set()
        for index, got in enumerate(await asyncio.gather(*waiting)):
            places = [got.find(b"\r\n\r\n/a:"), got.find(b"one"), got.rfind(b"\r\n\r\n/a:")]
            assert places == sorted(places), got
            assert places[0] > 0, got
            assert (b"/b:", b" 413 ")[index % 2] in got[places[2] :]
        for reader, writer in held:
            assert (await answer(reader))[1] == b"/hold:"
            writer.close()

    run(test)
