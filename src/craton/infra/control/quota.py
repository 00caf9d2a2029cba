"""The quota buckets on the control channel: leased by workers in slices, ahead of need.

Owns both ends of the method `quota.lease`: the supervisor's, which asks whoever has the buckets (`infra.quota`), and the
line by which a worker asks. Must not know what is counted or for whom: a bucket is a name and a rate, which the asker
tells, so that the supervisor needs no configuration of them.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from craton.infra.control.server import Call, Methods
from craton.infra.control.wire import ControlFault, ControlLost
from craton.infra.quota.port import Counter, Lease

_TIMEOUT_S = 5.0


def quota_methods(counter: Counter) -> Methods:
    """The table of methods over `counter`."""

    async def lease(call: Call) -> Lease:
        """`{name, per_minute, need, want}` → what is granted."""
        numbers = [call.params.get(key) for key in ("per_minute", "need", "want")]
        if not all(isinstance(number, (int, float)) for number in numbers):
            raise ControlFault("bad_params", "'per_minute', 'need' and 'want' must be numbers")
        per_minute, need, want = (float(number) for number in numbers if number is not None)
        if per_minute <= 0:
            raise ControlFault("bad_params", "'per_minute' must be more than 0")
        return await counter.lease(call.text("name"), per_minute, need, want)

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
