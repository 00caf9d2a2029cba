"""The HTTP/1.1 pool against a real server, on asyncio's loop and on uvloop's."""

from __future__ import annotations

import asyncio
import time

import pytest

from craton.models.providers.http import Pool
from craton.models.providers.transport import (
    ConnectError,
    ConnectionLost,
    DeadlineExceeded,
)
from tests.fakes import scripts
from tests.fakes.upstream import FakeUpstream
from tests.integration.providers.pooling import BODY, fetch, request, run, soon, up, with_pool

__all__ = ["run", "up"]  # fixtures


# --- answers ------------------------------------------------------------------------------------------------------


def test_connection_is_kept(run, up):
    """Exchanges one after the other share a connection."""

    async def test(pool):
        for _ in range(5):
            assert (await fetch(pool)).status == 200

    run(with_pool(up, test))
    assert (len(up.requests), up.connections) == (5, 1)


def test_request_arrives_as_it_was_sent(run, up):
    """Method, path, headers and body reach the upstream."""

    async def test(pool):
        await pool.fetch(b"POST", b"/v1/chat/completions?x=1", [(b"x-one", b"1")], BODY, deadline=soon())

    run(with_pool(up, test))
    sent = up.requests[0]
    assert (sent.method, sent.path, sent.body) == ("POST", "/v1/chat/completions?x=1", BODY)
    assert sent.headers == {"host": f"127.0.0.1:{up.port}", "x-one": "1", "content-length": str(len(BODY))}


@pytest.mark.parametrize(
    "script",
    [
        (scripts.plain(b"hello"),),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3;ext=1\r\nllo\r\n0\r\nx-trailer: 1\r\n\r\n",
        ),
        (b"HTTP/1.1 200 OK\r\n\r\nhello", scripts.Close()),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello",),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n", scripts.plain(b"hello")),
        tuple(bytes([byte]) for byte in scripts.plain(b"hello")),
        (scripts.head(200, {"content-length": "5"}), scripts.Sleep(0.05), b"he", scripts.Sleep(0.05), b"llo"),
    ],
    ids=["length", "chunked", "until-close", "http10", "informational", "bytewise", "slow"],
)
def test_every_form_of_body(run, up, script):
    """A body with a length, in chunks, or up to the end of the connection; informational answers are skipped."""
    up.play(script, script)

    async def test(pool):
        for _ in range(2):
            whole = await fetch(pool)
            assert (whole.status, whole.body) == (200, b"hello")

    run(with_pool(up, test))


def test_empty_answers(run, up):
    """An answer without a body ends at its head, and the connection is kept."""
    up.play((b"HTTP/1.1 204 No Content\r\n\r\n",), scripts.reply({}))

    async def test(pool):
        assert (await fetch(pool)).body == b""
        assert (await fetch(pool)).body == b"{}"

    run(with_pool(up, test))
    assert up.connections == 1


def test_redirect_is_not_followed(run, up):
    """A redirect is an answer like any other."""
    up.play((scripts.plain(b"", 302, {"location": up.base_url + "/elsewhere"}),))

    async def test(pool):
        assert (await fetch(pool)).status == 302

    run(with_pool(up, test))
    assert len(up.requests) == 1


def test_big_bodies_both_ways(run, up):
    """Bodies of megabytes pass both ways."""
    up.play((scripts.plain(b"y" * 8_000_000),))

    async def test(pool):
        whole = await fetch(pool, body=b"x" * 8_000_000)
        assert len(whole.body) == 8_000_000

    run(with_pool(up, test))
    assert len(up.requests[0].body) == 8_000_000


def test_chunks_come_as_they_are_sent(run, up):
    """The first piece of a stream is here while the upstream still sends."""
    up.play(scripts.event_stream([b"data: 1\n\n", b"data: 2\n\n"], 0.2))

    async def test(pool):
        response = await request(pool)
        pieces = []
        async for piece in response.chunks(5):
            if not pieces:
                assert up.requests[0].answered_at is None
            pieces.append(piece)
        return pieces

    assert run(with_pool(up, test)) == [b"data: 1\n\n", b"data: 2\n\n"]


# --- connections that die -------------------------------------------------------------------------------------------


def test_kept_connection_that_died_is_replaced(run, up):
    """A kept connection that ends before any byte is replaced once, unseen."""

    async def test(pool):
        await fetch(pool)
        up.play(scripts.CUT)
        assert (await fetch(pool)).status == 200
        up.play(scripts.CUT)
        assert (await request(pool)).status == 200

    run(with_pool(up, test))
    assert (len(up.requests), up.connections) == (5, 3)


def test_second_death_is_told(run, up):
    """A request is sent again once, not more."""

    async def test(pool):
        await fetch(pool)
        up.play(scripts.CUT, scripts.CUT)
        with pytest.raises(ConnectionLost):
            await fetch(pool)

    run(with_pool(up, test))
    assert len(up.requests) == 3


def test_fresh_connection_that_died_is_told(run, up):
    """On a fresh connection the server has seen the request: it is not sent again."""
    up.play(scripts.CUT)

    async def test(pool):
        with pytest.raises(ConnectionLost) as lost:
            await fetch(pool)
        assert not lost.value.received

    run(with_pool(up, test))
    assert len(up.requests) == 1


def test_answer_that_began_is_not_asked_for_again(run, up):
    """After a byte of the answer nothing is sent again, kept connection or not."""

    async def test(pool):
        await fetch(pool)
        up.play((b"HTTP/1.1 200 OK\r\ncontent-le", scripts.Cut()), (scripts.plain(b"12345")[:-2], scripts.Close()))
        for _ in range(2):
            with pytest.raises(ConnectionLost) as lost:
                await fetch(pool)
            assert lost.value.received

    run(with_pool(up, test))
    assert len(up.requests) == 3


def test_idle_connection_closed_by_the_server_is_forgotten(run, up):
    """A server that closes what is idle costs no failed request."""

    async def test(pool):
        await fetch(pool)
        up.drop_connections()
        while pool.open_connections:
            await asyncio.sleep(0.005)
        assert (await fetch(pool)).status == 200

    run(with_pool(up, test))
    assert len(up.requests) == 2


def test_nobody_listens(run):
    """A refused connection is a ConnectError at once."""
    with FakeUpstream() as gone:
        address = gone.base_url

    async def test():
        pool = Pool(address)
        for _ in range(2):
            with pytest.raises(ConnectError):
                await fetch(pool)
        assert pool.open_connections == 0

    run(test())


def test_missing_socket_and_unknown_host(run, tmp_path):
    """A socket file that is not there, and a host that is none, are ConnectErrors."""

    async def test():
        for url in (f"unix:{tmp_path}/none.sock", "http://a.invalid", f"http://{'x' * 64}.example"):
            with pytest.raises((ConnectError, ValueError)):
                await fetch(Pool(url))

    run(test())


def test_connection_that_is_reset_when_it_is_made(run, up):
    """A server that accepts and resets is told as a failed exchange, and the place is free again."""
    up.refuse_next = 1

    async def test(pool):
        with pytest.raises((ConnectError, ConnectionLost)):
            await fetch(pool)
        assert (await fetch(pool)).status == 200

    run(with_pool(up, test, max_connections=1))


# --- time -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [
        scripts.HANG,
        (b"HTTP/1.1 200 OK\r\n", scripts.Hang()),
        (scripts.plain(b"12345")[:-2], scripts.Hang()),
        (scripts.head(200, {"content-length": "9999999"}), scripts.Repeat(b"x", 0.02)),
    ],
    ids=["before-head", "in-head", "in-body", "drip"],
)
def test_deadline_of_a_whole_answer(run, up, script):
    """However an upstream dawdles, the deadline ends the exchange and the connection."""
    up.play(script)

    async def test(pool):
        started = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            await fetch(pool, seconds=0.2)
        assert time.monotonic() - started < 30
        assert (await fetch(pool)).status == 200

    run(with_pool(up, test, max_connections=1))
    up.wait(lambda up: up.requests[0].closed_at)


def test_deadline_already_passed(run, up):
    """Without time left nothing is sent on a new connection."""

    async def test(pool):
        with pytest.raises(DeadlineExceeded):
            await fetch(pool, seconds=-1)

    run(with_pool(up, test))
    assert not up.requests


def test_earlier_deadline_on_a_kept_connection(run, up):
    """A short deadline after a long one holds."""

    async def test(pool):
        await fetch(pool, seconds=60)
        up.play(scripts.HANG)
        with pytest.raises(DeadlineExceeded):
            await fetch(pool, seconds=0.1)

    run(with_pool(up, test))


def test_stream_may_last_longer_than_its_deadline(run, up):
    """After the first byte only silence ends a stream."""
    up.play(scripts.event_stream([b"data: %d\n\n" % n for n in range(6)], 0.1))

    async def test(pool):
        response = await request(pool, seconds=0.3)
        return b"".join([piece async for piece in response.chunks(3)])

    assert run(with_pool(up, test)).count(b"data") == 6


def test_silence_in_a_stream(run, up):
    """A stream that falls silent ends after the idle time; what had come is given out first."""
    up.play(scripts.hang_midstream([b"data: 1\n\n"]))

    async def test(pool):
        response = await request(pool)
        response.idle_after(0.1)
        pieces = []
        with pytest.raises(DeadlineExceeded):
            while piece := await response.next_chunk():
                pieces.append(piece)
        assert pieces == [b"data: 1\n\n"]

    run(with_pool(up, test))
    up.wait(lambda up: up.requests[0].closed_at)


def test_head_alone_is_not_the_first_byte_of_a_stream(run, up):
    """The deadline holds until a byte of the body is there."""
    up.play((scripts.head(200, {"transfer-encoding": "chunked"}), scripts.Hang()))

    async def test(pool):
        response = await request(pool, seconds=0.2)
        with pytest.raises(DeadlineExceeded):
            [piece async for piece in response.chunks(30)]

    run(with_pool(up, test))


def test_idle_connections_end(run, up):
    """A connection that lies idle too long is closed by us."""

    async def test(pool):
        await fetch(pool)
        assert pool.open_connections == 1
        while pool.open_connections:
            await asyncio.sleep(0.01)

    run(with_pool(up, test, idle_timeout_s=0.1))


def test_servers_own_idle_time_is_respected(run, up):
    """A server that keeps connections for a second gets a new one rather than a race."""
    up.play((scripts.plain(b"{}", headers={"keep-alive": "timeout=1"}),))

    async def test(pool):
        await fetch(pool)
        await asyncio.sleep(0.01)
        await fetch(pool)

    run(with_pool(up, test))
    assert up.connections == 2
