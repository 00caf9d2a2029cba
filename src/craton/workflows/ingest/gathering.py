"""Small objects that are wanted at about the same time, had by one request.

Owns what goes together: the first object goes at once, what is wanted while a request is under way and shortly after it
goes with the next.
It must not know what the objects are for, nor what is done about one that could not be had.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from craton.workflows.tools import ObjectReader

MOST = 32
"""Objects in one request: the gateway is at it about as long as others may be kept waiting."""
AT_ONCE = 2
LINGER_S = 0.1
"""How long after a request others wait to be joined. A job has some hundred milliseconds of work in hand meanwhile, and a
request for a third as many objects costs nearly as much.
"""

Held: TypeAlias = tuple[str, bytes]
"""An object's ETag and its bytes."""


class _Want(msgspec.Struct, eq=False):
    bucket: str
    owner: str
    key: str
    etag: str
    done: asyncio.Future[Held | None]


class Gathering:
    def __init__(self, reader: ObjectReader) -> None:
        self._reader = reader
        self._queue: deque[_Want] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._lingering: asyncio.TimerHandle | None = None

    async def read(self, bucket: str, owner: str, key: str, etag: str) -> Held | None:
        """The object in this state; None if it cannot be had so."""
        want = _Want(bucket, owner, key, etag, asyncio.get_running_loop().create_future())
        self._queue.append(want)
        self._begin()
        return await want.done

    def _begin(self) -> None:
        while self._queue and self._is_time():
            task = asyncio.create_task(self._ask(self._together()))
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _is_time(self) -> bool:
        if len(self._queue) >= MOST:
            return len(self._tasks) < AT_ONCE
        return not self._tasks and self._lingering is None

    def _together(self) -> list[_Want]:
        """The next of one bucket, those that nobody waits for any more left out."""
        found: list[_Want] = []
        while self._queue and len(found) < MOST:
            want = self._queue[0]
            if found and (want.bucket, want.owner) != (found[0].bucket, found[0].owner):
                break
            self._queue.popleft()
            if not want.done.done():
                found.append(want)
        return found

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._lingering is not None:
            self._lingering.cancel()
        self._lingering = asyncio.get_running_loop().call_later(LINGER_S, self._linger_no_more)
        self._begin()

    def _linger_no_more(self) -> None:
        self._lingering = None
        self._begin()

    async def _ask(self, wants: Sequence[_Want]) -> None:
        results: Sequence[Held | None] = [None] * len(wants)
        try:
            if wants:
                first = wants[0]
                asked = [(want.key, want.etag) for want in wants]
                results = await self._reader.small(first.bucket, first.owner, asked)
        except Exception:  # noqa: S110 - whoever then asks for one alone learns what is the matter
            pass
        finally:
            for want, result in zip(wants, results, strict=True):
                if not want.done.done():
                    want.done.set_result(result)
