"""S3's door on a real socket, before handlers of the test's own: how bodies flow, wait, fail and end."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache, partial
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree as ET

import h2.config
import h2.connection
import h2.events
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials as Pair

from craton.aws.access.credentials import AccessKey, Credentials, root_principal
from craton.aws.wire.faults import Fault
from craton.aws.wire.model import Service, load
from craton.aws.wire.payload import Reply
from craton.context import SystemClock
from craton.front.connections import Connections, Limits
from craton.front.http1 import Http1
from craton.front.s3_address import Hosts
from craton.front.s3_request import S3Door

KEY, SECRET, ACCOUNT = "AKIATEST", "secret", "000000000000"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@cache
def service() -> Service:
    return load("s3")


class Objects:
    """Handlers that keep nothing but what they have seen."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.size = -1
        self.reported: list[BaseException] = []
        self.closed = asyncio.Event()

    async def put(self, call: Any, req: Any) -> dict[str, Any]:
        if req.Key == "denied":
            raise Fault("AccessDenied", "no", status=403)
        await self.go_on.wait()
        size, digest = 0, hashlib.sha256()
        async for piece in req.Body:
            size += len(piece)
            digest.update(piece)
        self.size = size
        return {"ETag": digest.hexdigest()}

    async def get(self, call: Any, req: Any) -> Any:
        if req.Key == "same":
            return Reply(304, {"ETag": '"e"'})
        if req.Key == "part":
            return Reply(206, {"Body": self.body(b"bc"), "ContentLength": 2, "ContentRange": "bytes 1-2/5"})
        if req.Key == "bytes":
            return {"Body": b"whole", "ContentLength": 5}
        pieces = {"lost": [ValueError()], "broken": [b"a" * 5, ValueError()], "empty": []}.get(
            req.Key, [b"abc", b"def"]
        )
        length = {"lost": 5, "broken": 10, "empty": 0}.get(req.Key, 6)
        return {"Body": self.body(*pieces), "ContentLength": length if req.Key != "unknown" else None}

    async def endless(self, call: Any, req: Any) -> Any:
        return {"Body": self.body(*[b"x" * 100_000] * 200)}

    async def head(self, call: Any, req: Any) -> Any:
        if req.Key == "none":
            raise Fault("NoSuchKey", "none", status=404)
        return {"ContentLength": 77, "ETag": '"e"', "Metadata": {"a": "b"}}

    async def body(self, *pieces: Any) -> AsyncGenerator[bytes]:
        try:
            for piece in pieces:
                if isinstance(piece, Exception):
                    raise piece
                yield piece
        finally:
            self.closed.set()


class Place:
    """A door in this loop."""

    def __init__(self, objects: Objects, port: int) -> None:
        self.objects, self.port = objects, port

    def head(self, method: str, key: str, body: bytes = b"", **more: str) -> bytes:
        """A signed head, without its end; `body` is what will be sent under its length."""
        url = f"http://127.0.0.1:{self.port}/bucket/{key}"
        request = AWSRequest(
            method, url, data=body, headers={name.replace("_", "-"): value for name, value in more.items()}
        )
        request.context["client_config"] = Config()
        S3SigV4Auth(Pair(KEY, SECRET), "s3", "us-east-1").add_auth(request)
        lines = [f"{method} /bucket/{key} HTTP/1.1", f"Host: 127.0.0.1:{self.port}"]
        lines += [f"{name}: {value}" for name, value in request.headers.items()]
        return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode()

    async def connect(self) -> Streams:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def ask(self, method: str, key: str) -> tuple[int, dict[str, str], bytes]:
        """One answer, and then the end of the connection."""
        reader, writer = await self.connect()
        writer.write(self.head(method, key, connection="close"))
        got = await asyncio.wait_for(reader.read(), 60)
        writer.close()
        head, _, body = got.partition(b"\r\n\r\n")
        first, *rows = head.decode().split("\r\n")
        return int(first.split()[1]), dict(row.lower().split(": ", 1) for row in rows), body


async def no_rules(bucket: str) -> list[dict[str, Any]]:
    return []


@asynccontextmanager
async def serving(**limits: Any) -> AsyncIterator[Place]:
    objects = Objects()
    credentials = Credentials.of([AccessKey.of(KEY, SECRET, root_principal(ACCOUNT, KEY))])
    app: Any = SimpleNamespace(
        clock=SystemClock(),
        live=SimpleNamespace(credentials=credentials),
        settings=SimpleNamespace(region="us-east-1"),
        audit=None,
    )
    handlers: Any = {"PutObject": objects.put, "GetObject": objects.get, "HeadObject": objects.head}
    handlers["GetObjectTorrent"] = objects.endless
    door = S3Door(app, service(), handlers, objects.reported.append, Hosts(), no_rules)
    connections = Connections(door, Limits(**limits))
    server = await asyncio.get_running_loop().create_server(partial(Http1, connections), "127.0.0.1", 0)
    try:
        yield Place(objects, server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await connections.drain(0.1)
        await connections.cut_short(0.1)


def run(test: Callable[[Place], Awaitable[None]], **limits: Any) -> None:
    async def whole() -> None:
        async with serving(**limits) as place:
            await test(place)

    asyncio.run(whole())


async def status(reader: asyncio.StreamReader) -> bytes:
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
    return head.split(b" ")[1]


def test_a_client_is_read_as_fast_as_its_body_is_used() -> None:
    """A handler that waits makes the client wait; nothing piles up in between."""

    async def test(place: Place) -> None:
        place.objects.go_on.clear()
        body = b"x" * (24 * 1024 * 1024)
        reader, writer = await place.connect()
        writer.write(place.head("PUT", "k", body) + body)
        sent = asyncio.create_task(writer.drain())
        _, waiting = await asyncio.wait([sent], timeout=0.3)
        assert waiting
        place.objects.go_on.set()
        await asyncio.wait_for(sent, 60)
        assert await status(reader) == b"200"
        assert place.objects.size == len(body)
        writer.close()

    run(test)


def test_a_client_that_asks_first_is_told_when_its_body_is_wanted() -> None:
    """Leave comes with the first look at the body; a refusal comes without it."""

    async def test(place: Place) -> None:
        reader, writer = await place.connect()
        writer.write(place.head("PUT", "k", b"body", expect="100-continue"))
        assert await status(reader) == b"100"
        writer.write(b"body")
        assert await status(reader) == b"200"
        writer.close()
        reader, writer = await place.connect()
        writer.write(place.head("PUT", "denied", b"body", expect="100-continue"))
        assert await status(reader) == b"403"
        writer.close()

    run(test)


def test_a_large_body_may_take_its_time() -> None:
    """As long as it comes: one that is slow in all but steady arrives, one that trickles is given up."""

    async def test(place: Place) -> None:
        body = b"x" * 8_000
        reader, writer = await place.connect()
        writer.write(place.head("PUT", "k", body))
        for at in range(0, len(body), 1_000):
            writer.write(body[at : at + 1_000])
            await asyncio.sleep(0.1)
        assert await status(reader) == b"200"
        writer.close()
        reader, writer = await place.connect()
        writer.write(place.head("PUT", "k", body))
        for _ in range(10):
            writer.write(b"x")
            await asyncio.sleep(0.1)
        got = await asyncio.wait_for(reader.read(), 60)
        assert b"<Code>RequestTimeout</Code>" in got
        writer.close()

    run(test, body_s=0.4, body_rate=5_000)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("k", (200, "6", b"abcdef")),
        ("bytes", (200, "5", b"whole")),
        ("empty", (200, "0", b"")),
        ("part", (206, "2", b"bc")),
    ],
)
def test_an_object_leaves_piece_by_piece(key: str, expected: tuple[int, str, bytes]) -> None:
    """With its length, and with the status that its handler chose."""

    async def test(place: Place) -> None:
        code, headers, body = await place.ask("GET", key)
        assert (code, headers["content-length"], body) == expected
        assert headers["x-amz-request-id"]

    run(test)


def test_an_object_of_unknown_length_is_chunked() -> None:
    """Its end is told all the same."""

    async def test(place: Place) -> None:
        code, headers, body = await place.ask("GET", "unknown")
        assert (code, headers["transfer-encoding"]) == (200, "chunked")
        assert body.endswith(b"0\r\n\r\n")

    run(test)


def test_a_failure_before_the_first_byte_is_an_error() -> None:
    """Its cause goes to the log and not to the client."""

    async def test(place: Place) -> None:
        code, _, body = await place.ask("GET", "lost")
        assert (code, ET.fromstring(body).findtext("Code")) == (500, "InternalError")
        assert isinstance(place.objects.reported[0], ValueError)

    run(test)


def test_a_failure_in_the_middle_ends_the_connection() -> None:
    """So that nobody takes half an object for the whole."""

    async def test(place: Place) -> None:
        try:
            code, headers, body = await place.ask("GET", "broken")
        except ConnectionError:
            return
        assert (code, headers["content-length"]) == (200, "10")
        assert body == b"aaaaa"

    run(test)


def test_head_and_not_modified_have_no_body() -> None:
    """Their headers are those that the object has; an error of HEAD is its status alone."""

    async def test(place: Place) -> None:
        code, headers, body = await place.ask("HEAD", "k")
        assert (code, headers["content-length"], headers["x-amz-meta-a"], body) == (200, "77", "b", b"")
        code, headers, body = await place.ask("HEAD", "none")
        assert (code, body) == (404, b"")
        code, headers, body = await place.ask("GET", "same")
        assert (code, headers["etag"], body) == (304, '"e"', b"")

    run(test)


class H2:
    """A client of HTTP/2 with one connection; `status` and `size` are of the last answer."""

    def __init__(self, place: Place, streams: Streams) -> None:
        self.place = place
        self.reader, self.writer = streams
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.h2.initiate_connection()
        self.stream = -1
        self.status, self.size, self.ended = "", 0, False

    async def ask(self, method: str, key: str, content: bytes = b"") -> None:
        rows = [row.split(": ", 1) for row in self.place.head(method, key, content).decode().split("\r\n")[1:] if row]
        self.stream, self.size, self.ended = self.h2.get_next_available_stream_id(), 0, False
        head = [(":method", method), (":path", f"/bucket/{key}"), (":scheme", "http")]
        head.append((":authority", f"127.0.0.1:{self.place.port}"))
        head += [(name.lower(), value) for name, value in rows if name not in ("Host", "Content-Length")]
        self.h2.send_headers(self.stream, head, end_stream=not content)
        at = 0
        while at < len(content):
            room = min(self.h2.local_flow_control_window(self.stream), self.h2.max_outbound_frame_size)
            if not room:
                await self.turn()
                continue
            self.h2.send_data(self.stream, content[at : at + room], end_stream=at + room >= len(content))
            at += room
            self.writer.write(self.h2.data_to_send())
        while not self.ended:
            await self.turn()

    async def turn(self) -> None:
        """Send what is to be sent, and take what has come."""
        self.writer.write(self.h2.data_to_send())
        for event in self.h2.receive_data(await asyncio.wait_for(self.reader.read(65536), 60)):
            if isinstance(event, h2.events.ResponseReceived):
                self.status = dict(event.headers)[b":status"].decode()
            elif isinstance(event, h2.events.DataReceived):
                self.size += len(event.data)
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                self.ended = True


def test_bodies_flow_over_http2_too() -> None:
    """Both ways, larger than any window."""

    async def test(place: Place) -> None:
        client = H2(place, await place.connect())
        await client.ask("PUT", "k", b"x" * 3_000_000)
        assert (client.status, place.objects.size) == ("200", 3_000_000)
        await client.ask("GET", "k?torrent")
        assert (client.status, client.size) == ("200", 100_000 * 200)
        client.writer.close()

    run(test)


def test_a_client_that_leaves_ends_what_is_read_for_it() -> None:
    """The source of the body is closed."""

    async def test(place: Place) -> None:
        reader, writer = await place.connect()
        writer.write(place.head("GET", "k?torrent"))
        await asyncio.wait_for(reader.readexactly(1000), 60)
        assert not place.objects.closed.is_set()
        writer.transport.abort()
        await asyncio.wait_for(place.objects.closed.wait(), 60)

    run(test)
