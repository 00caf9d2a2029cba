"""What makes a table quick to search: compaction, an index of vectors, one of words, and those of what filters look at.

Owns which of them a table of a size has, when one is made anew, and which old versions go. It must not know what is in the
rows, nor who reads. The figures behind the constants are in `docs/knowledge-bases.md`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from craton.infra.vectors.columns import is_attribute

if TYPE_CHECKING:
    from lancedb.table import AsyncTable

    from craton.infra.vectors.port import Shape, Version


class Sizes(msgspec.Struct, frozen=True):
    """Where a table changes its ways.

    `indexed_from`: chunks from which on it has an index of vectors and of attributes; below, looking at all is quick and
    exact. `attributes`: how many have a column of their own. `flush_rows`: chunks that a draft holds in memory.
    `few_bytes`: vectors of so many bytes are all compared, where they lie in files; beyond, cells are quicker.
    """

    indexed_from: int = 5_000
    attributes: int = 1_000
    flush_rows: int = 2_048
    few_bytes: int = 12 * 1024 * 1024


CELL_ROWS = 6_000
_MOST_INDEXED = 24
"""Attributes that get an index, the first ones that came; to look at all of one column of 100,000 takes a few milliseconds."""
_SEGMENTS = 8
"""Parts of an index, one for each draft that added rows, from which on it is made anew."""
_TAG = "visible"
_KEYS = ("id", "document", "content")
_CELLS = "cells-"
"""What the name of the index of vectors begins with; their number follows."""


def cells_for(chunks: int) -> int:
    """Into how many cells vectors are sorted."""
    return max(4, chunks // CELL_ROWS)


async def cells_of(table: AsyncTable) -> int:
    """How many cells the table's vectors are sorted into, 0 without an index."""
    names = [index.name for index in await table.list_indices()]
    return max((int(name.removeprefix(_CELLS)) for name in names if name.startswith(_CELLS)), default=0)


async def build(table: AsyncTable, shape: Shape, chunks: int, indexed_from: int) -> None:
    """Bring the table's search structures up to its rows."""
    if not chunks:
        return
    await table.optimize()
    held = {index.columns[0]: index for index in await table.list_indices()}
    if "text" not in held or _worn(held["text"]):
        await table.create_index("text", config=_of_words(), replace=True)
    if chunks < indexed_from:
        return
    await _sort_into_cells(table, shape, chunks, held.get("vector"))
    attributes = [name for name in (await table.schema()).names if is_attribute(name)][:_MOST_INDEXED]
    for column in (*_KEYS, "source", "guarded", "allowed", "denied", *attributes):
        if column not in held or _worn(held[column]):
            await table.create_index(column, config=_of_values(column), replace=True)


async def _sort_into_cells(table: AsyncTable, shape: Shape, chunks: int, held: Any) -> None:
    """An index of vectors for a table of this size: anew when the table has doubled or lost most of its rows since."""
    wanted, now = cells_for(chunks), await cells_of(table)
    if held and wanted < 2 * now and now <= 3 * wanted and not _worn(held):
        return
    name = f"{_CELLS}{wanted}"
    await table.create_index("vector", config=_of_vectors(shape, wanted), replace=True, name=name)
    if held and held.name != name:
        await table.drop_index(held.name)


def _of_words() -> Any:
    """Words of every language, by Unicode's own rules. No list of words is left out: it would be one language's."""
    from lancedb.index import FTS

    return FTS(base_tokenizer="icu/split", remove_stop_words=False, with_position=False)


def _of_vectors(shape: Shape, cells: int) -> Any:
    from lancedb.index import IvfFlat, IvfSq

    if shape.kind == "binary":
        return IvfFlat(distance_type="hamming", num_partitions=cells)
    return IvfSq(distance_type="cosine", num_partitions=cells)


def _of_values(column: str) -> Any:
    from lancedb.index import Bitmap, BTree, LabelList

    if column in ("allowed", "denied") or column.startswith("l_"):
        return LabelList()
    return Bitmap() if column in ("source", "guarded") or column.startswith("b_") else BTree()


def _worn(index: Any) -> bool:
    return bool(index.num_segments > _SEGMENTS)


async def clean(table: AsyncTable, visible: Version | None, keep_s: float) -> None:
    """Remove the versions that nobody reads any more.

    A version stays readable for `keep_s` after the next one became visible, and the visible one for ever. So all go that are
    older than the newest version that has been visible for `keep_s`: `Version.earlier` names those that once were.
    """
    if visible is None:
        return
    now = datetime.now(UTC)
    times = {version["version"]: version["timestamp"].astimezone(UTC) for version in await table.list_versions()}  # type: ignore[no-untyped-call]
    kept = timedelta(seconds=keep_s)
    long_ago = [times[number] for number in (*visible.earlier, visible.number) if now - times.get(number, now) >= kept]
    slack = kept / 4  # the store reads its clock later than we do
    if not long_ago or min(times.values()) >= max(long_ago) - slack:
        return
    # A version with a tag is never removed, whatever the clocks say: the whole cleaning is refused then.
    tags = table.tags
    await (tags.update if _TAG in await tags.list() else tags.create)(_TAG, visible.number)
    try:
        await table.optimize(cleanup_older_than=now - max(long_ago) + slack)
    except RuntimeError as error:
        if "tagged version" not in str(error):
            raise
