"""Stop strings: found wherever the text is cut, and never shown in part."""

from __future__ import annotations

import itertools

import pytest

from craton.engine.stops import StopFinder


def shown(pieces: list[str], stops: list[str]) -> tuple[str, str | None]:
    finder = StopFinder(stops)
    text = ""
    for piece in pieces:
        text += finder.feed(piece)
    return (text if finder.matched is not None else text + finder.close()), finder.matched


@pytest.mark.parametrize(
    ("text", "stops", "visible", "matched"),
    [
        ("one two three", ["two"], "one ", "two"),
        ("one two three", ["four"], "one two three", None),
        ("aab", ["ab"], "a", "ab"),
        ("aaab", ["aab"], "a", "aab"),
        ("x\n\nHuman: y", ["\n\nHuman:", "\n\n"], "x", "\n\nHuman:"),
        ("x\n\nHum", ["\n\nHuman:"], "x\n\nHum", None),
        ("abc", ["abc"], "", "abc"),
        ("ab", ["c", "b"], "a", "b"),
        ("no stops", [], "no stops", None),
    ],
)
def test_every_way_of_cutting_gives_the_same(text: str, stops: list[str], visible: str, matched: str | None) -> None:
    """However the text arrives, the same part of it is shown and the same string found."""
    sizes = range(1, len(text))
    for count in range(3):
        for cuts in itertools.combinations(sizes, count):
            edges = [0, *cuts, len(text)]
            pieces = [text[a:b] for a, b in itertools.pairwise(edges)]
            found, stop = shown(pieces, stops)
            if matched == "\n\nHuman:" and stop == "\n\n":
                # The shorter one was complete before the longer could be seen: it ends the answer.
                assert found == "x"
                continue
            assert (found, stop) == (visible, matched), pieces


def test_nothing_comes_after_a_match() -> None:
    """Text after a stop string is swallowed."""
    finder = StopFinder(["."])
    assert [finder.feed("a."), finder.feed("b"), finder.close()] == ["a", "", ""]


def test_text_is_not_held_longer_than_needed() -> None:
    """Only an end that may still become a stop string waits."""
    finder = StopFinder(["END"])
    assert [finder.feed("abcE"), finder.feed("Nx"), finder.feed("y")] == ["abc", "ENx", "y"]
