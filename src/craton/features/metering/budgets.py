"""What usage may cost: which usage a budget is of, and what was spent of it in its hour, day or month.

Owns the supervisor's sums, which are exact: what the store holds of the period when they are made, and every count that
workers told since. Owns the method `budgets.over`, by which workers learn what is used up. Where servers share a store
their sums are made anew every half minute, at a moment when all that was told is kept. It must not know how requests are
refused.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Protocol

from craton.features.metering.record import Row
from craton.infra.control.server import Call, Methods
from craton.infra.store.port import Store, StoreError
from craton.models.catalog.prices import Prices

if TYPE_CHECKING:
    from craton.features.metering.usage import Used

RECOUNT_EVERY_S = 30.0
_STARTS = {
    "hour": {"minute": 0, "second": 0, "microsecond": 0},
    "day": {"hour": 0, "minute": 0, "second": 0, "microsecond": 0},
    "month": {"day": 1, "hour": 0, "minute": 0, "second": 0, "microsecond": 0},
}
_NAMES = ("account", "region", "principal", "served", "tags")


class Rule(Protocol):
    """A budget, as the configuration has it (`BudgetTable`)."""

    @property
    def name(self) -> str: ...
    @property
    def amount(self) -> Decimal: ...
    @property
    def period(self) -> str: ...
    @property
    def account(self) -> str: ...
    @property
    def region(self) -> str: ...
    @property
    def principal(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def tag(self) -> Mapping[str, str]: ...


Tell = Callable[[dict[str, float]], Awaitable[None]]
"""Hears what was spent of each budget, by its name, every half minute and when one is used up."""
AtRest = Callable[[Callable[[], None], Callable[[Store], Any]], Awaitable[Any]]
"""Runs work with the store when all that was told is kept, calling the first argument at that moment (`Tally.at_rest`)."""


class Budgets:
    """All budgets of one server."""

    def __init__(self, rules: Sequence[Rule], prices: Prices, now: Callable[[], datetime], at_rest: AtRest) -> None:
        self._rules = rules
        self._prices = prices
        self._now = now
        self._at_rest = at_rest
        self._since = [start(rule, now()) for rule in rules]
        self._spent = [Decimal(0)] * len(rules)
        self._fresh = [Decimal(0)] * len(rules)  # told since the sums in the store were asked for
        self._crossed = asyncio.Event()
        self.tell: Tell | None = None

    @property
    def methods(self) -> Methods:
        return {"budgets.over": self._over}

    @property
    def spent(self) -> dict[str, float]:
        """What was spent of each budget, by its name, for people."""
        self._turn()
        return {rule.name: float(spent) for rule, spent in zip(self._rules, self._spent, strict=True)}

    def over(self) -> list[int]:
        """The places of budgets that are used up."""
        self._turn()
        return [place for place, rule in enumerate(self._rules) if self._spent[place] >= rule.amount]

    def note(self, rows: Sequence[Row]) -> None:
        """Workers told of these."""
        from craton.features.metering.bill import cost, pairs
        from craton.features.metering.usage import counted

        self._turn()
        for row in rows:
            use, at = row.use, datetime.fromtimestamp(row.minute_s, UTC)
            price = self._prices.find(use.served or row.model, row.region, at.date())
            money = cost(counted(row.record), price) if price is not None else Decimal(0)
            for place, rule in enumerate(self._rules if money else ()):
                if at >= self._since[place] and fits(
                    rule, row.account, row.region, use.principal, use.served or row.model, pairs(use.tags)
                ):
                    self._spent[place] += money
                    self._fresh[place] += money
                    if self._spent[place] - money < rule.amount <= self._spent[place]:
                        self._crossed.set()

    async def run(self) -> None:
        """Make the sums anew now and then, and tell of them, until it is cancelled."""
        while True:
            if self.tell is not None:
                await self.tell(self.spent)
            self._crossed.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._crossed.wait(), RECOUNT_EVERY_S)
            await self.recount()

    async def recount(self) -> None:
        """Take what the store holds of each period; while it is away the sums go on as they are."""
        from craton.features.metering.bill import cost, moment, pairs

        self._turn()
        since = list(self._since)
        first = min(since)

        def mark() -> None:
            self._fresh = [Decimal(0)] * len(self._rules)

        try:
            hours: list[Used] | None = await self._at_rest(mark, lambda store: stored(store, int(first.timestamp())))
        except StoreError as error:
            print(f"craton: budgets could not be counted anew: {error}", file=sys.stderr, flush=True)
            return
        if hours is None:
            return
        sums = [Decimal(0)] * len(self._rules)
        for used in hours:
            at = moment(used.hour)
            price = self._prices.find(used.served, used.region, at.date())
            for place, rule in enumerate(self._rules if price is not None else ()):
                named = (used.account, used.region, used.principal, used.served, pairs(used.tags))
                if price is not None and at >= since[place] and fits(rule, *named):
                    sums[place] += cost(used.counts, price)
        if since == self._since:
            self._spent = [told + fresh for told, fresh in zip(sums, self._fresh, strict=True)]

    def clear(self) -> None:
        """Everything is as at a first start."""
        self._spent = [Decimal(0)] * len(self._rules)
        self._fresh = [Decimal(0)] * len(self._rules)

    def _turn(self) -> None:
        """A period that is over begins anew."""
        now = self._now()
        for place, rule in enumerate(self._rules):
            began = start(rule, now)
            if began != self._since[place]:
                self._since[place] = began
                self._spent[place] = self._fresh[place] = Decimal(0)

    async def _over(self, _call: Call) -> list[int]:
        """`{}` → the places of budgets that are used up."""
        return self.over()


def fits(
    rule: Rule, account: str, region: str, principal: str, model: str, tags: Mapping[str, str]
) -> bool:  # fmt: skip
    """Whether usage counts against a budget."""
    return (
        fnmatchcase(account, rule.account)
        and fnmatchcase(region, rule.region)
        and fnmatchcase(principal, rule.principal)
        and fnmatchcase(model, rule.model)
        and all(tags.get(key) == value for key, value in rule.tag.items())
    )


def start(rule: Rule, now: datetime) -> datetime:
    """When the budget's period began."""
    return now.astimezone(UTC).replace(**_STARTS[rule.period])  # type: ignore[arg-type]


def stored(store: Store, since_s: int) -> list[Used]:
    from craton.features.metering.usage import read

    return store.run(lambda connection: list(read(connection, _NAMES, since_s, 1 << 40)))
