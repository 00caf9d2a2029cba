"""What is spooled and by which words that may fail: the records, the groups they belong to, and the errors.

Owns the names that the memory (`ring`), the files (`segment`, `folder`) and whoever empties them share. It must not
know what a record says.

Errors::

    SpoolError
    └── Damaged        a segment is not what was written
"""

from __future__ import annotations

import msgspec


class SpoolError(Exception):
    """Records cannot be kept or read."""


class Damaged(SpoolError):
    """A segment was changed, or its key is of another segment."""


class Group(msgspec.Struct, frozen=True, array_like=True):
    """Whose records share a segment: an account in a region, and what held there when they were written.

    `terms` is opaque here; records written under other terms go into another segment.
    """

    account: str
    region: str
    terms: bytes


class Losses(msgspec.Struct, kw_only=True):
    """How many records were given up, by why: too many in memory, the disk budget, nothing could be written."""

    memory: int = 0
    budget: int = 0
    unwritten: int = 0

    @property
    def total(self) -> int:
        return self.memory + self.budget + self.unwritten
