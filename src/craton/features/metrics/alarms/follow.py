"""Composite alarms follow the alarms that they speak of, and those that speak of them.

Owns the order: as long as a state moves, all are looked at again. Everything here happens in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from craton.features.metrics.alarms.alarm import KIND, Alarm
from craton.features.metrics.alarms.change import Tell, change_state, release
from craton.features.metrics.alarms.examine import of_others
from craton.infra.store.port import Query, Reader, Transaction

DEEPEST: Final = 20
"""Composite alarms over composite ones: so often a change may pass on at once."""
_MOST: Final = 1_000_000


def composite(store: Reader, account: str, region: str) -> list[str]:
    """The ARNs of the composite alarms."""
    rows = store.list(Query(kind=KIND, account=account, region=region, limit=_MOST)).items
    return [row.arn for row in rows if row.read(Alarm).combination is not None]


def follow(transaction: Transaction, arns: Sequence[str], now: datetime, tell: Tell) -> None:
    """Bring these composite alarms to the states that they should be in."""
    for _ in range(DEEPEST):
        if not sum(combine(transaction, arn, now, tell) for arn in arns):
            return


def combine(transaction: Transaction, arn: str, now: datetime, tell: Tell) -> bool:
    """Whether a composite alarm changed its state; actions that were held back are done when it is time."""
    row = transaction.get(arn)
    alarm = None if row is None else row.read(Alarm)
    if row is None or alarm is None or alarm.combination is None:
        return False
    state = of_others(transaction, row, alarm.combination, alarm.state, now)
    if state is None:
        release(transaction, row, alarm, now)
        return False
    change_state(transaction, row, alarm, state, now, tell)
    return True


def is_due(store: Reader, arn: str, now: datetime) -> bool:
    """Whether `combine` may have something to do."""
    row = store.get(arn)
    alarm = None if row is None else row.read(Alarm)
    if row is None or alarm is None or alarm.combination is None:
        return False
    return alarm.combination.held or of_others(store, row, alarm.combination, alarm.state, now) is not None
