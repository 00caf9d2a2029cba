"""Routes and targets for the tests of balancing: providers that are only named, asks that fail as they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from craton.aws.wire.faults import Fault
from craton.features.inference.routing.routes import UNLIMITED, Retrying, Route, Target
from craton.features.inference.targets.gate import Gate
from craton.features.inference.targets.state import BreakerRules, TargetState

QUICK = {"backoff_s": 0.001, "backoff_max_s": 0.05}


class Named:
    """A provider that is only named."""

    name = "named"


def target(name: str, rules: BreakerRules | None = None, gate: Gate | None = None, **options: Any) -> Target:
    return Target(Named(), name, state=TargetState(rules, gate), **options)  # type: ignore[arg-type]


def route(*targets: Target, **retrying: Any) -> Route:
    return Route("m", targets, UNLIMITED, retrying=Retrying(**{**QUICK, **retrying}))


class Asked:
    """An ask that raises what is left for a target, then answers its name. Notes who was asked."""

    def __init__(self, **faults: list[Fault] | Fault) -> None:
        self.faults = {name: list(told) if isinstance(told, list) else [told] * 1000 for name, told in faults.items()}
        self.names: list[str] = []
        self.slow: dict[str, float] = {}

    async def __call__(self, given: Target) -> str:
        self.names.append(given.model)
        await asyncio.sleep(self.slow.get(given.model, 0.0))
        if self.faults.get(given.model):
            raise self.faults[given.model].pop(0)
        return given.model


def run(answer: Coroutine[Any, Any, Any]) -> Any:
    async def within() -> Any:
        return await answer

    return asyncio.run(within())
