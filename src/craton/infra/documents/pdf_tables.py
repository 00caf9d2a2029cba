"""Ruled tables on a page of a PDF: the lines that are drawn make a grid, and each of its cells has its words.

Owns the geometry. Tables without lines stay text, in which their columns stand one after another as their author wrote
them. Coordinates are points from the page's lower left corner.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pypdfium2 import PdfPage, PdfTextPage  # type: ignore[import-untyped]

# A line is no thicker, two ends that meet are no further apart, and a side of a cell is no shorter than this.
_THICK, _NEAR, _LEAST_SIDE = 3.0, 3.0, 6.0
# A page with more is a drawing.
_MAX_LINES, _MAX_OBJECTS, _MAX_CELLS = 1500, 6000, 4000


class Line(NamedTuple):
    """Horizontal: at height `at` from `start` to `end`; vertical: likewise with the axes exchanged."""

    at: float
    start: float
    end: float


class Table(NamedTuple):
    left: float
    bottom: float
    right: float
    top: float
    text: str

    def holds(self, x: float, y: float) -> bool:
        return self.left - 1 <= x <= self.right + 1 and self.bottom - 1 <= y <= self.top + 1


def tables_of(page: PdfPage, words: PdfTextPage) -> list[Table]:
    """The page's tables of at least two rows and two columns that hold any text."""
    flat, upright = _lines(page)
    if len(flat) < 3 or len(upright) < 3:
        return []
    tables = []
    for rows, columns in _grids(flat, upright):
        if len(rows) < 3 or len(columns) < 3 or (len(rows) - 1) * (len(columns) - 1) > _MAX_CELLS:
            continue
        text = _cells(words, rows, columns)
        if text:
            tables.append(Table(columns[0], rows[-1], columns[-1], rows[0], text))
    return tables


def _lines(page: PdfPage) -> tuple[list[Line], list[Line]]:
    """The drawn lines; of a rectangle its sides."""
    from pypdfium2.raw import FPDF_PAGEOBJ_PATH  # type: ignore[import-untyped]

    flat: list[Line] = []
    upright: list[Line] = []
    for number, item in enumerate(page.get_objects(max_depth=4)):
        if number > _MAX_OBJECTS or len(flat) + len(upright) > _MAX_LINES:
            return [], []
        if item.type != FPDF_PAGEOBJ_PATH:
            continue
        left, bottom, right, top = item.get_bounds()
        if top - bottom <= _THICK:
            flat.append(Line((top + bottom) / 2, left, right))
        elif right - left <= _THICK:
            upright.append(Line((left + right) / 2, bottom, top))
        else:
            flat += (Line(bottom, left, right), Line(top, left, right))
            upright += (Line(left, bottom, top), Line(right, bottom, top))
    return [line for line in flat if line.end - line.start >= _LEAST_SIDE], [
        line for line in upright if line.end - line.start >= _LEAST_SIDE
    ]


def _grids(flat: list[Line], upright: list[Line]) -> list[tuple[list[float], list[float]]]:
    """Lines that touch belong together: for each such set its rows' heights from the top, and its columns' places."""
    owner = list(range(len(flat) + len(upright)))

    def root(one: int) -> int:
        while owner[one] != one:
            owner[one] = owner[owner[one]]
            one = owner[one]
        return one

    order = sorted(range(len(flat)), key=lambda one: flat[one].at)
    heights = [flat[one].at for one in order]
    for number, line in enumerate(upright):
        for place in range(bisect_left(heights, line.start - _NEAR), len(order)):
            across = flat[order[place]]
            if across.at > line.end + _NEAR:
                break
            if across.start - _NEAR <= line.at <= across.end + _NEAR:
                owner[root(order[place])] = root(len(flat) + number)
    found: dict[int, tuple[list[float], list[float]]] = {}
    for one in range(len(owner)):
        rows, columns = found.setdefault(root(one), ([], []))
        (rows if one < len(flat) else columns).append((flat + upright)[one].at)
    return [(_apart(rows)[::-1], _apart(columns)) for rows, columns in found.values()]


def _apart(places: list[float]) -> list[float]:
    """In order, those that are one line drawn twice (or a thick one's sides) counted once."""
    kept: list[float] = []
    for place in sorted(places):
        if not kept or place - kept[-1] > _NEAR:
            kept.append(place)
    return kept


def _cells(words: PdfTextPage, rows: list[float], columns: list[float]) -> str:
    """The rows as comma-separated values; nothing if there are words in less than two cells."""
    from craton.infra.documents.readers import as_csv

    table = [
        [" ".join(str(words.get_text_bounded(left, bottom, right, top)).split()) for left, right in pairwise(columns)]
        for top, bottom in pairwise(rows)
    ]
    return as_csv(table) if sum(1 for row in table for cell in row if cell) > 1 else ""
