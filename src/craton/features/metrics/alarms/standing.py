"""Alarms that the configuration asks for, beside those that callers make.

Owns what of one stays when its terms change: its state, its tags, and whether its actions are switched on. One that the
configuration has no more stays until somebody deletes it. It must not know what metrics mean.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from craton.features.metrics.alarms.alarm import (
    ALARM,
    METRIC,
    OK,
    QUERY,
    UNKNOWN,
    Alarm,
    DataQuery,
    Dimension,
    MetricStat,
    NamedMetric,
    State,
    Watch,
    alarm_arn,
    row_of,
    with_alarm,
)
from craton.features.metrics.alarms.change import look_now, remember
from craton.features.metrics.alarms.history import CONFIGURATION, Item
from craton.features.metrics.alarms.reason import INITIAL
from craton.infra.series.metrics_index import MINUTE_S, Metric
from craton.infra.store.port import Resource, Transaction


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A metric whose largest value of a minute must stay below a threshold. `actions` are told of alarm and of its end."""

    name: str
    description: str
    metric: Metric
    threshold: float
    actions: tuple[str, ...]


def keep(transaction: Transaction, one: Standing, now: datetime) -> None:
    """Make it if it is missing, and change it if its terms differ."""
    row = transaction.get(alarm_arn(one.metric.account, one.metric.region, one.name))
    alarm = _alarm(one, now)
    if row is None:
        made = transaction.create(row_of(one.metric.account, one.metric.region, one.name, alarm))
        _note(transaction, made, "created", now)
    else:
        before = row.read(Alarm)
        same = msgspec.structs.replace(
            alarm, state=before.state, configured_at=before.configured_at, enabled=before.enabled, tags=before.tags
        )
        if same == before:
            return
        after = msgspec.structs.replace(same, configured_at=now)
        _note(transaction, transaction.update(with_alarm(row, after, now)), "updated", now)
    look_now(transaction, now)


def _alarm(one: Standing, now: datetime) -> Alarm:
    dimensions = tuple(Dimension(name, value) for name, value in one.metric.dimensions)
    named = NamedMetric(one.metric.namespace, one.metric.name, dimensions)
    watch = Watch(
        queries=(DataQuery(QUERY, MetricStat(named, MINUTE_S, "Maximum")),), plain=True, periods=1, to_alarm=1,
        comparison="GreaterThanOrEqualToThreshold", threshold=one.threshold, missing="ignore",
    )  # fmt: skip
    actions = {ALARM: one.actions, OK: one.actions} if one.actions else {}
    return Alarm(
        configured_at=now, state=State(UNKNOWN, INITIAL, now, now), description=one.description, actions=actions,
        watch=watch,
    )  # fmt: skip


def _note(transaction: Transaction, row: Resource, what: str, now: datetime) -> None:
    item = Item(f'Alarm "{row.id}" {what}', '{"version": "1.0"}')
    remember(transaction, row, METRIC, CONFIGURATION, now, item)
