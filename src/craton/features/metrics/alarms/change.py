"""An alarm's state changes: the row, what is remembered of it, and what is to be done, all in one transaction.

Owns that transaction, so that a change is written down once and its actions follow, whatever dies in between. How an action
is carried out is the workflow's (`workflows.alarms`). It must not know how a state was found.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import msgspec

from craton.features.metrics.alarms import history
from craton.features.metrics.alarms.alarm import ALARM, Alarm, Combination, State, with_alarm
from craton.features.metrics.alarms.history import Item
from craton.features.metrics.alarms.message import detail, for_people
from craton.infra.jobs import runs
from craton.infra.jobs.runs import SCHEDULED, Appointment
from craton.infra.store.port import Reader, Resource, Transaction

SWEEP: Final = "alarms"
SWEPT_S: Final = 10.0
ACTION: Final = "alarm-action"
BY_ALARM, BY_WAIT, BY_EXTENSION = "Alarm", "WaitPeriod", "ExtensionPeriod"
HELD: Final = {
    BY_ALARM: "Actions suppressed by {}",
    BY_WAIT: "Actions suppressed for the wait period of {}",
    BY_EXTENSION: "Actions suppressed for the extension period of {}",
}
Tell = Callable[[Transaction, Resource, dict[str, Any]], None]
"""Passes an event's detail on, in the same transaction."""


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """Something to do: the body of its row. `told` is the event's detail, `message` what people get."""

    alarm: str
    name: str
    type: str
    target: str
    told: dict[str, Any]
    message: dict[str, Any]
    since: datetime


def look_now(transaction: Transaction, now: datetime) -> None:
    """Have the alarms looked at as soon as this is committed."""
    arn = Appointment(SWEEP, SWEPT_S, ()).arn
    transaction.run(lambda connection: runs.enqueue(connection, arn, SCHEDULED, now))


def change_state(
    transaction: Transaction, row: Resource, alarm: Alarm, state: State, now: datetime, tell: Tell
) -> Resource:  # fmt: skip
    """Give the alarm its new state; the row as it is then."""
    before = alarm.state
    changed = msgspec.structs.replace(alarm, state=state)
    due = changed.enabled
    if changed.combination is not None and changed.combination.suppressor is not None:
        held = _on_change(transaction, row, changed.combination, now)
        changed = msgspec.structs.replace(changed, combination=held)
        due = due and not held.held
    kept = transaction.update(with_alarm(row, changed, now))
    told = detail(kept, changed, before)
    data: dict[str, Any] = {"version": "1.0", "oldState": _shown(before), "newState": _shown(state)}
    item = Item(f"Alarm updated from {before.value} to {state.value}", msgspec.json.encode(data).decode())
    remember(transaction, kept, changed.type, history.STATE, now, item)
    tell(transaction, kept, told)
    if due:
        act(transaction, kept, changed, before, now)
    return kept


def release(transaction: Transaction, row: Resource, alarm: Alarm, now: datetime) -> None:
    """Do what was held back, or hold it on: `row` is a composite alarm whose actions wait."""
    combination = alarm.combination
    if combination is None or not combination.held:
        return
    after = _on_time(transaction, row, combination, now)
    if after == combination:
        return
    changed = msgspec.structs.replace(alarm, combination=after)
    kept = transaction.update(with_alarm(row, changed, now))
    if not after.held and changed.enabled:
        act(transaction, kept, changed, changed.state, now)


def act(transaction: Transaction, row: Resource, alarm: Alarm, before: State, now: datetime) -> None:
    """Put down the actions for the alarm's state, each a run of its own."""
    told, message = detail(row, alarm, before), for_people(row, alarm, before)
    for target in alarm.actions.get(alarm.state.value, ()):
        ident = str(uuid4())
        body = Action(
            alarm=row.arn, name=row.id, type=alarm.type, target=target, told=told, message=message, since=now
        )  # fmt: skip
        arn = f"arn:aws:cloudwatch:{row.region}:{row.account}:{ACTION}:{ident}"
        transaction.create(
            Resource(
                account=row.account, region=row.region, kind=ACTION, id=ident, arn=arn, status="Waiting",
                created_at=now, updated_at=now, body=msgspec.json.encode(body),
            )
        )  # fmt: skip
        transaction.run(lambda connection, arn=arn: runs.enqueue(connection, arn, ACTION, now))  # type: ignore[misc]


def remember(transaction: Transaction, row: Resource, type_: str, kind: str, now: datetime, item: Item) -> None:
    """Add to the alarm's history."""
    account, region, name = row.account, row.region, row.id
    transaction.run(lambda connection: history.add(connection, account, region, name, type_, kind, now, item))


def _on_change(store: Reader, row: Resource, combination: Combination, now: datetime) -> Combination:
    if _suppressing(store, row, combination):
        return msgspec.structs.replace(combination, silenced=BY_ALARM, silenced_at=now, held=True)
    if combination.wait_s:
        return msgspec.structs.replace(combination, silenced=BY_WAIT, silenced_at=now, held=True)
    return _free(combination)


def _on_time(store: Reader, row: Resource, combination: Combination, now: datetime) -> Combination:
    if _suppressing(store, row, combination):
        if combination.silenced == BY_ALARM:
            return combination
        return msgspec.structs.replace(combination, silenced=BY_ALARM, silenced_at=now)
    if combination.silenced == BY_ALARM:
        if combination.extension_s:
            return msgspec.structs.replace(combination, silenced=BY_EXTENSION, silenced_at=now)
        return _free(combination)
    wait_s = combination.wait_s if combination.silenced == BY_WAIT else combination.extension_s
    over = now - (combination.silenced_at or now) >= timedelta(seconds=wait_s or 0)
    return _free(combination) if over else combination


def _free(combination: Combination) -> Combination:
    return msgspec.structs.replace(combination, silenced="", silenced_at=None, held=False)


def _suppressing(store: Reader, row: Resource, combination: Combination) -> bool:
    name = combination.suppressor or ""
    arn = name if name.startswith("arn:") else f"arn:aws:cloudwatch:{row.region}:{row.account}:alarm:{name}"
    found = store.get(arn)
    return found is not None and found.account == row.account and found.status == ALARM


def _shown(state: State) -> dict[str, Any]:
    told: dict[str, Any] = {"stateValue": state.value, "stateReason": state.reason}
    if state.reason_data:
        told["stateReasonData"] = msgspec.Raw(state.reason_data.encode())
    return told
