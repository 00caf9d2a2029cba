"""One deployment as one worker sees it: its seats, who waits for one, and what may wait at all.

Requests wait here rather than in a replica, so that the better tier goes first, a full line is told at once, and nobody
who waits is lost with a replica that dies. A seat takes as many requests as it computes together and a few to follow.
Where several workers share a replica each goes by what the others had at their last report, but may always hold its own
share, so that none starves. The choice between seats is `choice`'s; one loop, no locks.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from math import ceil
from random import Random
from time import monotonic

from craton.aws.wire.faults import Fault, model_not_ready, throttled
from craton.features.inference.replicas.choice import Need, SeatLoad, arranged, choose
from craton.features.inference.replicas.prefix import prefix_of
from craton.models.catalog.hosted import Placement
from craton.models.catalog.hosted import Seat as Placed
from craton.models.providers import ranks
from craton.models.providers.seats import WAIT_S, Seat, Terms
from craton.models.providers.transport import Transport

FEW_SLOTS = 8
"""A seat of fewer slots has one request more than it computes, so that the next is there when one ends; one of many has
others to go on with, and what waits does so better here, where any seat may take it (docs/scaling.md).
"""
UNTOLD_SLOTS = 128
"""Requests at a time of a replica that does not say how many it computes together."""
_LONGEST_WAIT_S = 30.0
_SHUNNED_S = 2.0


class LiveSeat(SeatLoad):
    """A replica, what this worker has there, and the connections to it."""

    __slots__ = ("address", "line", "shunned_at", "transport")

    def __init__(self, line: Line, placed: Placed, transport: Transport) -> None:
        super().__init__(placed.id)
        self.line = line
        self.address = placed.address
        self.transport = transport
        self.shunned_at = 0.0

    def leave(self, tokens: int) -> None:
        """A request is over; the next in line takes the place."""
        self.requests -= 1
        self.tokens -= tokens
        line = self.line
        line.done += tokens
        if line.waiting:
            line.admit()

    def shun(self) -> None:
        """It does not answer: nobody is sent there until the next placement, or for a moment (`Line.hear`)."""
        self.avoid = True
        self.shunned_at = monotonic()
        self.line.settle()


class Waiter:
    """One who waits for a seat."""

    __slots__ = ("need", "place", "since")

    def __init__(self, need: Need) -> None:
        self.need = need
        self.place: asyncio.Future[LiveSeat] = asyncio.get_running_loop().create_future()
        self.since = monotonic()

    @property
    def gone(self) -> bool:
        """Whether he left already, and has only not been taken out of the line yet."""
        return self.place.done()


class Line:
    """A deployment's seats and its line.

    `arrived` and `refused` count requests since the last report, `done` the tokens of all that ended.

    Args:
        deployment: its id.
        bring: sees to it that there will be seats; returns at once, and `take_up` or `fail` follows.
        open_transport: the connections to an address.
        workers: among how many the seats are shared.
        rng: breaks ties.
    """

    def __init__(
        self,
        deployment: str,
        bring: Callable[[Line], None],
        open_transport: Callable[[str], Transport],
        workers: int = 1,
        rng: Random | None = None,
    ) -> None:
        self.deployment = deployment
        self.seats: list[LiveSeat] = []
        self.former: list[LiveSeat] = []
        self.waiting = self.arrived = self.refused = self.done = 0
        self._bring = bring
        self._open = open_transport
        self._workers = workers
        self._rng = rng or Random()  # noqa: S311 - spreads load
        self._sole: LiveSeat | None = None
        self._lanes: tuple[deque[Waiter], ...] = tuple(deque() for _ in range(ranks.COUNT))
        self._placed = Placement(deployment=deployment)
        self._longest = self._bound(self._placed)

    # --- who comes ------------------------------------------------------------------------------------------------

    def take(self, tokens: int, body: bytes, terms: Terms, but: tuple[Seat, ...] = ()) -> LiveSeat | None:
        """A seat that is free now, if there is one other than `but`."""
        seat = self._sole
        if but:
            seat = self._free(Need(tokens, prefix_of(body), terms.adapter), but)
            if seat is None:
                return None
        else:
            self.arrived += 1
            if seat is None:
                seat = self._free(Need(tokens, prefix_of(body), terms.adapter))
                if seat is None:
                    return None
            elif seat.requests + seat.others_requests >= seat.slots or (
                terms.adapter and terms.adapter not in seat.adapters
            ):
                return None
        seat.requests += 1
        seat.tokens += tokens
        return seat

    async def wait(self, tokens: int, body: bytes, terms: Terms, deadline: float) -> LiveSeat:
        """A seat when there is one, in turn.

        Raises:
            Fault: ModelNotReadyException: no replica serves, or none with the adapter, after `terms.waits_s` seconds or
                at the deadline. ThrottlingException: the line is full, or the deadline came.
        """
        need = Need(tokens, prefix_of(body), terms.adapter)
        loop = asyncio.get_running_loop()
        until = deadline if self._ready(need) else min(deadline, loop.time() + terms.waits_s)
        if self.waiting >= self._longest and not self._send_away(terms.rank):
            self.refused += 1
            raise throttled(retry_after_s=self.delay_s())
        waiter = Waiter(need)
        lane = self._lanes[terms.rank]
        lane.append(waiter)
        self.waiting += 1
        self.admit()
        try:
            async with asyncio.timeout_at(until):
                return await waiter.place
        except BaseException as error:
            self._depart(waiter, lane)
            if not isinstance(error, TimeoutError):
                raise
        if self._ready(need):
            self.refused += 1
            raise throttled(retry_after_s=self.delay_s())
        raise model_not_ready(retry_after_s=WAIT_S)

    def admit(self) -> None:
        """Give every seat that is free to the first in line who can use it."""
        if not self.alive:
            if self.waiting:
                self._bring(self)
            return
        for lane in self._lanes:
            at = 0
            while at < len(lane):
                waiter = lane[at]
                seat = None if waiter.gone else self._free(waiter.need)
                if seat is None and not waiter.gone:
                    if not waiter.need.adapter:
                        return
                    at += 1  # others need not wait for an adapter of his
                    continue
                del lane[at]
                self.waiting -= 1
                if seat is not None:
                    seat.requests += 1
                    seat.tokens += waiter.need.tokens
                    waiter.place.set_result(seat)

    def fail(self, fault: Fault) -> None:
        """There will be no seat now: those who wait hear why."""
        if self.alive:
            return
        for lane in self._lanes:
            for waiter in lane:
                if not waiter.gone:  # an error of his own for each, for whoever raises it writes on it
                    told = Fault(fault.name, fault.message, fields=fault.fields, retry_after_s=fault.retry_after_s)
                    waiter.place.set_exception(told)
            lane.clear()
        self.waiting = 0

    # --- what there is ----------------------------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """Whether some replica is thought to serve."""
        return self._sole is not None or any(not seat.avoid for seat in self.seats)

    def take_up(self, placement: Placement) -> None:
        """From now on these are the seats. Requests on those that are gone go on to their end."""
        if placement != self._placed:
            self._placed = placement
            self._seat(placement)
        for seat in self.seats:
            seat.avoid = False
        self.settle()
        if self.waiting:
            self.admit()

    def settle(self) -> None:
        """Note whether there is anything to choose."""
        self._sole = self.seats[0] if len(self.seats) == 1 and not self.seats[0].avoid else None

    def hear(self, told: Mapping[str, tuple[int, int]]) -> None:
        """What others have outstanding: requests and tokens by the id of the replica."""
        for seat in self.seats:
            requests, tokens = told.get(seat.id, (0, 0))
            # However much they have, this worker's own share is left to it.
            seat.others_requests = min(requests, seat.slots - max(1, seat.slots // self._workers))
            seat.others_tokens = tokens
            # One that came back before anybody noticed that it was away changes no placement.
            if seat.avoid and monotonic() - seat.shunned_at > _SHUNNED_S:
                seat.avoid = False
                self.settle()
        if self.waiting:
            self.admit()

    def delay_s(self) -> float:
        """How long the line takes, by who waits longest; at least a second, which tells clients to come again."""
        return min(_LONGEST_WAIT_S, max(WAIT_S, float(ceil(self.oldest_s()))))

    @property
    def waiting_tokens(self) -> int:
        """The work of those in line."""
        return sum(waiter.need.tokens for lane in self._lanes for waiter in lane)

    @property
    def busy(self) -> bool:
        """Whether there is anything to tell of it."""
        return bool(
            self.waiting or self.arrived or self.refused or any(seat.requests for seat in (*self.seats, *self.former))
        )

    def oldest_s(self) -> float:
        """How long the first in line has waited, in seconds."""
        firsts = [lane[0].since for lane in self._lanes if lane]
        return monotonic() - min(firsts) if firsts else 0.0

    # --- its own ----------------------------------------------------------------------------------------------------

    def _seat(self, placement: Placement) -> None:
        known = {(seat.id, seat.address): seat for seat in self.seats}
        seats: list[SeatLoad] = []
        for placed in placement.seats:
            seat = known.pop((placed.id, placed.address), None)
            if seat is None:
                seat = LiveSeat(self, placed, self._open(placed.address))
            slots = placed.slots or UNTOLD_SLOTS
            seat.slots = slots + (slots < FEW_SLOTS)
            seat.adapters = frozenset(placed.adapters)
            seats.append(seat)
        self.former += known.values()
        self.seats = arranged(seats)  # type: ignore[assignment]  # sorted, they are what they were
        self._longest = self._bound(placement)

    def _bound(self, placement: Placement) -> int:
        return max(1, placement.queue * max(1, len(placement.seats)) // self._workers)

    def _free(self, need: Need, but: tuple[Seat, ...] = ()) -> LiveSeat | None:
        seats = [seat for seat in self.seats if seat not in but] if but else self.seats
        at = choose(seats, need, self._rng) if seats else -1
        if at < 0 or (need.adapter and need.adapter not in seats[at].adapters):
            return None
        return seats[at]

    def _ready(self, need: Need) -> bool:
        """Whether there is a replica that could serve this, full or not."""
        return any(not seat.avoid and (not need.adapter or need.adapter in seat.adapters) for seat in self.seats)

    def _depart(self, waiter: Waiter, lane: deque[Waiter]) -> None:
        """Who waited goes; a seat that he was given at that moment is the next one's."""
        if waiter in lane:
            lane.remove(waiter)
            self.waiting -= 1
        place = waiter.place
        if place.done() and not place.cancelled() and place.exception() is None:
            place.result().leave(waiter.need.tokens)

    def _send_away(self, rank: int) -> bool:
        """Make room in the line at the cost of the last who is of a lesser rank."""
        for lane in reversed(self._lanes[rank + 1 :]):
            while lane:
                waiter = lane.pop()
                self.waiting -= 1
                if not waiter.gone:
                    waiter.place.set_exception(throttled(retry_after_s=self.delay_s()))
                    self.refused += 1
                    return True
        return self.waiting < self._longest
