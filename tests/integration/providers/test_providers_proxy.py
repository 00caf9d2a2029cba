"""An upstream behind an outbound proxy, reached by aiohttp: the same port, the same errors."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess

import pytest
import uvloop

from craton.models.providers import proxy as proxied
from craton.models.providers.dial import open_transport
from craton.models.providers.transport import BadReply, ConnectError, ConnectionLost, DeadlineExceeded
from tests.fakes import scripts
from tests.fakes.upstream import FakeUpstream

TARGET = "http://api.example.com/v1"
BODY = b'{"messages": [{"role": "user", "content": "hi"}]}'


def run(coroutine):
    return uvloop.run(asyncio.wait_for(coroutine, 20))


@pytest.fixture
def up():
    """A server that takes absolute URLs, as a proxy of plain HTTP does."""
    with FakeUpstream() as upstream:
        yield upstream


def soon(seconds=60.0):
    return asyncio.get_running_loop().time() + seconds


def with_transport(up, test, **more):
    async def main():
        transport = proxied.Proxied(TARGET, up.base_url, **more)
        try:
            return await test(transport)
        finally:
            await transport.close()

    return run(main())


async def fetch(transport, seconds=60.0, **more):
    headers = [(b"x-one", b"1")]
    return await transport.fetch(b"POST", b"/chat/completions", headers, BODY, deadline=soon(seconds), **more)


async def request(transport, seconds=60.0):
    return await transport.request(b"POST", b"/chat/completions", (), BODY, deadline=soon(seconds))


def test_environment_chooses_the_proxy(up, monkeypatch):
    """With a proxy variable set, an outside address is reached through it."""
    monkeypatch.setenv("http_proxy", up.base_url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    async def main():
        transport = open_transport(TARGET)
        whole = await fetch(transport)
        await transport.close()
        return whole

    whole = run(main())
    assert whole.status == 200
    assert b"Echo: hi" in whole.body
    assert whole.headers[b"content-type"] == b"application/json"
    sent = up.requests[0]
    assert (sent.path, sent.headers["host"]) == ("http://api.example.com/v1/chat/completions", "api.example.com")
    assert (sent.headers["x-one"], sent.body) == ("1", BODY)
    assert "accept-encoding" not in sent.headers


def test_stream(up):
    """Pieces of a stream come as they are sent, and silence is no end while bytes come."""
    up.play(scripts.event_stream([b"data: %d\n\n" % n for n in range(4)], 0.15))

    async def test(transport):
        response = await request(transport, 0.4)
        return [piece async for piece in response.chunks(5)]

    pieces = with_transport(up, test)
    assert b"".join(pieces) == b"".join(b"data: %d\n\n" % n for n in range(4))
    assert len(pieces) > 1


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (scripts.HANG, DeadlineExceeded),
        (scripts.CUT, ConnectionLost),
        ((scripts.plain(b"12345")[:-2], scripts.Close()), ConnectionLost),
        ((scripts.plain(b"12345")[:-2], scripts.Hang()), DeadlineExceeded),
        (scripts.GARBAGE, BadReply),
        ((scripts.plain(b"x" * 5000),), BadReply),
    ],
    ids=["hang", "cut", "cut-body", "hang-body", "garbage", "too-long"],
)
def test_failures(up, script, error):
    """Each failure is the port's own error, and the next exchange works."""
    up.play(script)

    async def test(transport):
        with pytest.raises(error):
            await fetch(transport, 0.4, limit=4000)
        assert (await fetch(transport)).status == 200

    with_transport(up, test)


def test_silence_in_a_stream(up):
    """A stream that falls silent ends after the idle time."""
    up.play(scripts.hang_midstream([b"data: 1\n\n"]))

    async def test(transport):
        response = await request(transport)
        response.idle_after(0.1)
        assert await response.next_chunk() == b"data: 1\n\n"
        with pytest.raises(DeadlineExceeded):
            await response.next_chunk()
        response.abort()

    with_transport(up, test)
    up.wait(lambda up: up.requests[0].closed_at)


def test_leaving_ends_the_upstream(up):
    """Aborting closes the connection at once."""
    up.play(scripts.endless(b"data: x\n\n", 0.01))

    async def test(transport):
        response = await request(transport)
        await response.next_chunk()
        response.abort()

    with_transport(up, test)
    up.wait(lambda up: up.requests[0].closed_at)


def test_no_proxy_there():
    """A proxy that is not there is no connection."""
    with FakeUpstream() as gone:
        pass

    async def test(transport):
        with pytest.raises(ConnectError):
            await fetch(transport)

    with_transport(gone, test)


class Tunnel:
    """A proxy that knows CONNECT alone: it joins the client to `port`, or refuses."""

    def __init__(self, port, status=200):
        self.port, self.status, self.asked = port, status, []

    async def serve(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head.split(b" ")[1].decode())
        writer.write(b"HTTP/1.1 %d Whatever\r\n\r\n" % self.status)
        if self.status == 200:
            inner, outer = await asyncio.open_connection("127.0.0.1", self.port)
            await asyncio.gather(self.pump(reader, outer), self.pump(inner, writer))
        writer.close()

    async def pump(self, reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
            writer.close()

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self.server.close()


def test_tls_through_a_tunnel(tmp_path):
    """An https upstream is reached through CONNECT, verified by its own name."""
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "2", "-subj", "/CN=fake", "-addext", "subjectAltName=DNS:api.example.com",
            "-keyout", str(tmp_path / "k.pem"), "-out", str(tmp_path / "c.pem"),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(tmp_path / "c.pem", tmp_path / "k.pem")
    trusted = ssl.create_default_context(cafile=str(tmp_path / "c.pem"))
    with FakeUpstream(tls=served) as up:

        async def main():
            async with Tunnel(up.port) as tunnel:
                good = proxied.Proxied("https://api.example.com/v1", tunnel.url, tls=trusted)
                assert (await fetch(good)).status == 200
                await good.close()
                bad = proxied.Proxied("https://api.example.com/v1", tunnel.url)
                with pytest.raises(ConnectError):
                    await fetch(bad)
                await bad.close()
                assert tunnel.asked == ["api.example.com:443"] * 2

        run(main())
        assert len(up.requests) == 1


def test_tunnel_that_is_refused():
    """A proxy that refuses the tunnel is no connection."""

    async def main():
        async with Tunnel(0, 407) as tunnel:
            transport = proxied.Proxied("https://api.example.com/v1", tunnel.url)
            with pytest.raises(ConnectError):
                await fetch(transport)
            await transport.close()

    run(main())
