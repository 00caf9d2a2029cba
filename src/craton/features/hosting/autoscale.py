"""How many replicas a deployment is to have: up in one step, down slowly, to nothing when nobody asks.

A rule of numbers and time, with its memory inside; what a replica is, and whether there is room for one, is the
fleet's. The simulation in `bench/scaling` drives this very class.

- Up: as many as hold everything that runs and waits at `target` requests each; more where requests wait though the
  target is kept. Replicas that are starting count: what waits only because they have not come yet starts no others.
- Down: after `down_after_s` seconds in which fewer had been enough with `MARGIN` to spare, a step at a time.
- To nothing: `idle_timeout_s` seconds after the last request, where `least` is 0; back at once.
"""

from __future__ import annotations

from collections import deque
from math import ceil

import msgspec

from craton.features.hosting.deployment import Scale

MARGIN = 1.1
"""By how much more than the most that was seen the replicas that stay must hold: they do not flap under noise below it."""
PATIENCE_S = 0.5
"""How long the oldest request may wait while the target is kept, before one replica has proved to hold less than it."""
DRAIN = 1.25
"""How much more than the arrivals alone ask for may be started while others are starting: so is the line worked off."""
SMOOTH_S = 10.0
"""Over how many seconds rates are smoothed."""
STEPS = 10
"""Into how many steps the time of going down is divided; and the share of a large fleet that goes in one is 1 / STEPS."""


class Load(msgspec.Struct):
    """What all gateways see of a deployment, added up.

    `outstanding` are requests at replicas, `waiting` those in the gateways' lines, `tokens` the work of both as it was
    estimated; `arrived_per_s` and `tokens_per_s` (done) are rates over the last second or so; `oldest_wait_s` is how
    long the first in line has waited.
    """

    outstanding: int = 0
    waiting: int = 0
    tokens: int = 0
    arrived_per_s: float = 0.0
    oldest_wait_s: float = 0.0
    tokens_per_s: float = 0.0


class Autoscaler:
    """One deployment's. Time is any clock in seconds that does not go back."""

    def __init__(self, scale: Scale) -> None:
        """An autoscaler that has seen nothing yet."""
        self.scale = scale
        self._count = -1
        self._peaks: deque[tuple[float, int]] = deque()
        """Times and counts that had been enough, with margin; falling, the first is the most of the last while."""
        self._asked_at = 0.0
        self._stepped_at = 0.0
        self._seen_at = 0.0
        self._rate = 0.0
        """Arrivals per second, smoothed."""
        self._holds_s = 0.0
        """Seconds that a request holds its place, smoothed, by Little's law, as it was when none waited."""

    def wanted(self, now: float, load: Load, running: int, starting: int) -> int:
        """How many replicas there are to be, between `least` and `most`.

        Args:
            now: seconds.
            load: what is asked of the deployment.
            running: replicas that take requests.
            starting: replicas that will.
        """
        scale = self.scale
        if self._count < 0:
            self._count = running + starting
            self._asked_at = self._stepped_at = self._seen_at = now
            self._rate = load.arrived_per_s
            self._peaks.append((now, self._count))
        demand = load.outstanding + load.waiting
        if demand or load.arrived_per_s:
            self._asked_at = now
        self._learn(now, load)
        need = self._need(demand, load, running, starting)
        peak = self._peak(now, ceil(demand * MARGIN / scale.target))
        if need >= self._count:
            self._count, self._stepped_at = need, now
        elif peak < self._count and now - self._stepped_at >= scale.down_after_s / STEPS:
            self._count, self._stepped_at = max(1, peak, self._count - max(1, self._count // STEPS)), now
        if scale.idle_timeout_s and now - self._asked_at >= scale.idle_timeout_s:
            self._count = 0
        self._count = max(scale.least, min(self._count, scale.most))
        return self._count

    def _need(self, demand: int, load: Load, running: int, starting: int) -> int:
        """How many the load asks for now."""
        target = self.scale.target
        need = ceil(demand / target)
        if not load.waiting:
            return need
        if starting and self._holds_s:
            return min(need, max(self._count, ceil(self._rate * self._holds_s * DRAIN / target)))
        if load.oldest_wait_s > PATIENCE_S and not starting:
            return max(need, running + ceil(load.waiting / target))
        return need

    def _learn(self, now: float, load: Load) -> None:
        """Take note of the rate of arrivals, and of how long a request holds its place."""
        share = min(1.0, (now - self._seen_at) / SMOOTH_S)
        self._seen_at = now
        self._rate += share * (load.arrived_per_s - self._rate)
        if not load.waiting and self._rate > 0:
            holds_s = load.outstanding / self._rate
            self._holds_s += (share if self._holds_s else 1.0) * (holds_s - self._holds_s)

    def _peak(self, now: float, enough: int) -> int:
        """The most that was enough within the last `down_after_s` seconds."""
        peaks = self._peaks
        while peaks and peaks[-1][1] <= enough:
            peaks.pop()
        peaks.append((now, enough))
        while peaks[0][0] < now - self.scale.down_after_s:
            peaks.popleft()
        return peaks[0][1]
