"""Keys as they were last read, held while no key changes, so that sealing an object does not cost a query.

Owns what is held and when it is let go. Whoever is told of each change to keys before its author hears that it was kept
(an HTTP worker, by its snapshot) says so by `follow`; anybody else reads each time. So a key that was disabled seals and
opens nothing in any worker of its server from the moment at which its disabling was acknowledged. It must not know what
keys are used for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from datetime import datetime
from typing import Protocol, TypeVar

from craton.infra.cipher import rows
from craton.infra.store.port import Reader

T = TypeVar("T")

_MOST = 1024


class Reads(Protocol):
    """The store, off the loop (`context.Storage`)."""

    def read(self, work: Callable[[Reader], T]) -> Awaitable[T]: ...


class HeldKeys:
    """Keys by name."""

    def __init__(self, storage: Reads, now: Callable[[], datetime]) -> None:
        self._storage = storage
        self._now = now
        self._held: dict[rows.Place, rows.Key] = {}
        self._state: Hashable = None

    def follow(self, state: Hashable) -> None:
        """Hold keys from now on, and let go of all whenever `state` is another: keys have changed."""
        if state != self._state:
            self._state, self._held = state, {}

    async def find(self, where: rows.Place) -> rows.Key:
        """The key there. Raises NoSuchKey."""
        held, now = self._held, self._now()
        found = held.get(where)
        if found is None:
            found = await self._storage.read(lambda reader: rows.find(reader, where, now))
            # What was read while keys changed may be of before; a key that is not usable is nobody's haste.
            if self._state is not None and held is self._held and found.row.status == rows.ENABLED:
                if len(held) >= _MOST:
                    held.clear()
                held[where] = found
        return found
