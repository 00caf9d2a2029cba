"""A CSV whose rows are documents of their own: one column is the text, the others are metadata.

Owns the reading of rows. Values of columns are strings, whatever they look like, as AWS's are. It must not know the
metadata file's form, only what it says.
"""

from __future__ import annotations

import csv
import io
from bisect import bisect_right
from collections.abc import Iterable

import msgspec

from craton.features.rag.parsing.plain import decoded
from craton.features.rag.pieces import Parsed, Unreadable

MAX_RECORDS = 500_000


class Records(msgspec.Struct, frozen=True):
    """`metadata[n]` belongs to the record that begins at `parsed.records[n]`."""

    parsed: Parsed
    metadata: tuple[dict[str, str], ...]

    def of(self, start: int) -> dict[str, str]:
        """The metadata of the piece that begins at `start`."""
        return self.metadata[bisect_right(self.parsed.records, start) - 1]


def read_records(data: bytes, content: str, include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> Records:
    """The rows that have text. Columns are all but `content`, or those of `include`, without those of `exclude`.

    Raises:
        Unreadable: the columns are not there, a row has too many, or no row has text.
    """
    # The library's limit for one cell is the process's, and lower than what a document may be.
    csv.field_size_limit(len(data) + 1)
    rows = csv.reader(io.StringIO(decoded(data), newline=""), strict=True)
    try:
        names = next(rows, [])
        columns = _columns(names, content, include, exclude)
        return _records(rows, names.index(content), columns, len(names))
    except csv.Error:
        raise Unreadable("The document is not a CSV of the form that RFC 4180 describes.") from None


def _columns(
    names: list[str], content: str, include: tuple[str, ...], exclude: tuple[str, ...]
) -> list[tuple[int, str]]:
    missing = [name for name in (content, *include, *exclude) if name not in names]
    if missing:
        raise Unreadable(f"The document has no column '{missing[0][:100]}', which its metadata file names.")
    wanted = set(include or names) - {content, *exclude}
    return [(place, name) for place, name in enumerate(names) if name in wanted]


def _records(rows: Iterable[list[str]], place: int, columns: list[tuple[int, str]], width: int) -> Records:
    parts: list[str] = []
    starts: list[int] = []
    metadata: list[dict[str, str]] = []
    size = 0
    for row in rows:
        if len(row) > width:
            raise Unreadable("The document has a row with more cells than its first one.")
        text = row[place].strip() if place < len(row) else ""
        if not text:
            continue
        if len(starts) == MAX_RECORDS:
            raise Unreadable(f"The document has more than {MAX_RECORDS} rows.")
        starts.append(size)
        parts.append(f"{text}\n")
        size += len(text) + 1
        metadata.append({name: row[at] for at, name in columns if at < len(row) and row[at]})
    if not starts:
        raise Unreadable("The document holds no text.")
    return Records(Parsed("".join(parts), records=tuple(starts)), tuple(metadata))
