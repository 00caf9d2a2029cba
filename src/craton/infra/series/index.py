"""The rows of series: which there are, which blocks hold their points, and under which keys.

Owns the statements, in SQL that SQLite and PostgreSQL both understand. Every function works on one connection inside
the caller's transaction. It must not open a block.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, and_, case, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from craton.infra.series.port import MOST_SPAN_MS, Listed, NoSuchSeries, Series, SeriesExists, Where, left_of
from craton.infra.series.tables import BATCHES, CHUNKS, KEYS, SERIES

_BATCHES = "batches"
FULL = 99
"""The level of blocks that are large enough; lower ones are merged, level by level."""


class Chunk(msgspec.Struct, frozen=True):
    """What is known of a sealed block without opening it. `data` is empty where it was not asked for."""

    id: str
    series: str
    first_ms: int
    last_ms: int
    batch: int
    level: int
    plain_bytes: int
    size_bytes: int
    key_id: str
    data: bytes = b""

    def __repr__(self) -> str:
        return f"Chunk({self.id!r})"


class SealedKey(msgspec.Struct, frozen=True):
    """A data key at rest."""

    id: str
    kms_key: str
    made_ms: int
    sealed: bytes


_PLAIN = [CHUNKS.c[name] for name in Chunk.__struct_fields__ if name != "data"]
_WHOLE = [CHUNKS.c[name] for name in Chunk.__struct_fields__]


# --- series ---


def create(connection: Connection, space: str, name: str, now_ms: int) -> None:
    """Raises SeriesExists."""
    row = {"space": space, "name": name, "created_ms": now_ms, "size_bytes": 0}
    try:
        with connection.begin_nested():
            connection.execute(insert(SERIES).values(row))
    except IntegrityError:
        raise SeriesExists from None


def get(connection: Connection, space: str, name: str) -> Series | None:
    row = connection.execute(select(SERIES).where(_named(space, name))).one_or_none()
    return None if row is None else _series(row)


def listed(
    connection: Connection, space: str, prefix: str, *, by_time: bool, descending: bool, limit: int,
    after: tuple[int, str] | None,
) -> Listed:  # fmt: skip
    moment = func.coalesce(SERIES.c.last_ms, 0) if by_time else None
    found = select(SERIES).where(SERIES.c.space == space)
    if prefix:
        found = found.where(SERIES.c.name >= prefix, func.substr(SERIES.c.name, 1, len(prefix)) == prefix)
    if after is not None:
        found = found.where(_past(moment, after, descending=descending))
    keys: list[ColumnElement[Any]] = [SERIES.c.name] if moment is None else [moment, SERIES.c.name]
    order = [key.desc() if descending else key for key in keys]
    rows = connection.execute(found.order_by(*order).limit(limit + 1)).all()
    items = tuple(_series(row) for row in rows[:limit])
    last = items[-1] if len(rows) > limit else None
    return Listed(items, None if last is None else ((last.last_ms or 0) if by_time else 0, last.name))


def sizes(connection: Connection, spaces: Sequence[str]) -> dict[str, int]:
    summed = select(SERIES.c.space, func.sum(SERIES.c.size_bytes)).where(SERIES.c.space.in_(spaces))
    return {space: int(size) for space, size in connection.execute(summed.group_by(SERIES.c.space))}


def remove(connection: Connection, space: str, name: str) -> None:
    """Raises NoSuchSeries."""
    if connection.execute(delete(SERIES).where(_named(space, name))).rowcount == 0:
        raise NoSuchSeries
    connection.execute(delete(CHUNKS).where(CHUNKS.c.space == space, CHUNKS.c.series == name))


def remove_space(connection: Connection, space: str) -> None:
    """Everything of a space: its series, their points, its keys."""
    for table in (CHUNKS, SERIES, KEYS):
        connection.execute(delete(table).where(table.c.space == space))


# --- blocks ---


def take_batches(connection: Connection, count: int) -> int:
    """The first of so many numbers that no batch has or will have again."""
    raised = update(BATCHES).values(taken=BATCHES.c.taken + count).returning(BATCHES.c.taken)
    taken = connection.execute(raised).scalar_one_or_none()
    if taken is None:
        connection.execute(insert(BATCHES).values(name=_BATCHES, taken=count))
        taken = count
    return int(taken) - count + 1


def add(connection: Connection, space: str, chunk: Chunk) -> None:
    connection.execute(insert(CHUNKS).values(space=space, **msgspec.structs.asdict(chunk)))


def append(connection: Connection, space: str, chunk: Chunk, now_ms: int) -> None:
    """Add a block and tell its series of it. Raises NoSuchSeries, and adds nothing."""
    columns = SERIES.c
    is_first = or_(columns.first_ms.is_(None), columns.first_ms > chunk.first_ms)
    is_last = or_(columns.last_ms.is_(None), columns.last_ms < chunk.last_ms)
    told = update(SERIES).where(_named(space, chunk.series)).values(
        first_ms=case((is_first, chunk.first_ms), else_=columns.first_ms),
        last_ms=case((is_last, chunk.last_ms), else_=columns.last_ms),
        kept_ms=now_ms,
        size_bytes=columns.size_bytes + chunk.size_bytes,
    )  # fmt: skip
    if connection.execute(told).rowcount == 0:
        raise NoSuchSeries
    add(connection, space, chunk)


def reaching(connection: Connection, space: str, where: Where, limit: int) -> list[Chunk]:
    """The blocks with points in a span of time, without their data, in the order in which a reader comes to them.

    That is by their first moment; newest first, by their last one.
    """
    columns = CHUNKS.c
    start_ms, stop_ms = left_of(where)
    found = select(*_PLAIN).where(columns.space == space)
    # The second bound of each pair follows from the first and the longest span; it is what the index is used for.
    found = found.where(columns.last_ms >= start_ms, columns.first_ms >= start_ms - MOST_SPAN_MS)
    found = found.where(columns.first_ms < stop_ms, columns.last_ms < stop_ms + MOST_SPAN_MS)
    if where.series is not None:
        found = found.where(columns.series.in_(where.series))
    if where.prefix:
        found = found.where(func.substr(columns.series, 1, len(where.prefix)) == where.prefix)
    moment = columns.last_ms.desc() if where.newest_first else columns.first_ms
    return [Chunk(*row) for row in connection.execute(found.order_by(moment, columns.id).limit(limit))]


def loaded(connection: Connection, ids: Sequence[str]) -> dict[str, bytes]:
    """The sealed blocks, of those that are still there."""
    found = select(CHUNKS.c.id, CHUNKS.c.data).where(CHUNKS.c.id.in_(ids))
    return {ident: bytes(data) for ident, data in connection.execute(found)}


def small(connection: Connection, space: str, series: str, level: int, limit: int) -> list[Chunk]:
    """The oldest blocks of a level, whole."""
    mine = and_(CHUNKS.c.space == space, CHUNKS.c.series == series, CHUNKS.c.level == level)
    found = select(*_WHOLE).where(mine).order_by(CHUNKS.c.batch).limit(limit)
    return [Chunk(*row) for row in connection.execute(found)]


def replace(connection: Connection, space: str, old: Sequence[Chunk], new: Chunk) -> bool:
    """One block in place of several, unless one of them is gone: then nothing is done, and the answer is False."""
    ids = [chunk.id for chunk in old]
    with connection.begin_nested() as attempt:
        if connection.execute(delete(CHUNKS).where(CHUNKS.c.id.in_(ids))).rowcount != len(ids):
            attempt.rollback()
            return False
        add(connection, space, new)
    return True


def expire(connection: Connection, space: str, before_ms: int) -> int:
    """Remove the blocks whose points are all older; how many."""
    over = and_(CHUNKS.c.space == space, CHUNKS.c.last_ms < before_ms)
    lost = select(CHUNKS.c.series, func.sum(CHUNKS.c.size_bytes), func.count()).where(over).group_by(CHUNKS.c.series)
    gone = 0
    for series, size_bytes, count in connection.execute(lost).all():
        lessened = update(SERIES).where(_named(space, series))
        connection.execute(lessened.values(size_bytes=SERIES.c.size_bytes - int(size_bytes)))
        gone += int(count)
    if gone:
        connection.execute(delete(CHUNKS).where(over))
    return gone


# --- keys ---


def newest_key(connection: Connection, space: str) -> SealedKey | None:
    found = select(KEYS.c.id, KEYS.c.kms_key, KEYS.c.made_ms, KEYS.c.sealed).where(KEYS.c.space == space)
    row = connection.execute(found.order_by(KEYS.c.made_ms.desc(), KEYS.c.id).limit(1)).one_or_none()
    return None if row is None else SealedKey(*row)


def add_key(connection: Connection, space: str, key: SealedKey) -> None:
    connection.execute(insert(KEYS).values(space=space, **msgspec.structs.asdict(key)))


def keys(connection: Connection, ids: Sequence[str]) -> list[SealedKey]:
    found = select(KEYS.c.id, KEYS.c.kms_key, KEYS.c.made_ms, KEYS.c.sealed).where(KEYS.c.id.in_(ids))
    return [SealedKey(*row) for row in connection.execute(found)]


def _named(space: str, name: str) -> ColumnElement[bool]:
    return and_(SERIES.c.space == space, SERIES.c.name == name)


def _series(row: Row[Any]) -> Series:
    return Series(row.name, row.created_ms, row.first_ms, row.last_ms, row.kept_ms, row.size_bytes)


def _past(moment: ColumnElement[Any] | None, after: tuple[int, str], *, descending: bool) -> ColumnElement[bool]:
    """Behind the last row of the page before."""
    value, name = after
    beyond_name = SERIES.c.name < name if descending else SERIES.c.name > name
    if moment is None:
        return beyond_name
    beyond = moment < value if descending else moment > value
    return or_(beyond, and_(moment == value, beyond_name))
