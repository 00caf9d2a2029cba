"""Under which headings a piece of a document stands."""

from __future__ import annotations

import pytest

from craton.features.rag.chunking.headings import heading_of
from craton.features.rag.parsing.plain import headings
from craton.features.rag.pieces import Parsed

PAGE = (
    "# The handbook of the house\n\nWelcome, all of you who live here.\n\n"
    "## Leave and holidays of all\n\nThirty days.\n\nNo more.\n\n## Pay, and when it comes\n\nOn Fridays.\n"
)
PARSED = Parsed(PAGE, breaks=headings(PAGE))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("# The handbook", ""),
        ("Welcome", "The handbook of the house\n"),
        ("## Leave", "The handbook of the house\n"),
        ("No more.", "The handbook of the house\nLeave and holidays of all\n"),
        ("On Fridays.", "The handbook of the house\nPay, and when it comes\n"),
    ],
)
def test_a_piece_stands_under_the_document_and_its_section(words: str, expected: str) -> None:
    """What it begins with itself is not said twice."""
    assert heading_of(PARSED, PAGE.index(words)) == expected


def test_of_several_documents_in_one_the_first_names_none_but_itself() -> None:
    """A second heading of the highest rank is another document's."""
    text = f"{PAGE}\n# The garden and its tools\n\nA spade.\n"
    assert heading_of(Parsed(text, breaks=headings(text)), text.index("A spade")) == "The garden and its tools\n"


def test_formats_without_ranks_have_headings_too() -> None:
    """Of HTML or Word the places are known, and the lines there."""
    text = "Handbook\nWelcome.\nLeave\nThirty days."
    assert heading_of(Parsed(text, breaks=(0, 18)), text.index("Thirty")) == "Handbook\nLeave\n"


def test_a_text_that_does_not_begin_with_a_heading_has_no_title() -> None:
    """The first heading is then a section's."""
    text = "Some words before.\n\n# First\n\nOne.\n\n# Second\n\nTwo."
    parsed = Parsed(text, breaks=(text.index("# First"), text.index("# Second")))
    assert heading_of(parsed, 5) == ""
    assert heading_of(parsed, text.index("Two.")) == "Second\n"


def test_a_long_line_is_cut() -> None:
    """Nobody's heading fills what the model reads."""
    assert len(heading_of(Parsed("x" * 500 + "\n\nText.", breaks=(0,)), 502)) <= 121
