"""Quota buckets in the memory of one server: all of a quota, or this server's share where several serve.

Owns how a bucket fills, what it gives, and what becomes of it when the number of servers changes. Must not know how
that number is found out.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from craton.infra.quota.port import Lease

_SWEEP_ABOVE = 10_000  # buckets; those that are full are the same as none


class Bucket:
    """So many per minute, a minute's worth at most."""

    __slots__ = ("at", "level", "per_minute")

    def __init__(self, per_minute: float, now: float) -> None:
        self.per_minute = self.level = per_minute
        self.at = now

    def fill(self, per_minute: float, now: float) -> None:
        """Bring the level up to now; the rate may be another one since the last time."""
        self.level = min(per_minute, self.level + (now - self.at) * per_minute / 60)
        self.per_minute, self.at = per_minute, now


class Buckets:
    """All buckets of a server, each made full when it is first asked for (a `Counter`).

    Where `servers` share a quota, each has an even part of the rate. A bucket made by one of several holds only what
    has come in since this server joined them: what the others gave out before is not given again.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}
        self._servers = 1
        self._joined_at = clock()

    def share(self, servers: int) -> None:
        """From now on so many servers have the quota together, this one among them."""
        if servers > 1 and self._servers == 1:
            self._joined_at = self._clock()
        self._servers = max(1, servers)

    def give(self, name: str, per_minute: float, need: float, want: float) -> Lease:
        """What `Counter.lease` promises, at once."""
        now = self._clock()
        rate = per_minute / self._servers
        bucket = self._buckets.get(name) or self._make(name, rate, now)
        bucket.fill(rate, now)
        if want < 0:
            bucket.level = min(rate, bucket.level - want)
            return Lease(want, 0.0)
        # More than a server's whole share, but not than the quota: it is given by a full bucket, which then owes it.
        asked = min(need, rate) if need <= per_minute else need
        if bucket.level < asked:
            return Lease(0.0, (asked - bucket.level) * 60 / rate)
        granted = max(0.0, need, min(want, bucket.level))
        bucket.level -= granted
        return Lease(granted, 0.0)

    async def lease(self, name: str, per_minute: float, need: float, want: float) -> Lease:
        """Of the bucket's whole rate, or of this server's share."""
        return self.give(name, per_minute, need, want)

    def note(self, name: str, per_minute: float, level: float) -> None:
        """Keep what a counter that all servers share says a bucket holds, to go on from when it is away."""
        now, rate = self._clock(), per_minute / self._servers
        bucket = self._buckets.get(name) or self._make(name, rate, now)
        bucket.per_minute, bucket.at, bucket.level = rate, now, level / self._servers

    async def reset(self) -> None:
        """All full again; workers are told to drop what they hold."""
        self._buckets.clear()

    async def close(self) -> None:
        """Nothing is held."""

    def _make(self, name: str, rate: float, now: float) -> Bucket:
        if len(self._buckets) >= _SWEEP_ABOVE:
            self._sweep(now)
        bucket = self._buckets[name] = Bucket(rate, now)
        if self._servers > 1:
            bucket.level = min(rate, rate / 60 * (now - self._joined_at))
        return bucket

    def _sweep(self, now: float) -> None:
        for name, bucket in list(self._buckets.items()):
            bucket.fill(bucket.per_minute, now)
            if bucket.level >= bucket.per_minute:
                del self._buckets[name]
