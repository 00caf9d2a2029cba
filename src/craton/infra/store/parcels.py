"""Many records on their way to workers, in parcels: one that changed travels with its neighbours, and is opened alone.

Owns how records are spread over parcels (by a checksum of their key, so that a record keeps its place when others come
and go), the names of parcels, which are checksums of what is in them, and what a worker does with parcels that it has:
nothing. So a snapshot is a list of names, and a worker asks for those that it does not know. It must not know what
records are or how they travel.
"""

from __future__ import annotations

from collections import ChainMap, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from operator import attrgetter
from typing import Any, Generic, TypeVar
from zlib import crc32

import msgspec

T = TypeVar("T")
Key = Callable[[Any], str]
"""What tells a record from all others of its sort."""

BY_ARN: Key = attrgetter("arn")
_MOST = 256
"""How many records a parcel holds on average before there are twice as many parcels."""
_REMEMBERED = 16
"""For how many snapshots a parcel can still be asked for: a worker may be behind."""


class Packing:
    """One sort of records at the sender. `contents` are the parcels of now, by name."""

    def __init__(self, key: Key = BY_ARN) -> None:
        self._key = key
        self._records: Sequence[Any] = ()
        self._places: list[dict[str, Any]] = [{}]
        self._names: list[bytes] = []
        self.contents: dict[bytes, bytes] = {}
        self._names = self._packed((), ())

    def pack(self, records: Sequence[Any]) -> list[bytes]:
        """The parcels' names; the same object as long as `records` is. What is unchanged must be the same object."""
        if records is not self._records:
            gone, come = _difference(self._records, records)
            if len(records) > _MOST * len(self._places):
                count = 2 * len(records) // _MOST
                self._places, gone, come = [{} for _ in range(count)], (), records
            self._records = records
            self._names = self._packed(gone, come)
        return self._names

    def _packed(self, gone: Sequence[Any], come: Sequence[Any]) -> list[bytes]:
        places, names = self._places, self._names
        moved = set() if len(names) == len(places) else set(range(len(places)))
        for record in gone:
            key = self._key(record)
            place = crc32(key.encode()) % len(places)
            moved.add(place)
            del places[place][key]
        for record in come:
            key = self._key(record)
            place = crc32(key.encode()) % len(places)
            moved.add(place)
            places[place][key] = record
        fresh = {place: msgspec.msgpack.encode(list(places[place].values())) for place in moved}
        made = [_name(fresh[place]) if place in moved else names[place] for place in range(len(places))]
        self.contents = {
            name: fresh[place] if place in moved else self.contents[name] for place, name in enumerate(made)
        }
        return made


class Shelf:
    """The parcels that workers may ask for."""

    def __init__(self) -> None:
        self._rows: deque[dict[bytes, bytes]] = deque(maxlen=_REMEMBERED)

    def put(self, packings: Iterable[Packing]) -> None:
        """Keep what is packed now, beside what was lately."""
        self._rows.appendleft({name: content for packing in packings for name, content in packing.contents.items()})

    def find(self, names: Iterable[bytes]) -> list[bytes]:
        """The parcels of these names. Raises KeyError for one that is long gone."""
        known = ChainMap(*self._rows)
        return [known[name] for name in names]


def _name(content: bytes) -> bytes:
    return blake2b(content, digest_size=16).digest()


def _difference(old: Sequence[Any], new: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
    """What stands in either between their common beginning and their common end."""
    short = min(len(old), len(new))
    head = _alike(old, new, short)
    tail = _alike(reversed(old), reversed(new), short - head)
    return old[head : len(old) - tail], new[head : len(new) - tail]


def _alike(old: Iterable[Any], new: Iterable[Any], most: int) -> int:
    """How many of the first `most` are the same objects in both."""
    pairs = zip(range(most), old, new, strict=False)
    return next((place for place, one, other in pairs if one is not other), most)


class Unpacking(Generic[T]):
    """One sort of records at the receiver. `held` maps keys to records, and is replaced whole when one changes."""

    def __init__(self, shape: type[T], key: Key = BY_ARN) -> None:
        self._decoder: msgspec.msgpack.Decoder[list[T]] = msgspec.msgpack.Decoder(list[shape])  # type: ignore[valid-type] # a type at run time
        self._key = key
        self._names: list[bytes] = []
        self._keys: list[list[str]] = []
        self.held: dict[str, T] = {}

    def wanted(self, names: list[bytes]) -> set[bytes]:
        """The parcels that have to be fetched before `take`."""
        if len(names) != len(self._names):
            return set(names)
        return {name for name, mine in zip(names, self._names, strict=True) if name != mine}

    def take(self, names: list[bytes], contents: Mapping[bytes, bytes]) -> bool:
        """Take up what was packed, `contents` holding at least what is wanted; whether that is another than before."""
        if names == self._names:
            return False
        if len(names) != len(self._names):
            self._names, self._keys, self.held = [b""] * len(names), [[] for _ in names], {}
        held = dict(self.held)
        moved = [place for place, name in enumerate(names) if name != self._names[place]]
        for place in moved:
            for key in self._keys[place]:
                del held[key]
        for place in moved:
            records = self._decoder.decode(contents[names[place]])
            self._keys[place] = [self._key(record) for record in records]
            held.update(zip(self._keys[place], records, strict=True))
        self._names, self.held = names, held
        return True
