"""Alarms of budgets: the metric of what was spent of each, and the alarm on it, composed of metering and CloudWatch.

A part of `supervision`, loaded only where there are budgets. The metric is written every half minute and at once when a
budget is used up; the alarm sees it when the minute has ended, as every alarm does.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from craton.config import ConfigError, Settings
from craton.config_watching import BudgetTable
from craton.features.metering.budgets import Tell
from craton.features.metrics.alarms.targets import kind_of
from craton.infra.store.port import Store, StoreError

if TYPE_CHECKING:
    from craton.features.metering.tally import Ask
    from craton.features.metrics.alarms.standing import Standing

NAMESPACE: Final = "Craton/Budgets"
METRIC: Final = "Spent"
DIMENSION: Final = "Budget"
_MINUTE_S: Final = 60


def teller(settings: Settings, ask: Ask) -> Tell | None:
    """Keeps the alarms and writes their metric; None where no budget has an alarm. Raises ConfigError."""
    rules = [rule for rule in settings.file.budget if rule.action == "alarm" or rule.notify]
    for rule in rules:
        for target in rule.notify:
            if kind_of(target, settings.file.cloudwatch.webhooks) is None:
                raise ConfigError(
                    f"[[budget]] {rule.name}: notify must name ARNs of functions or of webhooks, not {target}"
                )
    if not rules:
        return None

    async def tell(spent: dict[str, float]) -> None:
        try:
            await ask(partial(_kept, settings, rules, spent, datetime.now(UTC)))
        except StoreError as error:
            print(f"craton: alarms of budgets could not be kept: {error}", file=sys.stderr, flush=True)

    return tell


def standing(settings: Settings, rule: BudgetTable) -> Standing:
    """The alarm of a budget."""
    from craton.features.metrics.alarms.standing import Standing
    from craton.infra.series.metrics_index import Metric

    return Standing(
        name=f"budget-{rule.name}",
        description=f"The budget {rule.name} for this {rule.period} is used up.",
        metric=Metric(settings.account, settings.region, NAMESPACE, METRIC, ((DIMENSION, rule.name),)),
        threshold=float(rule.amount),
        actions=tuple(rule.notify),
    )


def _kept(settings: Settings, rules: list[BudgetTable], spent: dict[str, float], now: datetime, store: Store) -> None:
    from craton.features.metrics.alarms.standing import keep
    from craton.infra.series.metrics_index import Sample, add
    from craton.infra.series.metrics_summary import of_values

    wanted = [standing(settings, rule) for rule in rules]
    minute_s = int(now.timestamp()) // _MINUTE_S * _MINUTE_S
    samples = [
        Sample(one.metric, minute_s, of_values([(spent[rule.name], 1.0)]))
        for one, rule in zip(wanted, rules, strict=True)
    ]
    with store.transaction() as transaction:
        transaction.run(lambda connection: add(connection, samples, bounded=False))
        for one in wanted:
            keep(transaction, one, now)
