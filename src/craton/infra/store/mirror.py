"""What was made of rows, kept up to date by reading only those that changed.

Owns, for one thread and one store, the records of each kind that somebody asked for, in the order of their rows' making.
A look costs one short query; a kind that changed costs its changed rows, and, when rows were removed, the ARNs of the
kind. So what a write costs does not grow with what is stored. It must not know what records are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from craton.infra.store.port import Resource, Store

T = TypeVar("T")


class _Kind:
    """The records of a kind by ARN, as they were at a stamp. `shown` is replaced whole when they change."""

    __slots__ = ("made", "shown", "stamp")

    def __init__(self) -> None:
        self.made: dict[str, Any] = {}
        self.shown: tuple[Any, ...] = ()
        self.stamp = -1


class Mirror:
    """`look`, then `read`: reads between two looks are of one moment or later, never of an earlier one."""

    def __init__(self) -> None:
        self._stamps: dict[str, int] = {}
        self._kinds: dict[str, _Kind] = {}

    def look(self, store: Store) -> bool:
        """Ask what has changed; whether anything has since the last look. Raises StoreError."""
        # The stamps are read first: what changes meanwhile has a later one, and is read again after the next look.
        stamps = store.stamps()
        moved, self._stamps = stamps != self._stamps, stamps
        return moved

    def stamp(self, kind: str) -> int:
        """What moves with every change to rows of a kind, as of the last look; 0 before there was one."""
        return self._stamps.get(kind, 0)

    def read(self, store: Store, kind: str, make: Callable[[Resource], T]) -> tuple[T, ...]:
        """What `make` makes of each row of a kind; the same object as long as no row of it changes.

        `make` is called once for each version of a row, and must be the same for a kind each time.
        """
        stamp = self._stamps.get(kind, 0)
        held = self._kinds.setdefault(kind, _Kind())
        if stamp == held.stamp:
            return held.shown
        if stamp < held.stamp:  # another database under the same name: nothing of the old one counts
            held = self._kinds[kind] = _Kind()
        if stamp > 0:
            _take_up(store, kind, held, make)
        held.shown, held.stamp = tuple(held.made.values()), stamp
        return held.shown


def _take_up(store: Store, kind: str, held: _Kind, make: Callable[[Resource], Any]) -> None:
    found = store.changes(kind, held.stamp)
    for row in found.rows:
        held.made[row.arn] = make(row)
    # All rows that are there are held now, so others are held only if there are more.
    if len(held.made) != found.total:
        there = store.arns(kind)
        held.made = {arn: record for arn, record in held.made.items() if arn in there}
