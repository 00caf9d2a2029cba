"""What waits for the collector, of one signal: a bounded ring, sent some hundred at a time, with all losses counted.

Owns the bound, the pauses while the collector is away, what is dropped and the one complaint about it. Sending is in a
thread, and what is told may come from any thread. It must not know what waits.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from craton.features.metering.tracing.collector import Away, Refused

SEND_EVERY_S = 1.0
AT_ONCE = 512
_WAIT_FIRST_S, _WAIT_MOST_S = 1.0, 30.0

T = TypeVar("T")


class Lane(Generic[T]):
    """`most` wait; `deliver` sends a batch and returns how many of it were refused, or raises Away or Refused."""

    def __init__(
        self, name: str, most: int, deliver: Callable[[list[T]], int], now: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = name
        self.sent = self.lost = 0
        self._most = most
        self._deliver = deliver
        self._now = now
        self._ring: deque[T] = deque()
        self._batch: list[T] = []
        self._wait_s = _WAIT_FIRST_S
        self._resting_until = 0.0
        self._complained = False
        self._guard = threading.Lock()

    @property
    def counts(self) -> dict[str, int]:
        return {"sent": self.sent, "lost": self.lost, "waiting": len(self._ring) + len(self._batch)}

    def put(self, found: Sequence[T], lost: int = 0) -> None:
        """What is beyond the bound is lost, as are `lost` that never came."""
        with self._guard:
            room = max(0, self._most - len(self._ring) - len(self._batch))
            self._ring.extend(found[:room])
            self.lost += lost + len(found[room:])

    def renew(self, found: Sequence[T]) -> None:
        """In place of all that waits."""
        with self._guard:
            self._ring.clear()
            self._ring.extend(found)
            self._batch = []

    async def run(self) -> None:
        """Send what there is, now and then, until it is cancelled."""
        while True:
            await asyncio.sleep(SEND_EVERY_S)
            if self.is_due():
                await self.send()

    def is_due(self) -> bool:
        """Whether the collector may be asked again."""
        return self._now() >= self._resting_until

    async def send(self) -> None:
        """Send until nothing is left or the collector is away."""
        while self._batch or self._ring:
            if not self._batch:
                with self._guard:
                    self._batch = [self._ring.popleft() for _ in range(min(AT_ONCE, len(self._ring)))]
            try:
                refused = await asyncio.to_thread(self._deliver, self._batch)
            except Away as error:
                self._rest(error)
                return
            except Refused as error:
                self._complain(f"dropped what the collector refused: {error}")
                refused = len(self._batch)
            else:
                self._wait_s, self._complained = _WAIT_FIRST_S, False
            with self._guard:
                self.sent += len(self._batch) - refused
                self.lost += refused
                self._batch = []

    def _rest(self, error: Away) -> None:
        self._resting_until = self._now() + min(error.after_s or self._wait_s, _WAIT_MOST_S)
        self._wait_s = min(self._wait_s * 2, _WAIT_MOST_S)
        self._complain(f"{self.name} wait for the collector: {error}")

    def _complain(self, text: str) -> None:
        if not self._complained:
            print(f"craton: telemetry: {text}", file=sys.stderr, flush=True)
        self._complained = True
