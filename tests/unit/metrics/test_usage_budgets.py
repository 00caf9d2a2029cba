"""Budgets: what counts against them, when a period begins anew, and that no count is missed or taken twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from craton.aws.wire.faults import Fault
from craton.budget_alarms import teller
from craton.config import ConfigError, Settings
from craton.config_tables import ConfigFile
from craton.config_watching import BudgetTable
from craton.features.inference.quotas.budget import Budgeted
from craton.features.inference.quotas.quota import NOTHING
from craton.features.metering.budgets import Budgets
from craton.features.metering.record import Record, Row, Use
from craton.features.metering.usage import COUNTS, Used
from craton.features.metrics.alarms.alarm import Alarm, with_alarm
from craton.features.metrics.alarms.examine import of_metrics
from craton.features.metrics.queries import Origin
from craton.infra.store.opening import MEMORY, open_store
from craton.infra.store.port import Resource
from craton.infra.store.threaded import ThreadedStore
from craton.models.catalog.prices import Price, PriceList, Prices

NOON = datetime(2026, 1, 31, 12, 30, tzinfo=UTC)
PRICES = Prices((PriceList(date(2026, 1, 1), "x", {"m": Price(Decimal(1_000_000))}),))
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:tell"
BLUE = '[["team","blue"]]'


class World:
    """A clock, and a store that holds some hours."""

    def __init__(self, *rules: BudgetTable) -> None:
        self.now = NOON
        self.hours: list[Used] | None = []
        self.meanwhile: Callable[[], None] = lambda: None
        self.budgets = Budgets(rules, PRICES, lambda: self.now, self.at_rest)

    async def at_rest(self, mark: Callable[[], None], _work: Any) -> Any:
        if self.hours is not None:
            mark()
            self.meanwhile()
        return self.hours

    def row(self, tokens: int, *, minutes: int = 0, **use: str) -> None:
        at_s = int((NOON + timedelta(minutes=minutes)).timestamp())
        record = Record(1, input_tokens={tokens: 1})
        self.budgets.note([Row(at_s, "1", "r", "named", record, Use(**{"served": "m", **use}))])


def rule(name: str = "b", amount: int = 10, **more: Any) -> BudgetTable:
    return BudgetTable(name=name, amount=Decimal(amount), **more)


def test_what_counts() -> None:
    """Callers, models and tags that fit, at the price of what was used."""
    world = World(
        rule("all"), rule("ann", principal="arn:*/ann"), rule("blue", tag={"team": "blue"}), rule("other", model="n")
    )
    world.row(1, principal="arn:user/ann")
    world.row(2, tags=BLUE)
    world.row(4, served="unpriced")
    assert world.budgets.spent == {"all": 3, "ann": 1, "blue": 2, "other": 0}
    assert world.budgets.over() == []
    world.row(7)
    assert world.budgets.over() == [0]


def test_a_new_period_begins_with_nothing() -> None:
    """And what still comes of the old one does not count against it."""
    world = World(rule("hour", period="hour"), rule("day", period="day"), rule("month"))
    world.row(10)
    assert world.budgets.over() == [0, 1, 2]
    world.now += timedelta(hours=1)
    assert world.budgets.over() == [1, 2]
    world.row(1)
    assert world.budgets.spent == {"hour": 0, "day": 11, "month": 11}
    world.now += timedelta(days=1)
    assert world.budgets.over() == []


def test_sums_are_made_anew() -> None:
    """Of what is stored, of the budget's own period, and of what was told while the store was asked."""
    world = World(rule("day", period="day"), rule("month"))
    world.row(5)
    hour = int(NOON.timestamp()) // 3600
    counts = dict.fromkeys(COUNTS, 0) | {"input_tokens": 5}
    named = {"account": "1", "region": "r", "principal": "p", "served": "m"}
    world.hours = [Used(hour, counts, **named), Used(hour - 48, counts, **named)]
    world.meanwhile = lambda: world.row(2)
    asyncio.run(world.budgets.recount())
    assert world.budgets.spent == {"day": 7, "month": 12}
    world.hours = None
    world.row(1)
    asyncio.run(world.budgets.recount())
    assert world.budgets.spent == {"day": 8, "month": 13}
    world.budgets.clear()
    assert world.budgets.spent == {"day": 0, "month": 0}


def test_a_worker_refuses_what_is_used_up() -> None:
    """By the model behind the name; budgets that are only watched refuse nobody."""
    rules = [rule("watched"), rule("blue", action="refuse", period="day", tag={"team": "blue"})]

    async def ask() -> list[int]:
        return [0, 1]

    async def work() -> Budgeted:
        gate = Budgeted(rules, None, ask)
        following = asyncio.create_task(gate.follow())
        await asyncio.sleep(0)
        following.cancel()
        return gate

    gate = asyncio.run(work())
    tags = {"team": "blue"}
    call: Any = SimpleNamespace(
        account="1", region="r", caller=SimpleNamespace(arn="arn:ann"), resource_tags=lambda _arn: tags
    )
    resolved: Any = SimpleNamespace(resources=("arn:m",), route=SimpleNamespace(model_id="m"))
    with pytest.raises(Fault, match="The budget blue for this day is used up") as refused:
        asyncio.run(gate.reserve(call, resolved, 1))
    assert refused.value.name == "ThrottlingException"
    tags = {}
    assert asyncio.run(gate.reserve(call, resolved, 1)) is NOTHING
    gate.forget()
    assert gate.over == ()


def test_who_listens_hears_at_once() -> None:
    """The sums are told at the start, and when a budget is used up, not only every half minute."""
    world = World(rule("all", action="alarm"))
    told: list[dict[str, float]] = []

    async def main() -> None:
        async def tell(spent: dict[str, float]) -> None:
            told.append(spent)

        world.hours = None  # no store: the sums are what was noted
        world.budgets.tell = tell
        running = asyncio.create_task(world.budgets.run())
        await asyncio.sleep(0)
        world.row(9)
        world.row(1)
        async with asyncio.timeout(10):
            while len(told) < 2:
                await asyncio.sleep(0.01)
        running.cancel()

    asyncio.run(main())
    assert told == [{"all": 0}, {"all": 10}]


def test_an_alarm_of_a_budget() -> None:
    """There is one with the budget's terms; it is raised by what was spent, and keeps its state when its terms change."""
    store = open_store(MEMORY)

    async def ask(work: Callable[[Any], Any]) -> Any:
        return work(store)

    def told(spent: float, *notify: str) -> Resource:
        budget = rule("all", action="alarm", notify=list(notify))
        tell = teller(Settings(home="/nowhere", file=ConfigFile(budget=[budget])), ask)
        assert tell is not None
        asyncio.run(tell({"all": spent}))
        row = store.get("arn:aws:cloudwatch:us-east-1:000000000000:alarm:budget-all")
        assert row is not None
        return row

    first = told(4.0)
    second = told(11.0)
    assert second == first
    storage = ThreadedStore(lambda: store, nothing, lambda: b"secret")
    later = datetime.now(UTC) + timedelta(minutes=2)
    alarm = second.read(Alarm)
    assert alarm.watch is not None
    state = asyncio.run(of_metrics(Origin(second.account, second.region, storage, later), alarm.watch, alarm.state))
    assert state is not None
    assert (state.value, "[11.0 (" in state.reason) == ("ALARM", True)
    with store.transaction() as transaction:
        transaction.update(with_alarm(second, msgspec.structs.replace(alarm, state=state), later))
    changed = told(12.0, FUNCTION).read(Alarm)
    assert changed.state.value == "ALARM"
    assert changed.actions == {"ALARM": (FUNCTION,), "OK": (FUNCTION,)}
    with pytest.raises(ConfigError, match="not arn:aws:sns"):
        told(1.0, "arn:aws:sns:us-east-1:000000000000:topic")
    storage.close()


async def nothing() -> None:
    """Nobody else has to know."""
