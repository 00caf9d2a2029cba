"""The quota buckets of a server: kept by the supervisor, leased by workers in slices, ahead of need.

Owns both ends of the method `quota.lease`: the buckets, which fill evenly over the minute up to a minute's worth, and
the line by which a worker asks. Must not know what is counted or for whom: a bucket is a name and a rate, which the
asker tells, so that the supervisor needs no configuration of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from craton.infra.control.server import Call, Methods
from craton.infra.control.wire import ControlFault, ControlLost

_TIMEOUT_S = 5.0
_SWEEP_ABOVE = 10_000  # buckets; those that are full are the same as none


class Lease(msgspec.Struct, frozen=True, array_like=True):
    """What was given out; `wait_s`: when `need` will be there, 0 if it was given."""

    granted: float
    wait_s: float


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
    """All buckets of a server, each made full when it is first asked for."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}

    def lease(self, name: str, per_minute: float, need: float, want: float) -> Lease:
        """Give `want`, or what is there if that is at least `need`, or nothing. A negative `want` gives back."""
        now = self._clock()
        bucket = self._buckets.get(name)
        if bucket is None:
            if len(self._buckets) >= _SWEEP_ABOVE:
                self._sweep(now)
            bucket = self._buckets[name] = Bucket(per_minute, now)
        bucket.fill(per_minute, now)
        if want < 0:
            bucket.level = min(per_minute, bucket.level - want)
            return Lease(want, 0.0)
        if bucket.level < need:
            return Lease(0.0, (need - bucket.level) * 60 / per_minute)
        granted = max(0.0, min(want, bucket.level))
        bucket.level -= granted
        return Lease(granted, 0.0)

    def reset(self) -> None:
        """All full again; workers are told to drop what they hold."""
        self._buckets.clear()

    def _sweep(self, now: float) -> None:
        for name, bucket in list(self._buckets.items()):
            bucket.fill(bucket.per_minute, now)
            if bucket.level >= bucket.per_minute:
                del self._buckets[name]


def quota_methods(buckets: Buckets) -> Methods:
    """The table of methods over `buckets`."""

    async def lease(call: Call) -> Lease:
        """`{name, per_minute, need, want}` → what is granted."""
        numbers = [call.params.get(key) for key in ("per_minute", "need", "want")]
        if not all(isinstance(number, (int, float)) for number in numbers):
            raise ControlFault("bad_params", "'per_minute', 'need' and 'want' must be numbers")
        per_minute, need, want = (float(number) for number in numbers if number is not None)
        if per_minute <= 0:
            raise ControlFault("bad_params", "'per_minute' must be more than 0")
        return buckets.lease(call.text("name"), per_minute, need, want)

    return {"quota.lease": lease}


class Line(Protocol):
    """What the worker's end needs: a call to the supervisor (`ControlClient.call`)."""

    async def call(self, method: str, params: dict[str, object], *, timeout_s: float) -> Any: ...


class LeaseLine:
    """A worker's end."""

    def __init__(self, control: Line) -> None:
        self._control = control

    async def lease(self, name: str, per_minute: float, need: float, want: float) -> Lease:
        """Ask the supervisor. While it cannot be reached all is granted: a quota is no reason to stop serving."""
        asked: dict[str, object] = {"name": name, "per_minute": per_minute, "need": need, "want": want}
        try:
            answer = await self._control.call("quota.lease", asked, timeout_s=_TIMEOUT_S)
        except (ControlFault, ControlLost, TimeoutError):
            return Lease(need, 0.0)
        return msgspec.convert(answer, Lease)
