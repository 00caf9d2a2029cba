"""Marks of sources in a model's words: taken out, however the words are cut into pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craton.features.rag.generation.marks import Mark, MarkReader

PIECES = st.lists(
    st.sampled_from(["Paris is big", ".", " ", "\n", "[", "[[", "]", "]]", "1", "[[2]]", ", ", "[[1, 3]]", "[x]"])
)


def read(*pieces: str) -> tuple[str, list[tuple[int, ...]]]:
    """The text without marks, and the marks."""
    reader = MarkReader()
    said = [one for piece in pieces for one in reader.feed(piece)] + reader.close()
    marks = [one.numbers for one in said if isinstance(one, Mark)]
    return "".join(one for one in said if isinstance(one, str)), marks


@pytest.mark.parametrize(
    ("written", "shown", "marks"),
    [
        ("It is blue [[1]].", "It is blue.", [(1,)]),
        ("It is blue.[[1]][[2]] So is that [[3, 4]]", "It is blue. So is that", [(1,), (2,), (3, 4)]),
        ("Blue [[1]] or green", "Blue or green", [(1,)]),
        ("Blue [[1]]or green", "Blue or green", [(1,)]),
        ("One.\n[[1]]\nTwo.", "One.\nTwo.", [(1,)]),
        ("- one [[1]]\n- two [[2]]", "- one\n- two", [(1,), (2,)]),
        ("a[0] = b[[i]] and [[Page]] [1]", "a[0] = b[[i]] and [[Page]] [1]", []),
        ("[[99999]] [[]] [[1", "[[99999]] [[]] [[1", []),
    ],
)
def test_marks_leave_the_text(written: str, shown: str, marks: list[tuple[int, ...]]) -> None:
    """A mark goes with the white space before it, and comes out the same letter by letter; what is none stays."""
    assert read(written) == (shown, marks)
    assert read(*written) == (shown, marks)


@given(PIECES)
def test_pieces_change_nothing(pieces: list[str]) -> None:
    """The same words give the same text and marks in whatever pieces they come."""
    assert read(*pieces) == read("".join(pieces)) == read(*"".join(pieces))


def test_little_is_held_back() -> None:
    """Words are shown as they come; only what may become a mark waits."""
    reader = MarkReader()
    assert reader.feed("Paris is") == ["Paris is"]
    assert reader.feed(" the [") == [" the"]
    assert reader.feed("[1") == []
    assert reader.feed("x") == [" [[1x"]


def test_long_white_space_takes_no_time() -> None:
    """A hundred thousand blanks pass through in linear time, and none is lost."""
    text, marks = read("a" + " " * 100_000 + "[[1]]b")
    assert text.count(" ") >= 100_000 - 8
    assert marks == [(1,)]
