"""What Prometheus reads of each model: its lines, made anew only where a model was used since the last page.

Owns names and forms of these families, and what is remembered between pages: a page with a thousand models must not hold up
a worker. Pure but for that. Source: Prometheus, "Exposition formats".
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import Final

import msgspec

from craton.features.metering.totals import BOUNDS_MS, Histogram, Total
from craton.front.prometheus import labelled

_BOUNDS = [*(f"{bound / 1000:g}" for bound in BOUNDS_MS), "+Inf"]
# Where a model's labels come in a template: its lines are made by one replacement and one formatting, of bytes, which
# takes a third of the time that texts take.
_LABELS: Final = "\0"
_PLACE: Final = _LABELS.encode()
_MOST_KEPT: Final = 4000
"""Models whose lines are remembered, some KB each."""

Numbers = Callable[[Total], tuple[float, ...]]
"""None at all: the model has no such lines."""
Lines = tuple[bytes, ...]
"""Of one model, for each family; b"" where it has none."""

_rows = msgspec.msgpack.Decoder(list[msgspec.Raw])
_row = msgspec.msgpack.Decoder(Total)


class Models:
    """The families of models, page after page."""

    def __init__(self) -> None:
        self._kept: dict[bytes, Lines] = {}

    def families(self, packed: bytes) -> list[bytes]:
        """The text of all of them, in parts. `packed` is the msgpack of a list of Totals."""
        before, found = self._kept, []
        kept: dict[bytes, Lines] = {}
        for raw in _rows.decode(packed):
            row = bytes(raw)
            lines = before.get(row)
            if lines is None:
                lines = lines_of(_row.decode(row))
            if len(kept) < _MOST_KEPT:
                kept[row] = lines
            found.append(lines)
        self._kept = kept
        parts: list[bytes] = []
        for head, *family in zip(_HEADS, *found, strict=True):
            if any(family):
                parts.append(head)
                parts += family
        return parts


def lines_of(one: Total) -> Lines:
    label = labelled(account=one.account, region=one.region, model=one.model).replace("%", "%%").encode()
    return tuple([
        template.replace(_PLACE, label) % given if (given := numbers(one)) else b"" for template, numbers in _TEMPLATES
    ])  # fmt: skip


def kinds(name: str, *names: str) -> str:
    return "\n".join(f'{name}{{{_LABELS},kind="{kind}"}} %d' for kind in names)


def spans(name: str) -> str:
    buckets = (f'{name}_bucket{{{_LABELS},le="{bound}"}} %d' for bound in _BOUNDS)
    return "\n".join([*buckets, f"{name}_sum{{{_LABELS}}} %.3f", f"{name}_count{{{_LABELS}}} %d"])


def spanned(of: Callable[[Total], Histogram]) -> Numbers:
    def numbers(one: Total) -> tuple[float, ...]:
        histogram = of(one)
        summed = tuple(accumulate(histogram.found))
        return (*summed, histogram.total_ms / 1000, summed[-1]) if summed[-1] else ()

    return numbers


MODELS: tuple[tuple[str, str, str, str, Numbers], ...] = (
    (
        "craton_invocations_total", "counter", "Invocations that were answered.",
        f"craton_invocations_total{{{_LABELS}}} %d", lambda one: (one.counts[0],),
    ),
    (
        "craton_invocation_errors_total", "counter", "Invocations that were refused or failed, by whose fault.",
        kinds("craton_invocation_errors_total", "client", "server", "throttle"), lambda one: tuple(one.counts[1:4]),
    ),
    (
        "craton_tokens_total", "counter", "Tokens of answered invocations.",
        kinds("craton_tokens_total", "input", "output", "cache_read", "cache_write"), lambda one: tuple(one.tokens),
    ),
    (
        "craton_images_total", "counter", "Pictures that were made.",
        f"craton_images_total{{{_LABELS}}} %d", lambda one: (one.counts[4],) if one.counts[4] else (),
    ),
    (
        "craton_invocation_latency_seconds", "histogram", "From a request's head to its whole answer.",
        spans("craton_invocation_latency_seconds"), spanned(lambda one: one.latency),
    ),
    (
        "craton_time_to_first_token_seconds", "histogram", "From a request's head to the first piece of a stream.",
        spans("craton_time_to_first_token_seconds"), spanned(lambda one: one.first),
    ),
)  # fmt: skip
_HEADS: Final = tuple(f"# HELP {name} {about}\n# TYPE {name} {kind}\n".encode() for name, kind, about, _, _ in MODELS)
_TEMPLATES: Final = tuple((f"{template}\n".encode(), numbers) for _, _, _, template, numbers in MODELS)
