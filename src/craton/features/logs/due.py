"""Appends that a log group's filters have yet to see: put down in the commit that keeps the events, taken off when done.

Owns the table, its statements, and the names of lanes and runs: each group has a lane for all its metric filters, one
for metrics that its events hold themselves, and one for each subscription filter; each lane a run that works it off. Nothing is lost by a crash: what was not taken off
is still there. It must not know what filters do.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from craton.infra.series.port import Also, Kept

KIND: Final = "log-filter"
METRICS: Final = "metrics"
EMBEDDED: Final = "embedded"
EMBEDS: Final = b'"CloudWatchMetrics"'
"""An event without this holds no metrics."""
_MARK: Final = ":filter:"
_TO: Final = "to/"


class Watched(msgspec.Struct, frozen=True):
    """What of a group's row tells of its filters. `subscriptions` are names."""

    space: str
    key: str | None = None
    metric_filters: int = 0
    subscriptions: tuple[str, ...] = ()

    @property
    def lanes(self) -> list[str]:
        """What waits for all of the group's events."""
        return [METRICS] * bool(self.metric_filters) + [lane_to(name) for name in self.subscriptions]


class Due(msgspec.Struct, frozen=True, array_like=True):
    """One append."""

    batch: int
    series: str
    first_ms: int
    last_ms: int
    noted_ms: int


def lane_to(subscription: str) -> str:
    """The lane of a subscription filter."""
    return _TO + subscription


def subscription_of(lane: str) -> str:
    """The filter whose lane this is."""
    return lane.removeprefix(_TO)


def run_of(group: str, lane: str) -> str:
    """The run of a lane of the group with this ARN."""
    return f"{group}{_MARK}{lane}"


def parts_of(run: str) -> tuple[str, str]:
    """The ARN of the group, and the lane."""
    group, _, lane = run.partition(_MARK)
    return group, lane


def noting(group: str, watched: Watched, series: str, now: datetime, *, embedded: bool = False) -> Also | None:
    """What is written with an append to a group that has filters, or that holds metrics itself (`embedded`).

    None for most appends.
    """
    lanes = watched.lanes + [EMBEDDED] * embedded
    if not lanes:
        return None

    def note(connection: Connection, kept: Kept) -> None:
        from craton.features.logs import due_rows
        from craton.infra.jobs import runs

        for lane in lanes:
            due_rows.add(connection, watched.space, lane, kept, series, now)
            runs.enqueue(connection, run_of(group, lane), KIND, now)

    return note


def forget(connection: Connection, group: str, watched: Watched, lanes: Collection[str]) -> None:
    """Remove lanes with all that waits in them."""
    from craton.features.logs import due_rows
    from craton.infra.jobs import runs

    for lane in lanes:
        due_rows.clear(connection, watched.space, lane)
        runs.forget(connection, run_of(group, lane))
