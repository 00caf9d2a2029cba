"""A day of requests: how many come in each second, and what each of them is.

The rate is a curve of the day (quiet at four in the morning, two humps) times bursts of minutes times a gamma-distributed
factor per second; arrivals are Poisson within a second. Prompts and answers have lognormal lengths, cut at what a model
takes. Most requests begin with one of many known prefixes (system prompts, documents), whose popularity is Zipf's.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

DAY_S = 86_400
BURSTS_PER_HOUR = 1
ROUGHNESS = 0.04
"""Variance of the factor per second: 1 would be as rough as an exponential one."""
PREFIXES = 20_000
ZIPF = 1.05
MAX_PROMPT = 32_000
MAX_ANSWER = 4_096
LIKELY_ANSWER = 512
PROMPT_SHARE = 0.25
"""A gateway's estimate: clients ask for more than they get, and reading a token costs less than writing one."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Request(msgspec.Struct, gc=False):
    """What comes, when (seconds), at which gateway; lengths in tokens. `asked` is the gateway's estimate of its work."""

    number: int
    at: float
    gateway: int
    prompt: int
    prefix: int
    prefix_tokens: int
    answer: int
    asked: int


@dataclass(frozen=True)
class Day:
    """Expected arrivals per second of a day, and when its bursts begin."""

    rates: Floats
    bursts: Ints


def curve(seconds: int) -> Floats:
    """The day's two humps, with mean 1."""
    hours = np.linspace(0, 24, seconds, endpoint=False)
    shape = 0.35 + np.exp(-(((hours - 11) / 3.2) ** 2)) + 0.8 * np.exp(-(((hours - 19) / 2.6) ** 2))
    return np.asarray(shape / shape.mean())


def day(mean_per_s: float, seed: int, hours: float = 24.0) -> Day:
    """A day's rates; `hours` below 24 squeeze the curve, but not the bursts."""
    rng = np.random.default_rng(seed)
    seconds = int(hours * 3600)
    factor = np.ones(seconds)
    starts = np.sort(rng.integers(0, seconds, max(1, round(hours * BURSTS_PER_HOUR))))
    for start in starts:
        length, height = int(rng.integers(30, 300)), rng.uniform(1.3, 2.2)
        rise = np.clip(np.arange(length) / 3.0, 0, 1)
        end = min(seconds, start + length)
        factor[start:end] *= 1 + (height - 1) * rise[: end - start]
    rough = rng.gamma(1 / ROUGHNESS, ROUGHNESS, seconds)
    return Day(rates=mean_per_s * curve(seconds) * factor * rough, bursts=starts)


def samples(given: Day, windows: int, window_s: int, seed: int) -> Floats:
    """The rates of `windows` pieces of a day, laid end to end; every other begins five seconds before a burst."""
    rng = np.random.default_rng(seed + 1)
    seconds = len(given.rates)
    pieces = []
    for number in range(windows):
        low, high = number * seconds // windows, (number + 1) * seconds // windows
        inside = given.bursts[(given.bursts >= low) & (given.bursts < high)]
        start = int(inside[0]) - 5 if number % 2 and len(inside) else int(rng.integers(low, high))
        start = min(max(start, 0), seconds - window_s)
        pieces.append(given.rates[start : start + window_s])
    return np.concatenate(pieces)


def requests(rates: Floats, gateways: int, seed: int) -> list[Request]:
    """Requests of as many seconds as there are rates."""
    rng = np.random.default_rng(seed + 2)
    counts = rng.poisson(rates)
    total = int(counts.sum())
    at = np.sort(np.repeat(np.arange(len(rates)), counts) + rng.random(total))
    prefix, prefix_tokens = prefixes(total, rng)
    own = np.clip(rng.lognormal(np.log(250), 1.1, total), 8, MAX_PROMPT).astype(int)
    prompt = np.minimum(prefix_tokens + own, MAX_PROMPT)
    answer = np.clip(rng.lognormal(np.log(260), 1.0, total), 1, MAX_ANSWER).astype(int)
    limit = rng.choice([512, 1024, MAX_ANSWER], total, p=[0.3, 0.3, 0.4])
    answer = np.minimum(answer, limit)
    asked = (prompt * rng.uniform(0.8, 1.25, total) * PROMPT_SHARE + np.minimum(limit, LIKELY_ANSWER)).astype(int)
    gateway = rng.integers(0, gateways, total)
    columns = (np.arange(total), at, gateway, prompt, prefix, prefix_tokens, answer, asked)
    return [Request(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def prefixes(total: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Which prefix each request begins with (0: none of those known), and its tokens."""
    weights = np.arange(1, PREFIXES + 1) ** -ZIPF
    hashes = rng.integers(1, 2**63 - 1, PREFIXES)
    lengths = np.clip(rng.lognormal(np.log(800), 0.9, PREFIXES), 64, 16_000).astype(np.int64)
    which = np.searchsorted(np.cumsum(weights) / weights.sum(), rng.random(total))
    which = np.minimum(which, PREFIXES - 1)
    shared = rng.random(total) < 0.7
    return np.where(shared, hashes[which], 0), np.where(shared, lengths[which], 0)
