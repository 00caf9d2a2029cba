"""PutMetricAlarm and PutCompositeAlarm: an alarm is made, or takes another form.

Owns what a change of form leaves as it is: the state, and the tags, which are given once. When either returns, the alarm
is about to be looked at.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from craton.aws.access.request import tag_keys
from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.features.metrics.alarms.alarm import (
    COMPOSITE,
    KIND,
    METRIC,
    MOST_ALARMS,
    UNKNOWN,
    Alarm,
    Combination,
    State,
    alarm_arn,
    row_of,
    with_alarm,
)
from craton.features.metrics.alarms.reason import INITIAL
from craton.features.metrics.faults import as_faults
from craton.infra.store.port import Reader, Resource, Transaction
from craton.services.cloudwatch.alarm_request import (
    actions_of,
    combination_of,
    name_of,
    refused,
    tags_of,
    watch_of,
)
from craton.services.cloudwatch.alarm_shown import shown
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.cloudwatch import PutCompositeAlarmInput, PutMetricAlarmInput

OTHER_TYPE = "An alarm of the name {} is there already, and is no {}."


@operation("cloudwatch", "PutMetricAlarm", status="partial")
async def put_metric_alarm(call: Call, req: PutMetricAlarmInput) -> None:
    authorize(call, "PutMetricAlarm", req)
    await keep(call, req, fresh(call, req, watch=watch_of(call, req)), METRIC)


@operation("cloudwatch", "PutCompositeAlarm")
async def put_composite_alarm(call: Call, req: PutCompositeAlarmInput) -> None:
    authorize(call, "PutCompositeAlarm", req)
    found = combination_of(call, req)
    await keep(call, req, fresh(call, req, combination=found), COMPOSITE)


def authorize(call: Call, action: str, req: Any) -> None:
    given = {one.Key: one.Value for one in req.Tags or ()}
    arn, keys = alarm_arn(call.account, call.region, req.AlarmName), tag_keys(request_tags=given)
    call.authorize(f"cloudwatch:{action}", arn, given=keys)
    if given:
        call.authorize("cloudwatch:TagResource", arn, given=keys)


def fresh(call: Call, req: Any, **what: Any) -> Alarm:
    """The alarm as if it were new."""
    now = call.now()
    return Alarm(
        configured_at=now, state=State(UNKNOWN, INITIAL, now, now), description=req.AlarmDescription,
        enabled=req.ActionsEnabled is not False, actions=actions_of(call, req), tags=tags_of(req.Tags), **what,
    )  # fmt: skip


async def keep(call: Call, req: Any, alarm: Alarm, type_: str) -> None:
    """Write the alarm down, remember that, and have it looked at."""
    from craton.features.metrics.alarms.change import look_now, remember
    from craton.features.metrics.alarms.history import CONFIGURATION, Item

    name, now = name_of(req.AlarmName), call.now()

    def work(transaction: Transaction) -> None:
        before = transaction.get(alarm_arn(call.account, call.region, name))
        if alarm.combination is not None:
            _check_circle(transaction, call, name, alarm.combination)
        if before is None:
            if transaction.count(call.account, call.region, KIND) >= MOST_ALARMS:
                raise Fault("LimitExceeded", f"An account may have {MOST_ALARMS} alarms in a region.", status=400)
            row = transaction.create(row_of(call.account, call.region, name, alarm))
        else:
            row = transaction.update(with_alarm(before, _over(before, alarm, type_), now))
        was = None if before is None else shown(before)
        item = Item(f'Alarm "{name}" {"created" if was is None else "updated"}', _data(was, row, now))
        remember(transaction, row, type_, CONFIGURATION, now, item)
        look_now(transaction, now)

    with as_faults():
        await call.app.storage.keep(work)


def _over(before: Resource, alarm: Alarm, type_: str) -> Alarm:
    """The new form over the old one."""
    old = before.read(Alarm)
    if old.type != type_:
        raise refused(OTHER_TYPE.format(before.id, type_))
    return msgspec.structs.replace(alarm, state=old.state, tags=old.tags)


def _check_circle(store: Reader, call: Call, name: str, combination: Combination) -> None:
    """Raise ValidationError for a rule about an alarm that is not there, or that leads back to itself."""
    from craton.features.metrics.alarms.rule import alarms_in, parse

    seen: set[str] = set()
    own = alarm_arn(call.account, call.region, name)

    def arn_of(other: str) -> str:
        return other if other.startswith("arn:") else alarm_arn(call.account, call.region, other)

    left = [arn_of(one) for one in alarms_in(parse(combination.rule))]
    direct = frozenset(left)
    while left:
        arn = left.pop()
        if arn == own:
            raise refused(f"The alarm rule of {name} depends on itself.")
        if arn in seen:
            continue
        seen.add(arn)
        row = store.get(arn)
        if row is None or row.account != call.account or row.kind != KIND:
            if arn in direct:
                raise refused(f"Could not save the composite alarm as alarms [{arn}] in the alarm rule do not exist")
            continue
        other = row.read(Alarm).combination
        left += [] if other is None else [arn_of(one) for one in alarms_in(parse(other.rule))]


def _data(before: dict[str, Any] | None, row: Resource, now: datetime) -> str:
    after = shown(row)
    told: dict[str, Any] = {"version": "1.0", "type": "Create" if before is None else "Update"}
    told |= {"createdAlarm": after} if before is None else {"updatedAlarm": after, "previousAlarm": before}
    return msgspec.json.encode(told).decode()
