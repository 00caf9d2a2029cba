"""Which rows a condition keeps, remembered: the filters of a knowledge base's tenants come again and again.

Owns what is remembered and how much. It must not know conditions (they are texts here) or how rows are found.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from craton.infra.vectors.plain import Rows

_ENTRY_BYTES = 512
"""What an answer takes beside its rows and its condition."""


class Answer(msgspec.Struct, frozen=True):
    """How many rows a condition keeps, and which, unless there are too many of them."""

    count: int
    rows: Rows | None


class Answers:
    """Answers for all versions that are open, those that were asked for last. Not more than `most_bytes` in all.

    A version is named by an object of its own: numbers come again when an index is dropped and made anew.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most, self._bytes = most_bytes, 0
        self._held: OrderedDict[tuple[object, str], Answer] = OrderedDict()

    def get(self, version: object, condition: str) -> Answer | None:
        answer = self._held.get((version, condition))
        if answer is not None:
            self._held.move_to_end((version, condition))
        return answer

    def keep(self, version: object, condition: str, answer: Answer) -> None:
        if (version, condition) in self._held:  # asked by two at once
            return
        self._held[version, condition] = answer
        self._bytes += _size(condition, answer)
        while self._bytes > self._most:
            (_, oldest), gone = self._held.popitem(last=False)
            self._bytes -= _size(oldest, gone)


def _size(condition: str, answer: Answer) -> int:
    rows = sum(places.nbytes for _, places in answer.rows or ())
    return _ENTRY_BYTES + 4 * len(condition) + rows
