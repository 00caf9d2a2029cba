"""Metric math: how expressions are read, and what operators and functions make of numbers and series."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craton.features.metrics.math import search
from craton.features.metrics.math.parse import parse
from craton.features.metrics.math.reckon import Reckoner
from craton.features.metrics.math.series import MathFault, Series
from craton.features.metrics.statistic import statistic
from craton.infra.series.metrics_index import Metric
from craton.infra.series.metrics_summary import Summary, of_values

A = Series({0: 1.0, 60: 4.0, 180: 9.0}, 60, "a")
B = Series({0: 2.0, 60: 0.0, 120: 5.0}, 60, "b")
KNOWN: dict[str, Any] = {"a": A, "b": B, "ab": [A, B]}


def value(expression: str) -> Any:
    async def find(name: str) -> Any:
        return KNOWN[name]

    async def metrics(holding: str) -> list[Series]:
        return [one for name, one in (("a", A), ("b", B)) if holding in name]

    async def nothing(*_: Any) -> list[Series]:
        return []

    found: Any = asyncio.run(Reckoner(find, metrics, nothing).value(parse(expression)))
    return found.points if isinstance(found, Series) else found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 + 2 * 3 ^ 2", 19.0),
        ("-2 ^ 2", -4.0),
        ("(1 + 2) * 3 - -1", 10.0),
        ("7 / 2 > 3 AND 1 == 1", 1.0),
        ("a + b", {0: 3.0, 60: 4.0}),
        ("a / b", {0: 0.5}),
        ("10 - a", {0: 9.0, 60: 6.0, 180: 1.0}),
        ("a > 3", {0: 0.0, 60: 1.0, 180: 1.0}),
        ("SUM(a)", 14.0),
        ("MAX(ab)", {0: 2.0, 60: 4.0, 120: 5.0, 180: 9.0}),
        ("STDDEV([a])", {0: 0.0, 60: 0.0, 180: 0.0}),
        ("METRICS('b')", [B]),
        ("FILL(a, 0)", {0: 1.0, 60: 4.0, 120: 0.0, 180: 9.0}),
        ("FILL(a, REPEAT)", {0: 1.0, 60: 4.0, 120: 4.0, 180: 9.0}),
        ("FILL(a, LINEAR)", {0: 1.0, 60: 4.0, 120: 6.5, 180: 9.0}),
        ("FILL(a, b)", {0: 1.0, 60: 4.0, 120: 5.0, 180: 9.0}),
        ("DIFF(a)", {60: 3.0, 180: 5.0}),
        ("DIFF_TIME(a)", {60: 60.0, 180: 120.0}),
        ("RATE(a)", {60: 0.05, 180: 5 / 120}),
        ("RUNNING_SUM(a)", {0: 1.0, 60: 5.0, 180: 14.0}),
        ("IF(a > 3, b)", {60: 0.0}),
        ("IF(a > 3, a, 0 - a)", {0: -1.0, 60: 4.0, 180: 9.0}),
        ("LOG10(a * 10 - 10)", {60: pytest.approx(1.4771, abs=1e-4), 180: pytest.approx(1.9031, abs=1e-4)}),
        ("PERIOD(a) * 2", 120.0),
        ("MINUTE(a)", {0: 0.0, 60: 1.0, 180: 3.0}),
        ("FIRST(SORT(ab, SUM, DESC))", A.points),
        ("SLICE(ab, 1)", [B]),
        ("CEIL(a / 2)", {0: 1.0, 60: 2.0, 180: 5.0}),
    ],
)
def test_expressions(expression: str, expected: Any) -> None:
    """What the guide says of each."""
    assert value(expression) == expected


@pytest.mark.parametrize(
    "expression",
    ["", "a +", "(a", "a b", "a ~ 1", "FOO(a)", "SUM()", "ab + ab", "'x' + 1", "1 / 0", "FILL(a, 'MIDDLE')", "SORT(a, 'p90', ASC)",
     "LOG(0)", "IF(a)", "(" * 60 + "a" + ")" * 60, "!" * 60 + "a"],
)  # fmt: skip
def test_mistakes_are_told(expression: str) -> None:
    """By a fault with a reason, never otherwise."""
    with pytest.raises(MathFault):
        value(expression)


@given(st.text("ab+-*/^()[],<>=!&|'\". 019SUMIF_", max_size=40))
def test_any_text_is_survived(expression: str) -> None:
    """An expression or a fault."""
    with suppress(MathFault):
        parse(expression)


METRICS = [
    Metric("1", "r", "Own", "Errors", (("Service", "web"),)),
    Metric("1", "r", "Own", "Errors", (("Service", "worker"),)),
    Metric("1", "r", "Own", "Latency", (("Service", "web"), ("Zone", "a"))),
    Metric("1", "r", "Own", "Total"),
]


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("{Own,Service}", [0, 1]),
        ("{Own}", [3]),
        ('{Own,Service} Service="web"', [0]),
        ("{Own,Service} Service=w", [0, 1]),
        ("{Own, Zone, Service} Latency", [2]),
        ('{Own,Service} MetricName="Errors" NOT worker', [0]),
        ("{Own,Service} (web OR worker) AND errors", [0, 1]),
        ("{Own,Service} nothing", []),
    ],
)
def test_searches(text: str, places: list[int]) -> None:
    """By the names of dimensions, and by words in names and values."""
    found = search.parse(text)
    assert [place for place, metric in enumerate(METRICS) if found.matches(metric)] == places


@pytest.mark.parametrize("text", ["", "web", "{}", "{Own", "{Own} (a", "{Own} a)", "{Own} NOT", '{Own} "'])
def test_searches_that_are_none(text: str) -> None:
    """Are told so."""
    with pytest.raises(MathFault):
        search.parse(text)


TEN = of_values([(float(number), 1.0) for number in range(1, 11)])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Average", 5.5), ("SampleCount", 10), ("p0", 1), ("p100", 10), ("p50", 5), ("p99.9", 9), ("tm50", 3), ("tc80", 8),
        ("ts50", 15), ("TM(20%:80%)", 5.5), ("IQM", 5.5), ("wm80", 5.2), ("PR(:5)", 50), ("TC(2:5)", 3), ("TS(2:)", 52),
    ],
)  # fmt: skip
def test_statistics(name: str, expected: float) -> None:
    """Within the error of the sketch."""
    assert statistic(name).of(TEN) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(
    "name", ["", "p", "p101", "average", "tm", "TM(:)", "TM(80%:20%)", "XX(1:2)", "p50%", "PR(1..2:3)"]
)
def test_statistics_that_are_none(name: str) -> None:
    """Are refused by name."""
    with pytest.raises(Exception, match="not supported"):
        statistic(name)


def test_a_spread_that_is_unknown_has_no_percentile() -> None:
    """Samples that came summed up."""
    assert statistic("p50").of(Summary(5.0, 20.0, 1.0, 9.0)) is None
    assert statistic("tm50").of(Summary(5.0, 20.0, 1.0, 9.0)) is None
