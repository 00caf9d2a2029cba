"""A client that leaves, or stops reading: the upstream is closed, nothing grows, and the next request works."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator

import psutil
import pytest

from tests.acceptance import rawhttp
from tests.acceptance.h2client import H2
from tests.acceptance.serving import CLAUDE, GPT, HAIKU, HELLO, Served, converse_path, serving
from tests.fakes import scripts
from tests.fakes.upstream import natural

STALL_S = 3.0
SOON_S = 30.0
"""Long for a busy machine, and half of what a server of the defaults grants a reader that stands still."""
BODY = json.dumps({"messages": HELLO}).encode()
NATIVE = json.dumps(
    {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
).encode()
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that has little patience with readers."""
    limits = f"[server]\nwrite_stall_s = {STALL_S}\n"
    with serving(tmp_path_factory.mktemp("strict"), limits) as running:
        yield running


@pytest.fixture(autouse=True)
def _next_request_works(request: pytest.FixtureRequest) -> Iterator[None]:
    used: list[Served] = [
        request.getfixturevalue(name) for name in request.fixturenames if name in ("served", "strict")
    ]
    yield
    for each in used:
        each.check_alive()


def request(served: Served, model: str, action: str, body: bytes) -> bytes:
    target = converse_path(model, action)
    signed = rawhttp.sign("POST", served.server.url + target, body)
    length = ("Content-Length", str(len(body)))
    return rawhttp.head(served.server, "POST", target, [*signed.items(), length]) + body


def closed_after(served: Served, left_at: float) -> float:
    """Seconds from the client's leaving to the upstream's connection being closed."""
    served.up.wait(lambda up: up.requests and up.requests[-1].closed_at is not None, 60)
    closed_at = served.up.requests[-1].closed_at
    assert closed_at is not None
    return closed_at - left_at


@pytest.mark.parametrize(
    ("model", "action", "body"),
    [
        (GPT, "converse-stream", BODY),
        (CLAUDE, "converse-stream", BODY),
        (CLAUDE, "invoke-with-response-stream", NATIVE),
        (HAIKU, "invoke-with-response-stream", NATIVE),
    ],
    ids=["openai", "anthropic", "passed", "translated"],
)
def test_leaving_a_stream_closes_the_upstream(served: Served, model: str, action: str, body: bytes) -> None:
    """Within a second, though the upstream is silent."""
    begun = scripts.anthropic_events(["one "])[:4] if model == CLAUDE else scripts.openai_events(["one "])[:2]
    served.up.play(scripts.hang_midstream(begun))
    with rawhttp.connect(served.server) as sock:
        sock.sendall(request(served, model, action, body))
        got = b""
        while got.count(b":event-type") < 2:
            got += sock.recv(65536)
    assert closed_after(served, time.monotonic()) < SOON_S


def test_leaving_a_stream_that_flows_closes_the_upstream(served: Served) -> None:
    """Also where the upstream goes on sending."""
    served.up.play(scripts.endless(scripts.openai_chunk({"content": "more "}), pace_s=0.01))
    with rawhttp.connect(served.server) as sock:
        sock.sendall(request(served, GPT, "converse-stream", BODY))
        got = b""
        while got.count(b"contentBlockDelta") < 3:
            got += sock.recv(65536)
    assert closed_after(served, time.monotonic()) < SOON_S


@pytest.mark.parametrize("action", ["converse", "converse-stream"])
def test_leaving_before_the_first_byte_closes_the_upstream(served: Served, action: str) -> None:
    """A whole answer that nobody waits for any more, or a stream that has not begun."""
    served.up.play(scripts.HANG)
    with rawhttp.connect(served.server) as sock:
        sock.sendall(request(served, GPT, action, BODY))
        served.up.wait(lambda up: up.requests)
        time.sleep(0.1)
    assert closed_after(served, time.monotonic()) < SOON_S


@pytest.mark.parametrize("action", ["converse", "converse-stream"])
def test_resetting_an_http2_stream_closes_its_upstream_alone(served: Served, action: str) -> None:
    """The connection lives on, and so does its other stream."""
    events = scripts.openai_events(["one ", "two "])
    served.up.play(
        scripts.HANG if action == "converse" else scripts.hang_midstream(events[:2]),
        (
            *scripts.event_stream(events[:2], end=()),
            scripts.Sleep(1.0),
            *map(scripts.chunk, events[2:]),
            scripts.LAST_CHUNK,
        ),
    )
    with H2(served.server) as client:
        left = client.post(converse_path(GPT, action), BODY)
        served.up.wait(lambda up: len(up.requests) == 1)
        stays = client.post(converse_path(GPT, "converse-stream"), BODY)
        client.read_until(stays, b"contentBlockDelta")
        client.reset(left)
        left_at = time.monotonic()
        served.up.wait(lambda up: up.requests[0].closed_at is not None)
        assert served.up.requests[0].closed_at - left_at < SOON_S
        assert b"metadata" in client.read_until(stays)
    assert served.up.requests[1].closed_at is None


def test_many_that_leave_leave_nothing_behind(served: Served) -> None:
    """A hundred clients that turn away: no upstream connection, no task and no memory stays."""
    event = scripts.openai_chunk({"content": "more "})
    served.up.fallback = lambda request: scripts.endless(event, pace_s=0.05)
    data = request(served, GPT, "converse-stream", BODY)
    before = worker_memory(served)
    for _ in range(5):
        socks = [rawhttp.connect(served.server) for _ in range(20)]
        for sock in socks:
            sock.sendall(data)
        for sock in socks:
            sock.recv(1000)
            sock.close()
    served.up.fallback = natural
    served.up.wait(lambda up: not up.open or all(row.request.closed_at for row in up.open if row.request))
    served.up.wait(lambda up: len(up.open) <= 1)
    assert worker_memory(served) - before < 16 * MIB


def worker_memory(served: Served) -> int:
    """Resident bytes of the server's processes."""
    assert served.server.process is not None
    top = psutil.Process(served.server.process.pid)
    return sum(process.memory_info().rss for process in (top, *top.children(recursive=True)))


def ends(sock: socket.socket) -> bool:
    """Whether the other side has ended the connection, once what lies in it is read."""
    sock.settimeout(5)
    try:
        while sock.recv(1 << 20):
            pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


def test_a_client_that_stops_reading_is_cut(strict: Served) -> None:
    """The upstream is paused, memory stays flat, and after `write_stall_s` the stream ends on both sides."""
    before = worker_memory(strict)
    strict.up.play(scripts.endless(scripts.openai_chunk({"content": "x" * 4000})))
    with rawhttp.connect(strict.server) as sock:
        sock.sendall(request(strict, GPT, "converse-stream", BODY))
        sock.recv(1000)
        begun = time.monotonic()
        strict.up.wait(lambda up: up.requests[-1].closed_at is not None, STALL_S + 60)
        waited = time.monotonic() - begun
        grown = worker_memory(strict) - before
        assert ends(sock), "the client's connection is still open"
    assert waited > STALL_S * 0.7
    assert grown < 40 * MIB, f"{grown / MIB:.0f} MiB"
    assert strict.up.requests[-1].sent_bytes < 64 * MIB


def test_an_http2_client_that_stops_reading_is_cut(strict: Served) -> None:
    """Its window closes; the same deadline holds."""
    before = worker_memory(strict)
    strict.up.play(scripts.endless(scripts.openai_chunk({"content": "x" * 4000})))
    with H2(strict.server) as client:
        client.post(converse_path(GPT, "converse-stream"), BODY)
        strict.up.wait(lambda up: up.requests and up.requests[-1].closed_at is not None, STALL_S + 60)
    assert worker_memory(strict) - before < 40 * MIB


def test_a_slow_reader_loses_nothing(strict: Served) -> None:
    """It reads in sips, slower than the upstream writes but without stalling, and gets every piece in order."""
    pieces = [f"{number:04d} " + "x" * 2000 for number in range(600)]
    strict.up.play(scripts.openai_stream(pieces))
    got = b""
    with rawhttp.connect(strict.server) as sock:
        sock.sendall(request(strict, GPT, "converse-stream", BODY))
        while b'"totalTokens"' not in got[-400:]:
            got += sock.recv(16384)
            time.sleep(0.002)
    places = [got.find(f'"text":"{number:04d} '.encode()) for number in range(600)]
    assert min(places) > 0
    assert places == sorted(places)
