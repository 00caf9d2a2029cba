"""A worker's slice of one quota bucket: spent at once, filled ahead of need, and what is too much given back.

Owns when to ask the supervisor and for how much. A slice is a twentieth of a minute's worth, split among the workers;
below half of it the next is asked for while requests go on. Only who finds too little waits; who was refused, and
whoever wants as much, is refused for a moment without asking. It must not know what is counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

from craton.infra.quota.port import Lease

LeaseFrom = Callable[[str, float, float, float], Awaitable[Lease]]
"""Asks for (name, per_minute, need, want); see `infra.quota.port.Counter.lease`."""
_SHARE = 20
# A refusal is believed for at most so long: another worker may give something back.
_BELIEVED_S = 0.25
_GIVE_BACK_AFTER_S = 0.1


class Slice:
    """`available` may fall below 0: an answer can cost more than was reserved for it."""

    __slots__ = (
        "_ahead", "_lease", "_refused", "_refused_until", "_ripe_at", "_turn", "available", "name", "per_minute", "step",
    )  # fmt: skip

    def __init__(self, name: str, per_minute: float, workers: int, lease: LeaseFrom) -> None:
        self.name = name
        self.per_minute = per_minute
        self.step = per_minute // (_SHARE * workers)
        self.available = 0.0
        self._lease = lease
        self._refused = self._refused_until = self._ripe_at = 0.0
        self._ahead: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()

    def take(self, amount: float) -> float | None:
        """Spend: 0.0 if it is done, seconds to wait if it is refused, None if the supervisor must be asked."""
        if self.available >= amount:
            self.available -= amount
            if self.available * 2 < self.step and self._ahead is None:
                self._ahead = asyncio.create_task(self._fill())
            return 0.0
        now = monotonic()
        refused = now < self._refused_until and amount >= self._refused
        return max(self._ripe_at - now, 0.001) if refused else None

    async def wait_for(self, amount: float) -> float:
        """Spend after asking the supervisor: 0.0 if it is done, seconds to wait if it is refused."""
        async with self._turn:
            taken = self.take(amount)  # who went before may have brought enough
            if taken is not None:
                return taken
            lease = await self._ask(amount - self.available)
            self.available += lease.granted
            if lease.wait_s:
                now = monotonic()
                self._ripe_at = now + lease.wait_s
                self._refused = amount
                self._refused_until = now + min(lease.wait_s, _BELIEVED_S)
                return lease.wait_s
            self.available -= amount
            return 0.0

    def _ask(self, need: float) -> Awaitable[Lease]:
        return self._lease(self.name, self.per_minute, need, max(0.0, need) + self.step)

    def give_back(self, amount: float) -> None:
        """What was not used can be spent again; a negative amount was used beyond what was taken."""
        self.available += amount
        self._refused_until = 0.0
        if self.available > 2 * self.step and self._ahead is None:
            self._ahead = asyncio.create_task(self._return())

    async def _fill(self) -> None:
        try:
            lease = await self._ask(0.0)
            self.available += lease.granted  # what is there now, not what was there before
        finally:
            self._ahead = None

    async def _return(self) -> None:
        """Hand back what other workers may need."""
        try:
            await asyncio.sleep(_GIVE_BACK_AFTER_S)
            excess = self.available - self.step
            if excess > 0:
                self.available -= excess
                await self._lease(self.name, self.per_minute, 0.0, -excess)
        finally:
            self._ahead = None
