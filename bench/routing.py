"""What choosing a target costs: CPU time per request of the balancer and of a quota, without any upstream.

`python bench/routing.py`. Each figure is the best of ten runs, so that a busy machine shows in it as little as possible.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import uvloop

from craton.config_tables import QuotaLimitTable
from craton.features.inference import balance
from craton.features.inference.quotas.quota import Quota
from craton.features.inference.routing.routes import UNLIMITED, Retrying, Route, Target
from craton.features.inference.targets.gate import Gate
from craton.features.inference.targets.state import TargetState
from craton.infra.quota.buckets import Buckets
from craton.infra.quota.port import Lease

TIMES = 5_000
RUNS = 10


def target(gate: Gate | None = None) -> Target:
    provider: Any = SimpleNamespace(name="none")
    return Target(provider, "upstream", state=TargetState(gate=gate))


def route(*targets: Target, retries: int = 0) -> Route:
    return Route("bench", targets, UNLIMITED, retrying=Retrying(retries=retries))


async def ask(_: Target) -> int:
    return 1


async def cpu_us(once: Callable[[], Awaitable[object]]) -> float:
    """Microseconds of CPU per call."""
    best = float("inf")
    for _ in range(RUNS):
        begun = time.process_time()
        for _ in range(TIMES):
            await once()
        best = min(best, (time.process_time() - begun) / TIMES * 1e6)
    return best


def quota() -> Quota:
    buckets = Buckets()

    async def lease(name: str, per_minute: float, need: float, want: float) -> Lease:
        return buckets.give(name, per_minute, need, want)

    return Quota([QuotaLimitTable(requests_per_minute=10**9, tokens_per_minute=10**12)], 1, lease)


async def main() -> None:
    one, three = route(target()), route(target(), target(), target())
    gated = route(target(Gate(8, 100, 30)))
    limits = quota()
    call: Any = SimpleNamespace(caller=SimpleNamespace(account="0" * 12, arn="arn:aws:iam::000000000000:root"))
    resolved: Any = SimpleNamespace(route=one)
    rows: list[tuple[str, Callable[[], Awaitable[object]]]] = [
        ("the ask alone", lambda: ask(one.targets[0])),
        ("one target", lambda: balance.first_answer(one, ask)),
        ("one target with max_concurrent", lambda: balance.first_answer(gated, ask)),
        ("three targets", lambda: balance.first_answer(three, ask)),
        ("a quota of requests and tokens", lambda: limits.reserve(call, resolved, 500)),
    ]
    print("| path | CPU µs per request |\n|---|---|")
    for name, once in rows:
        print(f"| {name} | {await cpu_us(once):.2f} |")


if __name__ == "__main__":
    uvloop.run(main())
