"""Axes: round steps for numbers and for times, and how both are written.

Pure.
"""

from __future__ import annotations

import math
from datetime import datetime, timezone
from typing import Final

_TIME_STEPS_S: Final = (
    60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 1_209_600, 2_592_000,
)  # fmt: skip
_DAY_S: Final = 86_400
_LETTERS: Final = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def number_ticks(least: float, most: float, about: int) -> list[float]:
    """Round numbers from at or below `least` to at or above `most`, about so many."""
    span = most - least
    rough = span / max(1, about)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((each * power for each in (1, 2, 2.5, 5, 10) if each * power >= rough), 10 * power)
    first, last = math.floor(least / step + 1e-9), math.ceil(most / step - 1e-9)
    return [at * step for at in range(first, last + 1)]


def time_ticks(start_s: float, stop_s: float, most: int, zone: timezone) -> list[int]:
    """Whole times of the zone within a span, at most so many of them."""
    step = next((each for each in _TIME_STEPS_S if (stop_s - start_s) / each <= most), _TIME_STEPS_S[-1])
    shift = int(zone.utcoffset(None).total_seconds())
    first = math.ceil((start_s + shift) / step) * step - shift
    return list(range(first, int(stop_s) + 1, step))


def shown_number(value: float) -> str:
    """As short as it may be: `1.5k`, `0.25`, `12`."""
    for size, letter in _LETTERS:
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    if value == 0 or abs(value) >= 1e-3:
        return f"{value:.4g}"
    return f"{value:.1e}"


def shown_time(at_s: float, span_s: float, zone: timezone) -> str:
    """Hours and minutes within a day or two, else the day."""
    at = datetime.fromtimestamp(at_s, zone)
    if span_s <= 2 * _DAY_S:
        return f"{at:%H:%M}"
    return f"{at:%m/%d %H:%M}" if span_s <= 8 * _DAY_S else f"{at:%m/%d}"
