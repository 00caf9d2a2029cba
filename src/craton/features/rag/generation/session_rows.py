"""The table of conversations with knowledge bases, and every statement on it.

Each function is a part of a transaction that the caller holds. What a conversation is about lies sealed in `sealed`;
the rest says whose it is and when it was last used. It must not know how anything is sealed.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import BigInteger, Column, Connection, LargeBinary, Table, delete, insert, select, update

from craton.features.rag.generation.sessions import Row
from craton.infra.store.tables import METADATA, Text

SESSIONS = Table(
    "rag_sessions",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("base", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("kms_key", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)
_S = SESSIONS.c
_AT_ONCE = 500


def add(connection: Connection, row: Row) -> None:
    connection.execute(insert(SESSIONS), msgspec.structs.asdict(row))


def find(connection: Connection, ident: str) -> Row | None:
    found = connection.execute(select(SESSIONS).where(_S.id == ident)).mappings().one_or_none()
    return None if found is None else Row(**found)


def replace(connection: Connection, row: Row) -> bool:
    """Keep a turn more; False if the row is not at the version before it any more."""
    done = connection.execute(
        update(SESSIONS)
        .where(_S.id == row.id, _S.version == row.version - 1)
        .values(version=row.version, used_at=row.used_at, sealed=row.sealed)
    )
    return done.rowcount == 1


def forget(connection: Connection, before: int) -> None:
    """Delete conversations that were not used since a moment, some hundred at most."""
    old = select(_S.id).where(_S.used_at < before).limit(_AT_ONCE)
    connection.execute(delete(SESSIONS).where(_S.id.in_(old)))
