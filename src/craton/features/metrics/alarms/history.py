"""What happened to alarms: a row for each change of configuration or state and for each action.

Owns the table and its statements; each works on one connection inside the caller's transaction. It must not know what
leads to a row.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import msgspec
from sqlalchemy import BigInteger, Column, Connection, LargeBinary, Table, delete, insert, select, tuple_

from craton.infra.store.ids import lower_id
from craton.infra.store.port import microseconds
from craton.infra.store.tables import METADATA, Text

KEPT: Final = timedelta(days=30)
CONFIGURATION, STATE, ACTION = "ConfigurationUpdate", "StateUpdate", "Action"

# `at` in µs since 1970; `about` is a packed `Item`.
HISTORY = Table(
    "alarm_history",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("alarm", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("about", LargeBinary, nullable=False),
)


class Item(msgspec.Struct, frozen=True):
    """What happened, in a sentence and as JSON."""

    summary: str
    data: str


class Row(msgspec.Struct, frozen=True):
    """One that was read. `type` is the alarm's."""

    id: str
    alarm: str
    type: str
    kind: str
    at: int
    item: Item


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows, None for no restriction. `after` is where a page ended; moments in µs since 1970."""

    account: str
    region: str
    alarm: str | None = None
    types: tuple[str, ...] | None = None
    kind: str | None = None
    start: int | None = None
    stop: int | None = None
    oldest_first: bool = False
    limit: int = 100
    after: tuple[int, str] | None = None


def add(
    connection: Connection, account: str, region: str, alarm: str, type_: str, kind: str, at: datetime, item: Item
) -> None:
    row = {"id": lower_id(), "account": account, "region": region, "alarm": alarm, "type": type_, "kind": kind,
           "at": microseconds(at), "about": msgspec.msgpack.encode(item)}  # fmt: skip
    connection.execute(insert(HISTORY).values(row))


def listed(connection: Connection, asked: Asked) -> list[Row]:
    column = HISTORY.c
    wanted = [column.account == asked.account, column.region == asked.region]
    if asked.alarm is not None:
        wanted.append(column.alarm == asked.alarm)
    if asked.types is not None:
        wanted.append(column.type.in_(asked.types))
    if asked.kind is not None:
        wanted.append(column.kind == asked.kind)
    if asked.start is not None:
        wanted.append(column.at >= asked.start)
    if asked.stop is not None:
        wanted.append(column.at <= asked.stop)
    place = tuple_(column.at, column.id)
    if asked.after is not None:
        wanted.append(place > asked.after if asked.oldest_first else place < asked.after)
    order = (column.at, column.id) if asked.oldest_first else (column.at.desc(), column.id.desc())
    fields = (column.id, column.alarm, column.type, column.kind, column.at, column.about)
    rows = connection.execute(select(*fields).where(*wanted).order_by(*order).limit(asked.limit)).all()
    return [Row(*row[:5], msgspec.msgpack.decode(row.about, type=Item)) for row in rows]


def expire(connection: Connection, before: datetime) -> None:
    connection.execute(delete(HISTORY).where(HISTORY.c.at < microseconds(before)))
