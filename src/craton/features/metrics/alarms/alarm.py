"""An alarm as a row of the store: what it watches, when it is raised, whom it tells, and the state it is in.

Owns the row's body, the ARN and the forms in which queries are kept, which are the API's. An alarm on one metric is kept as
one on a single query. It must not know requests, nor how a state is found.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, Literal

import msgspec

from craton.infra.store.port import Resource

KIND: Final = "cloudwatch-alarm"
METRIC: Final = "MetricAlarm"
COMPOSITE: Final = "CompositeAlarm"
MOST_ALARMS: Final = 5000
OK: Final = "OK"
ALARM: Final = "ALARM"
UNKNOWN: Final = "INSUFFICIENT_DATA"
STATES: Final = (OK, ALARM, UNKNOWN)
QUERY: Final = "m1"
"""The id of the query of an alarm on one metric."""

Value = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]


class Dimension(msgspec.Struct, frozen=True):
    """Of a metric, in the API's spelling, as all of a query's parts."""

    Name: str
    Value: str


class NamedMetric(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which metric."""

    Namespace: str | None = None
    MetricName: str | None = None
    Dimensions: tuple[Dimension, ...] | None = None


class MetricStat(msgspec.Struct, frozen=True, omit_defaults=True):
    """A statistic of a metric. `Period` in seconds."""

    Metric: NamedMetric
    Period: int
    Stat: str
    Unit: str | None = None


class DataQuery(msgspec.Struct, frozen=True, omit_defaults=True):
    """One query of several."""

    Id: str
    MetricStat: MetricStat | None = None
    Expression: str | None = None
    Label: str | None = None
    ReturnData: bool | None = None
    Period: int | None = None
    AccountId: str | None = None


class State(msgspec.Struct, frozen=True, omit_defaults=True):
    """The state of an alarm. `reason_data` is JSON; `changed_at`: since when its value is what it is."""

    value: Value
    reason: str
    updated_at: datetime
    changed_at: datetime
    reason_data: str = ""


class Watch(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a metric alarm holds its queries against. `to_alarm` of `periods` points beyond the threshold raise it.

    `plain`: it was made on one metric. `missing` is how points that are not there count, `few_samples` whether a
    percentile of few samples counts.
    """

    queries: tuple[DataQuery, ...]
    plain: bool
    comparison: str
    threshold: float
    periods: int
    to_alarm: int
    # As they were given: None is told as absent.
    given_to_alarm: int | None = None
    missing: str | None = None
    few_samples: str | None = None

    @property
    def returned(self) -> DataQuery:
        """The query whose points are looked at."""
        return next(one for one in self.queries if one.ReturnData is not False)


class Combination(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a composite alarm is made of: a rule over others, and an alarm while which its actions wait.

    `silenced` tells by what actions are held back at the moment; `held` that there are some.
    """

    rule: str
    suppressor: str | None = None
    wait_s: int | None = None
    extension_s: int | None = None
    silenced: str = ""
    silenced_at: datetime | None = None
    held: bool = False


class Alarm(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The body of the row: `watch` or `combination`, one of them. `actions` by the state that they tell of."""

    configured_at: datetime
    state: State
    description: str | None = None
    enabled: bool = True
    actions: dict[str, tuple[str, ...]] = {}
    watch: Watch | None = None
    combination: Combination | None = None
    tags: dict[str, str] = {}

    @property
    def type(self) -> str:
        return METRIC if self.watch is not None else COMPOSITE


def alarm_arn(account: str, region: str, name: str) -> str:
    return f"arn:aws:cloudwatch:{region}:{account}:alarm:{name}"


def row_of(account: str, region: str, name: str, alarm: Alarm) -> Resource:
    """A new row."""
    return Resource(
        account=account, region=region, kind=KIND, id=name, name=name, arn=alarm_arn(account, region, name),
        status=alarm.state.value, created_at=alarm.configured_at, updated_at=alarm.configured_at,
        body=msgspec.json.encode(alarm),
    )  # fmt: skip


def with_alarm(row: Resource, alarm: Alarm, now: datetime) -> Resource:
    """The row with another body."""
    return msgspec.structs.replace(
        row, body=msgspec.json.encode(alarm), status=alarm.state.value, updated_at=max(now, row.updated_at)
    )


def stamp(moment: datetime) -> str:
    """A time as events and reasons have it: `2026-11-23T07:30:00.000+0000`."""
    at = moment.astimezone(UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}+0000"
