"""Under which headings a piece stands: the document's own and the one last before the piece.

Owns the choice of them, out of what a format tells (`Parsed.breaks`). A piece from the middle of a page often has no word of
what the page is about; its headings have, so they are searched and embedded with it, though they are no part of its text.
How much that is worth is in docs/knowledge-bases.md.
"""

from __future__ import annotations

import re
from bisect import bisect_right

from craton.features.rag.pieces import Parsed

_LONGEST = 120
"""Characters of a heading that count; what is longer is no heading but a paragraph in large letters."""
_MARK = re.compile(r"#{1,6}(?=[ \t])")


def heading_of(parsed: Parsed, start: int) -> str:
    """The headings of a piece that begins at this offset, one a line; "" for none.

    The document's own is the heading that its text begins with, unless what stands before the piece is of the same rank
    (Markdown tells): then there are several documents in one. A heading that the piece itself begins with is not repeated.
    """
    before = bisect_right(parsed.breaks, start)
    if not before or parsed.breaks[0] == start:
        return ""
    first, nearest = parsed.breaks[0], parsed.breaks[before - 1]
    lines = []
    if first < _LONGEST and not parsed.text[:first].strip() and not _as_high(parsed.text, nearest, first):
        lines.append(_line(parsed.text, first))
    if nearest < start:
        lines.append(_line(parsed.text, nearest))
    return "".join(f"{line}\n" for line in dict.fromkeys(lines) if line)


def _as_high(text: str, nearest: int, first: int) -> bool:
    """Whether a later heading is of the first one's rank, or above it."""
    rank = _rank(text, nearest)
    return nearest != first and 0 < rank <= _rank(text, first)


def _line(text: str, start: int) -> str:
    return text[start : start + _LONGEST].partition("\n")[0].strip("# \t")


def _rank(text: str, start: int) -> int:
    """How many signs Markdown puts before it; 0 in other formats."""
    found = _MARK.match(text, start)
    return found.end() - start if found else 0
