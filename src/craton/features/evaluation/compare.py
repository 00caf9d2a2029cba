"""Two evaluations side by side: each metric's mean with what chance leaves open, and the difference likewise.

Owns the bootstrap: values are drawn again with replacement, 2,000 times from a fixed seed, and the middle 95 % of the
means are the interval (percentile method, Efron 1979). Where both sides answered the same prompts the difference is taken
prompt by prompt, which leaves out how much prompts differ among themselves. Pure.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec

from craton.features.evaluation.results import ScoredLine

DRAWS = 2000
_LOW, _HIGH = 0.025, 0.975
_SEED = 20240


class Interval(msgspec.Struct, frozen=True):
    """A figure and the interval that holds it with 95 %."""

    value: float
    low: float
    high: float


class Side(msgspec.Struct, frozen=True):
    """A metric on one side."""

    count: int
    mean: Interval


class Compared(msgspec.Struct, frozen=True):
    """A metric on both sides; None where a side has none of it. `difference` is B less A."""

    metric: str
    a: Side | None
    b: Side | None
    difference: Interval | None = None
    paired: bool = False


def compare(a: Sequence[ScoredLine], b: Sequence[ScoredLine]) -> list[Compared]:
    """Every metric of either side, in the order in which they occur."""
    names = dict.fromkeys(name for line in (*a, *b) for name in line.scores)
    return [compared(name, values(a, name), values(b, name)) for name in names]


def values(lines: Sequence[ScoredLine], metric: str) -> list[tuple[str, float]]:
    """The metric's values, each with its prompt and how often that came before: the same prompt twice is two."""
    found, seen = list[tuple[str, float]](), dict[str, int]()
    for line in lines:
        turn = seen[line.prompt] = seen.get(line.prompt, 0) + 1
        if metric in line.scores:
            found.append((f"{turn} {line.prompt}", line.scores[metric]))
    return found


def compared(metric: str, a: list[tuple[str, float]], b: list[tuple[str, float]]) -> Compared:
    mine, other = [value for _, value in a], [value for _, value in b]
    left, right = side(mine), side(other)
    if left is None or right is None:
        return Compared(metric, left, right)
    by_prompt = dict(a)
    if {key for key, _ in b} == set(by_prompt):
        return Compared(metric, left, right, mean([value - by_prompt[key] for key, value in b]), paired=True)
    return Compared(metric, left, right, apart(mine, other))


def side(sample: Sequence[float]) -> Side | None:
    return Side(len(sample), mean(sample)) if sample else None


def mean(sample: Sequence[float]) -> Interval:
    """The mean of a sample, with its interval."""
    draw = random.Random(_SEED)  # noqa: S311 - no secret: the same figures shall give the same interval
    means = sorted(sum(draw.choices(sample, k=len(sample))) / len(sample) for _ in range(DRAWS))
    return _interval(sum(sample) / len(sample), means)


def apart(a: Sequence[float], b: Sequence[float]) -> Interval:
    """The difference of two means of samples that have nothing to do with each other."""
    draw = random.Random(_SEED)  # noqa: S311 - as above
    means = sorted(
        sum(draw.choices(b, k=len(b))) / len(b) - sum(draw.choices(a, k=len(a))) / len(a) for _ in range(DRAWS)
    )
    return _interval(sum(b) / len(b) - sum(a) / len(a), means)


def _interval(value: float, drawn: Sequence[float]) -> Interval:
    return Interval(value, drawn[int(_LOW * len(drawn))], drawn[int(_HIGH * len(drawn)) - 1])
