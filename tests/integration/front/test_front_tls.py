"""TLS on the port, on the loop that workers use: who gets in, what is spoken, how it ends, and new certificates."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest
import uvloop

from craton.cli import tls as making
from craton.front import tls
from craton.front.connections import Connections, Limits
from craton.front.entrance import Entrance
from tests.integration.front import certificates

GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
PIECE = b"x" * 65536


class App:
    """Answers with the scheme and the body; its paths name its moods."""

    def __init__(self) -> None:
        self.sent = 0
        self.cancelled = 0
        self.begun = asyncio.Event()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        try:
            if scope["path"] == "/early":
                await self.answer(send, 413, b"no")
                return
            body, more = b"", True
            while more:
                message = await receive()
                body, more = body + message.get("body", b""), message.get("more_body", False)
                self.begun.set()
            if scope["path"] == "/flood":
                await self.flood(send)
                return
            await self.answer(send, 200, scope["scheme"].encode() + b":" + body)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    async def flood(self, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        self.begun.set()
        while True:
            await send({"type": "http.response.body", "body": PIECE, "more_body": True})
            self.sent += len(PIECE)
            await asyncio.sleep(0)

    async def answer(self, send: Any, status: int, body: bytes) -> None:
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class Place:
    """A server in this loop. `folder` holds its certificate and `ca.pem`."""

    def __init__(self, app: App, port: int, folder: Path) -> None:
        self.app, self.port, self.folder = app, port, folder

    def trust(self, *protocols: str) -> ssl.SSLContext:
        made = ssl.create_default_context(cafile=str(self.folder / making.AUTHORITY))
        if protocols:
            made.set_alpn_protocols(protocols)
        return made

    async def connect(
        self, *protocols: str, trust: ssl.SSLContext | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        context = trust or self.trust(*protocols)
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=context, server_hostname="127.0.0.1")

    async def serial(self) -> int:
        """The number of the certificate that a new connection gets."""
        _, writer = await self.connect()
        found = int(writer.get_extra_info("ssl_object").getpeercert()["serialNumber"], 16)
        writer.transport.abort()
        return found


@asynccontextmanager
async def serving(folder: Path, client_ca: str = "", **limits: Any) -> AsyncIterator[Place]:
    app = App()
    connections = Connections(app, Limits(**limits), secure=True)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    port = listener.getsockname()[1]
    files = certificates.files(folder, client_ca=client_ca)
    entrance = Entrance(connections, listener.detach(), 128, files, is_unix=False)
    await entrance.open()
    try:
        yield Place(app, port, folder)
    finally:
        entrance.close()
        await connections.drain(0.1)
        await connections.cut_short(0.1)


def run(folder: Path, test: Callable[[Place], Awaitable[None]], client_ca: str = "", **limits: Any) -> None:
    async def whole() -> None:
        async with asyncio.timeout(60), serving(folder, client_ca, **limits) as place:
            await test(place)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(whole())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    certificates.put(tmp_path / "tls")
    return tmp_path / "tls"


async def answer(reader: asyncio.StreamReader) -> bytes:
    """The body of one answer that tells its length."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
    return await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))


def test_requests_come_in_over_tls(folder: Path) -> None:
    """Several on one connection, with a body larger than any record; the application is told the scheme."""

    async def test(place: Place) -> None:
        reader, writer = await place.connect("http/1.1")
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
        for body in (b"", b"hello", PIECE * 5):
            writer.write(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            assert await answer(reader) == b"https:" + body
        writer.close()

    run(folder, test)


def test_http2_is_agreed_upon(folder: Path) -> None:
    """A client that offers h2 gets it."""

    async def test(place: Place) -> None:
        reader, writer = await place.connect("h2", "http/1.1")
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
        conn = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        conn.initiate_connection()
        head = [(":method", "GET"), (":path", "/a"), (":scheme", "https"), (":authority", "x")]
        conn.send_headers(1, head, end_stream=True)
        writer.write(conn.data_to_send())
        body, ended = b"", False
        while not ended:
            for event in conn.receive_data(await asyncio.wait_for(reader.read(65536), 60)):
                body += event.data if isinstance(event, h2.events.DataReceived) else b""
                ended = ended or isinstance(event, h2.events.StreamEnded)
        assert body == b"https:"
        writer.close()

    run(folder, test)


@pytest.mark.parametrize(
    ("protocol", "data"),
    [("http/1.1", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), ("h2", GET)],
    ids=["preface without h2", "HTTP/1.1 after h2"],
)
def test_another_protocol_than_agreed_is_not_spoken(folder: Path, protocol: str, data: bytes) -> None:
    """The connection ends without a request."""

    async def test(place: Place) -> None:
        reader, writer = await place.connect(protocol)
        writer.write(data)
        try:
            got = await asyncio.wait_for(reader.read(), 60)
        except ConnectionError:
            got = b""
        assert b"200" not in got[:20]
        assert not place.app.begun.is_set()

    run(folder, test, linger_s=0.2)


def test_old_versions_are_refused(folder: Path) -> None:
    """TLS 1.1 gets no further than the handshake; TLS 1.2 gets in."""

    async def test(place: Place) -> None:
        for newest, gets_in in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True)):
            trust = place.trust()
            trust.set_ciphers("ALL:@SECLEVEL=0")
            with nullcontext() if gets_in else pytest.warns(DeprecationWarning, match="TLSv1_1"):
                trust.minimum_version = trust.maximum_version = newest
            if not gets_in:
                with pytest.raises((ssl.SSLError, ConnectionError)):
                    await place.connect(trust=trust)
                continue
            reader, writer = await place.connect(trust=trust)
            writer.write(GET)
            assert await answer(reader) == b"https:"
            writer.close()

    run(folder, test)


def test_plain_http_gets_a_clean_close(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever speaks without TLS is not answered, not kept waiting and not worth a line in the log."""

    async def test(place: Place) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
        writer.write(GET)
        try:
            got = await asyncio.wait_for(reader.read(), 60)
        except ConnectionError:
            got = b""
        assert b"HTTP" not in got
        writer.close()
        reader, writer = await place.connect()
        writer.write(GET)
        assert await answer(reader) == b"https:"
        writer.close()

    run(folder, test)
    assert not caplog.records


def test_clients_prove_themselves_where_that_is_asked(folder: Path, tmp_path: Path) -> None:
    """With `client_ca`, a client needs a certificate of that authority that is a client's."""
    clients = tmp_path / "clients"
    certificates.client(clients, certificates.put(clients))

    async def ask(place: Place, *pair: str) -> bytes:
        trust = place.trust()
        if pair:
            trust.load_cert_chain(clients / pair[0], clients / pair[1])
        reader, writer = await place.connect(trust=trust)
        writer.write(GET)
        try:
            return await answer(reader)
        finally:
            writer.transport.abort()

    async def test(place: Place) -> None:
        refused = (ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)
        with pytest.raises(refused):
            await ask(place)
        with pytest.raises(refused):
            await ask(place, making.CERTIFICATE, making.KEY)  # a server's
        assert await ask(place, "client.pem", "client.key") == b"https:"

    run(folder, test, str(clients / making.AUTHORITY))


def test_a_reader_that_stops_holds_the_application(folder: Path) -> None:
    """What it does not read is not made: the application waits, and is ended when the reader has stalled too long."""

    async def test(place: Place) -> None:
        sock = await asyncio.to_thread(_handshaken, place)
        await asyncio.to_thread(sock.sendall, b"GET /flood HTTP/1.1\r\nHost: x\r\n\r\n")
        await place.app.begun.wait()
        held = -1
        while held != place.app.sent:  # until it goes no further
            held = place.app.sent
            await asyncio.sleep(0.2)
        assert held < 32 * 1024 * 1024
        while not place.app.cancelled:
            await asyncio.sleep(0.05)
        sock.close()

    run(folder, test, write_stall_s=1.5)


def _handshaken(place: Place) -> ssl.SSLSocket:
    return place.trust().wrap_socket(
        socket.create_connection(("127.0.0.1", place.port), timeout=60), server_hostname="127.0.0.1"
    )


@pytest.mark.parametrize("rude", [True, False], ids=["abort", "goodbye"])
def test_a_client_that_leaves_ends_its_stream(folder: Path, rude: bool) -> None:
    """With a goodbye or without: the application is cancelled."""

    async def test(place: Place) -> None:
        reader, writer = await place.connect()
        writer.write(b"GET /flood HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        if rude:
            writer.transport.abort()
        else:
            writer.close()
        while not place.app.cancelled:
            await asyncio.sleep(0.02)

    run(folder, test)


def test_a_body_that_is_cut_short_ends_the_request(folder: Path) -> None:
    """TLS has no half-closed connections: who says goodbye within a body has left."""

    async def test(place: Place) -> None:
        _, writer = await place.connect()
        writer.write(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nbegun")
        await place.app.begun.wait()
        writer.close()
        while not place.app.cancelled:
            await asyncio.sleep(0.02)

    run(folder, test)


def test_an_early_answer_reaches_a_client_that_still_sends(folder: Path) -> None:
    """The refusal of a body arrives whole, and then the connection ends."""

    async def test(place: Place) -> None:
        reader, writer = await place.connect()
        writer.write(b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n" + PIECE)
        assert await answer(reader) == b"no"
        writer.write(PIECE)
        try:
            assert await asyncio.wait_for(reader.read(), 60) == b""
        except ConnectionError:
            pass

    run(folder, test, linger_s=0.3)


def test_a_new_certificate_is_taken_up_while_connections_stay(folder: Path) -> None:
    """New connections get it within a moment; one that was open goes on. A broken file leaves the last good one."""

    async def test(place: Place) -> None:
        before = await place.serial()
        reader, writer = await place.connect()
        certificates.put(folder)
        while await _serial_or_none(place) in (None, before):
            await asyncio.sleep(0.1)
        now = await place.serial()
        (folder / making.CERTIFICATE).write_text("rubbish")
        await asyncio.sleep(1.5)
        assert await place.serial() == now
        writer.write(GET)
        assert await answer(reader) == b"https:"
        writer.close()

    run(folder, test)


async def _serial_or_none(place: Place) -> int | None:
    """None while the certificate is still of the authority before."""
    try:
        return await place.serial()
    except ssl.SSLError:
        return None


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda place: (place / making.KEY).unlink(), "key.pem: cannot be read"),
        (lambda place: (place / making.KEY).write_text("x"), "key.pem"),
        (lambda place: certificates.put(place / "other") and (place / "other" / making.KEY).replace(place / making.KEY),
         "MISMATCH"),
    ],
    ids=["missing", "rubbish", "another's"],
)  # fmt: skip
def test_files_that_cannot_be_used_are_named(folder: Path, spoil: Callable[[Path], object], said: str) -> None:
    """The message names the file, and holds nothing of it."""
    spoil(folder)
    with pytest.raises(tls.Unusable, match=said):
        tls.context(certificates.files(folder))
