"""Units put together to pieces of a number of tokens, with an overlap, cut at the best place there is.

Owns the choice of the cuts and the counting. A piece's tokens are first the sum of its units'; what turns out larger
when it is counted whole is cut again (`fitting`), so that no piece passes the limit unless it is a single grapheme.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from craton.features.rag.chunking.units import (
    GRAPHEME,
    HARD,
    HEADING,
    LINE,
    PARAGRAPH,
    SENTENCE,
    WORD,
    WRAP,
    Units,
    split,
)
from craton.features.rag.pieces import CountTokens

Span = tuple[int, int]
"""Numbers of units, the second one excluded; or offsets in the text."""
Wanted = tuple[Span, Span | None]
"""A piece, and the part of the text (in offsets) that is its parent."""

# How full a piece must be before it is cut at a boundary of that strength, rather than at a worse one further on.
_FULL_ENOUGH = {HEADING: 0.4, PARAGRAPH: 0.6, LINE: 0.75, SENTENCE: 0.5, WRAP: 0.5, WORD: 0.5, GRAPHEME: 0.5}
_AT_ONCE = 512
_BATCH_CHARACTERS = 1_000_000


class Counted(msgspec.Struct):
    """Units of a text and how many tokens each has."""

    text: str
    units: Units
    tokens: array[int]

    def offsets(self, span: Span) -> Span:
        """Where these units stand in the text."""
        return self.units.starts[span[0]], self.units.starts[span[1]]


def counts(texts: Iterable[str], count: CountTokens) -> Iterator[int]:
    """Each text's tokens; the counter gets them some hundreds at a time, and a large text alone."""
    waiting = iter(texts)
    while batch := _batch(waiting):
        yield from count(batch)


def _batch(waiting: Iterator[str]) -> list[str]:
    batch: list[str] = []
    size = 0
    for text in islice(waiting, _AT_ONCE):
        batch.append(text)
        size += len(text)
        if size > _BATCH_CHARACTERS:
            break
    return batch


def counted(text: str, units: Units, most: int, count: CountTokens) -> Counted:
    """With the tokens of each unit; a unit of more than `most` is cut in halves until none is, or it cannot be."""
    starts = units.starts
    tokens = array("q", counts((text[starts[n] : starts[n + 1]] for n in range(len(units))), count))
    while any(number > most for number in tokens):
        finer, fine_tokens = Units(array("q"), bytearray()), array("q")
        again: list[int] = []
        for n, number in enumerate(tokens):
            start, end = units.starts[n], units.starts[n + 1]
            finer.starts.append(start)
            finer.strengths.append(units.strengths[n])
            middle, strength = split(text, start, start + (end - start + 1) // 2) if number > most else (end, GRAPHEME)
            fine_tokens.append(number)
            if start < middle < end:
                again += (len(finer) - 1, len(finer))
                finer.starts.append(middle)
                finer.strengths.append(strength)
                fine_tokens.append(0)
        finer.starts.append(len(text))
        if not again:
            break
        fresh = counts((text[finer.starts[n] : finer.starts[n + 1]] for n in again), count)
        for n, number in zip(again, fresh, strict=True):
            fine_tokens[n] = number
        units, tokens = finer, fine_tokens
    return Counted(text, units, tokens)


def pack(found: Counted, most: int, overlap: int = 0, within: Span | None = None) -> Iterator[Span]:
    """Spans of units of at most `most` tokens that cover all units; each repeats up to `overlap` tokens of the last."""
    tokens, strengths = found.tokens, found.units.strengths
    first, end = within or (0, len(found.units))
    done = first
    while done < end:
        total, last = 0, first
        while last < end and (last == first or (total + tokens[last] <= most and strengths[last] < HARD)):
            total += tokens[last]
            last += 1
        if last < end and strengths[last] < HARD:
            last = _best(found, max(first, done) + 1, last, total)
        yield first, last
        done = last
        if last < end:
            first = last if strengths[last] == HARD else _back(found, first, last, most, overlap)


def _best(found: Counted, least: int, last: int, total: int) -> int:
    """The best cut at `last` or before it, but not before `least`."""
    strengths, tokens = found.units.strengths, found.tokens
    best, filled = last, total
    for place in range(last - 1, least - 1, -1):
        filled -= tokens[place]
        if filled < total * _FULL_ENOUGH[HEADING]:
            break
        if strengths[place] > strengths[best] and filled >= total * _FULL_ENOUGH[strengths[place]]:
            best = place
    return best


def _back(found: Counted, first: int, last: int, most: int, overlap: int) -> int:
    """The unit that the next piece begins with: some units before `last`, while it still has room for the one there,
    and from the beginning of a sentence if there is one.

    Where the last unit alone is more than the overlap it is still repeated if it is no more than half as large again.
    """
    tokens, strengths = found.tokens, found.units.strengths
    place, repeated = last, 0
    while place - 1 > first and repeated + tokens[place - 1] <= (overlap if repeated else overlap * 3 // 2):
        place -= 1
        repeated += tokens[place]
    while place < last and repeated + tokens[last] > most:
        repeated -= tokens[place]
        place += 1
    return next((start for start in range(place, last) if strengths[start] >= SENTENCE), place)


def fitting(found: Counted, wanted: Iterable[Wanted], most: int, count: CountTokens) -> list[Wanted]:
    """The spans as offsets without blanks around them; those that have more than `most` tokens as a whole are cut."""
    fits: list[Wanted] = []
    waiting = list(wanted)
    while waiting:
        stripped_spans = [stripped(found, span) for span, _ in waiting]
        numbers = counts((found.text[start:end] for start, end in stripped_spans), count)
        again: list[Wanted] = []
        for (span, parent), offsets, number in zip(waiting, stripped_spans, numbers, strict=True):
            if number > most and span[1] - span[0] > 1:
                middle = (span[0] + span[1]) // 2
                again += (((span[0], middle), parent), ((middle, span[1]), parent))
            elif offsets[0] < offsets[1]:
                fits.append((offsets, parent))
        waiting = again
    return sorted(set(fits), key=_order)


def _order(one: Wanted) -> tuple[Span, Span]:
    span, parent = one
    return parent or (0, 0), span


def stripped(found: Counted, span: Span) -> Span:
    """Where these units stand in the text, without blanks at both ends."""
    start, end = found.offsets(span)
    part = found.text[start:end]
    end = start + len(part.rstrip())
    return min(end, start + len(part) - len(part.lstrip())), end
