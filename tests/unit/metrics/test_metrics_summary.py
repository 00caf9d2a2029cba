"""Summaries of samples: exact sums in any order, percentiles within their error, hours as bytes."""

from __future__ import annotations

import math
import random

import pytest
from ddsketch import DDSketch
from hypothesis import given, settings
from hypothesis import strategies as st

from craton.infra.series import metrics_block
from craton.infra.series.metrics_summary import MOST_BINS, Summary, bin_of, merged, number_of, of_values

NUMBERS = st.floats(-(2.0**360), 2.0**360, allow_nan=False, allow_infinity=False)
WHOLE = st.lists(st.integers(-(10**6), 10**6).map(float), min_size=1, max_size=60)


def one_by_one(values: list[float]) -> list[Summary]:
    return [of_values([(value, 1.0)]) for value in values]


@given(WHOLE, st.randoms(use_true_random=False))
def test_the_order_of_samples_is_nothing(values: list[float], order: random.Random) -> None:
    """All at once, or one by one in another order: the same numbers."""
    shuffled = order.sample(values, len(values))
    left, right = merged(one_by_one(shuffled)), of_values([(value, 1.0) for value in values])
    assert (left.samples, left.total, left.least, left.most, left.bins) == (
        right.samples, right.total, right.least, right.most, right.bins,
    )  # fmt: skip


@given(NUMBERS)
def test_a_bin_is_near_its_number(number: float) -> None:
    """Within 1 %, on either side of zero."""
    assert number_of(bin_of(number)) == pytest.approx(number, rel=0.0101, abs=1e-107)


@given(st.lists(NUMBERS, min_size=2, max_size=30))
def test_bins_are_in_the_order_of_numbers(numbers: list[float]) -> None:
    """So that percentiles need not look at numbers."""
    bins = [bin_of(number) for number in sorted(numbers)]
    assert bins == sorted(bins)


@given(st.lists(st.floats(0.001, 1e6), min_size=1, max_size=200), st.floats(0.0, 1.0))
def test_percentiles_are_those_of_the_library(values: list[float], share: float) -> None:
    """The same answers as the sketch's own, but never beyond what was seen."""
    sketch = DDSketch(0.01)
    for value in values:
        sketch.add(value)
    found = of_values([(value, 1.0) for value in values]).percentile(share)
    expected = sketch.get_quantile_value(share)
    assert found is not None
    assert expected is not None
    assert min(values) <= found <= max(values)
    assert found == pytest.approx(expected, rel=0.0202)


def test_percentiles_of_sums_are_unknown() -> None:
    """Unless all samples are the same number."""
    assert merged([Summary(4.0, 10.0, 1.0, 4.0), of_values([(2.0, 1.0)])]).percentile(0.5) is None
    assert Summary(4.0, 8.0, 2.0, 2.0).percentile(0.5) == 2.0


def test_sketches_stay_small() -> None:
    """The lowest bins are given up; high percentiles stay as they are."""
    found = merged([of_values([(1.02**step, 1.0)]) for step in range(-3000, 3000)])
    assert found.bins is not None
    assert len(found.bins) == MOST_BINS
    assert sum(found.bins.values()) == 6000
    assert found.percentile(0.999) == pytest.approx(1.02 ** (6000 * 0.999 - 3000), rel=0.03)


PARTS = st.dictionaries(
    st.integers(0, 59), st.lists(st.tuples(NUMBERS, st.integers(1, 9).map(float)), min_size=1, max_size=5)
)


@given(PARTS)
@settings(max_examples=50)
def test_hours_come_back(given_parts: dict[int, list[tuple[float, float]]]) -> None:
    """As bytes and back, with and without how samples are spread."""
    parts = {part: of_values(values) for part, values in given_parts.items()}
    packed = metrics_block.pack(parts)
    whole = metrics_block.unpack(packed)
    plain = metrics_block.unpack(packed, spread=False)
    for part, one in parts.items():
        for found in (whole[part], plain[part]):
            assert (found.samples, found.total, found.least, found.most) == (
                one.samples,
                one.total,
                one.least,
                one.most,
            )
        assert whole[part].bins == one.bins
        assert plain[part].bins is None


def test_longer_steps_hold_the_same_samples() -> None:
    """Minutes become five minutes, and nothing is lost but when exactly."""
    minutes = {minute: of_values([(float(minute), 2.0)]) for minute in range(60)}
    found = metrics_block.coarser(minutes, 60, 300)
    assert sorted(found) == list(range(12))
    assert math.fsum(one.total for one in found.values()) == 2 * sum(range(60))
    assert found[1].percentile(0.5) == pytest.approx(7.0, rel=0.011)
