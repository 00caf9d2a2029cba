"""Listings of keys: pages in the order of bytes, with what lies behind a delimiter rolled up into common prefixes.

Costs follow the page, not the bucket: every statement seeks in an index, and a common prefix is jumped over whole,
however many keys lie behind it. Pure but for the connection; it must not know the API's parameters or tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Connection, Integer, Select, and_, bindparam, or_, select

from craton.infra.objects.record import CURRENT, Entry
from craton.infra.objects.tables import OBJECTS

_O = OBJECTS.c
_SHOWN = [_O[name] for name in Entry.__struct_fields__]
_FIRST, _MOST = 8, 1001
# Made once: a page of a thousand common prefixes takes a thousand statements, and making one costs more than running it.
_ROWS = (
    select(*_SHOWN)
    .where(_O.bucket == bindparam("of"), _O.key >= bindparam("start"), _O.key < bindparam("end"))
    .limit(bindparam("most", type_=Integer))
)
_CURRENT = _ROWS.where(_O.state == CURRENT).order_by(_O.key)
_ALL = _ROWS.order_by(_O.key, _O.place)
_NO_KEY = b"\xff"
"""Greater than any key, since keys are UTF-8."""


class Keyed(Protocol):
    """Whatever a listing shows. `order` is what orders the rows of one key."""

    @property
    def key(self) -> bytes: ...

    @property
    def order(self) -> Any: ...


E = TypeVar("E", bound=Keyed)


class Place(msgspec.Struct, frozen=True):
    """Where a page begins: at the first row of `key`, or (`behind`) after all of its rows, or after its row `within`."""

    key: bytes = b""
    behind: bool = False
    within: Any = None


class Shown(msgspec.Struct, frozen=True):
    """One page: entries and common prefixes, each in order; `more` says whether others follow.

    `last` is what the page ended with, an entry's key or a common prefix; `last_entry` is None for the latter.
    """

    entries: list[Any]
    prefixes: list[bytes]
    more: bool = False
    last: bytes = b""
    last_entry: Any = None


def objects(
    connection: Connection, bucket: str, prefix: bytes, delimiter: bytes, start: Place | None, limit: int
) -> Shown:
    """A page of the current objects."""

    def fetch(place: Place, most: int) -> list[Entry]:
        return _entries(connection, _CURRENT, _asked(bucket, prefix, place, most))

    return rolled(fetch, prefix, delimiter, start, limit)


def versions(
    connection: Connection, bucket: str, prefix: bytes, delimiter: bytes, start: Place | None, limit: int
) -> Shown:
    """A page of all versions and delete markers, newest first within a key; `start.within` is a row's place."""

    def fetch(place: Place, most: int) -> list[Entry]:
        if place.within is None or place.key < prefix:
            return _entries(connection, _ALL, _asked(bucket, prefix, place, most))
        limits = bounds(prefix, place, _O.key, _O.place)
        statement = select(*_SHOWN).where(_O.bucket == bucket, *limits).order_by(_O.key, _O.place).limit(most)
        return _entries(connection, statement, {})

    return rolled(fetch, prefix, delimiter, start, limit)


def rolled(
    fetch: Callable[[Place, int], Sequence[E]], prefix: bytes, delimiter: bytes, start: Place | None, limit: int
) -> Shown:
    """One page out of what `fetch` gives from a place on, in order: its entries and its common prefixes.

    `fetch` must keep to the prefix. After a common prefix few rows are asked for, since the next may be one too.
    """
    entries: list[E] = []
    prefixes: list[bytes] = []
    last, last_entry = b"", None
    most = _FIRST if delimiter else _MOST
    while start is not None:
        asked = min(most, limit - len(entries) - len(prefixes) + 1)
        rows = fetch(start, asked)
        at = 0
        while at < len(rows):
            entry = rows[at]
            if len(entries) + len(prefixes) == limit:
                return Shown(entries, prefixes, more=True, last=last, last_entry=last_entry)
            last = common(entry.key, prefix, delimiter)
            if last:
                prefixes.append(last)
                last_entry = None
                while at < len(rows) and rows[at].key.startswith(last):
                    at += 1
            else:
                entries.append(entry)
                last, last_entry, at = entry.key, entry, at + 1
        if len(rows) < asked:
            break
        most = min(most * 4, _MOST) if last_entry is not None else _FIRST
        start = after(last, prefix, delimiter, None if last_entry is None else last_entry.order)
    return Shown(entries, prefixes, last=last, last_entry=last_entry)


def after(last: bytes, prefix: bytes, delimiter: bytes, within: Any = None) -> Place | None:
    """Where to go on behind a key, behind its row `within`, or behind a whole common prefix; None: at no place."""
    if common(last, prefix, delimiter) != last:
        return Place(last, behind=True, within=within)
    beyond = after_all(last)
    return None if beyond is None else Place(beyond)


def after_all(prefix: bytes) -> bytes | None:
    """The least key behind all that begin with this prefix; None if there is none."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes((stem[-1] + 1,)) if stem else None


def common(key: bytes, prefix: bytes, delimiter: bytes) -> bytes:
    """The common prefix that a key is rolled up into; b"" if the key is shown itself."""
    found = key.find(delimiter, len(prefix)) if delimiter and key.startswith(prefix) else -1
    return b"" if found < 0 else key[: found + len(delimiter)]


def bounds(
    prefix: bytes, place: Place, key: ColumnElement[Any], order: ColumnElement[Any] | None = None
) -> list[ColumnElement[bool]]:
    """The prefix and the place as conditions on the column of keys, and on the one that orders the rows of one key."""
    limits: list[ColumnElement[bool]] = []
    if place.key < prefix:
        limits.append(key >= prefix)
    elif order is not None and place.within is not None:
        limits += [key >= place.key, or_(key > place.key, and_(key == place.key, order > place.within))]
    elif place.key:
        limits.append(key > place.key if place.behind else key >= place.key)
    end = after_all(prefix)
    if end is not None:
        limits.append(key < end)
    return limits


def _asked(bucket: str, prefix: bytes, place: Place, most: int) -> dict[str, Any]:
    """The values of a made statement. Behind a key begins at the least key that is greater."""
    start = max(prefix, place.key + b"\0" if place.behind else place.key)
    return {"of": bucket, "start": start, "end": after_all(prefix) or _NO_KEY, "most": most}


def _entries(connection: Connection, statement: Select[Any], values: dict[str, Any]) -> list[Entry]:
    return [_entry(*row) for row in connection.execute(statement, values)]


def _entry(key: bytes, place: int, version_id: str, state: int, marker: int, *rest: Any) -> Entry:
    return Entry(bytes(key), place, version_id, state, bool(marker), *rest)
