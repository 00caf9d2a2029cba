"""The state that an alarm should be in now.

Owns how what was read becomes a state with its reasons, for metric and for composite alarms. What cannot be reckoned any
more leaves a metric alarm in INSUFFICIENT_DATA with the fault as its reason. It must not know what a change leads to.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from craton.aws.wire.faults import Fault
from craton.features.metrics.alarms import reason
from craton.features.metrics.alarms.alarm import ALARM, OK, UNKNOWN, Combination, State, Value, Watch, alarm_arn
from craton.features.metrics.alarms.judge import MISSING, Terms, Verdict, judge, needed_samples
from craton.features.metrics.alarms.reading import Looked, look
from craton.features.metrics.alarms.rule import RuleFault, alarms_in, holds, parse
from craton.features.metrics.queries import Origin
from craton.infra.store.port import Reader, Resource

IGNORED = "ignore"


async def of_metrics(origin: Origin, watch: Watch, now_in: State) -> State | None:
    """The new state of a metric alarm; None where it stays as it is. Raises Fault of the server's own, StoreError."""
    try:
        looked = await look(origin, watch)
    except Fault as fault:
        if fault.http_status() >= 500:
            raise
        return _state(UNKNOWN, f"Evaluation error: {fault.message}", "", now_in, origin.now)
    verdict = judge(looked.found, terms_of(watch))
    if verdict.value is None or (_says_little(watch, verdict) and verdict.value != UNKNOWN):
        return None
    if verdict.value == now_in.value:
        return None
    words = reason.words(verdict, watch, now_in.value)
    return _state(verdict.value, words, _data(verdict, watch, looked, origin.now), now_in, origin.now)


def of_others(store: Reader, row: Resource, combination: Combination, now_in: State, now: datetime) -> State | None:
    """The new state of a composite alarm, from what the others are in now; None where it stays as it is."""
    found: dict[str, str] = {}

    def state_of(alarm: str) -> str:
        if alarm not in found:
            other = store.get(arn_of(row, alarm))
            found[alarm] = other.status if other is not None and other.account == row.account else UNKNOWN
        return found[alarm]

    try:
        node = parse(combination.rule)
    except RuleFault:
        return None
    value: Value = ALARM if holds(node, state_of) else OK
    if value == now_in.value:
        return None
    causes = [one for one in dict.fromkeys(alarms_in(node)) if state_of(one) == ALARM]
    words = _told(row, value, causes, combination.rule)
    data = {"triggeringAlarms": [{"arn": arn_of(row, one), "state": {"value": state_of(one)}} for one in causes]}
    return _state(value, words, msgspec.json.encode(data).decode(), now_in, now)


def terms_of(watch: Watch) -> Terms:
    return Terms(watch.comparison, watch.threshold, watch.periods, watch.to_alarm, watch.missing or MISSING)


def arn_of(row: Resource, alarm: str) -> str:
    """The ARN of an alarm that another speaks of."""
    return alarm if alarm.startswith("arn:") else alarm_arn(row.account, row.region, alarm)


def set_by_hand(value: Value, words: str, data: str, before: State, now: datetime) -> State:
    return _state(value, words, data, before, now)


def _says_little(watch: Watch, verdict: Verdict) -> bool:
    """Whether a point is a percentile of too few samples, and such are not to count."""
    stat = watch.returned.MetricStat
    if watch.few_samples != IGNORED or stat is None:
        return False
    needed = needed_samples(stat.Stat)
    return any(point.samples is not None and point.samples < needed for point in verdict.points)


def _data(verdict: Verdict, watch: Watch, looked: Looked, now: datetime) -> str:
    recent = [point for point in looked.found if point is not None][-watch.periods :]
    return reason.data(verdict, watch, looked.start, now, recent)


def _told(row: Resource, value: Value, causes: list[str], rule: str) -> str:
    if not causes:
        return f"{row.arn} transitioned to {value}: the rule {rule} {'holds' if value == ALARM else 'does not hold'}"
    listed = ", ".join(arn_of(row, one) for one in causes[:5])
    return f"{row.arn} transitioned to {value}; in ALARM: {listed}"


def _state(value: Value, words: str, data: str, before: State, now: datetime) -> State:
    changed_at = before.changed_at if value == before.value else now
    return State(value, words[:1023], now, changed_at, data[:4000] if len(data) <= 4000 else "")
