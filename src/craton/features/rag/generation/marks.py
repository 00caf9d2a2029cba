"""Marks of sources in a model's words, taken out as they stream: `[[2]]` or `[[1, 3]]` behind what rests on them.

Owns the form of a mark and how long a text is held back: only what may still become one, never more than `_LONGEST`
characters. White space before a mark goes with it, and comes back where a word follows. It must not know what a number
stands for; a mark that names nothing is a mark all the same, and leaves the text.
"""

from __future__ import annotations

import re

import msgspec

_LONGEST = 64
_MARK = re.compile(r"(\s{0,8})\[\[\s*(\d{1,4}(?:\s*,\s*\d{1,4}){0,9})\s*\]\]")
# The end of a text that may be the beginning of a mark, or the white space before one.
_BEGUN = re.compile(r"\s*(?:\[(?:\[[\d\s,]*\]?)?)?\Z")


class Mark(msgspec.Struct, frozen=True):
    numbers: tuple[int, ...]


class MarkReader:
    """Divides a text that comes in pieces into words to be shown and marks."""

    def __init__(self) -> None:
        self._held = ""
        self._space: str | None = None  # what stood before the last mark, while nothing has followed it

    def feed(self, piece: str) -> list[str | Mark]:
        """What is certain now."""
        text, self._held = self._held + piece, ""
        found: list[str | Mark] = []
        at = 0
        for match in _MARK.finditer(text):
            self._say(text[at : match.start()], found)
            if self._space is None:
                self._space = match.group(1)
            found.append(Mark(tuple(int(number) for number in match.group(2).split(","))))
            at = match.end()
        rest = text[at:]
        begun = _BEGUN.search(rest, max(0, len(rest) - _LONGEST))
        cut = begun.start() if begun is not None else len(rest)
        self._held = rest[cut:]
        self._say(rest[:cut], found)
        return found

    def close(self) -> list[str | Mark]:
        """The text is over: what was held is shown."""
        found: list[str | Mark] = []
        self._say(self._held, found)
        self._held = ""
        return found

    def _say(self, text: str, found: list[str | Mark]) -> None:
        if not text:
            return
        space, self._space = self._space, None
        found.append(space + text if space and text[0].isalnum() else text)
