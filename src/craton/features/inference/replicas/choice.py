"""Which replica takes a request: the one with the least work before it, unless another is known to be quicker.

A pure rule of numbers; who counts them, who waits and what a replica is are the callers' business. In this order:

1. A seat that is avoided or full takes nothing.
2. Where an adapter is asked for and some seat has it loaded, only such seats come into question.
3. The seat of the request's prefix, where a cached prompt is likely to be, if its work is within `BOUND` times the
   mean, and the request's own more; that is consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam, 2016).
4. The seat with the fewest outstanding tokens.

Up to `FEW` seats all are looked at, and the prefix's seat is the highest by rendezvous hashing. Above, the rule looks at
a few drawn by lot, which is nearly as good and spares both the time and the stampede of gateways that all see the same
idle seat in the same old report. The prefix's seats are then found on a ring: `arranged` puts seats in its order.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from operator import attrgetter
from random import Random

import msgspec

BOUND = 1.0
"""A prompt in the cache is no reason for more work than the mean: then others find the seat full."""
FEW = 8
DRAWN = 4
"""Seats drawn by lot where there are many. More make it worse: gateways with old reports meet at the same seats."""
PROBES = 3
"""Places on the ring where a prefix has a seat."""

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1
_point = attrgetter("point")


class Need(msgspec.Struct):
    """What a request asks of a seat.

    `tokens` estimates its work in tokens of an answer; those of a prompt, which are read together, count a quarter or
    less. `prefix` is a hash of the beginning of its prompt, 64 bits, the same in every gateway; 0: none. `adapter` is
    the name of the adapter that it needs; empty: none.
    """

    tokens: int
    prefix: int = 0
    adapter: str = ""


class SeatLoad:
    """A seat's work as one worker sees it: its own exactly, that of others as of their last report.

    `slots` is how many requests it is to have at a time; 0: as many as come. `avoid` while it is thought to be dead.
    """

    __slots__ = (
        "adapters", "avoid", "id", "others_requests", "others_tokens", "point", "requests", "slots", "tokens",
    )  # fmt: skip

    def __init__(self, id: str, slots: int = 0, adapters: frozenset[str] = frozenset()) -> None:
        """A seat without work."""
        self.id = id
        self.slots = slots
        self.adapters = adapters
        self.requests = 0
        self.tokens = 0
        self.others_requests = 0
        self.others_tokens = 0
        self.avoid = False
        self.point = int.from_bytes(blake2b(id.encode(), digest_size=8).digest())
        """Its place on the ring of prefixes, the same in every gateway."""


def arranged(seats: Iterable[SeatLoad]) -> list[SeatLoad]:
    """Seats in the order in which `choose` finds the seats of a prefix among many."""
    return sorted(seats, key=_point)


def choose(seats: Sequence[SeatLoad], need: Need, rng: Random) -> int:
    """The index of the seat that takes a request, or -1 when every one is full or avoided.

    Args:
        seats: in the order of `arranged` if there are more than `FEW`.
        need: what the request asks for.
        rng: breaks ties, and draws.
    """
    among = _among_many if len(seats) > FEW else _among_few
    adapter = need.adapter
    chosen = among(seats, need, adapter, rng)
    if chosen < 0 and adapter and not any(adapter in seat.adapters and not seat.avoid for seat in seats):
        return among(seats, need, "", rng)
    return chosen


# The three below ask the same of each seat in place: a call for it would double what choosing costs.


def _among_few(seats: Sequence[SeatLoad], need: Need, adapter: str, rng: Random) -> int:
    """Look at every seat. The first is drawn, so that gateways do not all begin with the same of equals."""
    count = len(seats)
    prefix = need.prefix
    first = int(rng.random() * count)
    best = home = count  # places count from the end: none is as high
    least = total = free = home_load = 0
    high = -1
    for place in range(first - count, first):
        seat = seats[place]
        if seat.avoid or seat.requests + seat.others_requests >= seat.slots > 0:
            continue
        if adapter and adapter not in seat.adapters:
            continue
        load = seat.tokens + seat.others_tokens
        if best == count or load < least:
            best, least = place, load
        if prefix:
            free += 1
            total += load
            weight = ((seat.point ^ prefix) * _GOLDEN) & _MASK
            if weight > high:
                high, home, home_load = weight, place, load
    if best == count:
        return -1
    if prefix and home_load <= BOUND * total / free + need.tokens:
        return home % count
    return best % count


def _among_many(seats: Sequence[SeatLoad], need: Need, adapter: str, rng: Random) -> int:
    """Look at a few seats drawn by lot and at those of the prefix; at all only if none of the drawn is free."""
    count = len(seats)
    draw = rng.random
    best = -1
    least = total = free = 0
    for _ in range(DRAWN):
        at = int(draw() * count)
        seat = seats[at]
        if seat.avoid or seat.requests + seat.others_requests >= seat.slots > 0:
            continue
        if adapter and adapter not in seat.adapters:
            continue
        load = seat.tokens + seat.others_tokens
        free += 1
        total += load
        if best < 0 or load < least:
            best, least = at, load
    if best < 0:
        return _first_free(seats, adapter, int(draw() * count))
    if need.prefix:
        home = _home(seats, need, adapter, BOUND * total / free + need.tokens)
        return home if home >= 0 else best
    return best


def _home(seats: Sequence[SeatLoad], need: Need, adapter: str, bound: float) -> int:
    """The first seat of a prefix on the ring that is free and within the bound, or -1."""
    point = need.prefix
    count = len(seats)
    for _ in range(PROBES):
        point = (point * _GOLDEN + 1) & _MASK
        at = bisect(seats, point, key=_point) % count
        seat = seats[at]
        if seat.avoid or seat.requests + seat.others_requests >= seat.slots > 0:
            continue
        if adapter and adapter not in seat.adapters:
            continue
        if seat.tokens + seat.others_tokens <= bound:
            return at
    return -1


def _first_free(seats: Sequence[SeatLoad], adapter: str, first: int) -> int:
    """The first seat that is free, from a drawn one on."""
    count = len(seats)
    for place in range(first - count, first):
        seat = seats[place]
        if seat.avoid or seat.requests + seat.others_requests >= seat.slots > 0:
            continue
        if not adapter or adapter in seat.adapters:
            return place % count
    return -1
