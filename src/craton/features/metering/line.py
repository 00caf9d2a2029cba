"""A worker's line to the tally: what its meter counted, told every second and at the end.

Owns that nothing is told twice or lost while the supervisor lives: batches are numbered, and one whose arrival is in
doubt is told again under its number.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

import msgspec

from craton.features.metering.meter import Meter
from craton.features.metering.record import Row
from craton.infra.control.wire import ControlFault, ControlLost

TELL_EVERY_S = 1.0
_TIMEOUT_S = 5.0


class Control(Protocol):
    """What is needed of the line (`ControlClient`)."""

    async def call(self, method: str, params: dict[str, object], *, timeout_s: float) -> Any: ...


class MeterLine:
    """Tells the supervisor what `meter` counts."""

    def __init__(self, meter: Meter, control: Control) -> None:
        self.meter = meter
        self._control = control
        self._number = 0
        self._told: list[Row] = []
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            await self.tell()

    async def tell(self) -> None:
        """Tell what there is. What the supervisor cannot be told now is told the next time."""
        async with self._turn:
            if not self._told:
                self._told = self.meter.take()
                self._number += bool(self._told)
            if not self._told:
                return
            try:
                params: dict[str, object] = {
                    "number": self._number,
                    "rows": msgspec.to_builtins(self._told, str_keys=False),
                }
                await self._control.call("metrics.add", params, timeout_s=_TIMEOUT_S)
            except (ControlFault, ControlLost, TimeoutError):
                return
            self._told = []
