"""An alarm as the API shows it."""

from __future__ import annotations

from typing import Any

import msgspec

from craton.features.metrics.alarms.alarm import ALARM, OK, UNKNOWN, Alarm, Combination, Watch
from craton.features.metrics.alarms.change import HELD
from craton.features.metrics.statistic import PLAIN
from craton.infra.store.port import Resource


def shown(row: Resource) -> dict[str, Any]:
    """The members of a MetricAlarm or a CompositeAlarm."""
    alarm = row.read(Alarm)
    told: dict[str, Any] = {
        "AlarmName": row.id,
        "AlarmArn": row.arn,
        "AlarmDescription": alarm.description,
        "AlarmConfigurationUpdatedTimestamp": alarm.configured_at,
        "ActionsEnabled": alarm.enabled,
        "OKActions": list(alarm.actions.get(OK, ())),
        "AlarmActions": list(alarm.actions.get(ALARM, ())),
        "InsufficientDataActions": list(alarm.actions.get(UNKNOWN, ())),
        "StateValue": alarm.state.value,
        "StateReason": alarm.state.reason,
        "StateReasonData": alarm.state.reason_data or None,
        "StateUpdatedTimestamp": alarm.state.updated_at,
        "StateTransitionedTimestamp": alarm.state.changed_at,
    }
    told |= _watch(alarm.watch) if alarm.watch is not None else {}
    told |= _combination(alarm.combination) if alarm.combination is not None else {}
    return {name: value for name, value in told.items() if value is not None}


def briefly(row: Resource) -> dict[str, Any]:
    """What is shown of an alarm's children and parents."""
    state = row.read(Alarm).state
    return {
        "AlarmName": row.id,
        "AlarmArn": row.arn,
        "StateValue": state.value,
        "StateUpdatedTimestamp": state.updated_at,
    }


def _watch(watch: Watch) -> dict[str, Any]:
    told: dict[str, Any] = {
        "EvaluationPeriods": watch.periods,
        "DatapointsToAlarm": watch.given_to_alarm,
        "Threshold": watch.threshold,
        "ComparisonOperator": watch.comparison,
        "TreatMissingData": watch.missing,
        "EvaluateLowSampleCountPercentile": watch.few_samples,
    }
    if not watch.plain or watch.returned.MetricStat is None:
        return {**told, "Metrics": [_query(one) for one in msgspec.to_builtins(watch.queries)]}
    stat = watch.returned.MetricStat
    return {
        **told,
        "MetricName": stat.Metric.MetricName,
        "Namespace": stat.Metric.Namespace,
        "Statistic" if stat.Stat in PLAIN else "ExtendedStatistic": stat.Stat,
        "Dimensions": msgspec.to_builtins(stat.Metric.Dimensions or ()),
        "Period": stat.Period,
        "Unit": stat.Unit,
    }


def _query(one: dict[str, Any]) -> dict[str, Any]:
    return {**one, "ReturnData": one.get("ReturnData") is not False}


def _combination(found: Combination) -> dict[str, Any]:
    told: dict[str, Any] = {
        "AlarmRule": found.rule,
        "ActionsSuppressor": found.suppressor,
        "ActionsSuppressorWaitPeriod": found.wait_s,
        "ActionsSuppressorExtensionPeriod": found.extension_s,
    }
    if found.held and found.silenced:
        told |= {"ActionsSuppressedBy": found.silenced,
                 "ActionsSuppressedReason": HELD[found.silenced].format(found.suppressor)}  # fmt: skip
    return told
