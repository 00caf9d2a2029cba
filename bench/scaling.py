"""The balancer and the autoscaler over a day of bursty traffic, simulated, beside what others do. No network, no model.

`python -m bench.scaling` takes a minute or so for 1,000 replicas; `--replicas 100` a few seconds. Prints the tables of
docs/scaling.md. What is simulated and what is not stands at the head of the files in `bench/simulation`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from math import ceil

import msgspec
import numpy as np

from bench.simulation import traffic
from bench.simulation.balancers import KINDS
from bench.simulation.fleets import Course, Fixed, Fleet, Reactive, Rule, per_request_s
from bench.simulation.gateways import Run
from craton.features.hosting.autoscale import Autoscaler
from craton.features.hosting.deployment import Scale

SLOTS = 16
TARGET = 12.0
GATEWAYS = 8
WINDOWS, WINDOW_S = 12, 40
NORMAL, CROWDED = 0.24, 0.30
"""Requests per second and replica, the mean of the day: within capacity save for seconds, and beyond it in bursts."""
DAYS = 3
"""Of those that are crowded: a few bursts make all the difference there."""
STARTS_S = (2.0, 60.0)
SMALL = 20
SMALL_START_S = 5.0


class Balanced(msgspec.Struct):
    """How a balancer did: seconds, and shares of 1."""

    name: str
    wait_p99_s: float
    first_p50_s: float
    first_p99_s: float
    first_mean_s: float
    refused: float
    hits: float


class Scaled(msgspec.Struct):
    """How a rule did: seconds, shares of 1, hours; `over` is hours beyond the ideal, as a share of it."""

    name: str
    start_s: float
    wait_p99_s: float
    wait_p999_s: float
    waited: float
    refused: float
    hours: float
    over: float
    most: int


def balance(replicas: int, load: float, seed: int, gateways: int = GATEWAYS, hours: float = 24.0) -> Iterator[Balanced]:
    """Each balancer before the same replicas and the same requests."""
    day = traffic.day(replicas * load, seed, hours)
    requests = traffic.requests(traffic.samples(day, WINDOWS, WINDOW_S, seed), gateways, seed)
    known = sum(1 for request in requests if request.prefix)
    for kind in KINDS:
        outcome = Run(kind, requests, replicas, SLOTS, gateways, seed).finish()
        waits, firsts = np.array(outcome.waits), np.array(outcome.firsts)
        yield Balanced(
            name=kind.name,
            wait_p99_s=float(np.nanpercentile(waits, 99)),
            first_p50_s=float(np.nanpercentile(firsts, 50)),
            first_p99_s=float(np.nanpercentile(firsts, 99)),
            first_mean_s=float(np.nanmean(firsts)),
            refused=outcome.refused / len(requests),
            hits=outcome.hits / known,
        )


def mean_of(days: Iterable[Iterable[Balanced]]) -> Iterator[Balanced]:
    """The means of several days, balancer by balancer."""
    for rows in zip(*days, strict=True):
        figures = {
            name: float(np.mean([getattr(row, name) for row in rows])) for name in Balanced.__struct_fields__[1:]
        }
        yield Balanced(name=rows[0].name, **figures)


def scale(replicas: int, seed: int, hours: float = 24.0, starts_s: Iterable[float] = STARTS_S) -> Iterator[Scaled]:
    """Each rule for a deployment whose peak minute needs so many replicas."""
    pace = TARGET / per_request_s(TARGET)
    peak = float(np.convolve(traffic.day(1.0, seed, hours).rates, np.ones(60) / 60, "same").max())
    rates = traffic.day(replicas * pace / peak, seed, hours).rates
    arrivals = np.random.default_rng(seed + 3).poisson(rates)
    limits = Scale(least=1, most=2 * replicas, target=TARGET)
    first = max(1, ceil(rates[:60].mean() / pace))
    rules: list[tuple[str, Rule, int, float]] = [
        ("fixed at the peak", Fixed(replicas), replicas, 0.0),
        ("fixed at half of it", Fixed(ceil(replicas / 2)), ceil(replicas / 2), 0.0),
    ]
    for start_s in starts_s:
        rules += [
            ("reactive", Reactive(limits, first), first, start_s),
            ("Craton", Autoscaler(limits), first, start_s),
        ]
    for name, rule, running, start_s in rules:
        yield scaled(name, start_s, Fleet(rule, limits, SLOTS, start_s, running, seed).live(arrivals))


def sleep(seed: int, hours: float = 24.0, deployments: int = SMALL) -> Iterator[Scaled]:
    """Many deployments that are seldom asked, between once an hour and once in five seconds: one replica each, or none."""
    rates = np.geomspace(1 / 3600, 0.2, deployments)
    rng = np.random.default_rng(seed + 4)
    days = [rng.poisson(traffic.day(float(rate), seed + at, hours).rates) for at, rate in enumerate(rates)]
    for name, least in (("one each", 1), ("Craton", 0)):
        limits = Scale(least=least, most=8, target=TARGET)
        rules: list[Rule] = [Fixed(1) if least else Autoscaler(limits) for _ in days]
        courses = [
            Fleet(rule, limits, SLOTS, SMALL_START_S, least, seed).live(day)
            for rule, day in zip(rules, days, strict=True)
        ]
        yield scaled(name, SMALL_START_S, together(courses))


def together(courses: list[Course]) -> Course:
    """Several deployments as one."""
    return Course(
        waits=np.concatenate([course.waits for course in courses]),
        refused=sum(course.refused for course in courses),
        arrived=sum(course.arrived for course in courses),
        replica_hours=sum(course.replica_hours for course in courses),
        ideal_hours=sum(course.ideal_hours for course in courses),
        most=sum(course.most for course in courses),
    )


def scaled(name: str, start_s: float, course: Course) -> Scaled:
    return Scaled(
        name=name,
        start_s=start_s,
        wait_p99_s=float(np.percentile(course.waits, 99)),
        wait_p999_s=float(np.percentile(course.waits, 99.9)),
        waited=float((course.waits > 0).mean()),
        refused=course.refused / max(1, course.arrived),
        hours=course.replica_hours,
        over=course.replica_hours / course.ideal_hours - 1,
        most=course.most,
    )


def show_balanced(title: str, rows: Iterable[Balanced]) -> None:
    print(f"\n### {title}\n")
    print("| balancer | queue p99, s | first token mean, s | p50, s | p99, s | throttled | prefix hits |")
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        seconds = f"{row.wait_p99_s:.2f} | {row.first_mean_s:.2f} | {row.first_p50_s:.2f} | {row.first_p99_s:.2f}"
        print(f"| {row.name} | {seconds} | {row.refused:.2%} | {row.hits:.0%} |", flush=True)


def show_scaled(title: str, rows: Iterable[Scaled]) -> None:
    print(f"\n### {title}\n")
    print(
        "| rule | start, s | queue p99, s | p99.9, s | waited at all | throttled | replica-hours | beyond ideal | most |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        waits = f"{row.wait_p99_s:.0f} | {row.wait_p999_s:.0f} | {row.waited:.2%} | {row.refused:.3%}"
        spent = f"{row.hours:,.0f} | {row.over:.0%} | {row.most:,}"
        print(f"| {row.name} | {f'{row.start_s:.0f}' if row.start_s else '–'} | {waits} | {spent} |", flush=True)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--replicas", type=int, default=1000)
    asked.add_argument("--hours", type=float, default=24.0)
    asked.add_argument("--seed", type=int, default=1)
    given = asked.parse_args()
    normal = balance(given.replicas, NORMAL, given.seed, hours=given.hours)
    show_balanced(f"Balancers, {given.replicas:,} replicas, {GATEWAYS} gateways", normal)
    few = max(8, given.replicas // 10)
    crowded = [balance(few, CROWDED, given.seed + more, hours=given.hours) for more in range(DAYS)]
    show_balanced(f"Means of {DAYS} days, {few:,} replicas that do not suffice in bursts", mean_of(crowded))
    show_scaled(f"A fleet of up to {given.replicas:,} replicas", scale(given.replicas, given.seed, given.hours))
    show_scaled(f"{SMALL} deployments that are seldom asked", sleep(given.seed, given.hours))


if __name__ == "__main__":
    main()
