"""What was used lately, and a bound on how much of it is kept.

Owns a dictionary of two halves: when the younger is full it becomes the older, and what nobody asked for in the
meantime goes. So a hit costs one look-up, and memory is bounded whatever keys come. It must not know what it keeps.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Keeps the latest `size` entries at least and twice as many at most."""

    __slots__ = ("_old", "_size", "_young")

    def __init__(self, size: int) -> None:
        self._size = size
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """The entry, which is young again; None where there is none."""
        found = self._young.get(key)
        if found is None:
            found = self._old.pop(key, None)
            if found is not None:
                self.put(key, found)
        return found

    def put(self, key: K, value: V) -> V:
        """Keep an entry; the same value, for the caller to go on with."""
        if len(self._young) >= self._size:
            self._old, self._young = self._young, {}
        self._young[key] = value
        return value

    def items(self) -> list[tuple[K, V]]:
        """All entries, which stay as old as they are."""
        return [*self._young.items(), *self._old.items()]

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())

    def __iter__(self) -> Iterator[K]:
        return iter([*self._young, *(key for key in self._old if key not in self._young)])
