"""The door of a target that takes only so many at once: who may enter, who waits, and in which order.

Owns a count, a line with a bound, and the rule that the better tier goes first and the same tier in the order of
coming; where the line is full, a newcomer takes the place of the last of a lesser tier. Ranks are `tiers`' business.
It knows nothing of models. One loop, no locks.
"""

from __future__ import annotations

import asyncio
from collections import deque

from craton.aws.wire.faults import throttled

RANKS = 4


class Gate:
    """At most `limit` inside and `most_waiting` in line, none for longer than `wait_s` seconds."""

    __slots__ = ("_lines", "inside", "limit", "most_waiting", "wait_s")

    def __init__(self, limit: int, most_waiting: int, wait_s: float) -> None:
        self.limit = limit
        self.most_waiting = most_waiting
        self.wait_s = wait_s
        self.inside = 0
        self._lines: tuple[deque[asyncio.Future[None]], ...] = tuple(deque() for _ in range(RANKS))

    @property
    def full(self) -> bool:
        """Whether who comes now has to wait."""
        return self.inside >= self.limit

    @property
    def waiting(self) -> int:
        """How many are in line."""
        return sum(map(len, self._lines))

    async def enter(self, rank: int, until: float) -> None:
        """Be let in by `until` (seconds of the loop's clock) at the latest; `leave` must follow.

        Raises:
            Fault: ThrottlingException: the line is full, or the time is over.
        """
        if self.inside < self.limit:
            self.inside += 1
            return
        if self.waiting >= self.most_waiting and not self._send_away(rank):
            raise throttled()
        loop = asyncio.get_running_loop()
        place: asyncio.Future[None] = loop.create_future()
        line = self._lines[rank]
        line.append(place)
        try:
            async with asyncio.timeout_at(min(until, loop.time() + self.wait_s)):
                await place
        except BaseException as error:
            if place in line:
                line.remove(place)
            if place.done() and not place.cancelled() and place.exception() is None:
                self.leave()  # it was let in at the moment in which it went
            if isinstance(error, TimeoutError):
                raise throttled() from None
            raise

    def leave(self) -> None:
        """One goes out; the next in line takes the place."""
        for line in self._lines:
            while line:
                place = line.popleft()
                if not place.done():
                    place.set_result(None)
                    return
        self.inside -= 1

    def _send_away(self, rank: int) -> bool:
        """Make room in the line at the cost of the last who is of a lesser rank."""
        for line in reversed(self._lines[rank + 1 :]):
            while line:
                place = line.pop()
                if not place.done():
                    place.set_exception(throttled())
                    return True
        return False
