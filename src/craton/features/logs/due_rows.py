"""The rows of what filters have yet to see.

Owns the statements, in SQL that SQLite and PostgreSQL both understand. It must not know runs.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, Column, ColumnElement, Connection, Table, and_, delete, insert, select

from craton.features.logs.due import Due
from craton.infra.series.port import Kept
from craton.infra.store.port import microseconds
from craton.infra.store.tables import METADATA, Text

DUE: Final = Table(
    "log_due",
    METADATA,
    Column("space", Text, primary_key=True),
    Column("lane", Text, primary_key=True),
    Column("batch", BigInteger, primary_key=True),
    Column("series", Text, nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("noted_ms", BigInteger, nullable=False),
)
_COLUMNS: Final = [DUE.c[name] for name in Due.__struct_fields__]


def add(connection: Connection, space: str, lane: str, kept: Kept, series: str, now: datetime) -> None:
    connection.execute(
        insert(DUE).values(
            space=space,
            lane=lane,
            batch=kept.batch,
            series=series,
            first_ms=kept.first_ms,
            last_ms=kept.last_ms,
            noted_ms=microseconds(now) // 1000,
        )
    )


def waiting(connection: Connection, space: str, lane: str, limit: int) -> list[Due]:
    """The oldest that wait in a lane."""
    found = select(*_COLUMNS).where(_in(space, lane)).order_by(DUE.c.batch).limit(limit)
    return [Due(*row) for row in connection.execute(found)]


def settle(connection: Connection, space: str, lane: str, batches: Collection[int]) -> bool:
    """Take some off; False, and nothing is changed, where one of them was taken off already."""
    with connection.begin_nested() as attempt:
        gone = delete(DUE).where(_in(space, lane), DUE.c.batch.in_(batches))
        if connection.execute(gone).rowcount != len(batches):
            attempt.rollback()
            return False
    return True


def clear(connection: Connection, space: str, lane: str) -> None:
    connection.execute(delete(DUE).where(_in(space, lane)))


def _in(space: str, lane: str) -> ColumnElement[bool]:
    return and_(DUE.c.space == space, DUE.c.lane == lane)
