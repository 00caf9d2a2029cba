"""What a model makes of a question is a filter only if all of it fits the attributes."""

from __future__ import annotations

from typing import Any

import pytest

from craton.features.rag.retrieval.implicit import made_filter
from craton.features.rag.retrieval.query import Attribute
from craton.infra.vectors.port import Both, Compare, Either

ATTRIBUTES = (
    Attribute("year", "NUMBER", "when"),
    Attribute("topic", "STRING", "what"),
    Attribute("open", "BOOLEAN", "whether"),
    Attribute("tags", "STRING_LIST", "which"),
)


def condition(key: str, operator: str, value: Any) -> dict[str, Any]:
    return {"key": key, "operator": operator, "value": value}


YEAR = condition("year", "greaterThan", 2020)
TOPIC = condition("topic", "equals", "tea")


def test_conditions_become_a_filter() -> None:
    """One by itself, several together or in the alternative."""
    year, topic = Compare("greaterThan", "year", 2020.0), Compare("equals", "topic", "tea")
    assert made_filter({"conditions": [YEAR]}, ATTRIBUTES) == year
    assert made_filter({"conditions": [YEAR, TOPIC]}, ATTRIBUTES) == Both((year, topic))
    assert made_filter({"conditions": [YEAR, TOPIC], "match": "any"}, ATTRIBUTES) == Either((year, topic))


@pytest.mark.parametrize(
    "made",
    [
        None, "year > 2020", [], {}, {"conditions": []}, {"conditions": "all"}, {"conditions": [{"key": "year"}]},
        {"conditions": [YEAR, condition("author", "equals", "x")]},
        {"conditions": [condition("year", "greaterThan", "2020")]},
        {"conditions": [condition("year", "startsWith", "20")]},
        {"conditions": [condition("open", "equals", "true")]},
        {"conditions": [condition("tags", "equals", "x")]},
        {"conditions": [condition("topic", "drop table", "x")]},
        {"conditions": [TOPIC] * 6},
    ],
)  # fmt: skip
def test_what_is_no_filter(made: Any) -> None:
    """Other attributes, operators or types, or nothing at all: everything is searched."""
    assert made_filter(made, ATTRIBUTES) is None
