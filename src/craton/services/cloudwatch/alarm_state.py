"""SetAlarmState, the switches of actions, and DeleteAlarms.

Owns the operations on alarms that are there. A state that was set by hand holds until the alarm is looked at again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.features.metrics.alarms.alarm import Alarm, alarm_arn, with_alarm
from craton.features.metrics.alarms.examine import set_by_hand
from craton.features.metrics.alarms.rule import alarms_in, parse
from craton.features.metrics.faults import as_faults
from craton.infra.store.port import Resource, Transaction
from craton.services.cloudwatch.alarm_request import refused
from craton.services.cloudwatch.alarm_shown import shown
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.cloudwatch import (
        DeleteAlarmsInput,
        DisableAlarmActionsInput,
        EnableAlarmActionsInput,
        SetAlarmStateInput,
    )

MOST_NAMES = 100


@operation("cloudwatch", "SetAlarmState")
async def set_alarm_state(call: Call, req: SetAlarmStateInput) -> None:
    from craton.features.events.alarm_change import tell
    from craton.features.metrics.alarms.change import change_state
    from craton.features.metrics.alarms.follow import composite, follow

    arn = alarm_arn(call.account, call.region, req.AlarmName)
    call.authorize("cloudwatch:SetAlarmState", arn)
    data, now = _json(req.StateReasonData), call.now()

    def work(transaction: Transaction) -> None:
        row = transaction.get(arn)
        if row is None:
            raise Fault("ResourceNotFound", f"There is no alarm of the name {req.AlarmName}.", status=404)
        alarm = row.read(Alarm)
        if alarm.state.value != req.StateValue:
            state = set_by_hand(req.StateValue, req.StateReason, data, alarm.state, now)
            change_state(transaction, row, alarm, state, now, tell)
        else:
            state = msgspec.structs.replace(alarm.state, reason=req.StateReason, reason_data=data, updated_at=now)
            transaction.update(with_alarm(row, msgspec.structs.replace(alarm, state=state), now))
        follow(transaction, composite(transaction, call.account, call.region), now, tell)

    with as_faults():
        await call.app.storage.keep(work)


@operation("cloudwatch", "EnableAlarmActions")
async def enable_alarm_actions(call: Call, req: EnableAlarmActionsInput) -> None:
    await switch(call, req.AlarmNames, enabled=True)


@operation("cloudwatch", "DisableAlarmActions")
async def disable_alarm_actions(call: Call, req: DisableAlarmActionsInput) -> None:
    await switch(call, req.AlarmNames, enabled=False)


async def switch(call: Call, names: Sequence[str], *, enabled: bool) -> None:
    """Names that are there alone matter, as at AWS."""
    arns = [alarm_arn(call.account, call.region, name) for name in names]
    call.authorize(f"cloudwatch:{call.operation.name}", *arns)
    now = call.now()

    def work(transaction: Transaction) -> None:
        for arn in arns:
            row = transaction.get(arn)
            if row is None:
                continue
            alarm = row.read(Alarm)
            if alarm.enabled != enabled:
                changed = msgspec.structs.replace(alarm, enabled=enabled, configured_at=now)
                _remember(transaction, transaction.update(with_alarm(row, changed, now)), "Update", call)

    with as_faults():
        await call.app.storage.keep(work)


@operation("cloudwatch", "DeleteAlarms")
async def delete_alarms(call: Call, req: DeleteAlarmsInput) -> None:
    names = list(dict.fromkeys(req.AlarmNames))
    arns = [alarm_arn(call.account, call.region, name) for name in names]
    call.authorize("cloudwatch:DeleteAlarms", *arns)
    if len(names) > MOST_NAMES:
        raise refused(f"At most {MOST_NAMES} alarms can be deleted at once.")

    def work(transaction: Transaction) -> None:
        rows = [row for arn in arns if (row := transaction.get(arn)) is not None]
        _check_unused(transaction, call, rows)
        for row in rows:
            _remember(transaction, row, "Delete", call)
            transaction.delete(row.arn)

    with as_faults():
        await call.app.storage.keep(work)


def _check_unused(transaction: Transaction, call: Call, rows: Sequence[Resource]) -> None:
    """Raise ValidationError where a composite alarm that stays speaks of one that goes."""
    from craton.features.metrics.alarms.follow import composite

    gone = {row.arn for row in rows}
    left = [transaction.get(arn) for arn in composite(transaction, call.account, call.region) if arn not in gone]
    for row in left:
        found = None if row is None else row.read(Alarm).combination
        if row is None or found is None:
            continue
        for one in alarms_in(parse(found.rule)):
            arn = one if one.startswith("arn:") else alarm_arn(call.account, call.region, one)
            if arn in gone:
                name = arn.partition(":alarm:")[2]
                raise refused(f"Cannot delete {name} as there are composite alarm(s) depending on it: {row.id}")


def _remember(transaction: Transaction, row: Resource, what: str, call: Call) -> None:
    from craton.features.metrics.alarms.change import remember
    from craton.features.metrics.alarms.history import CONFIGURATION, Item

    data: dict[str, Any] = {"version": "1.0", "type": what, f"{what.lower()}dAlarm": shown(row)}
    item = Item(f'Alarm "{row.id}" {what.lower()}d', msgspec.json.encode(data).decode())
    remember(transaction, row, row.read(Alarm).type, CONFIGURATION, call.now(), item)


def _json(text: str | None) -> str:
    if not text:
        return ""
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        raise Fault("InvalidFormat", "StateReasonData must be JSON.", status=400) from None
    return text
