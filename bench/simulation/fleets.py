"""A fleet over a whole day, second by second: how many replicas each rule keeps, and how long requests wait for it.

Requests are counted, not followed: those that are served end by chance, at the pace of a replica that holds the mean
number of them, as if the balancer were perfect. Those that wait are first come, first served. Replicas take a fixed time
to start; one that goes takes nothing new and stays until its requests have ended. Craton's rule is
`features/hosting/autoscale.py`, the very code that runs.
"""

from __future__ import annotations

from collections import deque
from math import ceil
from typing import Protocol

import msgspec
import numpy as np

from bench.simulation.replica import step_s
from bench.simulation.traffic import Floats, Ints
from craton.features.hosting.autoscale import Load
from craton.features.hosting.deployment import Scale

ANSWER = 365.0
"""Tokens of a mean answer."""
READ_S = 0.2
"""Seconds in which a mean prompt is read, the prefixes that are known left out."""


def per_request_s(rows: float) -> float:
    """Seconds from the beginning of a prompt to the end of its answer in a replica that holds so many."""
    return ANSWER * step_s(1) + rows * (READ_S + ANSWER * (step_s(2) - step_s(1)))


class Rule(Protocol):
    """Says each second how many replicas are to be."""

    def wanted(self, now: float, load: Load, running: int, starting: int) -> int:
        """As `Autoscaler.wanted`."""
        ...


class Fixed:
    """Always the same."""

    def __init__(self, count: int) -> None:
        self.count = count

    def wanted(self, now: float, load: Load, running: int, starting: int) -> int:
        return self.count


class Reactive:
    """The rule of Kubernetes' horizontal autoscaler with its defaults, given what runs and waits per replica.

    Every 15 seconds the ratio of the mean of the last 15 to the target, left alone within a tenth; at most twice as many
    (or four more) at a time; down to the most that any reading of the last five minutes asked for.
    """

    PERIOD_S = 15.0
    BACK_S = 300.0

    def __init__(self, scale: Scale, count: int) -> None:
        self.scale = scale
        self.readings: list[int] = []
        self.asked: deque[tuple[float, int]] = deque()
        self.next_at = 0.0
        self.count = count

    def wanted(self, now: float, load: Load, running: int, starting: int) -> int:
        self.readings.append(load.outstanding + load.waiting)
        if now < self.next_at:
            return self.count
        self.next_at = now + self.PERIOD_S
        mean, self.readings = sum(self.readings) / len(self.readings), []
        there = max(1, running)
        ratio = mean / there / self.scale.target
        asked = there + starting if abs(ratio - 1) <= 0.1 else ceil(there * ratio)
        asked = max(asked, self.scale.least, 1)
        self.asked.append((now, asked))
        while self.asked[0][0] < now - self.BACK_S:
            self.asked.popleft()
        if asked > self.count:
            self.count = min(asked, max(2 * self.count, self.count + 4))
        else:
            self.count = min(self.count, max(count for _, count in self.asked))
        self.count = min(self.count, self.scale.most)
        return self.count


class Course(msgspec.Struct):
    """How a day went: seconds of waiting of each request that was served, and what was spent."""

    waits: Floats
    refused: int
    arrived: int
    replica_hours: float
    ideal_hours: float
    most: int


class Fleet:
    """One deployment under one rule. Use once."""

    def __init__(self, rule: Rule, scale: Scale, slots: int, start_s: float, running: int, seed: int) -> None:
        """`start_s` is how long a replica takes to start, `running` how many there are at midnight."""
        self.rule = rule
        self.scale = scale
        self.slots = slots
        self.start_s = start_s
        self.running = running
        self.starting: deque[float] = deque()
        self.served = 0
        self.waiting = 0
        self.refused = 0
        self.most = running
        self.replica_s = 0.0
        self.arrived: list[int] = []
        """When each request that was let in came, and when it was taken: seconds."""
        self.taken: list[int] = []
        self.rng = np.random.default_rng(seed)

    def live(self, arrivals: Ints) -> Course:
        """A day of so many requests each second."""
        for second, count in enumerate(arrivals.tolist()):
            self.second(second, count)
        waits = np.array(self.taken) - np.array(self.arrived[: len(self.taken)])
        return Course(
            waits=np.maximum(0, waits).astype(float),
            refused=self.refused,
            arrived=int(arrivals.sum()),
            replica_hours=self.replica_s / 3600,
            ideal_hours=ideal_s(arrivals, self.scale.target) / 3600,
            most=self.most,
        )

    def second(self, now: int, count: int) -> None:
        """What happens in a second in which so many requests come."""
        if not (count or self.running or self.starting or self.waiting):
            return
        while self.starting and self.starting[0] <= now:
            self.starting.popleft()
            self.running += 1
        self.end_some()
        room = max(0, self.scale.queue * max(1, self.running) - self.waiting)
        let_in = min(count, room + max(0, self.running * self.slots - self.served))
        self.refused += count - let_in
        self.waiting += let_in
        self.arrived += [now] * let_in
        taken = max(0, min(self.waiting, self.running * self.slots - self.served))
        self.waiting -= taken
        self.served += taken
        self.taken += [now] * taken
        self.follow(now, count)
        self.replica_s += self.running + len(self.starting)

    def end_some(self) -> None:
        """Answers end."""
        if self.served and self.running:
            pace = per_request_s(min(self.slots, self.served / self.running))
            self.served -= int(self.rng.binomial(self.served, 1 - np.exp(-1 / pace)))

    def follow(self, now: int, count: int) -> None:
        """Do what the rule says."""
        oldest_s = now - self.arrived[len(self.taken)] if self.waiting else 0
        load = Load(outstanding=self.served, waiting=self.waiting, arrived_per_s=count, oldest_wait_s=oldest_s)
        change = self.rule.wanted(now, load, self.running, len(self.starting)) - self.running - len(self.starting)
        if change > 0:
            self.starting += [now + self.start_s] * change
        for _ in range(-change):
            if self.starting:
                self.starting.pop()
            else:
                self.running -= 1
                self.replica_s += per_request_s(self.scale.target)
        self.most = max(self.most, self.running)


def ideal_s(arrivals: Ints, target: float) -> float:
    """Replica-seconds of a fleet that had a replica just when, and just as long as, requests kept it at the target."""
    return float(arrivals.sum()) * per_request_s(target) / target
