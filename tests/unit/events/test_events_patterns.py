"""Event patterns: what each word of the language matches, and what is no pattern."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craton.features.events.patterns import BadPattern, compiled

EVENT = {
    "source": "aws.bedrock",
    "account": "123456789012",
    "detail": {
        "name": "Claude",
        "count": 5,
        "part": 2.5,
        "on": True,
        "none": None,
        "ip": "10.1.2.3",
        "tags": ["red", "green"],
        "empty": [],
        "rows": [{"a": "x", "n": 1}, {"a": "y", "n": 2}],
    },
}
# pattern of `detail`, whether it matches
CASES: list[tuple[Any, bool]] = [
    ({"name": ["Claude"]}, True),
    ({"name": ["claude"]}, False),
    ({"name": ["other", "Claude"]}, True),
    ({"count": [5]}, True),
    ({"count": [5.0]}, True),
    ({"count": ["5"]}, False),
    ({"on": [True]}, True),
    ({"on": [1]}, False),
    ({"none": [None]}, True),
    ({"missing": [None]}, False),
    ({"tags": ["green"]}, True),
    ({"tags": ["blue"]}, False),
    ({"name": ["Claude"], "count": [6]}, False),
    ({"name": [{"prefix": "Cl"}]}, True),
    ({"name": [{"prefix": {"equals-ignore-case": "cl"}}]}, True),
    ({"name": [{"suffix": "de"}]}, True),
    ({"name": [{"suffix": {"equals-ignore-case": "DE"}}]}, True),
    ({"name": [{"suffix": "DE"}]}, False),
    ({"name": [{"equals-ignore-case": "CLAUDE"}]}, True),
    ({"name": [{"wildcard": "C*e"}]}, True),
    ({"name": [{"wildcard": "*la*d*"}]}, True),
    ({"name": [{"wildcard": "C*x"}]}, False),
    ({"name": [{"wildcard": "Claude\\*"}]}, False),
    ({"name": [{"anything-but": "Claude"}]}, False),
    ({"name": [{"anything-but": ["a", "b"]}]}, True),
    ({"count": [{"anything-but": 5}]}, False),
    ({"name": [{"anything-but": {"prefix": "X"}}]}, True),
    ({"name": [{"anything-but": {"prefix": ["X", "C"]}}]}, False),
    ({"name": [{"anything-but": {"suffix": "de"}}]}, False),
    ({"name": [{"anything-but": {"wildcard": "C*"}}]}, False),
    ({"name": [{"anything-but": {"equals-ignore-case": "CLAUDE"}}]}, False),
    ({"missing": [{"anything-but": "x"}]}, False),
    ({"count": [{"numeric": [">", 0, "<=", 5]}]}, True),
    ({"count": [{"numeric": ["<", 5]}]}, False),
    ({"part": [{"numeric": ["=", 2.5]}]}, True),
    ({"on": [{"numeric": ["=", 1]}]}, False),
    ({"ip": [{"cidr": "10.0.0.0/8"}]}, True),
    ({"ip": [{"cidr": "10.2.0.0/16"}]}, False),
    ({"ip": [{"cidr": "fd00::/8"}]}, False),
    ({"name": [{"cidr": "10.0.0.0/8"}]}, False),
    ({"name": [{"exists": True}]}, True),
    ({"name": [{"exists": False}]}, False),
    ({"missing": [{"exists": False}]}, True),
    ({"missing": [{"exists": True}]}, False),
    ({"deep": {"missing": [{"exists": False}]}}, True),
    ({"none": [{"exists": True}]}, True),
    ({"missing": ["x", {"exists": False}]}, True),
    ({"rows": {"a": ["y"]}}, True),
    ({"rows": {"a": ["y"], "n": [2]}}, True),
    ({"rows": {"a": ["y"], "n": [1]}}, False),
    ({"name": {"deeper": ["x"]}}, False),
    ({"$or": [{"name": ["x"]}, {"count": [5]}]}, True),
    ({"$or": [{"name": ["x"]}, {"count": [6]}]}, False),
    ({"$or": [{"name": ["x"]}, {"count": [5]}], "on": [False]}, False),
]
BAD = [
    "", "{", "[]", "5", "{}", '{"a": {}}', '{"a": "x"}', '{"a": 1}', '{"a": []}', '{"a": [[1]]}', '{"a": [{}]}',
    '{"a": [{"prefix": "x", "suffix": "y"}]}', '{"a": [{"regex": "x"}]}', '{"a": [{"prefix": 5}]}',
    '{"a": [{"exists": "yes"}]}', '{"a": [{"numeric": [">"]}]}', '{"a": [{"numeric": ["~", 5]}]}',
    '{"a": [{"numeric": [">", "5"]}]}', '{"a": [{"numeric": [">", 5, "<", 3]}]}', '{"a": [{"numeric": ["<", 5, ">", 3]}]}',
    '{"a": [{"numeric": [">", 6000000000]}]}', '{"a": [{"cidr": "10.0.0.0/99"}]}', '{"a": [{"cidr": 5}]}',
    '{"a": [{"anything-but": []}]}', '{"a": [{"anything-but": true}]}', '{"a": [{"anything-but": {"numeric": [">", 5]}}]}',
    '{"a": [{"wildcard": "a**b"}]}', '{"a": [{"wildcard": "a\\\\b"}]}', '{"$or": [{"a": [1]}]}', '{"$or": [1, 2]}',
    '{"a": [{"equals-ignore-case": ["x"]}]}', '{"a":' * 100 + "[1]" + "}" * 100,
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "expected"), CASES)
def test_a_pattern_matches_what_it_says(pattern: Any, expected: bool) -> None:
    """Every word of the language does what AWS's guide says."""
    assert compiled(json.dumps({"source": ["aws.bedrock"], "detail": pattern}))(EVENT) is expected


@pytest.mark.parametrize("pattern", BAD)
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    """A mistake is found when the pattern is given, not when an event comes."""
    with pytest.raises(BadPattern):
        compiled(pattern)


def test_a_list_of_choices_is_bounded_in_time() -> None:
    """Many wildcards over a long text take no more than a walk through it."""
    pattern = json.dumps({"detail": {"name": [{"wildcard": "*a" * 1000 + "*"}]}})
    assert not compiled(pattern)({"detail": {"name": "a" * 999 + "b" * 100_000}})


@given(st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
))  # fmt: skip
def test_any_event_is_matched_or_not(value: Any) -> None:
    """Whatever an event holds, matching says yes or no."""
    for pattern, _ in CASES:
        assert compiled(json.dumps({"detail": pattern}))({"detail": value}) in (True, False)


@given(st.dictionaries(st.text(min_size=1).filter(lambda name: name != "$or"), st.one_of(st.booleans(), st.integers(), st.text())
                       , min_size=1))  # fmt: skip
def test_an_event_matches_itself(detail: dict[str, Any]) -> None:
    """A pattern of an event's own values matches it, and with one more value that is not there it does not."""
    pattern: dict[str, Any] = {name: [value] for name, value in detail.items()}
    assert compiled(json.dumps(pattern))(detail)
    name = next(iter(detail))
    assert not compiled(json.dumps({**pattern, f"{name}+": ["x"]}))(detail) or f"{name}+" in detail


@given(st.text(alphabet="ab*", max_size=8), st.text(alphabet="ab", max_size=12))
def test_wildcards_are_as_shells_have_them(pattern: str, value: str) -> None:
    """A star stands for any text, as in shells' patterns."""
    from fnmatch import fnmatchcase

    if "**" not in pattern:
        match = compiled(json.dumps({"a": [{"wildcard": pattern}]}))
        assert match({"a": value}) is fnmatchcase(value, pattern)
