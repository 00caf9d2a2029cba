"""Reading an audit log, and telling whether it is whole.

Owns what counts as whole: every line continues the one before, the first is the first or the log itself says that older
ones were removed, and the head vouches for a line that is there. It changes nothing and needs no running server.

A log that was rewritten from end to end, head included, is whole by itself; only a link that was noted elsewhere
(`expect`) finds that.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from craton.infra.audit import chain, folder
from craton.infra.audit.chain import Broken, Head, Link


class Break(msgspec.Struct, frozen=True):
    """Where a log ceases to be whole: the segment, the line in it (0: none), the record's sequence, and what is wrong."""

    segment: str
    line: int
    sequence: int
    what: str

    def __str__(self) -> str:
        where = f"{self.segment}, line {self.line}" if self.line else self.segment
        return f"{where} (record {self.sequence}): {self.what}"


class Report(msgspec.Struct, frozen=True):
    """What `verify` found. `unfinished`: a last line that was never acknowledged, as a crash leaves one."""

    first: int = 0
    last: Link = Link()
    segments: int = 0
    broken: Break | None = None
    unfinished: bool = False


def lines(path: Path) -> Iterator[tuple[str, int, bytes]]:
    """Every line with its segment and its number there, oldest first, without its end. Raises OSError."""
    for name in folder.segments(path):
        with (path / name).open("rb") as file:
            for number, line in enumerate(file, 1):
                yield name, number, line


def verify(path: Path, expect: Link | None = None) -> Report:
    """Follow the whole chain; the first break is named. Raises OSError."""
    names = folder.segments(path)
    try:
        head = folder.read_head(path)
    except folder.BadHead:
        return Report(segments=len(names), broken=Break(folder.HEAD, 0, 0, "it is damaged"))
    if head is None and names:
        return Report(segments=len(names), broken=Break(folder.HEAD, 0, 0, "it is missing"))
    walk = _Walk(head, expect)
    for name, number, line in lines(path):
        if not line.endswith(b"\n") and walk.link.sequence >= (head.sequence if head else 0):
            return walk.end(len(names), unfinished=True)
        try:
            walk.take(name, number, line.removesuffix(b"\n"))
        except Broken as error:
            broken = Break(name, number, walk.link.sequence + 1, str(error))
            return Report(walk.first, walk.link, len(names), broken)
    return walk.end(len(names))


class _Walk:
    """The chain as far as it was followed."""

    def __init__(self, head: Head | None, expect: Link | None) -> None:
        self._wanted = [(one, what) for one, what in ((head and head.link, "the head"), (expect, "the link that was noted"))
                        if one is not None and one.sequence]  # fmt: skip
        self._head = head
        self._kept_from: set[int] = set()
        self._name = ""
        self.link = Link()
        self.first = 0

    def take(self, name: str, number: int, line: bytes) -> None:
        """One more line. Raises Broken."""
        sequence, previous, kept_from = chain.place(line)
        if number == 1 and folder.first_of(name) != sequence:
            raise Broken(f"its sequence is {sequence}, not the {folder.first_of(name)} of the segment's name")
        if not self.first:
            self.first = sequence
            self.link = Link(sequence - 1, previous)
            if sequence == 1 and previous != chain.NOTHING:
                raise Broken("it is the first record and continues another")
        self._name = name
        self.link = chain.follow(line, self.link)
        if kept_from is not None:
            self._kept_from.add(kept_from)
        for wanted, what in self._wanted:
            if wanted.sequence == sequence and wanted.hash != self.link.hash:
                raise Broken(f"it is not what {what} vouches for: it was changed")

    def end(self, segments: int, *, unfinished: bool = False) -> Report:
        """What is only known at the end: whether anything is missing at either side."""
        broken = None
        last = max(((wanted.sequence, what) for wanted, what in self._wanted), default=(0, ""))
        if last[0] > self.link.sequence:
            what = f"records {self.link.sequence + 1} to {last[0]} are missing: {last[1]} vouches for them"
            broken = Break(self._name or "the log", 0, self.link.sequence + 1, what)
        elif self.first > 1 and self.first not in self._kept_from:
            what = f"records 1 to {self.first - 1} are missing, and the log does not say that they were retired"
            broken = Break(self._name, 0, 1, what)
        return Report(self.first, self.link, segments, broken, unfinished)
