"""The ledger of documents in the store: which there are, what became of each, and who writes to which knowledge base.

Owns the two tables and every statement on them; each function is a part of a transaction that the caller holds. What is
said here of the index changes only in the transaction that also makes that version of the index visible. Rows with
questions of a person (`ask`, `ask_deletion`) are changed at once. It must not know operations, workflows or vectors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    LargeBinary,
    Table,
    delete,
    insert,
    select,
    update,
)

from craton.features.rag import originals
from craton.features.rag.documents import ASKED, LEAVING, Document, Kind, Status, place_of
from craton.infra.jobs import runs
from craton.infra.store.port import microseconds
from craton.infra.store.tables import METADATA, Text
from craton.infra.vectors.port import Access

DOCUMENTS = Table(
    "rag_documents",
    METADATA,
    Column("base", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("place", LargeBinary, primary_key=True),  # hash of the identifier
    Column("identifier", LargeBinary, nullable=False),  # UTF-8
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", LargeBinary, nullable=False),  # UTF-8; it may name the document
    Column("turn", BigInteger, nullable=False),
    Column("etag", LargeBinary, nullable=False),  # what the source told, UTF-8
    Column("tag_etag", LargeBinary, nullable=False),
    Column("content", Text, nullable=False),
    Column("tags", Text, nullable=False),
    Column("recipe", Text, nullable=False),
    Column("prefix", LargeBinary, nullable=False),  # UTF-8
    Column("chunks", BigInteger, nullable=False),
    Column("access", LargeBinary, nullable=False),  # msgpack of an Access, empty for none
    Column("updated_at", BigInteger, nullable=False),
    Column("asked", LargeBinary, nullable=False),
)

WRITERS = Table(
    "rag_writers",
    METADATA,
    Column("base", Text, primary_key=True),
    Column("run", Text, nullable=False),
)

T = TypeVar("T")
_D = DOCUMENTS.c
_MANY = 400
"""Values in one IN (…)."""
_STORED = [column for column in DOCUMENTS.c if column.name not in ("place", "asked")]


# --- what people see and ask -----------------------------------------------------------------------------------------


def find(connection: Connection, base: str, source: str, identifiers: Sequence[str]) -> dict[str, Document]:
    """The rows of these documents, by identifier; those that nobody knows are left out."""
    found: dict[str, Document] = {}
    for some in _portions(identifiers):
        places = [place_of(one) for one in some]
        rows = connection.execute(select(*_STORED).where(*_of(base, source), _D.place.in_(places)))
        found.update((one.identifier, one) for one in map(_document, rows))
    return found


def page(
    connection: Connection, base: str, source: str, limit: int, after: str | None = None
) -> tuple[list[Document], str | None]:
    """Some of a source's documents in the order of the ledger, and where the next page begins (None: this is the last)."""
    wanted = [*_of(base, source)]
    if after is not None:
        wanted.append(_D.place > bytes.fromhex(after))
    rows = connection.execute(select(*_STORED).where(*wanted).order_by(_D.place).limit(limit + 1)).all()
    found = [_document(row) for row in rows[:limit]]
    return found, found[-1].place.hex() if len(rows) > limit else None


def ask(
    connection: Connection, base: str, source: str, kind: Kind, identifier: str, asked: bytes, now: datetime
) -> Document:
    """Note that somebody wants a document taken in; it is PENDING then. `asked` is what `documents.sealed` made."""
    return _ask(connection, base, source, kind, identifier, "PENDING", asked, now)


def ask_deletion(connection: Connection, base: str, source: str, identifier: str, now: datetime) -> Document | None:
    """Note that somebody wants a document taken out; it is DELETING then. None for one that nobody knows."""
    known = find(connection, base, source, [identifier]).get(identifier)
    if known is None:
        return None
    return _ask(connection, base, source, known.kind, identifier, "DELETING", b"", now)


def _ask(
    connection: Connection, base: str, source: str, kind: Kind, identifier: str, status: Status, asked: bytes,
    now: datetime,
) -> Document:  # fmt: skip
    known = find(connection, base, source, [identifier]).get(identifier)
    if known is None:
        known = Document(base=base, source=source, identifier=identifier, kind=kind, status=status)
        connection.execute(insert(DOCUMENTS).values(_row(known)))
    changes = {"status": status, "reason": b"", "turn": known.turn + 1, "asked": asked, "updated_at": microseconds(now)}
    connection.execute(update(DOCUMENTS).where(*_of(base, source), _D.place == known.place).values(changes))
    return find(connection, base, source, [identifier])[identifier]


# --- what workflows do -----------------------------------------------------------------------------------------------


def known(connection: Connection, base: str, source: str) -> Iterator[Document]:
    """All documents of a data source, without what is asked for them."""
    return map(_document, connection.execute(select(*_STORED).where(*_of(base, source))))


def with_chunks(connection: Connection, base: str) -> list[Document]:
    """The documents of all of a knowledge base's sources that are in its index."""
    found = select(*_STORED).where(_D.base == base, _D.chunks > 0).order_by(_D.source, _D.place)
    return [_document(row) for row in connection.execute(found)]


def waiting(connection: Connection, base: str, source: str, limit: int) -> list[Document]:
    """Documents for which something is asked, those first that wait longest, with what is asked."""
    wanted = _D.status.in_(tuple(ASKED | LEAVING))
    rows = connection.execute(
        select(*_STORED, _D.asked).where(*_of(base, source), wanted).order_by(_D.updated_at, _D.place).limit(limit)
    )
    return [_document(row) for row in rows]


def advance(connection: Connection, documents: Iterable[Document], status: Status) -> None:
    """Show how far documents are, unless something else was asked for them meanwhile."""
    for one in documents:
        mine = update(DOCUMENTS).where(*_of(one.base, one.source), _D.place == one.place, _D.turn == one.turn)
        connection.execute(mine.values(status=status))


def settle(connection: Connection, documents: Sequence[Document], gone: Sequence[Document]) -> None:
    """Write what became of documents, and forget those that are gone.

    Where something else was asked meanwhile, that stays asked: only what is said of the index is written.
    """
    turns = _turns(connection, [*documents, *gone])
    _settle_originals(connection, documents, gone, turns)
    fresh = [_row(one) for one in documents if one.place not in turns]
    kept = [(one, turns[one.place]) for one in documents if one.place in turns]
    if fresh:
        connection.execute(insert(DOCUMENTS), fresh)
    for one, turn in kept:
        row = _row(one) if turn == one.turn else _index_part(one)
        connection.execute(update(DOCUMENTS).where(*_of(one.base, one.source), _D.place == one.place).values(row))
    for one in gone:
        mine = (*_of(one.base, one.source), _D.place == one.place)
        if turns.get(one.place) == one.turn:
            connection.execute(delete(DOCUMENTS).where(*mine))
        else:
            emptied = Document(
                base=one.base, source=one.source, identifier=one.identifier, kind=one.kind, status="PENDING"
            )
            connection.execute(update(DOCUMENTS).where(*mine).values(_index_part(emptied)))


def _settle_originals(
    connection: Connection, documents: Sequence[Document], gone: Sequence[Document], turns: dict[bytes, int]
) -> None:
    """Of a CUSTOM source's documents, what they came as is kept while it is what is in the index."""
    custom = [one for one in documents if one.kind == "CUSTOM"]
    here = [one for one in custom if one.status != "FAILED" and turns.get(one.place) == one.turn]
    left = [one for one in custom if one.status == "FAILED"] + [one for one in gone if one.kind == "CUSTOM"]
    for some in _portions(here):
        originals.keep(connection, DOCUMENTS, some[0].base, some[0].source, [one.place for one in some])
    for some in _portions(left):
        originals.forget(connection, some[0].base, some[0].source, [one.place for one in some])


def drop_source(connection: Connection, base: str, source: str) -> None:
    """Forget all documents of a data source."""
    originals.drop_source(connection, base, source)
    connection.execute(delete(DOCUMENTS).where(*_of(base, source)))


def drop_base(connection: Connection, base: str) -> None:
    """Forget all documents of a knowledge base, and who writes to it."""
    originals.drop_base(connection, base)
    connection.execute(delete(DOCUMENTS).where(_D.base == base))
    connection.execute(delete(WRITERS).where(WRITERS.c.base == base))


# --- the one writer --------------------------------------------------------------------------------------------------


def take(connection: Connection, base: str, run: str) -> bool:
    """Whether this run may write to the knowledge base's index from now on, until `release`.

    A run has the right through all of its attempts. That of a run which has ended without giving it back is void.
    """
    mine = WRITERS.c.base == base
    holder = writer(connection, base)
    if holder == run:
        return True
    if holder is None:
        connection.execute(insert(WRITERS).values(base=base, run=run))
        return True
    found = runs.find(connection, holder)
    if found is not None and found.state in (runs.WAITING, runs.RUNNING):
        return False
    connection.execute(update(WRITERS).where(mine).values(run=run))
    return True


def writer(connection: Connection, base: str) -> str | None:
    """The run that has the right, if any has."""
    return connection.execute(select(WRITERS.c.run).where(WRITERS.c.base == base)).scalar_one_or_none()


def release(connection: Connection, base: str, run: str) -> None:
    """Give the right back."""
    connection.execute(delete(WRITERS).where(WRITERS.c.base == base, WRITERS.c.run == run))


# --- rows ------------------------------------------------------------------------------------------------------------


def _of(base: str, source: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return _D.base == base, _D.source == source


def _turns(connection: Connection, documents: Sequence[Document]) -> dict[bytes, int]:
    """The turn of each of these documents of one source that has a row."""
    turns: dict[bytes, int] = {}
    for some in _portions(documents):
        mine = (*_of(some[0].base, some[0].source), _D.place.in_([one.place for one in some]))
        turns.update((bytes(place), turn) for place, turn in connection.execute(select(_D.place, _D.turn).where(*mine)))
    return turns


def _row(one: Document) -> dict[str, object]:
    """All columns; what was asked is done, and kept no longer."""
    return {
        "base": one.base, "source": one.source, "place": one.place, "identifier": _utf8(one.identifier),
        "kind": one.kind, "status": one.status, "reason": _utf8(one.reason), "turn": one.turn,
        "updated_at": one.updated_at, "asked": b"", **_index_part(one),
    }  # fmt: skip


def _index_part(one: Document) -> dict[str, object]:
    """The columns that say what is in the index."""
    return {
        "etag": _utf8(one.etag), "tag_etag": _utf8(one.tag_etag), "content": one.content, "tags": one.tags,
        "recipe": one.recipe, "prefix": _utf8(one.prefix), "chunks": one.chunks,
        "access": msgspec.msgpack.encode(one.access) if one.access is not None else b"",
    }  # fmt: skip


def _document(row: Any) -> Document:
    values: dict[str, Any] = dict(row._mapping)  # noqa: SLF001 - what the toolkit calls it
    asked, kept = bytes(values.pop("asked", b"")), bytes(values.pop("access"))
    access = msgspec.msgpack.decode(kept, type=Access) if kept else None
    return Document(asked=asked, access=access, **{name: _text(value) for name, value in values.items()})


def _text(value: Any) -> Any:
    return bytes(value).decode("utf-8", "surrogatepass") if isinstance(value, bytes | memoryview) else value


def _portions(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[at : at + _MANY] for at in range(0, len(items), _MANY))


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
