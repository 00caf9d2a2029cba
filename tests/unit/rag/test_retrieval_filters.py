"""Filters as the API writes them become the store's, or a refusal that names the place."""

from __future__ import annotations

from typing import Any

import pytest

from craton.aws.wire.faults import Fault
from craton.features.rag.retrieval.filters import OPERATORS, all_of, filter_of, shown
from craton.infra.vectors.port import Both, Compare, Either

ONE = {"equals": {"key": "a", "value": "x"}}
FITTING = {
    "greaterThan": 1, "greaterThanOrEquals": 1, "lessThan": 1, "lessThanOrEquals": 1, "in": ["x"], "notIn": ["x"],
}  # fmt: skip


@pytest.mark.parametrize("op", OPERATORS)
def test_every_operator(op: str) -> None:
    """It is taken over with its key and value; whole numbers are numbers like others."""
    value = FITTING.get(op, "x")
    made = filter_of({op: {"key": "a", "value": value}}, "filter")
    wanted: Any = tuple(value) if isinstance(value, list) else float(value) if isinstance(value, int) else value
    assert made == Compare(op, "a", wanted)  # type: ignore[arg-type]


def test_groups() -> None:
    """A group within a group; written back it is what was asked for."""
    asked = {"andAll": [ONE, {"orAll": [ONE, {"lessThan": {"key": "n", "value": 2}}]}]}
    made = filter_of(asked, "filter")
    inner = Either((Compare("equals", "a", "x"), Compare("lessThan", "n", 2.0)))
    assert made == Both((Compare("equals", "a", "x"), inner))
    assert shown(made) == asked


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "exactly one operator"),
        ({**ONE, "notEquals": {"key": "a", "value": "x"}}, "exactly one operator"),
        ({"like": {"key": "a", "value": "x"}}, "exactly one operator"),
        ({"andAll": [ONE]}, "2 to 5 members"),
        ({"orAll": [ONE] * 6}, "2 to 5 members"),
        ({"andAll": [ONE, {"orAll": [ONE, {"andAll": [ONE, ONE]}]}]}, "filter.andAll.1.orAll.1.andAll' is nested"),
        ({"andAll": [{"orAll": [ONE, ONE]}] * 5}, "more than 5 groups"),
        ({"equals": {"key": "a", "value": None}}, "filter.equals.value"),
        ({"equals": {"key": "a", "value": ["x"]}}, "a string, a number or a boolean"),
        ({"lessThan": {"key": "a", "value": True}}, "a number"),
        ({"lessThan": {"key": "a", "value": 10**400}}, "a number"),
        ({"in": {"key": "a", "value": [["x"]]}}, "a list of strings"),
        ({"listContains": {"key": "a", "value": 1}}, "a string"),
        ({"equals": {"key": "", "value": "x"}}, "must have a key"),
    ],
)
def test_what_does_not_fit(asked: dict[str, Any], said: str) -> None:
    """ValidationException, with the place and what would fit."""
    with pytest.raises(Fault) as caught:
        filter_of(asked, "filter")
    assert caught.value.name == "ValidationException"
    assert said in caught.value.message


def test_an_empty_list_holds_nowhere() -> None:
    """A program that lists its user's groups may have none: that is a filter, not a mistake."""
    assert filter_of({"in": {"key": "a", "value": []}}, "filter") == Compare("in", "a", ())


def test_several_filters_at_once() -> None:
    """All of them hold; none is none."""
    one = Compare("equals", "a", "x")
    assert all_of(None, None) is None
    assert all_of(None, one) is one
    assert all_of(one, one) == Both((one, one))
