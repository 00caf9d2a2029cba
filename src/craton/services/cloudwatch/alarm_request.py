"""What a request says of an alarm, checked: what it watches, by which terms, and whom it tells.

Owns the rules of PutMetricAlarm and PutCompositeAlarm, and the words of their faults. It must not know rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.features.metrics.alarms.alarm import (
    ALARM,
    OK,
    QUERY,
    UNKNOWN,
    Combination,
    DataQuery,
    Dimension,
    MetricStat,
    NamedMetric,
    Watch,
)
from craton.features.metrics.alarms.judge import COMPARISONS, TREATMENTS
from craton.features.metrics.alarms.reading import MINUTE_S, period_of
from craton.features.metrics.alarms.rule import RuleFault, parse
from craton.features.metrics.alarms.targets import kind_of
from craton.features.metrics.faults import both, combination, invalid, missing
from craton.features.metrics.math.functions import FUNCTIONS, OPERATORS
from craton.features.metrics.math.parse import Called, Listed, Node
from craton.features.metrics.metric import check_period, dimensions_of
from craton.features.metrics.queries import queries_of
from craton.features.metrics.statistic import statistic

DAY_S: Final = 86_400
LONG_S: Final = 3600
LOW_SAMPLES: Final = ("evaluate", "ignore")
MOST_TAGS: Final = 50
_UNBUILT: Final = (
    "EvaluationWindow", "WarmUpConfiguration", "EvaluationCriteria", "EvaluationInterval", "ActionConfiguration",
    "ThresholdMetricId",
)  # fmt: skip
_OF_METRIC: Final = ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Dimensions", "Period", "Unit")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def refused(text: str) -> Fault:
    return Fault("ValidationError", text, status=400)


def name_of(given: str) -> str:
    """The name of a new alarm. Raises ValidationError."""
    if _CONTROL.search(given) or not given.isascii():
        raise refused("An alarm's name must consist of printable ASCII characters.")
    return given


def watch_of(call: Call, req: Any) -> Watch:
    """What a metric alarm holds against what. Raises Fault."""
    for name in _UNBUILT:
        if getattr(req, name, None) is not None:
            raise refused(f"The parameter {name} is not supported here.")
    queries, plain = _queries(call, req)
    periods = req.EvaluationPeriods
    if periods is None:
        raise missing("EvaluationPeriods")
    if req.ComparisonOperator is None:
        raise missing("ComparisonOperator")
    if req.ComparisonOperator not in COMPARISONS:
        raise refused(f"The comparison operator {req.ComparisonOperator} needs anomaly detection, which is not here.")
    if req.Threshold is None:
        raise missing("Threshold")
    to_alarm = req.DatapointsToAlarm
    if to_alarm is not None and to_alarm > periods:
        raise refused("DatapointsToAlarm must not be greater than EvaluationPeriods.")
    watch = Watch(
        queries=queries, plain=plain, comparison=req.ComparisonOperator, threshold=req.Threshold, periods=periods,
        to_alarm=to_alarm or periods, given_to_alarm=to_alarm, missing=_one_of(req, "TreatMissingData", TREATMENTS),
        few_samples=_one_of(req, "EvaluateLowSampleCountPercentile", LOW_SAMPLES),
    )  # fmt: skip
    _check_span(period_of(watch), periods)
    return watch


def combination_of(call: Call, req: Any) -> Combination:
    """What a composite alarm is made of. Raises Fault."""
    if req.ActionConfiguration is not None:
        raise refused("The parameter ActionConfiguration is not supported here.")
    try:
        parse(req.AlarmRule)
    except RuleFault as fault:
        raise refused(f"The alarm rule cannot be used: {fault}.") from None
    waits = (req.ActionsSuppressorWaitPeriod, req.ActionsSuppressorExtensionPeriod)
    if req.ActionsSuppressor is None and any(one is not None for one in waits):
        raise combination("ActionsSuppressorWaitPeriod and ActionsSuppressorExtensionPeriod need ActionsSuppressor.")
    if req.ActionsSuppressor is not None and any(one is None for one in waits):
        raise combination("ActionsSuppressor needs ActionsSuppressorWaitPeriod and ActionsSuppressorExtensionPeriod.")
    if any(one is not None and one < 0 for one in waits):
        raise invalid("The periods of an ActionsSuppressor must not be negative.")
    return Combination(rule=req.AlarmRule, suppressor=req.ActionsSuppressor, wait_s=waits[0], extension_s=waits[1])


def actions_of(call: Call, req: Any) -> dict[str, tuple[str, ...]]:
    """Whom each state is told to. Raises InvalidParameterValue for a target that nothing leads to."""
    given = {OK: req.OKActions, ALARM: req.AlarmActions, UNKNOWN: req.InsufficientDataActions}
    webhooks = call.app.settings.file.cloudwatch.webhooks
    for target in (target for some in given.values() for target in some or ()):
        if kind_of(target, webhooks) is None:
            raise invalid(
                f"The action {target} cannot be carried out here. It must be the ARN of a Lambda function, or one that "
                "the table [cloudwatch.webhooks] of the server's configuration has an address for."
            )
    return {state: tuple(some) for state, some in given.items() if some}


def tags_of(given: Sequence[Any] | None) -> dict[str, str]:
    """Raises InvalidParameterValue for tags that may not be."""
    tags = {one.Key: one.Value for one in given or ()}
    if len(tags) > MOST_TAGS:
        raise invalid(f"A resource may have {MOST_TAGS} tags at most.")
    if any(key.lower().startswith("aws:") for key in tags):
        raise invalid("Tag keys that begin with aws: are reserved.")
    return tags


def _queries(call: Call, req: Any) -> tuple[tuple[DataQuery, ...], bool]:
    if req.Metrics:
        for name in _OF_METRIC:
            if getattr(req, name):
                raise both("Metrics", name)
        return _several(call, req.Metrics), False
    for name in ("MetricName", "Namespace", "Period"):
        if getattr(req, name) is None:
            raise missing(name)
    if (req.Statistic is None) == (req.ExtendedStatistic is None):
        raise (
            both("Statistic", "ExtendedStatistic")
            if req.Statistic
            else combination("Must specify either Statistic or ExtendedStatistic")
        )
    check_period(req.Period)
    statistic(req.Statistic or req.ExtendedStatistic, "ExtendedStatistic")
    dimensions = tuple(Dimension(*pair) for pair in dimensions_of(req.Dimensions, "Alarm"))
    metric = NamedMetric(req.Namespace, req.MetricName, dimensions or None)
    stat = MetricStat(metric, req.Period, req.Statistic or req.ExtendedStatistic, req.Unit)
    return (DataQuery(QUERY, stat),), True


def _several(call: Call, given: Sequence[Any]) -> tuple[DataQuery, ...]:
    checked = queries_of(call.account, call.region, given)
    if sum(one.returned for one in checked) != 1:
        raise refused("Exactly one element of the metrics list should return data.")
    for one in checked:
        if one.foreign:
            raise refused("Metrics of other accounts cannot be watched here.")
        for name in _called(one.node) if one.node is not None else ():
            if name not in FUNCTIONS and name not in OPERATORS and name != "METRICS":
                raise refused(f"Error in expression '{one.id}': the function {name} cannot be used in an alarm")
    return msgspec.convert(msgspec.to_builtins(list(given)), tuple[DataQuery, ...])


def _called(node: Node) -> Iterator[str]:
    if isinstance(node, Called):
        yield node.name
        for one in node.arguments:
            yield from _called(one)
    elif isinstance(node, Listed):
        for one in node.items:
            yield from _called(one)


def _one_of(req: Any, name: str, known: Sequence[str]) -> str | None:
    given = getattr(req, name)
    if given is None or given in known:
        return given  # type: ignore[no-any-return]
    options = ", ".join(known[:-1])
    raise refused(
        f"Option {given} is not supported. Supported options for parameter {name} are {options} and {known[-1]}."
    )


def _check_span(period_s: int, periods: int) -> None:
    most, shown = (DAY_S, "a day") if period_s < LONG_S else (7 * DAY_S, "7 days")
    if periods * max(period_s, MINUTE_S) > most:
        raise refused(
            f"Metrics cannot be checked across more than {shown} (EvaluationPeriods * Period must be <= {most})."
        )
