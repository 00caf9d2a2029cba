"""Texts are cut by each strategy: whole, exact, within their size, and at places that a reader would choose."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from craton.features.rag.chunking.cut import cut
from craton.features.rag.chunking.strategy import DEFAULT, Fixed, Hierarchical, Semantic, Strategy, Whole, strategy_of
from craton.features.rag.chunking.units import is_boundary
from craton.features.rag.pieces import Page, Parsed, Piece, Unreadable

SENTENCE = "The quick brown fox jumps over the lazy dog near the river. "


def words(texts: Sequence[str]) -> list[int]:
    """A token for each word, and for every four letters of one."""
    return [sum(1 + (len(word) - 1) // 4 for word in text.split()) for text in texts]


def pieces(parsed: Parsed | str, strategy: Strategy) -> list[Piece]:
    return asyncio.run(cut(parsed if isinstance(parsed, Parsed) else Parsed(parsed), strategy, words))


def covered(parsed: Parsed, found: list[Piece]) -> bool:
    """Whether every character that is not blank is in some piece."""
    place = 0
    for piece in sorted(found, key=lambda one: one.start):
        if parsed.text[place : piece.start].strip():
            return False
        place = max(place, piece.end)
    return not parsed.text[place:].strip()


TEXTS = st.text(
    alphabet=st.one_of(
        st.sampled_from(list("ab .!?\n\t\r\u3000。、e\u0301\u200d👩🏽🇩🇪각ᄀ\u1161\u0e33\u0600\u00a0")), st.characters()
    ),
    max_size=400,
)
STRATEGIES = st.one_of(
    st.builds(lambda most, part: Fixed(most, most * part // 100), st.integers(1, 40), st.integers(1, 99)),
    st.builds(lambda child, more, overlap: Hierarchical(child + more, child, min(overlap, child - 1)),
              st.integers(2, 20), st.integers(0, 60), st.integers(1, 20)),
    st.just(Whole()),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(text=TEXTS, strategy=STRATEGIES, data=st.data())
def test_whatever_the_text_pieces_are_exact(text: str, strategy: Strategy, data: st.DataObject) -> None:
    """Offsets fit, all of the text is there, nothing is blank, no record is mixed, no grapheme is cut."""
    places = st.lists(st.integers(0, len(text)), max_size=4).map(lambda found: tuple(sorted(set(found))))
    parsed = Parsed(text, breaks=data.draw(places), records=data.draw(places))
    found = pieces(parsed, strategy)
    assert covered(parsed, found)
    for piece in found:
        assert text[piece.start : piece.end] == piece.text
        assert piece.text == piece.text.strip() != ""
        assert not any(piece.start < record < piece.end for record in parsed.records)
        for edge in (piece.start, piece.end):
            assert is_boundary(text, edge) or edge in parsed.records or text[edge - 1].isspace() or text[edge].isspace()
        if piece.parent is not None:
            assert piece.parent[0] <= piece.start < piece.end <= piece.parent[1]
        if not isinstance(strategy, Whole):
            most = strategy.most if isinstance(strategy, Fixed) else strategy.child
            assert words([piece.text])[0] <= most or len(piece.text) < 1000


@settings(max_examples=200, deadline=None)
@given(text=TEXTS)
def test_boundaries_are_those_of_unicode(text: str) -> None:
    """No boundary of ours is inside a grapheme, as a library that follows the standard to the letter sees them."""
    regex = pytest.importorskip("regex")
    edges = {0, len(text)} | {match.end() for match in regex.finditer(r"\X", text)}
    ours = {at for at in range(len(text) + 1) if is_boundary(text, at)}
    # Virama conjuncts of Indic scripts and emoji sequences are newer rules; ours may then cut where older ones did.
    # What the standard joins since later versions: conjuncts of Indic scripts.
    assert {at for at in ours - edges if not regex.match(r"\p{InCB=Consonant}", text[at])} == set()


def test_the_default_is_some_300_tokens_with_a_fifth_repeated() -> None:
    """At the ends of sentences."""
    text = SENTENCE * 200
    found = pieces(text, DEFAULT)
    assert all(200 < words([piece.text])[0] <= 300 for piece in found[:-1])
    assert all(piece.text.endswith(".") and piece.text.startswith("The") for piece in found)
    repeated = [words([text[after.start : piece.end]])[0] for piece, after in pairwise(found)]
    assert all(30 <= number <= 60 for number in repeated)


def test_a_small_document_is_one_piece() -> None:
    """Counted once, as a whole."""
    asked: list[int] = []

    def count(texts: Sequence[str]) -> list[int]:
        asked.append(len(texts))
        return words(texts)

    [piece] = asyncio.run(cut(Parsed("\n Short.\n"), DEFAULT, count))
    assert (piece.start, piece.end, piece.text, asked) == (2, 8, "Short.", [1])


def test_headings_are_where_pieces_begin() -> None:
    """A break that the format tells is better than any sentence."""
    part = SENTENCE * 8
    text = f"# One\n{part}\n# Two\n{part}\n# Three\n{part}"
    parsed = Parsed(text, breaks=tuple(at for at in range(len(text)) if text.startswith("# ", at)))
    assert [piece.text.split("\n")[0] for piece in pieces(parsed, Fixed(250, 0))] == ["# One", "# Two", "# Three"]


def test_paragraphs_are_kept_together_where_it_costs_little() -> None:
    """The cut is at an empty line, not at the last sentence that would still fit."""
    text = (SENTENCE * 4 + "\n\n") * 10
    assert all(piece.text.count(".") % 4 == 0 for piece in pieces(text, Fixed(170, 0)))


def test_children_know_their_parents() -> None:
    """Each child lies within a parent of the larger size, and several share one."""
    text = SENTENCE * 300
    found = pieces(text, Hierarchical(600, 100, 20))
    parents = {piece.parent for piece in found if piece.parent}
    assert len(parents) < len(found) / 3
    assert all(words([piece.text])[0] <= 100 for piece in found)
    assert all(100 < words([text[start:end]])[0] <= 600 for start, end in parents)


def test_without_chunking_there_is_one_piece_and_no_page() -> None:
    """As AWS says of NONE."""
    [piece] = pieces(Parsed(SENTENCE * 100, pages=(Page(1, 0),)), Whole())
    assert (piece.text, piece.page) == ((SENTENCE * 100).strip(), None)


def test_a_piece_is_on_the_page_where_it_begins() -> None:
    """Pages are found for each piece."""
    text = SENTENCE * 30
    parsed = Parsed(text, pages=(Page(1, 0), Page(2, len(text) // 2), Page(4, len(text) - 100)))
    for piece in pieces(parsed, Fixed(60, 0)):
        assert piece.page == (4 if piece.start >= len(text) - 100 else 2 if piece.start >= len(text) // 2 else 1)


def test_meaning_decides_where_it_changes_most() -> None:
    """Sentences about one thing stay together, whatever their number."""
    text = "Cats purr softly at night. Cats sleep all day long. Cats eat fish and mice. " * 3
    other = "Stocks fell again on Monday. Stocks rose later in the week. Stocks are risky to hold. " * 2

    async def embed(texts: Sequence[str]) -> list[list[float]]:
        return [[1.0, 0.1] if "Cats" in one else [0.1, 1.0] for one in texts]

    found = asyncio.run(cut(Parsed(text + other), Semantic(300, 0, 90), words, embed=embed))
    assert [piece.text for piece in found] == [text.strip(), other.strip()]


def test_meaning_with_neighbours_is_asked_in_batches() -> None:
    """Each sentence with the ones beside it, some hundreds at a time."""
    sizes: list[int] = []

    async def embed(texts: Sequence[str]) -> list[list[float]]:
        sizes.append(len(texts))
        assert all(1 <= one.count("river.") <= 3 for one in texts)
        return [[1.0, 0.0]] * len(texts)

    found = asyncio.run(cut(Parsed(SENTENCE * 600), Semantic(50, 1, 95), words, embed=embed))
    assert sizes == [256, 256, 88]
    assert all(words([piece.text])[0] <= 50 for piece in found)


@pytest.mark.parametrize("unit", ["x", "word ", "a\n", ".", "e\u0301", "\U0001f1e6", "。", "\n\n#", "字"])
def test_no_text_takes_longer_than_its_length(unit: str) -> None:
    """Megabytes without a sentence, of nothing but ends, of nothing but one grapheme's parts."""
    parsed = Parsed(unit * (400_000 // len(unit)))
    counted = 0

    def count(texts: Sequence[str]) -> list[int]:
        nonlocal counted
        counted += sum(map(len, texts))
        assert sum(map(len, texts)) < 2_000_000
        return [-(-len(text) // 4) for text in texts]

    found = asyncio.run(cut(parsed, DEFAULT, count))
    assert covered(parsed, found)
    assert counted < 6 * len(parsed.text)


def test_too_many_pieces_are_refused() -> None:
    """An overlap of nearly all multiplies a text."""
    with pytest.raises(Unreadable, match="too many chunks"):
        asyncio.run(cut(Parsed(SENTENCE * 200), Fixed(20, 19), words, most_pieces=50))


@pytest.mark.parametrize(
    ("ingestion", "strategy"),
    [
        (None, DEFAULT),
        ({}, Fixed(300, 60)),
        ({"chunkingConfiguration": {"chunkingStrategy": "NONE"}}, Whole()),
        ({"chunkingConfiguration": {"chunkingStrategy": "FIXED_SIZE",
          "fixedSizeChunkingConfiguration": {"maxTokens": 100, "overlapPercentage": 15}}}, Fixed(100, 15)),
        ({"chunkingConfiguration": {"chunkingStrategy": "HIERARCHICAL", "hierarchicalChunkingConfiguration":
          {"levelConfigurations": [{"maxTokens": 1500}, {"maxTokens": 300}], "overlapTokens": 60}}},
         Hierarchical(1500, 300, 60)),
        ({"chunkingConfiguration": {"chunkingStrategy": "SEMANTIC", "semanticChunkingConfiguration":
          {"maxTokens": 200, "bufferSize": 1, "breakpointPercentileThreshold": 80}}}, Semantic(200, 1, 80)),
    ],
)  # fmt: skip
def test_the_apis_configuration_is_a_strategy(ingestion: dict[str, object] | None, strategy: Strategy) -> None:
    """Each kind, and what holds if nothing was said."""
    assert strategy_of(ingestion) == strategy
