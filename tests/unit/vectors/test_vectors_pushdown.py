"""Filters as conditions of the store."""

from __future__ import annotations

import pytest

from craton.infra.vectors.columns import column_of
from craton.infra.vectors.port import Both, Compare, Either, Reach
from craton.infra.vectors.pushdown import ALL, NONE, condition, where_of

KEY = 'it\'s "quoted" `ticked`; --'
COLUMN = column_of(KEY, "s")


def test_no_key_and_no_bare_value_is_in_a_condition() -> None:
    """Keys are hashed into names of columns; quotes in values are doubled."""
    assert where_of(Compare("equals", KEY, "x' OR 'a'='a"), {COLUMN}) == f"({COLUMN} IN ('x'' OR ''a''=''a'))"


@pytest.mark.parametrize("op", ["equals", "in", "startsWith", "stringContains", "listContains"])
def test_what_no_chunk_has_is_not_asked(op: str) -> None:
    """An attribute that no chunk has makes the condition false without a look at the table."""
    value = ("x",) if op == "in" else "x"
    assert where_of(Compare(op, "unknown", value), set()) == NONE  # type: ignore[arg-type]


def test_negations_of_what_no_chunk_has_are_true() -> None:
    """They vanish from a group that wants all members."""
    negated = (Compare("notEquals", "unknown", "x"), Compare("notIn", "unknown", ("x", 1.0)))
    assert where_of(Both(negated), set()) == ALL
    assert where_of(Either((*negated, Compare("equals", KEY, "x"))), {COLUMN}) == ALL


def test_a_search_of_no_sources_finds_nothing() -> None:
    """No source is not the same as all of them."""
    assert condition(Reach(sources=()), set(), guarded=False) == NONE
    assert condition(Reach(), set(), guarded=False) == ALL


def test_without_a_user_only_what_is_open_is_seen() -> None:
    """The access list is a part of the condition as soon as any chunk has one."""
    assert condition(Reach(), set(), guarded=True) == "(guarded = false)"
    seen = condition(Reach(user="o'neil"), set(), guarded=True)
    assert "array_has(allowed, 'o''neil')" in seen
    assert "NOT array_has(denied, 'o''neil')" in seen


def test_numbers_of_every_size_are_numbers() -> None:
    """Beyond what a float holds they are infinite, a zero has no sign, and what is no number equals nothing."""
    column = column_of("n", "n")
    assert where_of(Compare("lessThan", "n", 10**400), {column}) == f"({column} < CAST('inf' AS DOUBLE))"
    assert where_of(Compare("equals", "n", -0.0), {column}) == f"({column} IN ((0.0)))"
    assert where_of(Compare("equals", "n", float("nan")), {column}) == NONE
