"""What the garbage collector walks, in processes that are loaded once and then work for days."""

from __future__ import annotations

import gc

# Requests and jobs leave no cycles but those of errors: to look for them at every 700 objects costs more than it finds.
_THRESHOLDS = (10_000, 20, 50)


def settle_heap() -> None:
    """What is loaded now stays: the collector need not walk it again at each full collection."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
