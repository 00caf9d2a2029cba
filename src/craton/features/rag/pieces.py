"""A document on its way into an index: the text that was read from it, and the pieces that the text was cut into.

Owns the names that reading, cutting and indexing share. It must not know files' formats, models, or where anything is kept.
Offsets count characters of `Parsed.text`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec


class Page(msgspec.Struct, frozen=True):
    """Where a page of the document (or a slide, or a sheet) begins in its text; numbers start at 1."""

    number: int
    start: int


class Parsed(msgspec.Struct, frozen=True):
    """What was read of a document: its text with tables as lines of cells, and its pages if its format has them.

    `breaks` are offsets at which a heading begins, where the format tells: a good place to cut. `records` are offsets of
    units that belong to themselves (rows of a CSV with a content column); none is mixed with another in a piece.
    """

    text: str
    pages: tuple[Page, ...] = ()
    breaks: tuple[int, ...] = ()
    records: tuple[int, ...] = ()


class Piece(msgspec.Struct, frozen=True):
    """A part of the text that is indexed: `text` is `Parsed.text[start:end]`, on `page` where it begins.

    `parent` is the part that is returned in its place, as (start, end).
    """

    start: int
    end: int
    text: str
    page: int | None = None
    parent: tuple[int, int] | None = None


CountTokens = Callable[[Sequence[str]], Sequence[int]]
"""How many tokens each text has for the model that will read it."""


class Unreadable(Exception):
    """A document that cannot be used; the message is shown as its status reason ("The document is encrypted.")."""
