"""Sizes in pixels and aspect ratios: what one schema says in one way and the next in the other.

Owns the table of sizes that Stability's models draw for a ratio (about one megapixel, sides that 64 divides) and the
nearest ratio to a size. Source: Stability's documentation of SD3; Ultra and Core draw the same or somewhat more.
"""

from __future__ import annotations

import math

RATIOS: dict[str, tuple[int, int]] = {
    "16:9": (1344, 768),
    "1:1": (1024, 1024),
    "21:9": (1536, 640),
    "2:3": (832, 1216),
    "3:2": (1216, 832),
    "4:5": (896, 1088),
    "5:4": (1088, 896),
    "9:16": (768, 1344),
    "9:21": (640, 1536),
}


def nearest_ratio(width: int, height: int) -> str:
    """The ratio whose shape comes closest."""
    wanted = math.log(width / height)
    return min(RATIOS, key=lambda name: abs(math.log(RATIOS[name][0] / RATIOS[name][1]) - wanted))


def exact_ratio(width: int, height: int) -> bool:
    """Whether a ratio says this size and no other."""
    return (width, height) in RATIOS.values()
