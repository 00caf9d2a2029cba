"""The state that points put an alarm in, after the tables of AWS's user guide, and the reasons that are given."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from craton.features.metrics.alarms.alarm import DataQuery, MetricStat, NamedMetric, Watch
from craton.features.metrics.alarms.judge import Point, Terms, judge, needed_samples
from craton.features.metrics.alarms.reason import data, words

RETAIN = None
UNKNOWN = "INSUFFICIENT_DATA"
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
# Points (oldest first; X beyond, 0 within, - missing), M, and the state by treatment, of 3 periods.
TABLE = [
    ("0-X-X", 3, "OK", "OK", "OK", "OK"),
    ("----0", 3, "OK", "OK", "OK", "OK"),
    ("-----", 3, UNKNOWN, RETAIN, "ALARM", "OK"),
    ("0XX-X", 3, "ALARM", "ALARM", "ALARM", "ALARM"),
    ("--X--", 3, "ALARM", RETAIN, "ALARM", "OK"),
    ("----X", 3, RETAIN, RETAIN, "ALARM", "OK"),
    ("0-X-X", 2, "ALARM", "ALARM", "ALARM", "ALARM"),
    ("00X0X", 2, "ALARM", "ALARM", "ALARM", "ALARM"),
    ("0-X--", 2, "OK", "OK", "ALARM", "OK"),
    ("----0", 2, "OK", "OK", "ALARM", "OK"),
    ("---X-", 2, "ALARM", RETAIN, "ALARM", "OK"),
    ("XX000", 2, "OK", "OK", "OK", "OK"),
]
CASES = [(row[0], row[1], how, state) for row in TABLE for how, state in zip(TREATMENTS, row[2:], strict=True)]


def points(text: str) -> list[Point | None]:
    return [None if mark == "-" else Point(60 * at, 9.0 if mark == "X" else 1.0, 1.0) for at, mark in enumerate(text)]


@pytest.mark.parametrize(("text", "to_alarm", "missing", "state"), CASES)
def test_missing_points_count_as_the_alarm_says(text: str, to_alarm: int, missing: str, state: str | None) -> None:
    """The rows of the guide, each with the four treatments; three points that are there are counted alone."""
    verdict = judge(points(text), Terms("GreaterThanThreshold", 5.0, 3, to_alarm, missing))
    assert verdict.value == state


@pytest.mark.parametrize(
    ("comparison", "beyond"),
    [
        ("GreaterThanThreshold", [6.0]),
        ("GreaterThanOrEqualToThreshold", [5.0, 6.0]),
        ("LessThanThreshold", [4.0]),
        ("LessThanOrEqualToThreshold", [4.0, 5.0]),
    ],
)
def test_each_comparison(comparison: str, beyond: list[float]) -> None:
    """Which of 4, 5 and 6 are beyond the threshold 5."""
    terms = Terms(comparison, 5.0, 1, 1)
    assert [value for value in (4.0, 5.0, 6.0) if judge([Point(0, value)], terms).value == "ALARM"] == beyond


@pytest.mark.parametrize(
    ("statistic", "samples"), [("p50", 20), ("p90", 100), ("p99", 1000), ("p10", 100), ("Sum", 0), ("pr(1:2)", 0)]
)
def test_a_percentile_needs_samples(statistic: str, samples: float) -> None:
    """Ten in the tail; other statistics need none."""
    assert needed_samples(statistic) == pytest.approx(samples)


def watch(**more: object) -> Watch:
    stat = MetricStat(NamedMetric("Test", "load"), 60, "Sum")
    given: dict[str, object] = {
        "queries": (DataQuery("m1", stat),), "plain": True, "comparison": "GreaterThanThreshold", "threshold": 5.0,
        "periods": 3, "to_alarm": 2,
    }  # fmt: skip
    return Watch(**{**given, **more})  # type: ignore[arg-type]


def test_the_reason_in_words() -> None:
    """Which points, and how many are needed."""
    found = watch()
    verdict = judge(points("X0X"), Terms("GreaterThanThreshold", 5.0, 3, 2))
    assert words(verdict, found, "OK") == (
        "Threshold Crossed: 2 out of the last 3 datapoints [9.0 (01/01/70 00:02:00), 9.0 (01/01/70 00:00:00)] were "
        "greater than the threshold (5.0) (minimum 2 datapoints for OK -> ALARM transition)."
    )
    verdict = judge(points("000"), Terms("GreaterThanThreshold", 5.0, 3, 2))
    assert "were not greater than the threshold (5.0) (minimum 2 datapoints for ALARM -> OK" in words(
        verdict, found, "ALARM"
    )
    verdict = judge(points("---"), Terms("GreaterThanThreshold", 5.0, 3, 2))
    assert words(verdict, found, "OK") == "Insufficient Data: 3 datapoints were unknown."
    verdict = judge(points("---"), Terms("GreaterThanThreshold", 5.0, 3, 2, "breaching"))
    assert words(verdict, watch(missing="breaching"), "OK") == (
        "Threshold Crossed: no datapoints were received for 3 periods and 3 missing datapoints were treated as [Breaching]."
    )


def test_the_reason_as_json() -> None:
    """Start, statistic and the points that were looked at."""
    verdict = judge(points("X0X"), Terms("GreaterThanThreshold", 5.0, 3, 2))
    now = datetime(2026, 1, 1, tzinfo=UTC)
    text = data(verdict, watch(), now, now, list(verdict.points))
    assert '"startDate":"2026-01-01T00:00:00.000+0000"' in text
    assert '"statistic":"Sum","period":60,"recentDatapoints":[9.0,1.0,9.0],"threshold":5.0' in text
    assert text.count('"sampleCount":1.0') == 3
