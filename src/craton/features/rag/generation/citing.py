"""A model's words as they stream, and what each of them rests on: text without marks, and its parts with their sources.

Every sentence is a part by itself if it rests on something; what lies between is one part without sources, so that the
parts cover the text in its order. Positions count characters of the text without marks, the end inclusive, as Bedrock's
do; white space between two parts belongs to neither. A part with sources comes directly behind its text. Owns the
parts and their positions. What a mark looks like, where a sentence ends and what bears it out have files of their own.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from craton.features.rag.generation.marks import Mark, MarkReader
from craton.features.rag.generation.sentences import end_of_first


class Words(msgspec.Struct, frozen=True):
    """The next words of the answer."""

    text: str


class Part(msgspec.Struct, frozen=True):
    """A part of the answer: `text` is its characters from `start` to `end`, and `sources` the places of passages."""

    start: int
    end: int
    text: str
    sources: tuple[int, ...] = ()


Said = Words | Part


_LONGEST = 2000
"""Characters of a sentence; a longer one, a table without an end, is cut at a blank."""
_AHEAD = 100


class Sources(Protocol):
    def sources(self, sentence: str, named: list[int]) -> tuple[int, ...]:
        """The places of the passages that a sentence rests on, of which its author named some."""
        ...


class Citer:
    """Takes what a model says, gives what a reader may have. Without a judge nothing has sources."""

    def __init__(self, judge: Sources | None) -> None:
        self.text = ""
        self._judge = judge
        self._marks = MarkReader()
        self._given = 0  # so many characters the reader has
        self._begins = 0  # the sentence that is being written
        self._named: list[int] = []
        self._bare: tuple[int, int] | None = None  # from, to: sentences without sources that are no part yet

    def feed(self, piece: str) -> list[Said]:
        found: list[Said] = []
        for one in self._marks.feed(piece):
            self._take(one, found)
        return found

    def close(self) -> list[Said]:
        """The model ended."""
        found: list[Said] = []
        for one in self._marks.close():
            self._take(one, found)
        self._end(len(self.text.rstrip()), found)
        self._end_bare(found)
        return found

    def _take(self, one: str | Mark, found: list[Said]) -> None:
        if isinstance(one, Mark):
            self._named += [number - 1 for number in one.numbers]
            return
        self.text += one
        while (end := self._next_end()) is not None:
            self._give(end, found)
            self._end(end, found)
        self._give(len(self.text), found)

    def _next_end(self) -> int | None:
        written = self.text[self._begins :]
        lead = len(written) - len(written.lstrip())
        end = end_of_first(written[lead:])
        if (end is None or end > _LONGEST) and len(written) - lead > _LONGEST + _AHEAD:
            blank = written.rfind(" ", lead + 1, lead + _LONGEST)
            end = blank - lead if blank > 0 else _LONGEST
        return None if end is None else self._begins + lead + end

    def _give(self, end: int, found: list[Said]) -> None:
        if end > self._given:
            found.append(Words(self.text[self._given : end]))
            self._given = end

    def _end(self, end: int, found: list[Said]) -> None:
        """The sentence that is being written ends before a position."""
        written = self.text[self._begins : end].rstrip()
        sentence = written.lstrip()
        if sentence:
            last = self._begins + len(written)
            start = last - len(sentence)
            sources = self._judge.sources(sentence, self._named) if self._judge is not None else ()
            if sources:
                self._end_bare(found)
                found.append(Part(start, last - 1, sentence, sources))
            else:
                self._bare = (start if self._bare is None else self._bare[0], last)
        self._begins, self._named = max(end, self._begins), []

    def _end_bare(self, found: list[Said]) -> None:
        if self._bare is not None:
            start, end = self._bare
            found.append(Part(start, end - 1, self.text[start:end]))
            self._bare = None
