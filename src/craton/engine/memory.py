"""What of this machine's memory caches may take, and pages that are taken only as they fill.

Owns the arithmetic of rows against memory; knows no runtime.
"""

from __future__ import annotations

import mmap
from pathlib import Path

# What the caches of all rows may take together: a share of the memory that is free when the model is loaded.
MEMORY_SHARE = 0.4


def fit(bytes_per_token: int, max_batch: int, context_tokens: int, free_bytes: int) -> tuple[int, int]:
    """How many rows of how many positions the memory allows: rows are given up first, down to 1, then positions."""
    budget = int(free_bytes * MEMORY_SHARE) // max(1, bytes_per_token)
    rows = max(1, min(max_batch, budget // max(1, context_tokens)))
    return rows, max(1, min(context_tokens, budget // rows))


def lazy_pages(size_bytes: int) -> mmap.mmap:
    """Zeros whose memory is taken page by page as positions fill, so that an idle server holds almost none of it.

    Huge pages are declined: each would span many tokens of one head, and the first token would take the whole row.
    """
    pages = mmap.mmap(-1, size_bytes)
    if hasattr(mmap, "MADV_NOHUGEPAGE"):
        pages.madvise(mmap.MADV_NOHUGEPAGE)
    return pages


def free_bytes() -> int:
    """Memory that this machine can still give without swapping."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 4 << 30
