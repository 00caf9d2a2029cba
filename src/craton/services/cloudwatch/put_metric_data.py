"""PutMetricData: samples of metrics, single, counted or summed up before.

Owns what a sample may be. Moments become whole minutes, also those of high resolution, and samples of one metric and
minute one summary. It must not know how they are kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Any

from craton.context import Call
from craton.features.metrics.faults import as_faults, bad_value, both, combination, invalid, missing, too_long
from craton.features.metrics.metric import dimensions_of
from craton.infra.series import metrics_index
from craton.infra.series.metrics_index import Metric, Sample
from craton.infra.series.metrics_summary import Summary, of_values
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.cloudwatch import PutMetricDataInput

MOST_METRICS = 1000
MOST_VALUES = 150
LARGEST = 2.0**360
TOO_OLD_S = 14 * 86_400
TOO_NEW_S = 2 * 3600
RESOLUTIONS = (1, 60)
OWN = "AWS/"
FAR_PAST = "The parameter {place} must specify a time no more than two weeks in the past."
FAR_FUTURE = "The parameter {place} must specify a time no more than two hours in the future."
UNEQUAL = "The parameters {place}.Values and {place}.Counts must be of the same size."


@operation("cloudwatch", "PutMetricData")
async def put_metric_data(call: Call, req: PutMetricDataInput) -> None:
    namespace = req.Namespace
    call.authorize("cloudwatch:PutMetricData", "*", given={"cloudwatch:namespace": namespace})
    if namespace.startswith(OWN):  # what the server counts itself stays what it counted
        raise bad_value(OWN, "Namespace")
    data = [("MetricData", req.MetricData or [])]
    data += [("EntityMetricData.MetricData", one.MetricData or []) for one in req.EntityMetricData or []]
    if sum(len(some) for _, some in data) > MOST_METRICS:
        raise too_long("MetricData", MOST_METRICS)
    samples = list(chain.from_iterable(read(call, namespace, some, name) for name, some in data))
    if not samples:
        raise missing("MetricData")
    with as_faults():
        await call.app.storage.keep(lambda tx: tx.run(lambda connection: metrics_index.add(connection, samples)))


def read(call: Call, namespace: str, data: Sequence[Any], name: str) -> Iterator[Sample]:
    """The samples of a list of metrics. Raises InvalidParameterValue, InvalidParameterCombination, MissingParameter."""
    now = call.now()
    for number, datum in enumerate(data, 1):
        place = f"{name}.member.{number}"
        if datum.StorageResolution not in (None, *RESOLUTIONS):
            raise bad_value(datum.StorageResolution, f"{place}.StorageResolution")
        dimensions = dimensions_of(datum.Dimensions, place)
        metric = Metric(call.account, call.region, namespace, datum.MetricName, dimensions, datum.Unit or "None")
        summary = summary_of(datum, place)
        if summary.samples:
            yield Sample(metric, minute_of(datum.Timestamp, now, f"{place}.Timestamp"), summary)


def minute_of(given: datetime | None, now: datetime, place: str) -> int:
    """The minute of a sample, in seconds since 1970."""
    at_s, now_s = (given or now).timestamp(), now.timestamp()
    if at_s < now_s - TOO_OLD_S:
        raise invalid(FAR_PAST.format(place=place))
    if at_s > now_s + TOO_NEW_S:
        raise invalid(FAR_FUTURE.format(place=place))
    return int(at_s) // metrics_index.MINUTE_S * metrics_index.MINUTE_S


def summary_of(datum: Any, place: str) -> Summary:
    """What one entry says: a value, values with counts, or a statistic set."""
    given = [name for name in ("Value", "Values", "StatisticValues") if getattr(datum, name) is not None]
    if not given:
        raise missing(f"{place}.Value")
    if len(given) > 1:
        raise both(f"{place}.{given[0]}", f"{place}.{given[1]}")
    if datum.Counts is not None and datum.Values is None:
        raise combination(f"The parameter {place}.Counts requires the parameter {place}.Values.")
    if datum.StatisticValues is not None:
        return summed(datum.StatisticValues, f"{place}.StatisticValues")
    if datum.Value is not None:
        return of_values([(number(datum.Value, f"{place}.Value"), 1.0)])
    return of_values(counted(datum, place))


def counted(datum: Any, place: str) -> list[tuple[float, float]]:
    values, counts = datum.Values, datum.Counts or [1.0] * len(datum.Values)
    if len(values) > MOST_VALUES:
        raise too_long(f"{place}.Values", MOST_VALUES)
    if len(values) != len(counts):
        raise invalid(UNEQUAL.format(place=place))
    for at, count in enumerate(counts, 1):
        if number(count, f"{place}.Counts.member.{at}") < 0:
            raise bad_value(count, f"{place}.Counts.member.{at}")
    pairs = zip(values, counts, strict=True)
    return [(number(one, f"{place}.Values.member.{at}"), count) for at, (one, count) in enumerate(pairs, 1) if count]


def summed(given: Any, place: str) -> Summary:
    found = Summary(
        number(given.SampleCount, f"{place}.SampleCount"),
        number(given.Sum, f"{place}.Sum"),
        number(given.Minimum, f"{place}.Minimum"),
        number(given.Maximum, f"{place}.Maximum"),
    )
    if found.samples < 0:
        raise bad_value(given.SampleCount, f"{place}.SampleCount")
    if found.least > found.most:
        raise combination(f"The parameter {place}.Maximum must not be less than the parameter {place}.Minimum.")
    return found


def number(given: float, place: str) -> float:
    """A number that may be kept."""
    if not math.isfinite(given) or abs(given) > LARGEST:
        shown = "NaN" if math.isnan(given) else ("-" if given < 0 else "") + "Infinity" if math.isinf(given) else given
        raise bad_value(shown, place)
    return given
