"""How many calls a batch has under way at once: as many as help, and fewer as soon as others want the model.

Owns one number and the rule that moves it. It doubles each round until the first sign of trouble, then grows by steps;
a throttled call halves it, and answers that take several times as long as they did at their best lessen it by a
fifth: whoever waits behind a batch is a person. A round is as many answers as the number allows calls. Answers to
calls that began before the last cut say nothing about it, so they move nothing. It must not know what is called.
One loop, no locks; times in seconds of a monotonic clock.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from math import sqrt
from typing import Literal

Verdict = Literal["answered", "throttled"]

_FIRST = 8
_ROUND_LEAST = 8
_SLOWER_BY = 3.0
_SLOWER_LEAST_S = 0.100
_EASED = 0.8
_HALVED = 0.5
_FORGETTING = 1.001
"""The best is forgotten slowly, so that a model that became slower for good is not pressed at its lowest for ever."""


class Window:
    """The number itself, `limit`, between 1 and `most`."""

    __slots__ = ("_best_s", "_changed_at", "_counted", "_growing", "_summed_s", "limit", "most")

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = float(min(_FIRST, most))
        self._growing = True
        self._best_s = 0.0
        self._changed_at = float("-inf")
        self._counted = 0
        self._summed_s = 0.0

    def note(self, began_at: float, ended_at: float, verdict: Verdict) -> None:
        """One call is over."""
        if began_at < self._changed_at:
            return
        if verdict == "throttled":
            self._cut(_HALVED, ended_at)
            return
        self._counted += 1
        self._summed_s += ended_at - began_at
        if self._counted >= max(_ROUND_LEAST, self.limit):
            self._close_round(ended_at)

    def _close_round(self, now: float) -> None:
        mean_s = self._summed_s / self._counted
        self._counted, self._summed_s = 0, 0.0
        self._best_s = min(mean_s, self._best_s * _FORGETTING) if self._best_s else mean_s
        if mean_s > _SLOWER_BY * self._best_s + _SLOWER_LEAST_S:
            self._cut(_EASED, now)
        else:
            grown = self.limit * 2 if self._growing else self.limit + max(1.0, sqrt(self.limit) / 2)
            self.limit = min(grown, float(self.most))

    def _cut(self, share: float, now: float) -> None:
        self.limit = max(1.0, self.limit * share)
        self._growing = False
        self._changed_at = now
        self._counted, self._summed_s = 0, 0.0


class Pace:
    """Lets in as many as the window allows, first come, first served."""

    def __init__(self, most: int, monotonic: Callable[[], float]) -> None:
        self.window = Window(most)
        self.inside = 0
        self._monotonic = monotonic
        self._line: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> float:
        """Be let in; the moment, which `leave` wants back."""
        if self.inside >= int(self.window.limit) or self._line:
            place = asyncio.get_running_loop().create_future()
            self._line.append(place)
            try:
                await place
            except BaseException:
                if place.done() and not place.cancelled():
                    self.inside -= 1  # it was let in at the moment in which it was cancelled
                    self._call_in()
                raise
        else:
            self.inside += 1
        return self._monotonic()

    def leave(self, entered_at: float, verdict: Verdict | None = "answered") -> None:
        """Go out. None says nothing about the model: there was nothing to ask, or it was not its fault."""
        self.inside -= 1
        if verdict is not None:
            self.window.note(entered_at, self._monotonic(), verdict)
        self._call_in()

    def _call_in(self) -> None:
        while self._line and self.inside < int(self.window.limit):
            place = self._line.popleft()
            if not place.done():
                self.inside += 1
                place.set_result(None)
