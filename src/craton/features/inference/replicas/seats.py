"""All deployments as one worker sees them: where their replicas are, and what the supervisor hears of their load.

Owns the lines by deployment (made when something is first sent there, so that models that nobody calls cost nothing),
the one question to the supervisor per deployment that is cold, and the report. Knows neither processes nor routes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from time import monotonic
from typing import Any

import msgspec

from craton.aws.wire.faults import Fault
from craton.features.inference.replicas.line import Line
from craton.infra.control.wire import ControlFault, ControlLost
from craton.models.catalog.hosted import Placement
from craton.models.providers.dial import open_transport
from craton.models.providers.transport import Transport

_PAUSE_S = 0.05
"""Until the supervisor has seen that a process ended."""
_AGAIN_S = 0.25

REPORT_EVERY_S = 0.25

Ask = Callable[[str], Awaitable[Any]]
"""Has a deployment started; when a replica serves, its `Placement` as builtins. Raises Fault."""
Send = Callable[[dict[str, Any]], Awaitable[Iterable[Iterable[Any]]]]
"""Sends a report, and gives what all others have under way. Raises ControlFault, ControlLost, TimeoutError."""


class Seats:
    """The replicas of all deployments (`models.providers.seats.Replicas`).

    Args:
        ask: the supervisor's `models.ensure`.
        workers: among how many workers the replicas are shared.
        opening: makes the connections to an address.
    """

    def __init__(self, ask: Ask, *, workers: int = 1, opening: Callable[[str], Transport] = open_transport) -> None:
        self.lines: dict[str, Line] = {}
        self._placements: dict[str, Placement] = {}
        self._ask = ask
        self._workers = workers
        self._opening = opening
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._reported_at = monotonic()
        self._reported_done: dict[str, int] = {}

    def line(self, deployment: str) -> Line:
        """The same object for the same deployment, whether or not there is anything to it yet."""
        found = self.lines.get(deployment)
        if found is None:
            found = self.lines[deployment] = Line(deployment, self._bring, self._opening, self._workers)
            placement = self._placements.get(deployment)
            if placement is not None:
                found.take_up(placement)
        return found

    def take_up(self, placements: Iterable[Placement]) -> None:
        """From now on these are all the replicas there are."""
        self._placements = {placement.deployment: placement for placement in placements}
        for deployment, line in self.lines.items():
            line.take_up(self._placements.get(deployment) or Placement(deployment=deployment))

    # --- cold starts ------------------------------------------------------------------------------------------------

    def _bring(self, line: Line) -> None:
        if line.deployment not in self._asking:
            asking = asyncio.create_task(self._brought(line), name=f"start {line.deployment}")
            self._asking[line.deployment] = asking

    async def _brought(self, line: Line) -> None:
        """Ask until there are seats, as long as somebody waits for one. The start itself goes on without anybody."""
        pause_s = _PAUSE_S if line.seats else 0.0
        try:
            while True:
                await asyncio.sleep(pause_s)
                if line.alive or not line.waiting:
                    return
                placement = msgspec.convert(await self._ask(line.deployment), Placement)
                self._placements[line.deployment] = placement
                line.take_up(placement)
                pause_s = _AGAIN_S
        except Fault as fault:
            line.fail(fault)
        finally:  # before anybody who heard of it can come again
            self._asking.pop(line.deployment, None)

    # --- what others hear -------------------------------------------------------------------------------------------

    async def tell(self, send: Send) -> None:
        """Tell the supervisor of the load while there is any, and take up that of others; until it is cancelled."""
        quiet = True
        while True:
            await asyncio.sleep(REPORT_EVERY_S)
            await self.sweep()
            busy = [line for line in self.lines.values() if line.busy]
            if quiet and not busy:
                continue
            told, counted = self.report(busy), [(line, line.arrived, line.refused) for line in busy]
            try:
                others = await send(told)
            except (ControlFault, ControlLost, TimeoutError):
                continue  # what was counted is told of the next time
            quiet = not busy
            for line, arrived, refused in counted:
                line.arrived -= arrived
                line.refused -= refused
            self.hear(others)

    def report(self, busy: Iterable[Line]) -> dict[str, Any]:
        """The rows of `fleet.report` (`features.hosting.loads` has their form)."""
        now = monotonic()
        passed_s, self._reported_at = max(now - self._reported_at, 1e-3), now
        loads: list[list[Any]] = []
        seats: list[list[Any]] = []
        done: dict[str, int] = {}
        for line in busy:
            taken = [seat for seat in (*line.seats, *line.former) if seat.requests]
            seats += [[seat.id, seat.requests, seat.tokens] for seat in taken]
            requests, tokens = sum(seat.requests for seat in taken), sum(seat.tokens for seat in taken)
            done[line.deployment] = line.done
            rate = (line.done - self._reported_done.get(line.deployment, line.done)) / passed_s
            counts = [line.waiting, tokens + line.waiting_tokens, line.arrived, line.refused]
            loads.append([line.deployment, requests, *counts, line.oldest_s(), rate])
        self._reported_done = done
        return {"loads": loads, "seats": seats}

    def hear(self, others: Iterable[Iterable[Any]]) -> None:
        """Take up what others have under way: rows of a replica, requests and tokens."""
        told = {str(replica): (int(requests), int(tokens)) for replica, requests, tokens in others}
        for line in self.lines.values():
            line.hear(told)

    # --- connections ------------------------------------------------------------------------------------------------

    async def sweep(self) -> None:
        """End the connections to replicas that are gone, once nothing is under way there."""
        for line in self.lines.values():
            if line.former:
                over = [seat for seat in line.former if not seat.requests]
                line.former = [seat for seat in line.former if seat.requests]
                for seat in over:
                    await seat.transport.close()

    async def close(self) -> None:
        """End all connections, and what asks for seats."""
        for asking in self._asking.values():
            asking.cancel()
        for line in self.lines.values():
            for seat in (*line.seats, *line.former):
                await seat.transport.close()
