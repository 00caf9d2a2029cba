"""Gateways before a fixed number of replicas: every request, every prompt read and every answer ended is an event.

Each gateway knows its own requests exactly and those of the others by reports, four a second, each at its own moment.
The network takes no time. What is refused is not asked again.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from math import inf, nan
from random import Random

import msgspec

from bench.simulation.balancers import Balancer, Kind
from bench.simulation.replica import Replica
from bench.simulation.traffic import Request

REPORT_S = 0.25
LINE_PER_SEAT = 64


class Outcome(msgspec.Struct):
    """What became of the requests: seconds of waiting until a prompt was read, seconds until the first token; NaN where refused."""

    waits: list[float]
    firsts: list[float]
    refused: int
    hits: int


class Run:
    """One balancer's run. Use once."""

    def __init__(
        self, kind: Kind, requests: list[Request], replicas: int, slots: int, gateways: int, seed: int
    ) -> None:
        self.requests = requests
        self.begins = [nan] * len(requests)
        self.firsts = [nan] * len(requests)
        self.replicas = [Replica(slots, self.begins) for _ in range(replicas)]
        self.balancers: list[Balancer] = [
            kind.make(replicas, Random(seed * 1000 + number), slots, gateways) for number in range(gateways)
        ]
        self.lines: list[deque[Request]] = [deque() for _ in range(gateways)]
        self.most = LINE_PER_SEAT * replicas // gateways
        self.events: list[tuple[float, int, int]] = []
        self.requests_at = [[0] * replicas for _ in range(gateways)]
        self.tokens_at = [[0] * replicas for _ in range(gateways)]
        # What each had when it last reported, who changed since, and up to where each gateway has heard the reports.
        self.touched: list[set[int]] = [set() for _ in range(gateways)]
        self.told: list[dict[int, tuple[int, int]]] = [{} for _ in range(gateways)]
        self.total_requests = [0] * replicas
        self.total_tokens = [0] * replicas
        self.changed: deque[tuple[int, set[int]]] = deque()
        self.refused = 0

    def finish(self) -> Outcome:
        """Everything, to the last answer."""
        events, gateways = self.events, len(self.balancers)
        arrivals = iter(self.requests)
        coming = next(arrivals, None)
        last = self.requests[-1].at if self.requests else 0.0
        turn, report_at = 0, 0.0
        while coming is not None or events:
            due = events[0][0] if events else inf
            arrive_at = coming.at if coming is not None else inf
            if report_at < due and report_at < arrive_at:
                if report_at > last + 3600:  # a line that nobody empties
                    break
                self.report(turn % gateways, report_at)
                turn += 1
                report_at = turn * REPORT_S / gateways
            elif coming is not None and arrive_at <= due:
                self.arrive(coming)
                coming = next(arrivals, None)
            else:
                self.happen(*heappop(events))
        waits = [begin - request.at for begin, request in zip(self.begins, self.requests, strict=True)]
        firsts = [first - request.at for first, request in zip(self.firsts, self.requests, strict=True)]
        return Outcome(waits, firsts, self.refused, sum(replica.hits for replica in self.replicas))

    def arrive(self, request: Request) -> None:
        balancer, line = self.balancers[request.gateway], self.lines[request.gateway]
        seat = -1 if line else balancer.pick(request)
        if seat >= 0:
            self.send(request.at, request, seat)
        elif len(line) < self.most:
            line.append(request)
        else:
            self.refused += 1

    def send(self, now: float, request: Request, seat: int) -> None:
        replica = self.replicas[seat]
        before = replica.version
        if not replica.take(now, request):
            self.refused += 1
            return
        self.move(request, seat, 1)
        if replica.version != before:
            heappush(self.events, (replica.next_at, seat, replica.version))

    def move(self, request: Request, seat: int, step: int) -> None:
        gateway, tokens = request.gateway, step * request.asked
        self.balancers[gateway].moved(seat, step, tokens)
        self.requests_at[gateway][seat] += step
        self.tokens_at[gateway][seat] += tokens
        self.touched[gateway].add(seat)

    def happen(self, now: float, seat: int, version: int) -> None:
        replica = self.replicas[seat]
        if replica.version != version:
            return
        read, ended = replica.happen(now)
        if replica.next_at < inf:
            heappush(self.events, (replica.next_at, seat, replica.version))
        if read is not None:
            self.firsts[read.number] = now
        if ended is not None:
            self.move(ended, seat, -1)
            if self.lines[ended.gateway]:
                self.drain(ended.gateway, now)

    def drain(self, gateway: int, now: float) -> None:
        """Send on what waits, as far as seats are free."""
        balancer, line = self.balancers[gateway], self.lines[gateway]
        while line:
            seat = balancer.pick(line[0])
            if seat < 0:
                return
            self.send(now, line.popleft(), seat)

    def report(self, gateway: int, now: float) -> None:
        """A gateway says what it has, and hears what the others said since it asked last."""
        told, requests, tokens = self.told[gateway], self.requests_at[gateway], self.tokens_at[gateway]
        touched, self.touched[gateway] = self.touched[gateway], set()
        for seat in touched:
            had = told.get(seat, (0, 0))
            told[seat] = (requests[seat], tokens[seat])
            self.total_requests[seat] += requests[seat] - had[0]
            self.total_tokens[seat] += tokens[seat] - had[1]
        self.changed.append((gateway, touched))
        if len(self.changed) > len(self.balancers):
            self.changed.popleft()
        heard = self.balancers[gateway].heard
        for seat in set().union(*(seats for _, seats in self.changed)):
            own = told.get(seat, (0, 0))
            heard(seat, self.total_requests[seat] - own[0], self.total_tokens[seat] - own[1])
        if self.lines[gateway]:
            self.drain(gateway, now)
