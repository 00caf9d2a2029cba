"""String conditions."""

from __future__ import annotations

import pytest

from tests.unit.access.scenes import met

EQUALS = [
    ("a", "a", True), ("a", "A", False), ("a", "ab", False), ("a*", "ab", False), ("a*", "a*", True), ("", "", True),
    (["x", "y"], "y", True), (["x", "y"], "z", False), ("ü", "ü", True), ([], "a", False),
]  # fmt: skip
LIKE = [
    ("a*", "abc", True), ("a*", "A", False), ("a?c", "abc", True), ("a?c", "ac", False), ("*", "", True), ("ab*ba", "aba", False), ("ab*ba", "abba", True), ("?", "", False),
    ("*b*", "abc", True), ("a*c*e", "abcde", True), ("a*c*e", "abcdef", False), ("a**", "a", True), ("*a", "ba\n", False),
    ("a.c", "abc", False), ("[ab]", "a", False), ("a\nb*", "a\nbc", True), (["x*", "y*"], "yes", True),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "given", "fits"), EQUALS)
def test_equals_takes_wildcards_for_plain_text(wanted, given, fits) -> None:
    """StringEquals compares whole values and case; StringNotEquals is its negation."""
    assert met("StringEquals", wanted, given) is fits
    assert met("StringNotEquals", wanted, given) is not fits


@pytest.mark.parametrize(("wanted", "given", "fits"), LIKE)
def test_like_knows_stars_and_question_marks(wanted, given, fits) -> None:
    """StringLike takes * and ? and nothing else as wildcards; StringNotLike is its negation."""
    assert met("StringLike", wanted, given) is fits
    assert met("StringNotLike", wanted, given) is not fits


@pytest.mark.parametrize(
    ("wanted", "given", "fits"), [("Bob", "bOB", True), ("bob", "bo", False), (["A", "b"], "B", True)]
)
def test_ignoring_case(wanted, given, fits) -> None:
    """The IgnoreCase operators differ from the plain ones in case alone."""
    assert met("StringEqualsIgnoreCase", wanted, given) is fits
    assert met("StringNotEqualsIgnoreCase", wanted, given) is not fits


@pytest.mark.parametrize(
    ("operator", "wanted", "given", "fits"),
    [
        ("StringEquals", "home/${aws:username}", "home/bob", True),
        ("StringEquals", "home/${AWS:UserName}", "home/bob", True),
        ("StringEquals", "${t:none}", "x", False),
        ("StringEquals", "${t:none, 'x'}", "x", True),
        ("StringNotEquals", "${t:none}", "x", True),
        ("StringEqualsIgnoreCase", "${aws:username}", "BOB", True),
        ("StringLike", "home/${aws:username}/*", "home/bob/file", True),
        ("StringLike", "${t:star}x", "anyx", False),
        ("StringLike", "${t:star}x", "*x", True),
        ("StringLike", "a${*}*", "a*b", True),
        ("StringLike", "a${*}*", "abb", False),
        ("StringEquals", "${$}${?}${*}", "$?*", True),
        ("StringEquals", "${t:several}", "one", False),
    ],
)
def test_variables(operator, wanted, given, fits) -> None:
    """Variables stand for the request's values, which are plain text; literals stand for the signs."""
    assert met(operator, wanted, given, aws_username="bob", t_star="*", t_several=("one", "two")) is fits


def test_old_versions_have_no_variables() -> None:
    """In version 2008-10-17 a dollar and a brace are themselves."""
    assert met("StringEquals", "${aws:username}", "${aws:username}", variables=False, aws_username="bob")
    assert not met("StringEquals", "${aws:username}", "bob", variables=False, aws_username="bob")


@pytest.mark.parametrize("broken", ["${aws:username", "${}", "${" + " " * 600 + "}", "x${${a}}", "${a, b}", "${'x'}"])
def test_broken_variables_are_refused(broken) -> None:
    """A variable that is not closed or names no key is an error, not text."""
    with pytest.raises(ValueError, match="variable"):
        met("StringEquals", broken, "x")
