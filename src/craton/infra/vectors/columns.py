"""Chunks as rows of a table: its columns, entries on the way in, what was found on the way out.

Owns the columns' names and types. Every attribute of chunks has a column of its own by its key and its type
(`s_…` text, `n_…` number, `b_…` boolean, `l_…` list of texts), named by a hash of the key, so that no key of any character
is ever part of a query. It must not know queries, versions or files. pyarrow is loaded by whoever calls.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from craton.infra.vectors.port import Access, Entry, Found, Shape, Value, VectorsError

if TYPE_CHECKING:
    import pyarrow as pa

SHOWN = "shown"
"""The column that a search reads of what it found: a `Kept`, compressed. One column is read several times as fast as ten."""
LETTERS = "snbl"
"""The types of attributes."""


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """What a row shows: `Found` but for the score. Fields are only ever added, at the end and with a default."""

    id: str
    document: str
    source: str
    text: str
    location: bytes
    start: int
    end: int
    page: int | None
    parent: str
    parent_id: str
    metadata: dict[str, str | float | bool | list[str]]
    content: str
    heading: str = ""


_QUICK = 1
_pack, _unpack = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(Kept).decode


def letter_of(value: object) -> str:
    """The type that a value has among attributes."""
    if isinstance(value, bool):
        return "b"
    if isinstance(value, str):
        return "s"
    return "n" if isinstance(value, int | float) else "l"


def column_of(key: str, letter: str) -> str:
    return f"{letter}_{hashlib.blake2s(key.encode('utf-8', 'surrogatepass'), digest_size=10).hexdigest()}"


def is_attribute(column: str) -> bool:
    return column[1:2] == "_"


def schema_of(shape: Shape) -> pa.Schema:
    """The columns that every table has."""
    import pyarrow as pa

    texts = pa.list_(pa.string())
    width = shape.dimensions if shape.kind == "float" else (shape.dimensions + 7) // 8
    fields = {
        "id": pa.string(), "document": pa.string(), "source": pa.string(), "content": pa.string(), "text": pa.string(),
        "vector": pa.list_(pa.float32() if shape.kind == "float" else pa.uint8(), width), SHOWN: pa.binary(),
        "guarded": pa.bool_(), "allowed": texts, "denied": texts, "more": texts,
    }  # fmt: skip
    return pa.schema(list(fields.items()))


def attribute_fields(columns: Iterable[str]) -> list[pa.Field]:
    import pyarrow as pa

    types = {"s": pa.string(), "n": pa.float64(), "b": pa.bool_(), "l": pa.list_(pa.string())}
    return [pa.field(column, types[column[0]]) for column in columns]


def row_of(entry: Entry) -> dict[str, Any]:
    """An entry as a row, with the attributes that it has."""
    row: dict[str, Any] = {column_of(key, letter_of(value)): _held(value) for key, value in entry.metadata.items()}
    access = entry.access
    return row | {
        "id": entry.id, "document": entry.document, "source": entry.source, "content": entry.content,
        "text": entry.heading + entry.text, "vector": entry.vector, SHOWN: _shown(entry), "guarded": access is not None,
        "allowed": list(access.allowed) if access else [], "denied": list(access.denied) if access else [],
    }  # fmt: skip


def _shown(entry: Entry) -> bytes:
    kept = Kept(*(getattr(entry, name) for name in Kept.__struct_fields__))
    return zlib.compress(_pack(kept), _QUICK)


def _held(value: Value) -> object:
    if isinstance(value, tuple):
        return list(value)
    # A zero has one sign only: the store tells them apart.
    return float(value) + 0.0 if isinstance(value, int | float) and not isinstance(value, bool) else value


def table_of(rows: Sequence[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """Rows as Arrow. Attributes without a column are named in `more`. Raises VectorsError for vectors of another shape."""
    import pyarrow as pa

    known = set(schema.names)
    for row in rows:
        row["more"] = [name for name in row if is_attribute(name) and name not in known]
    arrays = [
        _vectors([row["vector"] for row in rows], field.type)
        if field.name == "vector"
        else pa.array([row.get(field.name) for row in rows], field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _vectors(vectors: Sequence[Any], kind: pa.FixedSizeListType) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    wanted = np.dtype(kind.value_type.to_pandas_dtype())
    if any(len(vector) != kind.list_size for vector in vectors):
        raise VectorsError("A vector has other dimensions than the index")
    flat = np.asarray(vectors, dtype=wanted).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat, kind.value_type), kind.list_size)


def found_of(shown: bytes, score: float) -> Found:
    kept = kept_of(shown)
    values = {name: getattr(kept, name) for name in Found.__struct_fields__ if name not in ("score", "metadata")}
    return Found(score=score, metadata=metadata_of(kept), **values)


def kept_of(shown: bytes) -> Kept:
    return _unpack(zlib.decompress(shown))


def metadata_of(kept: Kept) -> dict[str, Value]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in kept.metadata.items()}


def entries_of(table: pa.Table) -> list[Entry]:
    """Rows as they were put."""
    entries = []
    rows = table.select([SHOWN, "guarded", "allowed", "denied"]).to_pylist()
    for row, vector in zip(rows, matrix_of(table["vector"]), strict=True):
        kept = kept_of(row[SHOWN])
        values = {name: getattr(kept, name) for name in Kept.__struct_fields__ if name != "metadata"}
        access = Access(tuple(row["allowed"]), tuple(row["denied"])) if row["guarded"] else None
        entries.append(Entry(vector=vector, metadata=metadata_of(kept), access=access, **values))
    return entries


def matrix_of(vectors: pa.ChunkedArray) -> Any:
    """Vectors of a column, one a row."""
    joined = vectors.combine_chunks()
    return joined.flatten().to_numpy().reshape(len(joined), vectors.type.list_size)
