"""Metrics of events: values, dimensions, defaults and minutes, without a server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from craton.features.logs.metric_filter import BadMetric, Measure, MetricFilter
from craton.infra.series.port import Entry

T0 = 1_767_225_600_000


def measured(events: list[tuple[int, Any]], **given: Any) -> list[tuple[Any, ...]]:
    """Dimensions, minute, samples and sum of what a filter makes of events at so many seconds."""
    wanted = {"pattern": "{ $.n = * }", "value": "$.n", "metric": "M", "namespace": "N"} | given
    measure = Measure(MetricFilter(group="g", name="f", **wanted), "000000000000", "us-east-1")
    measure.add(
        Entry(number, T0 + 1000 * at_s, T0, "s", (one if isinstance(one, str) else json.dumps(one)).encode())
        for number, (at_s, one) in enumerate(events)
    )
    samples = measure.samples()
    return sorted(
        (one.metric.dimensions, one.at_s - T0 // 1000, one.summary.samples, one.summary.total) for one in samples
    )


def test_samples_fall_into_their_minutes() -> None:
    """Values of one minute are one sample with its sum; numbers may be written as texts."""
    events = [(0, {"n": 1}), (59, {"n": "2.5"}), (60, {"n": 4}), (61, {"n": True}), (62, {"n": [1]}), (63, {"m": 1})]
    assert measured(events) == [((), 0, 2.0, 3.5), ((), 60, 1.0, 4.0)]


def test_dimensions_come_from_the_event() -> None:
    """Each combination is a metric; an event without a dimension's field counts for nothing."""
    events = [(0, {"n": 1, "k": "a"}), (1, {"n": 2, "k": "b"}), (2, {"n": 3}), (3, {"n": 4, "k": " "})]
    found = measured(events, dimensions={"K": "$.k"}, emitted=("@aws.region",))
    region = ("@aws.region", "us-east-1")
    assert found == [((region, ("K", "a")), 0, 1.0, 1.0), ((region, ("K", "b")), 0, 1.0, 2.0)]


def test_silence_has_a_default() -> None:
    """Minutes with events of which none matches report the default once."""
    events = [(0, "x"), (1, "y"), (60, {"n": 7}), (61, "x")]
    assert measured(events, default=0.0) == [((), 0, 1.0, 0.0), ((), 60, 1.0, 7.0)]


@pytest.mark.parametrize("number", ["NaN", "1e400", "-1e200", ""])
def test_numbers_that_are_none_are_left_out(number: str) -> None:
    """What CloudWatch keeps no sample of makes none."""
    assert measured([(0, {"n": number})]) == []


@pytest.mark.parametrize(
    ("pattern", "value"), [("x", "$name"), ("[a, b]", "$c"), ("[a]", "$.a"), ("x", "ten"), ("{ $.a = 1 }", "$a")]
)
def test_a_value_must_be_there_to_be_taken(pattern: str, value: str) -> None:
    """A field that the pattern does not name, or a word, is no value."""
    with pytest.raises(BadMetric):
        measured([], pattern=pattern, value=value)
