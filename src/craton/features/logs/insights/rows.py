"""Queries as the store keeps them: who asked what, how far it is, what came out, for a week.

Owns the table and its statements, in SQL that SQLite and PostgreSQL both understand, and the rule that a query whose
process has not been heard of for a while is lost. Results are sealed by whoever hands them in. It must not know how
queries are run.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from sqlalchemy import BigInteger, Column, Connection, LargeBinary, Table, and_, delete, func, insert, select, update

from craton.features.logs.insights.query import (
    ACTIVE,
    FAILED,
    KEPT_MS,
    LOST_MS,
    About,
    Asked,
    Place,
)
from craton.infra.store.tables import METADATA, Text

QUERIES: Final = Table(
    "log_queries",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("asked_ms", BigInteger, nullable=False),
    Column("beat_ms", BigInteger, nullable=False),
    Column("about", LargeBinary, nullable=False),
    Column("result", LargeBinary, nullable=False),
)


class TooMany(Exception):
    """The account has as many queries under way as it may."""


def add(connection: Connection, asked: Asked, most: int) -> None:
    """Put a query down, and forget those that are over for a week. Raises TooMany."""
    columns = QUERIES.c
    connection.execute(delete(QUERIES).where(columns.asked_ms < asked.asked_ms - KEPT_MS))
    under_way = and_(
        columns.account == asked.account,
        columns.region == asked.region,
        columns.status.in_(ACTIVE),
        columns.beat_ms >= asked.asked_ms - LOST_MS,
    )
    if connection.execute(select(func.count()).select_from(QUERIES).where(under_way)).scalar_one() >= most:
        raise TooMany
    row = msgspec.structs.asdict(asked) | {"about": msgspec.msgpack.encode(asked.about), "result": b""}
    connection.execute(insert(QUERIES).values(row))


def get(connection: Connection, account: str, region: str, ident: str, now_ms: int) -> Asked | None:
    """A query of an account and region."""
    mine = and_(QUERIES.c.id == ident, QUERIES.c.account == account, QUERIES.c.region == region)
    row = connection.execute(select(QUERIES).where(mine)).one_or_none()
    return None if row is None else _asked(row, now_ms)


def result(connection: Connection, ident: str) -> bytes:
    """The sealed result; empty while there is none."""
    return bytes(connection.execute(select(QUERIES.c.result).where(QUERIES.c.id == ident)).scalar_one_or_none() or b"")


def tell(connection: Connection, ident: str, status: str, about: About, now_ms: int, sealed: bytes = b"") -> bool:
    """Say how far a query is; False, and nothing is written, where it was ended by somebody else meanwhile."""
    changed = update(QUERIES).where(QUERIES.c.id == ident, QUERIES.c.status.in_(ACTIVE))
    values = {"status": status, "beat_ms": now_ms, "about": msgspec.msgpack.encode(about), "result": sealed}
    return connection.execute(changed.values(values)).rowcount == 1


def end(connection: Connection, ident: str, status: str, now_ms: int) -> bool:
    """End a query from outside; whether it was under way."""
    changed = update(QUERIES).where(QUERIES.c.id == ident, QUERIES.c.status.in_(ACTIVE))
    return connection.execute(changed.values(status=status, beat_ms=now_ms)).rowcount == 1


def listed(
    connection: Connection, account: str, region: str, now_ms: int, limit: int, after: Place | None
) -> list[Asked]:
    """The queries of an account and region, the youngest first."""
    columns = QUERIES.c
    found = select(QUERIES).where(columns.account == account, columns.region == region)
    found = found.where(columns.asked_ms >= now_ms - KEPT_MS)
    if after is not None:
        at_ms, ident = after
        found = found.where((columns.asked_ms < at_ms) | and_(columns.asked_ms == at_ms, columns.id < ident))
    rows = connection.execute(found.order_by(columns.asked_ms.desc(), columns.id.desc()).limit(limit))
    return [_asked(row, now_ms) for row in rows]


def _asked(row: Any, now_ms: int) -> Asked:
    status = row.status
    if status in ACTIVE and row.beat_ms < now_ms - LOST_MS:
        status = FAILED  # its process was killed
    about = msgspec.msgpack.decode(row.about, type=About)
    return Asked(row.id, row.account, row.region, status, row.asked_ms, row.beat_ms, about)
