"""Slides (`.pptx`) to text: each slide a page, its title a heading, tables as lines of cells, notes behind.

Owns the order: title first, then the shapes from top to bottom as they are read, groups in their place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from craton.infra.documents.archives import unpackable
from craton.infra.documents.port import Extract
from craton.infra.documents.writing import Writer

_DEEPEST = 20


def read_pptx(data: bytes, *, pictures: bool) -> Extract:
    """Slides that are hidden are left out, as their audience never saw them."""
    from pptx import Presentation

    out = Writer()
    for slide in Presentation(unpackable(data)).slides:
        out.page()
        if slide._element.get("show") == "0":  # noqa: SLF001 -- the library has no name for it
            continue
        title = slide.shapes.title
        if title is not None:
            out.heading(2, title.text_frame.text)
        for shape in _shapes(slide.shapes):
            if title is None or shape.shape_id != title.shape_id:
                _write(shape, out)
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            out.block(slide.notes_slide.notes_text_frame.text)
    return out.extract()


def _write(shape: Any, out: Writer) -> None:
    from craton.infra.documents.readers import as_csv

    if getattr(shape, "has_table", False):
        out.block(as_csv([cell.text for cell in row.cells] for row in shape.table.rows))
    elif shape.has_text_frame:
        out.block(shape.text_frame.text.replace("\x0b", "\n"))


def _shapes(shapes: Any, depth: int = 0) -> Iterator[Any]:
    for shape in sorted(shapes, key=lambda one: (one.top or 0, one.left or 0)):
        inner = getattr(shape, "shapes", None)
        if inner is None:
            yield shape
        elif depth < _DEEPEST:
            yield from _shapes(inner, depth + 1)
