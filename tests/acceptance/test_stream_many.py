"""A thousand open streams in one worker: none is lost, each is whole, and memory comes back."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator

import psutil
import pytest

from tests.acceptance import rawhttp
from tests.acceptance.serving import GPT, HELLO, Served, converse_path, serving
from tests.fakes import scripts

STREAMS = 1000
OPENED_AT_ONCE = 100
OPEN_WITHIN_S = 30.0
MIB = 1024 * 1024
PIECES = ["one ", "two "]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("home")) as running:
        yield running


def worker_memory(served: Served) -> int:
    """Resident bytes of the one worker."""
    assert served.server.process is not None
    (worker,) = psutil.Process(served.server.process.pid).children()
    return int(worker.memory_info().rss)


async def one(served: Served, data: bytes, gate: asyncio.Semaphore, state: dict[str, int]) -> bytes:
    """One stream, from its request to its last event; counts how many are open together."""
    async with gate:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.server.port)
        writer.write(data)
        got = await reader.readuntil(b"contentBlockDelta")
    state["open"] += 1
    state["most"] = max(state["most"], state["open"])
    while b'"totalTokens"' not in got[-400:]:
        more = await reader.read(65536)
        assert more, "the stream ended early"
        got += more
    state["open"] -= 1
    writer.close()
    return got


def held(released: threading.Event) -> Iterator[scripts.Step]:
    """Half of a stream, and the rest once it is released."""
    events = scripts.openai_events(PIECES)
    yield from scripts.event_stream(events[:2], end=())
    while not released.is_set():
        yield scripts.Sleep(0.4)
    yield from map(scripts.chunk, events[2:])
    yield scripts.LAST_CHUNK


async def all_of_them(served: Served, released: threading.Event) -> tuple[int, list[bytes], int]:
    """The most that were open together, every stream's bytes, and the worker's memory while they were."""
    body = json.dumps({"messages": HELLO}).encode()
    target = converse_path(GPT, "converse-stream")
    signed = rawhttp.sign("POST", served.server.url + target, body)
    length = ("Content-Length", str(len(body)))
    data = rawhttp.head(served.server, "POST", target, [*signed.items(), length]) + body
    gate, state = asyncio.Semaphore(OPENED_AT_ONCE), {"open": 0, "most": 0}
    tasks = [asyncio.create_task(one(served, data, gate, state)) for _ in range(STREAMS)]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(OPEN_WITHIN_S):
            while state["open"] < STREAMS:
                await asyncio.sleep(0.05)
    memory = worker_memory(served)
    released.set()
    return state["most"], await asyncio.wait_for(asyncio.gather(*tasks), 60), memory


def test_a_thousand_streams(served: Served) -> None:
    """All open together, all whole; a second thousand needs no more memory than the first."""
    peaks = []
    for _ in range(2):
        released = threading.Event()
        served.up.fallback = lambda request, released=released: held(released)
        most, bodies, memory = asyncio.run(all_of_them(served, released))
        assert most == STREAMS
        assert all(body.startswith(b"HTTP/1.1 200") and b'"text":"two "' in body for body in bodies)
        peaks.append(memory)
    assert peaks[1] - peaks[0] < 24 * MIB, peaks
    assert peaks[0] < 256 * MIB, peaks
