"""What a reader gives out: points in their order, as soon as no block that is still closed can hold an earlier one.

Owns limits of a page and the place where it ends. Pure; it must not know blocks. "Earlier" is in the order of reading:
read newest first, later moments come earlier.
"""

from __future__ import annotations

from collections.abc import Iterable

from craton.infra.series.port import Entry, Found, Where, before_moment, ident_of


class Page:
    """One page under way.

    Args:
        most_bytes: what the points may have together, each with so many `overhead_bytes`; the first always fits.
    """

    def __init__(self, where: Where, limit: int, most_bytes: int, overhead_bytes: int) -> None:
        self._newest_first = where.newest_first
        self._begun_at = where.beyond
        self._limit = limit
        self._room_bytes = most_bytes
        self._overhead_bytes = overhead_bytes
        self._held: list[Entry] = []
        self._out: list[Entry] = []
        self.reached = where.beyond

    @property
    def has_advanced(self) -> bool:
        return self.reached != self._begun_at

    def would_advance(self, frontier_ms: int) -> bool:
        """Whether the page would get further by settling there."""
        return self.reached is None or self._is_past(self._edge(frontier_ms))

    def begin(self) -> None:
        """All blocks beyond what was reached are opened anew."""
        self._held.clear()

    def add(self, entries: Iterable[Entry]) -> None:
        """Points of a block that was opened, in any order."""
        self._held += entries
        if len(self._held) > 2 * self._limit:  # more than the rest of the page are never given out
            self._sort()
            del self._held[self._limit :]

    def settle(self, frontier_ms: int | None) -> bool:
        """Give out what lies before a moment, or all; whether the page is full."""
        edge = None if frontier_ms is None else self._edge(frontier_ms)
        self._sort()
        for count, entry in enumerate(self._held):
            if edge is not None and (entry.ident < edge if self._newest_first else entry.ident > edge):
                del self._held[:count]
                break
            self._room_bytes -= len(entry.data) + self._overhead_bytes
            if self._room_bytes < 0 and self._out:
                return True
            self._out.append(entry)
            self.reached = entry.ident
            if len(self._out) >= self._limit:
                return True
        else:
            self._held.clear()
        if edge is not None and self._is_past(edge):
            self.reached = edge
        return False

    def found(self, *, more: bool) -> Found:
        return Found(self._out, self.reached if more else None)

    def _sort(self) -> None:
        self._held.sort(key=lambda entry: entry.ident, reverse=self._newest_first)

    def _edge(self, frontier_ms: int) -> int:
        """Where everything before the moment is behind the reader, and nothing of it."""
        return ident_of(frontier_ms + 1, 0, 0) if self._newest_first else before_moment(frontier_ms)

    def _is_past(self, ident: int) -> bool:
        if self.reached is None:
            return True
        return ident < self.reached if self._newest_first else ident > self.reached
