"""What is known of many samples together: how many, their sum, least and most, and how they are spread.

Owns adding up, which is exact for whole numbers below 2^53 and the same in any order, and percentiles, which come from a
logarithmic sketch (DDSketch) and are within 1 % of the sample that they stand for. Samples that came as sums already
have no spread. Pure: it must not know metrics, time or where anything is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import msgspec

RELATIVE_ERROR = 0.01
MOST_BINS = 2048
"""A sketch with more gives up its lowest bins, which then count as one."""
TINY = 1e-108
"""CloudWatch keeps no number that is nearer to zero."""
# More than the key of any number that CloudWatch keeps: signs and keys become one order.
_OFFSET = 1 << 14

Bins = dict[int, float]


class Summary(msgspec.Struct, eq=False):
    """Many samples. `bins` is their spread: bin → samples; None where it is not known."""

    samples: float = 0.0
    total: float = 0.0
    least: float = 0.0
    most: float = 0.0
    bins: Bins | None = None

    @property
    def is_alike(self) -> bool:
        """Whether all samples are one number; then that is their spread."""
        return self.least == self.most

    def spread(self) -> Bins | None:
        if self.bins is None and self.is_alike:
            return {bin_of(self.least): self.samples}
        return self.bins

    def percentile(self, share: float) -> float | None:
        """The number below which `share` (0 to 1) of the samples lie; None where that cannot be known."""
        bins = self.spread()
        if bins is None or not self.samples:
            return None
        if self.is_alike or share <= 0:
            return self.least
        if share >= 1:
            return self.most
        rank, seen = share * (self.samples - 1), 0.0
        for index in sorted(bins):
            seen += bins[index]
            if seen > rank:
                return self.within(number_of(index))
        return self.most

    def within(self, number: float) -> float:
        return min(self.most, max(self.least, number))


def of_values(values: Iterable[tuple[float, float]]) -> Summary:
    """Of numbers, each with how often it was found (more than 0)."""
    found = Summary(bins={})
    bins: Bins = {}
    for number, count in values:
        if not found.samples:
            found.least = found.most = number
        found.samples += count
        found.total += number * count
        found.least, found.most = min(found.least, number), max(found.most, number)
        index = bin_of(number)
        bins[index] = bins.get(index, 0) + count
    found.bins = None if found.is_alike else bins
    return found


def merged(parts: Iterable[Summary]) -> Summary:
    """Of all samples of the parts."""
    samples = total = least = most = 0.0
    bins, known = Bins(), True
    for part in parts:  # a month of a metric has tens of thousands: no calls but those that are needed
        if not part.samples:
            continue
        if not samples:
            least, most = part.least, part.most
        elif part.least < least or part.most > most:
            least, most = min(least, part.least), max(most, part.most)
        samples += part.samples
        total += part.total
        spread = part.spread() if known else None
        if spread is None:
            known = False
            continue
        for index, count in spread.items():
            bins[index] = bins[index] + count if index in bins else count
    alike = least == most
    return Summary(samples, total, least, most, None if alike or not known else narrowed(bins))


def narrowed(bins: Bins) -> Bins:
    if len(bins) <= MOST_BINS:
        return bins
    order = sorted(bins)
    low, high = order[: len(order) - MOST_BINS + 1], order[len(order) - MOST_BINS + 1 :]
    return {low[-1]: sum(bins[index] for index in low), **{index: bins[index] for index in high}}


@cache
def _mapping() -> Any:
    from ddsketch.mapping import LogarithmicMapping

    return LogarithmicMapping(RELATIVE_ERROR)


def bin_of(number: float) -> int:
    """The bin of a number; bins are in the order of their numbers."""
    if abs(number) < TINY:
        return 0
    key = _OFFSET + int(_mapping().key(abs(number)))
    return key if number > 0 else -key


def number_of(index: int) -> float:
    """A number within 1 % of all in the bin."""
    if index == 0:
        return 0.0
    number = float(_mapping().value(abs(index) - _OFFSET))
    return number if index > 0 else -number
