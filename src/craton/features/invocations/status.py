"""How the delivery of invocation logs stands, as the files of the spool tell it: for the doctor and for `/craton`.

Owns the record alone; it changes nothing. Blocking.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from craton.features.invocations.delivery import Counted
from craton.infra.spool import folder
from craton.infra.spool.port import Losses


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """`oldest_at`: since when something waits, seconds since 1970, 0 for nothing. `delivered`: by CloudWatch's metric.

    `error`: why the last delivery failed, "" if it did not; it names buckets and groups, no content.
    """

    segments: int
    size_bytes: int
    oldest_at: float
    lost: Losses
    delivered: dict[str, int]
    error: str


def status(path: Path) -> Status:
    """Of the spool in this folder, which need not be there."""
    waiting = folder.waiting(path)
    counted = folder.read(path / folder.DELIVERED, Counted) or Counted()
    return Status(
        segments=waiting.segments,
        size_bytes=waiting.size_bytes,
        oldest_at=waiting.oldest_at,
        lost=folder.read_losses(path),
        delivered=counted.counts,
        error=counted.error,
    )
