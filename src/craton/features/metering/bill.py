"""Usage and money, summed as somebody asks: by who called, by model, by tag, by day, and so on.

Owns the names by which sums are told apart and the arithmetic, which is exact (decimal). What has no price is counted
beside, never as if it cost nothing. Pure: hours of usage and prices are given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final

import msgspec

from craton.features.metering.usage import COUNTS, HOUR_S, Used
from craton.models.catalog.prices import Price, Prices

TAG, METADATA = "tag:", "metadata:"
# What sums can be told apart by → the column of usage that is needed for it.
DIMENSIONS: Final = {
    "account": "account",
    "region": "region",
    "principal": "principal",
    "model": "model",
    "base": "served",
    "profile": "profile",
}
# Moments → their form.
MOMENTS: Final = {"hour": "%Y-%m-%dT%H:00Z", "day": "%Y-%m-%d", "month": "%Y-%m"}
_MILLION = Decimal(1_000_000)


class Sum(msgspec.Struct):
    """What was used under these `names`. `cost` is of what has a price; `unpriced` invocations have none."""

    names: tuple[str, ...]
    counts: dict[str, int]
    cost: Decimal = Decimal(0)
    unpriced: int = 0


def columns(by: Sequence[str]) -> list[str]:
    """The columns of usage that `by` and prices need. Raises ValueError for a name that is none."""
    wanted = {"region", "served"}
    for name in by:
        if name in DIMENSIONS:
            wanted.add(DIMENSIONS[name])
        elif name.startswith(TAG):
            wanted.add("tags")
        elif name.startswith(METADATA):
            wanted.add("metadata")
        elif name not in MOMENTS:
            raise ValueError(name)
    return sorted(wanted)


def summed(hours: Iterable[Used], prices: Prices, by: Sequence[str]) -> list[Sum]:
    """Sums by names, in order of these."""
    found: dict[tuple[str, ...], Sum] = {}
    for used in hours:
        names = tuple(named(used, name) for name in by)
        into = found.get(names)
        if into is None:
            into = found[names] = Sum(names, dict.fromkeys(COUNTS, 0))
        for name, count in used.counts.items():
            into.counts[name] += count
        price = prices.find(used.served, used.region, moment(used.hour).date())
        if price is not None:
            into.cost += cost(used.counts, price)
        else:
            into.unpriced += used.counts["invocations"]
    return [found[names] for names in sorted(found)]


def named(used: Used, name: str) -> str:
    """What a name of `by` is for this usage, "" for nothing."""
    if name in MOMENTS:
        return moment(used.hour).strftime(MOMENTS[name])
    if name.startswith(TAG):
        return pairs(used.tags).get(name.removeprefix(TAG), "")
    if name.startswith(METADATA):
        return pairs(used.metadata).get(name.removeprefix(METADATA), "")
    value: str = getattr(used, DIMENSIONS[name])
    return value


def cost(counts: Mapping[str, int], price: Price) -> Decimal:
    read = price.input if price.cache_read is None else price.cache_read
    write = price.input if price.cache_write is None else price.cache_write
    tokens = (
        counts["input_tokens"] * price.input
        + counts["output_tokens"] * price.output
        + counts["cache_read_tokens"] * read
        + counts["cache_write_tokens"] * write
    )
    return tokens / _MILLION + counts["images"] * price.image


def moment(hour: int) -> datetime:
    return datetime.fromtimestamp(hour * HOUR_S, UTC)


@lru_cache(maxsize=4096)
def pairs(text: str) -> Mapping[str, str]:
    """Pairs as `meter.written` writes them."""
    return dict(msgspec.json.decode(text, type=list[tuple[str, str]])) if text else {}
