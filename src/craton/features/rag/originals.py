"""Documents that came with a request, as they came: kept sealed in the store for as long as they are in the index.

Owns the table and every statement on it; each function is a part of a transaction that the caller holds (`ledger.settle`).
What is kept is the ledger's own sealed `asked`, so a row can be opened by `documents.unsealed`. Of documents that lie elsewhere it says
where. It must not know operations, workflows or keys.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Column, Connection, LargeBinary, Table, delete, func, insert, select

from craton.infra.store.tables import METADATA, Text

ORIGINALS = Table(
    "rag_originals",
    METADATA,
    Column("base", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("place", LargeBinary, primary_key=True),  # hash of the identifier
    Column("asked", LargeBinary, nullable=False),
)
_O = ORIGINALS.c


def keep(connection: Connection, waiting: Table, base: str, source: str, places: Sequence[bytes]) -> None:
    """What these documents of the ledger (`waiting`) were asked with takes the place of what is kept of them.

    A document that was asked for with nothing (made anew out of the index) keeps what it has.
    """
    row = waiting.c
    mine = (row.base == base, row.source == source, row.place.in_(places), func.length(row.asked) > 0)
    forget(connection, base, source, list(connection.execute(select(row.place).where(*mine)).scalars()))
    fresh = select(row.base, row.source, row.place, row.asked).where(*mine)
    connection.execute(insert(ORIGINALS).from_select(["base", "source", "place", "asked"], fresh))


def forget(connection: Connection, base: str, source: str, places: Sequence[bytes]) -> None:
    """Keep nothing of these documents any more."""
    if places:
        mine = (_O.base == base, _O.source == source, _O.place.in_(places))
        connection.execute(delete(ORIGINALS).where(*mine))


def find(connection: Connection, base: str, source: str, place: bytes) -> bytes | None:
    """What a document was asked with, sealed; None for one that nothing is kept of."""
    mine = (_O.base == base, _O.source == source, _O.place == place)
    found = connection.execute(select(_O.asked).where(*mine)).scalar_one_or_none()
    return None if found is None else bytes(found)


def drop_source(connection: Connection, base: str, source: str) -> None:
    connection.execute(delete(ORIGINALS).where(_O.base == base, _O.source == source))


def drop_base(connection: Connection, base: str) -> None:
    connection.execute(delete(ORIGINALS).where(_O.base == base))
