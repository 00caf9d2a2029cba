"""A parsed document to its pieces, by the data source's strategy: `cut` is all that a sync calls.

Owns the choice of the way and the making of pieces. All but short texts are cut in a thread, so `count` must bear being
called there; it should count without the model's own first and last tokens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from itertools import pairwise

import msgspec

from craton.features.rag.chunking import semantic
from craton.features.rag.chunking.pack import Counted, Span, Wanted, counted, counts, fitting, pack, stripped
from craton.features.rag.chunking.strategy import Fixed, Hierarchical, Semantic, Strategy, Whole
from craton.features.rag.chunking.units import page_at, units_of
from craton.features.rag.pieces import CountTokens, Parsed, Piece, Unreadable

MAX_PIECES = 500_000
# A large overlap multiplies the text; the pieces of one document together may hold this many characters.
_MAX_CHARACTERS = 500_000_000
# No token of any model in use holds more characters than this on average over a whole text.
_CHARACTERS_PER_TOKEN = 16
# Cut at once: handing it to a thread would take longer.
_AT_ONCE_CHARACTERS = 4096
# Sentences shorter than this say too little to have a meaning of their own.
_LEAST_SENTENCE = 24


async def cut(
    parsed: Parsed,
    strategy: Strategy,
    count: CountTokens,
    *,
    embed: semantic.Embed | None = None,
    most_pieces: int = MAX_PIECES,
) -> list[Piece]:
    """The document's pieces in the text's order; none is blank, and none reaches over a record.

    Args:
        parsed: the document.
        strategy: the data source's.
        count: how many tokens texts have.
        embed: what embeds sentences for a Semantic strategy.
        most_pieces: more than these are refused.

    Raises:
        Unreadable: there would be too many pieces.
        ValueError: a Semantic strategy without `embed`.
    """
    way = _Way(parsed, count, most_pieces)
    match strategy:
        case Whole():
            return [Piece(start, end, parsed.text[start:end]) for start, end in _records(parsed)]
        case Fixed():
            if len(parsed.text) <= _AT_ONCE_CHARACTERS:
                return way.fixed(strategy)
            return await asyncio.to_thread(way.fixed, strategy)
        case Hierarchical():
            return await asyncio.to_thread(way.hierarchical, strategy)
        case Semantic():
            if embed is None:
                raise ValueError("a semantic strategy needs something that embeds sentences")
            found = await asyncio.to_thread(way.sentences, strategy.most)
            await semantic.mark(found, embed, buffer=strategy.buffer, percentile=strategy.percentile)
            return await asyncio.to_thread(way.packed, found, strategy.most, 0)


def _records(parsed: Parsed) -> Iterator[Span]:
    edges = sorted({0, *parsed.records, len(parsed.text)})
    for start, end in pairwise(edges):
        part = parsed.text[start:end]
        if part.strip():
            yield start + len(part) - len(part.lstrip()), start + len(part.rstrip())


class _Way(msgspec.Struct, frozen=True):
    """The strategies over one document."""

    parsed: Parsed
    count: CountTokens
    most_pieces: int

    def fixed(self, strategy: Fixed) -> list[Piece]:
        small = self._small(strategy.most)
        if small is not None:
            return self._pieces(small)
        return self.packed(self._units(strategy.most), strategy.most, strategy.overlap)

    def hierarchical(self, strategy: Hierarchical) -> list[Piece]:
        found = self._units(strategy.child)
        children = (
            (child, stripped(found, parent))
            for parent in pack(found, strategy.parent, strategy.overlap)
            for child in pack(found, strategy.child, strategy.overlap, parent)
        )
        return self._pieces(fitting(found, self._bounded(found, children), strategy.child, self.count))

    def sentences(self, most: int) -> Counted:
        units = units_of(self.parsed, longest=max(_LEAST_SENTENCE, 4 * most), least=_LEAST_SENTENCE)
        return counted(self.parsed.text, units, most, self.count)

    def packed(self, found: Counted, most: int, overlap: int) -> list[Piece]:
        spans = ((span, None) for span in pack(found, most, overlap))
        return self._pieces(fitting(found, self._bounded(found, spans), most, self.count))

    def _units(self, most: int) -> Counted:
        # Units of about a quarter of a piece: fine enough for its overlap, and few enough to count.
        units = units_of(self.parsed, longest=max(16, most), least=max(1, most // 4))
        return counted(self.parsed.text, units, most, self.count)

    def _small(self, most: int) -> list[Wanted] | None:
        """The whole text if it is one piece anyway, which most small documents are."""
        text = self.parsed.text
        if self.parsed.records or len(text) > most * _CHARACTERS_PER_TOKEN:
            return None
        spans = list(_records(self.parsed))
        fits = all(number <= most for number in counts((text[start:end] for start, end in spans), self.count))
        return [(span, None) for span in spans] if fits else None

    def _bounded(self, found: Counted, wanted: Iterable[Wanted]) -> Iterator[Wanted]:
        """The same, until there are too many. Raises Unreadable."""
        characters = 0
        for number, one in enumerate(wanted):
            start, end = found.offsets(one[0])
            characters += end - start
            if number >= self.most_pieces or characters > _MAX_CHARACTERS:
                raise Unreadable("The document would be cut into too many chunks.")
            yield one

    def _pieces(self, spans: Iterable[Wanted]) -> list[Piece]:
        numbers, starts = [page.number for page in self.parsed.pages], [page.start for page in self.parsed.pages]
        return [
            Piece(start, end, self.parsed.text[start:end], page_at(numbers, starts, start), parent)
            for (start, end), parent in spans
        ]
