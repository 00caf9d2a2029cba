"""Regular expressions of patterns: two ways of looking that agree, and no text that takes for ever."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from craton.features.logs.patterns.regex import Automaton, Expression
from craton.features.logs.patterns.text import BadPattern

ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\d", r"\s", r"\.", "x"])
PARTS = st.tuples(ATOMS, st.sampled_from(["", "?", "*", "+", "{2}", "{1,3}", "{2,}"])).map("".join)
BRANCHES = st.builds(
    lambda parts, start, end: start + "".join(parts) + end,
    st.lists(PARTS, min_size=1, max_size=4), st.sampled_from(["", "^"]), st.sampled_from(["", "$"]),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(BRANCHES, min_size=1, max_size=3).map("|".join), st.text("abx1 .", max_size=12))
def test_the_automaton_finds_what_the_library_finds(written: str, text: str) -> None:
    """Whichever way is taken, the answer is the same."""
    expression = Expression(written)
    expected = re.search(written.replace("$", r"\Z"), text, re.ASCII | re.DOTALL) is not None
    assert expression.search(text) is expected
    assert Automaton(expression._branches).search(text) is expected


def test_quantifiers_that_meet_a_long_text_come_to_an_end() -> None:
    """What would take a backtracking search years is answered."""
    expression = Expression("a*a*a*a*a*b")
    assert not expression.search("a" * 50_000)
    assert expression.search("a" * 50_000 + "b")


@given(st.text(max_size=30))
def test_any_text_is_an_expression_or_refused(written: str) -> None:
    """Nothing but BadPattern comes out of a text that is no expression."""
    try:
        Expression(written).search("some text 123")
    except BadPattern:
        pass
