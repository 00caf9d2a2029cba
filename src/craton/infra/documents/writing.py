"""What a reader writes its findings to: text block by block, noting where pages and headings begin.

Owns the text under way and its size, so that a file that unfolds without end is stopped while it is read.
"""

from __future__ import annotations

from craton.infra.documents.port import Extract, Picture, UnreadableError

MAX_CHARACTERS = 64_000_000
# Headings that stand closer are one place to cut.
_LEAST_BETWEEN = 32
_MAX_LINKS = 10_000


class Writer:
    """Blocks are parted by blank lines. Pages are numbered from 1 in the order in which they are begun."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._size = 0
        self._breaks: list[int] = []
        self._pages: list[tuple[int, int]] = []
        self._pictures: list[Picture] = []
        self._links: list[str] = []
        self._begun = 0  # pages, with those on which nothing stands yet

    def page(self) -> None:
        """The next block is on a new page."""
        self._begun += 1

    def block(self, text: str) -> None:
        """A paragraph, a table, all of a page; nothing if it is blank."""
        text = text.strip()
        if text:
            self.line(text, gap=True)

    def heading(self, level: int, text: str) -> None:
        """With Markdown's mark."""
        text = " ".join(text.split())
        if text:
            self.line("#" * level + " " + text, gap=True, heads=True)

    def line(self, text: str, *, gap: bool = False, heads: bool = False) -> None:
        """The next line; `gap`: with an empty one before it; `heads`: it is a heading."""
        self._part("\n\n" if gap else "\n")
        if heads and (not self._breaks or self._size - self._breaks[-1] >= _LEAST_BETWEEN):
            self._breaks.append(self._size)
        self._add(text)

    def picture(self, media_type: str, data: bytes) -> None:
        """This page is a picture."""
        self._part("")
        self._pictures.append(Picture(self._begun, self._size, media_type, data))

    def link(self, target: str) -> None:
        """A link that the document holds."""
        if target and len(self._links) < _MAX_LINKS:
            self._links.append(target)

    def extract(self) -> Extract:
        """All of it. Pages that begin at the text's end are empty ones."""
        self._pages += ((number, self._size) for number in range(len(self._pages) + 1, self._begun + 1))
        return Extract(
            "".join(self._parts), tuple(self._pages), tuple(self._breaks), tuple(self._links), tuple(self._pictures)
        )

    def _part(self, by: str) -> None:
        """What parts the next text from the one before, be it of the same page or not."""
        fresh = self._begun > len(self._pages)
        if self._size > (self._pages[-1][1] if self._pages else 0):
            self._add("\n\n" if fresh else by)
        if fresh:
            self._pages += ((number, self._size) for number in range(len(self._pages) + 1, self._begun + 1))

    def _add(self, text: str) -> None:
        self._size += len(text)
        if self._size > MAX_CHARACTERS:
            raise UnreadableError(f"holds more than {MAX_CHARACTERS} characters of text")
        self._parts.append(text)
