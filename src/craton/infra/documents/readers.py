"""Readers of single formats: a file's bytes to its text, as a person would have copied it.

Each is a function; `READERS` is the table. They run in the child process alone and may fail in any way on a bad file:
`program` turns that into one answer. HTML needs nothing; the others need the packages of the extra `documents`, which
are imported where they are used. Legacy Word has a file of its own.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Iterable
from datetime import datetime, time
from typing import TYPE_CHECKING, Any

from craton.infra.documents.html_text import html_text
from craton.infra.documents.legacy_word import word_text
from craton.infra.documents.port import UnreadableError

if TYPE_CHECKING:
    from docx.table import Table

# What an archive may unpack to: a file of a few KiB can hold gigabytes of zeros.
_MAX_UNPACKED = 256 * 1024 * 1024


def read_pdf(data: bytes) -> str:
    """The text layer, page by page. A scan has none."""
    from pypdf import PdfReader
    from pypdf.errors import DependencyError

    reader = PdfReader(io.BytesIO(data))
    try:
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadableError("is encrypted")
    except DependencyError:
        raise UnreadableError("is encrypted") from None
    return "\n\n".join(text for page in reader.pages if (text := page.extract_text().strip()))


def read_docx(data: bytes) -> str:
    """Paragraphs and tables in their order; headings with Markdown's marks."""
    from docx import Document
    from docx.text.paragraph import Paragraph

    parts: list[str] = []
    for block in Document(unpackable(data)).iter_inner_content():
        if not isinstance(block, Paragraph):
            parts.append(_table(block))
        elif block.text.strip():
            style = (block.style.name if block.style is not None else None) or ""
            level = style.removeprefix("Heading ")
            mark = "#" * int(level) + " " if style != level and level.isdigit() else ""
            parts.append(mark + block.text)
    return "\n\n".join(filter(None, parts))


def _table(table: Table) -> str:
    return as_csv([cell.text for cell in row.cells] for row in table.rows)


def read_xlsx(data: bytes) -> str:
    """Every sheet under its name, values as last computed."""
    from openpyxl import load_workbook  # type: ignore[import-untyped]

    book = load_workbook(unpackable(data), read_only=True, data_only=True)
    return sheets((sheet.title, sheet.iter_rows(values_only=True)) for sheet in book.worksheets)


def read_xls(data: bytes) -> str:
    """The same for the format before 2007."""
    import xlrd  # type: ignore[import-untyped]

    book = xlrd.open_workbook(file_contents=data, logfile=io.StringIO())

    def value(cell: Any) -> Any:
        if cell.ctype == xlrd.XL_CELL_DATE:
            return xlrd.xldate_as_datetime(cell.value, book.datemode)
        whole = cell.ctype == xlrd.XL_CELL_NUMBER and cell.value == int(cell.value)
        return int(cell.value) if whole else cell.value

    return sheets((sheet.name, ([value(cell) for cell in row] for row in sheet.get_rows())) for sheet in book.sheets())


def sheets(found: Iterable[tuple[str, Iterable[Iterable[Any]]]]) -> str:
    """Tables under their names; empty ones are left out."""
    parts = ((name, as_csv(rows)) for name, rows in found)
    return "\n\n".join(f"## {name}\n{table}" for name, table in parts if table)


def as_csv(rows: Iterable[Iterable[Any]]) -> str:
    """Rows as comma-separated values, without empty rows and without empty cells at their ends."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in rows:
        cells = [shown(cell) for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            writer.writerow(cells)
    return out.getvalue().rstrip("\n")


def shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    return value.isoformat(" ") if isinstance(value, datetime) else str(value).strip()


def unpackable(data: bytes) -> io.BytesIO:
    """The archive, after its directory was held against the limit. Raises UnreadableError."""
    file = io.BytesIO(data)
    with zipfile.ZipFile(file) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > _MAX_UNPACKED:
            raise UnreadableError("unpacks to more than 256 MiB")
    file.seek(0)
    return file


READERS: dict[str, Callable[[bytes], str]] = {
    "pdf": read_pdf,
    "doc": word_text,
    "docx": read_docx,
    "xls": read_xls,
    "xlsx": read_xlsx,
    "html": html_text,
}
