"""Many records on their way to workers, in parcels: one that changed travels with its neighbours, and is opened alone.

Owns how records are spread over parcels (by a checksum of their id, so that a record keeps its place when others come
and go) and what a worker does with parcels that are as before: nothing. It must not know what records are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Generic, Protocol, TypeVar
from zlib import crc32

import msgspec

_MOST = 256
"""How many records a parcel holds on average before there are twice as many parcels."""


class Record(Protocol):
    """What can be packed: something that msgspec can encode."""

    @property
    def id(self) -> str: ...

    @property
    def arn(self) -> str: ...


T = TypeVar("T", bound=Record)


class Packing:
    """One sort of records at the sender."""

    def __init__(self) -> None:
        self._records: Sequence[Record] = ()
        self._places: list[dict[str, Record]] = [{}]
        self._parcels: list[bytes] = [_packed({})]

    def pack(self, records: Sequence[Record]) -> list[bytes]:
        """The parcels; the same object as long as `records` is. What is unchanged must be the same object as before."""
        if records is not self._records:
            gone, come = _difference(self._records, records)
            if len(records) > _MOST * len(self._places):
                count = 2 * len(records) // _MOST
                self._places, gone, come = [{} for _ in range(count)], (), records
            self._records = records
            self._parcels = self._packed(gone, come)
        return self._parcels

    def _packed(self, gone: Sequence[Record], come: Sequence[Record]) -> list[bytes]:
        places = self._places
        moved = set() if len(self._parcels) == len(places) else set(range(len(places)))
        for record in gone:
            place = crc32(record.id.encode()) % len(places)
            moved.add(place)
            del places[place][record.arn]
        for record in come:
            place = crc32(record.id.encode()) % len(places)
            moved.add(place)
            places[place][record.arn] = record
        kept = self._parcels
        return [_packed(held) if place in moved else kept[place] for place, held in enumerate(places)]


def _packed(place: dict[str, Record]) -> bytes:
    return msgspec.msgpack.encode(list(place.values()))


def _difference(old: Sequence[Record], new: Sequence[Record]) -> tuple[Sequence[Record], Sequence[Record]]:
    """What stands in either between their common beginning and their common end."""
    short = min(len(old), len(new))
    head = _alike(old, new, short)
    tail = _alike(reversed(old), reversed(new), short - head)
    return old[head : len(old) - tail], new[head : len(new) - tail]


def _alike(old: Iterable[Record], new: Iterable[Record], most: int) -> int:
    """How many of the first `most` are the same objects in both."""
    pairs = zip(range(most), old, new, strict=False)
    return next((place for place, one, other in pairs if one is not other), most)


class Unpacking(Generic[T]):
    """One sort of records at the receiver. `held` maps ARNs to records, and is replaced whole when one changes."""

    def __init__(self, shape: type[T]) -> None:
        self._decoder: msgspec.msgpack.Decoder[list[T]] = msgspec.msgpack.Decoder(list[shape])  # type: ignore[valid-type] # a type at run time
        self._parcels: list[bytes] = []
        self._arns: list[list[str]] = []
        self.held: dict[str, T] = {}

    def take(self, parcels: list[bytes]) -> bool:
        """Take up what was packed; whether that is another content than before."""
        if parcels == self._parcels:
            return False
        if len(parcels) != len(self._parcels):
            self._parcels, self._arns, self.held = [b""] * len(parcels), [[] for _ in parcels], {}
        held = dict(self.held)
        moved = [place for place, parcel in enumerate(parcels) if parcel != self._parcels[place]]
        for place in moved:
            for arn in self._arns[place]:
                del held[arn]
        for place in moved:
            records = self._decoder.decode(parcels[place])
            self._arns[place] = [record.arn for record in records]
            held.update(zip(self._arns[place], records, strict=True))
        self._parcels, self.held = parcels, held
        return True
