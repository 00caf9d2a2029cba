"""The port of quota buckets: what is asked of them and what they answer.

Owns the record and the Protocol. A bucket is a name and a rate, which the asker tells; it fills evenly over the minute
up to a minute's worth. Must not know what is counted, for whom, or where the buckets are.
"""

from __future__ import annotations

from typing import Protocol

import msgspec


class Lease(msgspec.Struct, frozen=True, array_like=True):
    """What was given out; `wait_s`: when `need` will be there, 0 if it was given."""

    granted: float
    wait_s: float


class Counter(Protocol):
    """Where the buckets are."""

    async def lease(self, name: str, per_minute: float, need: float, want: float) -> Lease:
        """Give `want`, or what is there if that is at least `need`, or nothing. A negative `want` gives back."""
        ...

    async def reset(self) -> None:
        """All full again."""
        ...

    async def close(self) -> None:
        """Let connections go."""
        ...
