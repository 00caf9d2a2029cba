"""What is told of an alarm's change of state: to functions, to webhooks and topics, to the bus of events.

Owns the three forms. Pure. Sources: CloudWatch user guide, "Invoke a Lambda function from an alarm" and "Alarm events and
EventBridge"; messages of alarms as SNS delivers them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import msgspec

from craton.features.metrics.alarms.alarm import UNKNOWN, Alarm, Combination, DataQuery, State, Watch, stamp
from craton.features.metrics.alarms.judge import MISSING
from craton.infra.store.port import Resource

SOURCE: Final = "aws.cloudwatch"


def detail(row: Resource, alarm: Alarm, before: State) -> dict[str, Any]:
    """The members that an event of a change has: `alarm` as it is now."""
    return {
        "alarmName": row.id,
        "configuration": _configuration(row, alarm),
        "previousState": _state(before),
        "state": _state(alarm.state),
    }


def for_function(row: Resource, told: dict[str, Any], now: datetime) -> bytes:
    """The payload of a function's invocation."""
    return msgspec.json.encode({
        "source": SOURCE, "alarmArn": row.arn, "accountId": row.account, "time": stamp(now), "region": row.region,
        "alarmData": told,
    })  # fmt: skip


def for_people(row: Resource, alarm: Alarm, before: State) -> dict[str, Any]:
    """The message that topics carry."""
    message: dict[str, Any] = {
        "AlarmName": row.id,
        "AlarmDescription": alarm.description,
        "AWSAccountId": row.account,
        "AlarmConfigurationUpdatedTimestamp": stamp(alarm.configured_at),
        "NewStateValue": alarm.state.value,
        "NewStateReason": alarm.state.reason,
        "StateChangeTime": stamp(alarm.state.updated_at),
        "Region": row.region,
        "AlarmArn": row.arn,
        "OldStateValue": before.value,
        "OKActions": list(alarm.actions.get("OK", ())),
        "AlarmActions": list(alarm.actions.get("ALARM", ())),
        "InsufficientDataActions": list(alarm.actions.get(UNKNOWN, ())),
    }
    if alarm.watch is not None:
        message["Trigger"] = _trigger(alarm.watch)
    if alarm.combination is not None:
        message["AlarmRule"] = alarm.combination.rule
    return message


def as_notification(topic: str, message: dict[str, Any], ident: str, now: datetime) -> bytes:
    """The message as a topic's subscribers get it by HTTP."""
    return msgspec.json.encode({
        "Type": "Notification", "MessageId": ident, "TopicArn": topic,
        "Subject": f'{message["NewStateValue"]}: "{message["AlarmName"]}" in {message["Region"]}'[:100],
        "Message": msgspec.json.encode(message).decode(), "Timestamp": stamp(now).replace("+0000", "Z"),
    })  # fmt: skip


def _state(state: State) -> dict[str, Any]:
    return {
        "value": state.value,
        "reason": state.reason,
        **({"reasonData": state.reason_data} if state.reason_data else {}),
        "timestamp": stamp(state.updated_at),
    }


def _configuration(row: Resource, alarm: Alarm) -> dict[str, Any]:
    told: dict[str, Any] = {"description": alarm.description} if alarm.description is not None else {}
    if alarm.watch is not None:
        return {**told, "metrics": [_query(row, one, alarm.watch) for one in alarm.watch.queries]}
    combination = alarm.combination or Combination(rule="")
    told["alarmRule"] = combination.rule
    if combination.suppressor is not None:
        told |= {
            "actionsSuppressor": combination.suppressor,
            "actionsSuppressorWaitPeriod": combination.wait_s or 0,
            "actionsSuppressorExtensionPeriod": combination.extension_s or 0,
        }
    return told


def _query(row: Resource, one: DataQuery, watch: Watch) -> dict[str, Any]:
    told: dict[str, Any] = {"id": str(uuid5(NAMESPACE_URL, row.arn)) if watch.plain else one.Id}
    if one.Expression is not None:
        told["expression"] = one.Expression
    if one.Label is not None:
        told["label"] = one.Label
    stat = one.MetricStat
    if stat is not None:
        dimensions = {each.Name: each.Value for each in stat.Metric.Dimensions or ()}
        metric = {"namespace": stat.Metric.Namespace, "name": stat.Metric.MetricName, "dimensions": dimensions}
        told["metricStat"] = {"metric": metric, "period": stat.Period, "stat": stat.Stat}
        if stat.Unit is not None:
            told["metricStat"]["unit"] = stat.Unit
    told["returnData"] = one.ReturnData is not False
    return told


def _trigger(watch: Watch) -> dict[str, Any]:
    told: dict[str, Any] = {
        "EvaluationPeriods": watch.periods,
        "DatapointsToAlarm": watch.to_alarm,
        "ComparisonOperator": watch.comparison,
        "Threshold": watch.threshold,
        "TreatMissingData": watch.missing or MISSING,
        "EvaluateLowSampleCountPercentile": watch.few_samples or "",
    }
    stat = watch.returned.MetricStat
    if not watch.plain or stat is None:
        return {"Metrics": msgspec.to_builtins(watch.queries), **told}
    dimensions = [{"name": each.Name, "value": each.Value} for each in stat.Metric.Dimensions or ()]
    return {
        "MetricName": stat.Metric.MetricName, "Namespace": stat.Metric.Namespace, "StatisticType": "Statistic",
        "Statistic": stat.Stat.upper(), "Unit": stat.Unit, "Dimensions": dimensions, "Period": stat.Period, **told,
    }  # fmt: skip
