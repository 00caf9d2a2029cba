"""Readers of single formats: a file's bytes to its text, as a person would have copied it.

Each is a function; `READERS` is the table. They run in the child process alone and may fail in any way on a bad file:
`program` turns that into one answer. HTML needs nothing; the others need the packages of the extra `documents`, which
are imported where they are used. PDF, HTML, slides and legacy Word have files of their own.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from datetime import datetime, time
from typing import TYPE_CHECKING, Any

from craton.infra.documents.archives import unpackable
from craton.infra.documents.html_text import read_html
from craton.infra.documents.legacy_word import word_text
from craton.infra.documents.pdf_text import read_pdf
from craton.infra.documents.port import Extract
from craton.infra.documents.slides import read_pptx
from craton.infra.documents.writing import Writer

if TYPE_CHECKING:
    from docx.table import Table


def read_docx(data: bytes, *, pictures: bool) -> Extract:
    """Paragraphs and tables in their order; headings with Markdown's marks."""
    from docx import Document
    from docx.text.paragraph import Paragraph

    out = Writer()
    for block in Document(unpackable(data)).iter_inner_content():
        if not isinstance(block, Paragraph):
            out.block(_table(block))
            continue
        style = (block.style.name if block.style is not None else None) or ""
        level = style.removeprefix("Heading ")
        if style != level and level.isdigit():
            out.heading(min(int(level), 6), block.text)
        else:
            out.block(block.text)
    return out.extract()


def _table(table: Table) -> str:
    # A merged cell comes once for each place that it covers.
    return as_csv([cell.text for cell in _once(row.cells)] for row in table.rows)


def _once(cells: Iterable[Any]) -> Iterable[Any]:
    seen = None
    for cell in cells:
        if cell._tc is not seen:  # noqa: SLF001 -- the library has no other name for it
            yield cell
        seen = cell._tc  # noqa: SLF001


def read_xlsx(data: bytes, *, pictures: bool) -> Extract:
    """Every sheet under its name, values as last computed."""
    from openpyxl import load_workbook  # type: ignore[import-untyped]

    book = load_workbook(unpackable(data), read_only=True, data_only=True)
    return sheets((sheet.title, sheet.iter_rows(values_only=True)) for sheet in book.worksheets)


def read_xls(data: bytes, *, pictures: bool) -> Extract:
    """The same for the format before 2007."""
    import xlrd  # type: ignore[import-untyped]

    from craton.infra.documents.port import UnreadableError

    try:
        book = xlrd.open_workbook(file_contents=data, logfile=io.StringIO())
    except xlrd.XLRDError as error:
        if "encrypted" in str(error).lower():
            raise UnreadableError("is encrypted") from None
        raise

    def value(cell: Any) -> Any:
        if cell.ctype == xlrd.XL_CELL_DATE:
            return xlrd.xldate_as_datetime(cell.value, book.datemode)
        whole = cell.ctype == xlrd.XL_CELL_NUMBER and cell.value == int(cell.value)
        return int(cell.value) if whole else cell.value

    return sheets((sheet.name, ([value(cell) for cell in row] for row in sheet.get_rows())) for sheet in book.sheets())


def sheets(found: Iterable[tuple[str, Iterable[Iterable[Any]]]]) -> Extract:
    """Tables under their names, each a page; empty ones are left out but counted."""
    out = Writer()
    for name, rows in found:
        out.page()
        lines = (line for line in (as_line(row) for row in rows) if line)
        first = next(lines, None)
        if first is None:
            continue
        out.heading(2, name)
        out.line(first)
        for line in lines:
            out.line(line)
    return out.extract()


def as_csv(rows: Iterable[Iterable[Any]]) -> str:
    """Rows as comma-separated values, without empty rows and without empty cells at their ends."""
    return "\n".join(filter(None, map(as_line, rows)))


def as_line(row: Iterable[Any]) -> str:
    """One row; empty if all its cells are."""
    cells = [shown(cell) for cell in row]
    while cells and not cells[-1]:
        cells.pop()
    if not cells:
        return ""
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(cells)
    return out.getvalue()


def shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    return value.isoformat(" ") if isinstance(value, datetime) else str(value).strip()


def _read_doc(data: bytes, *, pictures: bool) -> Extract:
    out = Writer()
    out.block(word_text(data))
    return out.extract()


READERS: dict[str, Callable[..., Extract]] = {
    "pdf": read_pdf,
    "doc": _read_doc,
    "docx": read_docx,
    "xls": read_xls,
    "xlsx": read_xlsx,
    "html": read_html,
    "pptx": read_pptx,
}
