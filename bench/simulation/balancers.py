"""The balancers that are compared, each as one gateway has it: which replica takes a request.

Craton's is `features/inference/replicas/choice.py`, the very code that serves. The others are what load balancers do:
none of them keeps requests in a line of its own, so a request that is sent to a busy replica waits there.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Protocol

import msgspec

from bench.simulation.traffic import Request
from craton.features.inference.replicas.choice import Need, SeatLoad, arranged, choose


class Balancer(Protocol):
    """What a gateway asks and tells. Seats are numbers from 0."""

    lines: bool
    """Whether requests wait in the gateway when `pick` answers -1."""

    def pick(self, request: Request) -> int:
        """The seat for a request; -1: none now."""
        ...

    def moved(self, seat: int, requests: int, tokens: int) -> None:
        """This gateway's own requests at a seat became more or fewer."""
        ...

    def heard(self, seat: int, requests: int, tokens: int) -> None:
        """What all other gateways had at a seat when they last reported."""
        ...


class Blind:
    """One that knows nothing of load."""

    lines = False

    def __init__(self, seats: int, rng: Random) -> None:
        self.seats = seats
        self.rng = rng
        self.next = rng.randrange(seats)

    def moved(self, seat: int, requests: int, tokens: int) -> None:
        pass

    def heard(self, seat: int, requests: int, tokens: int) -> None:
        pass


class Chance(Blind):
    """Any replica."""

    def pick(self, request: Request) -> int:
        return int(self.rng.random() * self.seats)


class RoundRobin(Blind):
    """Each gateway goes around by itself."""

    def pick(self, request: Request) -> int:
        self.next = (self.next + 1) % self.seats
        return self.next


class Counting(Blind):
    """One that counts its connections, as every load balancer can."""

    def __init__(self, seats: int, rng: Random) -> None:
        super().__init__(seats, rng)
        self.counts = [0] * seats

    def moved(self, seat: int, requests: int, tokens: int) -> None:
        self.counts[seat] += requests


class LeastConnections(Counting):
    """The replica with the fewest connections from this gateway; among equals the next in turn."""

    def pick(self, request: Request) -> int:
        counts = self.counts
        least = min(counts)
        try:
            self.next = counts.index(least, self.next + 1)
        except ValueError:
            self.next = counts.index(least)
        return self.next


class TwoChoices(Counting):
    """The one of two drawn by lot that has fewer connections from this gateway."""

    def pick(self, request: Request) -> int:
        draw, counts = self.rng.random, self.counts
        one, other = int(draw() * self.seats), int(draw() * self.seats)
        return one if counts[one] <= counts[other] else other


class Told(LeastConnections):
    """Fewest connections of all gateways, as of the last report."""

    def __init__(self, seats: int, rng: Random) -> None:
        super().__init__(seats, rng)
        self.others = [0] * seats

    def heard(self, seat: int, requests: int, tokens: int) -> None:
        self.counts[seat] += requests - self.others[seat]
        self.others[seat] = requests


class Craton:
    """What Craton does."""

    lines = True

    def __init__(self, seats: int, rng: Random, slots: int, gateways: int, *, prefix: bool = True) -> None:
        self.rng = rng
        self.prefix = prefix
        self.loads = [SeatLoad(f"replica-{number}", slots) for number in range(seats)]
        self.ring = arranged(self.loads)
        places = {load.id: number for number, load in enumerate(self.loads)}
        self.numbers = [places[load.id] for load in self.ring]
        self.need = Need(0)
        self.others_most = slots - slots // gateways

    def pick(self, request: Request) -> int:
        need = self.need
        need.tokens = request.asked
        need.prefix = request.prefix if self.prefix else 0
        chosen = choose(self.ring, need, self.rng)
        return self.numbers[chosen] if chosen >= 0 else -1

    def moved(self, seat: int, requests: int, tokens: int) -> None:
        load = self.loads[seat]
        load.requests += requests
        load.tokens += tokens

    def heard(self, seat: int, requests: int, tokens: int) -> None:
        load = self.loads[seat]
        load.others_requests = min(requests, self.others_most)  # its own share is left to each
        load.others_tokens = tokens


class Kind(msgspec.Struct):
    """A balancer by name, and how a gateway gets one: seats, lot, slots of a seat, gateways."""

    name: str
    make: Callable[[int, Random, int, int], Balancer]


KINDS = (
    Kind("random", lambda seats, rng, *_: Chance(seats, rng)),
    Kind("round robin", lambda seats, rng, *_: RoundRobin(seats, rng)),
    Kind("two choices", lambda seats, rng, *_: TwoChoices(seats, rng)),
    Kind("least connections", lambda seats, rng, *_: LeastConnections(seats, rng)),
    Kind("least connections, reported", lambda seats, rng, *_: Told(seats, rng)),
    Kind(
        "Craton without prefixes", lambda seats, rng, slots, gateways: Craton(seats, rng, slots, gateways, prefix=False)
    ),
    Kind("Craton", Craton),
)
