"""Budgets on the way of a request: what is used up refuses, before quotas are asked.

Owns the error and how a worker hears of what is used up: it asks the supervisor every second. Made only where a budget
refuses; until one is used up a request pays one test of an empty tuple. It must not know money.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from craton.aws.wire.faults import throttled
from craton.config_watching import BudgetTable
from craton.context import Call
from craton.features.inference.quotas.quota import NOTHING, Held, Quota
from craton.features.inference.routing.routes import Resolved
from craton.features.metering.budgets import fits
from craton.models.canon.request import ConverseRequest

ASK_EVERY_S = 1.0
OVER = "The budget {name} for this {period} is used up. Requests are taken again when the next {period} begins (UTC)."


class Terms(Protocol):
    """What stands before an inference (`Quota`)."""

    async def reserve(self, call: Call, resolved: Resolved, tokens: float) -> Held: ...
    def hold(self, call: Call, resolved: Resolved, request: ConverseRequest) -> Awaitable[Held]: ...
    def forget(self) -> None: ...


class Budgeted:
    """Budgets that refuse, and the quotas behind them. `ask` gives the places of budgets that are used up."""

    def __init__(
        self, rules: Sequence[BudgetTable], quota: Quota | None, ask: Callable[[], Awaitable[list[int] | None]]
    ) -> None:
        self.over: tuple[BudgetTable, ...] = ()
        self._rules = rules
        self._quota = quota
        self._ask = ask

    async def reserve(self, call: Call, resolved: Resolved, tokens: float) -> Held:
        """Raises ThrottlingException."""
        if self.over:
            self.check(call, resolved)
        return NOTHING if self._quota is None else await self._quota.reserve(call, resolved, tokens)

    async def hold(self, call: Call, resolved: Resolved, request: ConverseRequest) -> Held:
        """Raises ThrottlingException."""
        if self.over:
            self.check(call, resolved)
        return NOTHING if self._quota is None else await self._quota.hold(call, resolved, request)

    def check(self, call: Call, resolved: Resolved) -> None:
        """Raises ThrottlingException where a budget is used up that the call would count against."""
        tags = call.resource_tags(resolved.resources[0])
        for rule in self.over:
            if fits(rule, call.account, call.region, call.caller.arn, resolved.route.model_id, tags):
                raise throttled(OVER.format(name=rule.name, period=rule.period))

    def forget(self) -> None:
        self.over = ()
        if self._quota is not None:
            self._quota.forget()

    async def follow(self) -> None:
        """Hear what is used up, until it is cancelled; while the supervisor cannot be asked what was heard last holds."""
        while True:
            places = await self._ask()
            if places is not None:
                rules = [self._rules[place] for place in places]
                self.over = tuple(rule for rule in rules if rule.action == "refuse")
            await asyncio.sleep(ASK_EVERY_S)
