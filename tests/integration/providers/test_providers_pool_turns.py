"""The pool under pressure: turns, slow readers, answers that nobody wants or that are none, Unix sockets."""

from __future__ import annotations

import asyncio

import pytest

from craton.models.providers.http import Pool
from craton.models.providers.transport import (
    BadReply,
    Busy,
    ConnectError,
    ConnectionLost,
    DeadlineExceeded,
)
from tests.fakes import scripts
from tests.fakes.upstream import FakeUpstream
from tests.integration.providers.pooling import EVENT, fetch, request, run, up, with_pool

__all__ = ["run", "up"]  # fixtures


# --- who gets a connection ------------------------------------------------------------------------------------------


def test_waiters_are_served_in_turn(run, up):
    """With one connection, requests go out in the order they came."""

    async def test(pool):
        await asyncio.gather(*[fetch(pool, b"/v1/chat/completions?n=%d" % n) for n in range(8)])

    run(with_pool(up, test, max_connections=1))
    assert [sent.path[-1] for sent in up.requests] == list("01234567")
    assert up.connections == 1


def test_no_free_connection_until_the_deadline(run, up):
    """Who waits in vain is told that all are busy, and leaves no hole in the line."""
    up.play(scripts.HANG)

    async def test(pool):
        first = asyncio.create_task(fetch(pool, seconds=0.5))
        await asyncio.sleep(0.05)
        with pytest.raises(Busy):
            await fetch(pool, seconds=0.1)
        patient = asyncio.create_task(fetch(pool))
        with pytest.raises(DeadlineExceeded):
            await first
        assert (await patient).status == 200

    run(with_pool(up, test, max_connections=1))


def test_cancelled_waiters_lose_no_connection(run, up):
    """Waiters that are cancelled, even as their turn comes, leave the pool whole."""

    async def test(pool):
        for _ in range(20):
            tasks = [asyncio.create_task(fetch(pool)) for _ in range(6)]
            await asyncio.sleep(0.002)
            for task in tasks[1::2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        while pool.open_connections > 2:
            await asyncio.sleep(0.005)
        assert (await fetch(pool)).status == 200

    run(with_pool(up, test, max_connections=2))


def test_cancelling_ends_the_upstream(run, up):
    """A task that is cancelled while it waits closes its connection at once."""
    up.play(scripts.HANG)

    async def test(pool):
        task = asyncio.create_task(fetch(pool))
        while not up.requests:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while pool.open_connections:
            await asyncio.sleep(0.005)

    run(with_pool(up, test))
    up.wait(lambda up: up.requests[0].closed_at)


def test_three_hundred_streams_at_once(run, up):
    """Many open streams share the loop; none is lost or mixed up."""
    for _ in range(300):
        up.play(scripts.event_stream([b"data: %d\n\n" % n for n in range(5)], 0.1))

    async def one(pool):
        response = await request(pool)
        return b"".join([piece async for piece in response.chunks(10)])

    async def test(pool):
        return await asyncio.gather(*[one(pool) for _ in range(300)])

    assert set(run(with_pool(up, test))) == {b"".join(b"data: %d\n\n" % n for n in range(5))}


def test_close_tells_who_waits(run, up):
    """Closing the pool ends exchanges under way and refuses new ones."""
    up.play(scripts.HANG)

    async def test(pool):
        task = asyncio.create_task(fetch(pool))
        while not up.requests:
            await asyncio.sleep(0.005)
        await pool.close()
        with pytest.raises(ConnectionLost):
            await task
        with pytest.raises(ConnectError):
            await fetch(pool)

    run(with_pool(up, test))


# --- slow readers, and answers that nobody wants ----------------------------------------------------------------------


def test_slow_reader_stops_the_upstream(run, up):
    """While nobody reads, the upstream is held back; reading lets it go on; aborting ends it at once."""
    up.play(scripts.endless(EVENT))

    async def test(pool):
        response = await request(pool)
        response.idle_after(0.3)
        await response.next_chunk()
        sent, before = up.requests[0], -1
        while sent.sent_bytes != before:  # longer than the idle time: a slow client is no silent upstream
            before = sent.sent_bytes
            await asyncio.sleep(0.4)
        read = 0
        while read < 2 * before:
            read += len(await response.next_chunk())
        assert sent.sent_bytes > before
        response.abort()

    run(with_pool(up, test))
    up.wait(lambda up: up.requests[0].closed_at)


def test_released_stream_keeps_its_connection_if_the_end_is_near(run, up):
    """The last chunk may come a moment after the last event; the connection is used again."""
    up.play(scripts.event_stream([b"data: 1\n\n"], end=(scripts.Sleep(0.1), scripts.LAST_CHUNK)))

    async def test(pool):
        response = await request(pool)
        assert await response.next_chunk()
        response.release()
        await asyncio.sleep(0.3)
        await fetch(pool)

    run(with_pool(up, test))
    assert up.connections == 1


@pytest.mark.parametrize("pace_s", [0.0, 0.05])
def test_released_stream_that_goes_on_is_ended(run, up, pace_s):
    """An answer that nobody wants is not read for ever, fast or slow."""
    up.play(scripts.endless(EVENT, pace_s))

    async def test(pool):
        response = await request(pool)
        response.idle_after(60)
        await response.next_chunk()
        response.release()
        while pool.open_connections:
            await asyncio.sleep(0.01)

    run(with_pool(up, test, drain_s=0.2))
    up.wait(lambda up: up.requests[0].closed_at)


# --- answers that are none --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [
        scripts.GARBAGE,
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", scripts.Hang()),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello", scripts.Hang()),
        (b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nhello", scripts.Hang()),
        (b"HTTP/1.1 200 OK\r\n", scripts.Repeat(b"x-pad: " + b"x" * 1000 + b"\r\n")),
        (b"HTTP/1.1 200 OK\r\nx-pad: ", scripts.Repeat(b"x" * 1000)),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n", scripts.Repeat(b"x-pad: 1\r\n")),
        (scripts.plain(b"x" * 5000),),
        (scripts.head(200, {"transfer-encoding": "chunked"}), scripts.Repeat(scripts.chunk(b"x" * 1000))),
    ],
    ids=[
        "garbage", "bad-chunk", "two-lengths", "upgrade", "many-headers", "long-header", "trailers", "too-long",
        "endless",
    ],
)  # fmt: skip
def test_bad_answers(run, up, script):
    """What is no HTTP answer, or over a limit, is a BadReply, and the next exchange works."""
    up.play(script)

    async def test(pool):
        with pytest.raises(BadReply):
            await fetch(pool, limit=4000)
        assert (await fetch(pool)).status == 200

    run(with_pool(up, test))


@pytest.mark.parametrize("more", [b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil", b"rubbish\r\n\r\n"])
def test_second_answer_is_never_anothers(run, up, more):
    """Bytes after the end of an answer end the connection: they must not answer the next request."""
    up.play((scripts.plain(b"first") + more,), (scripts.plain(b"second"),))

    async def test(pool):
        assert (await fetch(pool)).body == b"first"
        assert (await fetch(pool)).body == b"second"

    run(with_pool(up, test))
    assert up.connections == 2


def test_bytes_on_an_idle_connection_end_it(run, up):
    """A server that speaks unasked, such as a late 408, is not listened to."""
    up.play((scripts.plain(b"first"), scripts.Sleep(0.05), scripts.plain(b"late", 408)), (scripts.plain(b"second"),))

    async def test(pool):
        assert (await fetch(pool)).body == b"first"
        while pool.open_connections:
            await asyncio.sleep(0.005)
        assert (await fetch(pool)).body == b"second"

    run(with_pool(up, test))


def test_answer_before_the_request_is_read(run, up):
    """A refusal of a body that is still being sent is seen; the half-sent connection is not used again."""
    up.refuse_bodies = scripts.plain(b"too large", 413)

    async def test(pool):
        assert (await fetch(pool, body=b"x" * 30_000_000)).status == 413
        up.refuse_bodies = b""
        assert (await fetch(pool)).status == 200

    run(with_pool(up, test))
    assert up.connections == 2


# --- Unix sockets -----------------------------------------------------------------------------------------------------


def test_unix_socket(run, tmp_path):
    """The same over a Unix socket, with a prefix."""
    with FakeUpstream(uds=tmp_path / "m.sock") as up:

        async def test():
            pool = Pool(up.openai_url)
            for _ in range(2):
                assert (await fetch(pool, b"/chat/completions")).status == 200
            await pool.close()

        run(test())
        assert up.requests[0].path == "/v1/chat/completions"
        assert up.requests[0].headers["host"] == "localhost"
        assert up.connections == 1
