"""Small objects that are wanted at once: what goes into one request, and what becomes of one that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from craton.models.providers.transport import TransportError
from craton.workflows.ingest.gathering import MOST, Gathering, Held
from craton.workflows.tools import Answer


class Reader:
    """Answers with each key's name, once it may; keeps what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, list[str]]] = []
        self.open = asyncio.Event()
        self.fault: Exception | None = None

    async def small(
        self, bucket: str, owner: str, wanted: Sequence[tuple[str, str]], *, timeout_s: float = 120.0
    ) -> list[Held | None]:
        self.asked.append((bucket, owner, [key for key, _ in wanted]))
        await self.open.wait()
        if self.fault is not None:
            raise self.fault
        return [(etag, key.encode()) if key != "none" else None for key, etag in wanted]

    async def get(
        self,
        bucket: str,
        key: str,
        *,
        headers: Sequence[tuple[bytes, bytes]] = (),
        limit: int,
        timeout_s: float = 120.0,
    ) -> Answer:
        raise AssertionError("nothing is asked for alone here")


def test_what_waits_goes_together() -> None:
    """The first goes alone; what came meanwhile goes in as few requests as it fits, each answered by its place."""

    async def scene() -> tuple[Reader, list[Held | None]]:
        reader = Reader()
        gathering = Gathering(reader)
        wants = [asyncio.create_task(gathering.read("b", "", f"{at}", "e")) for at in range(MOST)]
        wants.append(asyncio.create_task(gathering.read("b", "", "none", "e")))
        await asyncio.sleep(0)
        reader.open.set()
        return reader, [*await asyncio.gather(*wants)]

    reader, found = asyncio.run(scene())
    assert [len(keys) for _, _, keys in reader.asked] == [1, MOST]
    assert found == [*[("e", f"{at}".encode()) for at in range(MOST)], None]


def test_buckets_do_not_mix() -> None:
    async def scene() -> Reader:
        reader = Reader()
        reader.open.set()
        gathering = Gathering(reader)
        places = [("a", ""), ("a", ""), ("b", ""), ("b", "0"), ("b", "0")]
        await asyncio.gather(*[gathering.read(*place, f"{at}", "") for at, place in enumerate(places)])
        return reader

    assert asyncio.run(scene()).asked == [("a", "", ["0"]), ("a", "", ["1"]), ("b", "", ["2"]), ("b", "0", ["3", "4"])]


def test_a_request_that_fails_answers_none() -> None:
    """And the next is made all the same."""

    async def scene() -> list[Held | None]:
        reader = Reader()
        reader.open.set()
        reader.fault = TransportError("gone")
        gathering = Gathering(reader)
        first = await gathering.read("b", "", "one", "e")
        reader.fault = None
        return [first, await gathering.read("b", "", "one", "e")]

    assert asyncio.run(scene()) == [None, ("e", b"one")]


def test_who_left_is_not_asked_for() -> None:
    async def scene() -> Reader:
        reader = Reader()
        gathering = Gathering(reader)
        wants = [asyncio.create_task(gathering.read("b", "", f"{at}", "")) for at in range(4)]
        await asyncio.sleep(0)
        wants[2].cancel()
        await asyncio.sleep(0)
        reader.open.set()
        await asyncio.gather(*wants, return_exceptions=True)
        return reader

    assert [keys for _, _, keys in asyncio.run(scene()).asked] == [["0"], ["1", "3"]]


def test_what_comes_shortly_after_a_request_goes_together() -> None:
    """One that follows an answer does not go alone: a request of one object costs nearly as much as one of many."""

    async def scene() -> Reader:
        reader = Reader()
        reader.open.set()
        gathering = Gathering(reader)
        await gathering.read("b", "", "0", "")
        wants = []
        for at in range(1, 4):
            wants.append(asyncio.create_task(gathering.read("b", "", f"{at}", "")))
            await asyncio.sleep(0)
        await asyncio.gather(*wants)
        return reader

    assert [keys for _, _, keys in asyncio.run(scene()).asked] == [["0"], ["1", "2", "3"]]
