"""A query as those see it who ask it, run it and look at it: its states, what is known of it.

Owns the records. It must not know tables or processes.
"""

from __future__ import annotations

from typing import Final

import msgspec

from craton.infra.series.port import DAY_MS, Space

SCHEDULED: Final = "Scheduled"
RUNNING: Final = "Running"
COMPLETE: Final = "Complete"
FAILED: Final = "Failed"
CANCELLED: Final = "Cancelled"
TIMEOUT: Final = "Timeout"
ACTIVE: Final = (SCHEDULED, RUNNING)
KEPT_MS: Final = 7 * DAY_MS
LOST_MS: Final = 30_000
"""A query under way whose process has not been heard of for so long is lost with it."""
PURPOSE: Final = "log query"

Place = tuple[int, str]


class About(msgspec.Struct, frozen=True):
    """What was asked, of which groups (by name), by whom, and what it took so far."""

    query: str
    groups: tuple[str, ...]
    identity: str
    scanned: int = 0
    scanned_bytes: int = 0
    matched: int = 0
    skipped: int = 0
    took_ms: int = 0


class Asked(msgspec.Struct, frozen=True):
    """A row of queries without its result."""

    id: str
    account: str
    region: str
    status: str
    asked_ms: int
    beat_ms: int
    about: About


class Source(msgspec.Struct, frozen=True):
    """A log group to read: its events from `oldest_ms` on."""

    space: Space
    name: str
    oldest_ms: int


class Task(msgspec.Struct, frozen=True):
    """What a query reads: from `start_ms` up to but not including `stop_ms`; `limit` where it has none itself."""

    asked: Asked
    sources: tuple[Source, ...]
    start_ms: int
    stop_ms: int
    limit: int | None
