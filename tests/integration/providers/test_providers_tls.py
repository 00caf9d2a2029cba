"""TLS to an upstream: verified by authority and by name, and ended at once when the caller leaves."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import time

import pytest
import uvloop

from craton.models.providers.http import Pool
from craton.models.providers.transport import ConnectError
from tests.fakes import scripts
from tests.fakes.upstream import FakeUpstream


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Certificates that sign themselves: one for 127.0.0.1, one for another name."""
    folder = tmp_path_factory.mktemp("tls")
    for name, alternative in (("here", "IP:127.0.0.1"), ("elsewhere", "DNS:elsewhere.example")):
        subprocess.run(
            [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-days", "2", "-subj", "/CN=fake", "-addext", f"subjectAltName={alternative}",
                "-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem"),
            ],
            check=True, capture_output=True,
        )  # fmt: skip
    return folder


def server(folder, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return context


def client(folder, name):
    return ssl.create_default_context(cafile=str(folder / f"{name}.pem"))


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request):
    return lambda coroutine: request.param(asyncio.wait_for(coroutine, 20))


async def fetch(pool):
    return await pool.fetch(b"GET", b"/health", deadline=asyncio.get_running_loop().time() + 60)


def test_verified_exchange(run, made):
    """A server whose certificate holds is spoken to, over one kept connection."""
    with FakeUpstream(tls=server(made, "here")) as up:

        async def main():
            pool = Pool(up.base_url, tls=client(made, "here"))
            for _ in range(3):
                assert (await fetch(pool)).status == 200
            await pool.close()

        run(main())
        assert up.connections == 1


@pytest.mark.parametrize(
    ("served", "trusted"), [("here", None), ("here", "elsewhere"), ("elsewhere", "elsewhere")],
    ids=["system", "other-authority", "other-name"],
)  # fmt: skip
def test_certificate_that_does_not_hold(run, made, served, trusted):
    """An unknown authority or another host's name ends it before anything is sent."""
    with FakeUpstream(tls=server(made, served)) as up:

        async def main():
            pool = Pool(up.base_url, tls=None if trusted is None else client(made, trusted))
            with pytest.raises(ConnectError):
                await fetch(pool)
            assert pool.open_connections == 0

        run(main())
        assert not up.requests


def test_leaving_ends_at_once(run, made):
    """Aborting a stream over TLS does not wait for an upstream that goes on sending."""
    with FakeUpstream(scripts.endless(b"data: " + b"x" * 1000 + b"\n\n"), tls=server(made, "here")) as up:

        async def main():
            pool = Pool(up.base_url, tls=client(made, "here"))
            response = await pool.request(b"POST", b"/", deadline=asyncio.get_running_loop().time() + 60)
            await response.next_chunk()
            left = time.monotonic()
            response.abort()
            while up.requests[0].closed_at is None:
                await asyncio.sleep(0.005)
            assert up.requests[0].closed_at - left < 1.0
            await pool.close()

        run(main())


def test_plain_server_where_tls_was_expected(run, made):
    """A server that speaks no TLS is no connection."""
    with FakeUpstream() as up:

        async def main():
            pool = Pool(up.base_url.replace("http://", "https://"), tls=client(made, "here"))
            with pytest.raises(ConnectError):
                await fetch(pool)

        run(main())
