"""The rules of composite alarms: what they say, and what is none."""

from __future__ import annotations

import pytest

from craton.features.metrics.alarms.rule import RuleFault, alarms_in, holds, parse

STATES = {"a": "ALARM", "b": "OK", "c": "INSUFFICIENT_DATA", "an alarm": "ALARM"}


@pytest.mark.parametrize(
    ("rule", "met"),
    [
        ("ALARM(a)", True),
        ("alarm(b)", False),
        ('OK("b") AND INSUFFICIENT_DATA(c)', True),
        ("ALARM('an alarm')", True),
        ("NOT ALARM(a) OR OK(b)", True),
        ("NOT (ALARM(a) OR OK(b))", False),
        ("ALARM(b) AND OK(a) OR ALARM(a)", True),
        ("ALARM(b) AND (OK(a) OR ALARM(a))", False),
        ("TRUE AND NOT FALSE", True),
        ("AT_LEAST(2, ALARM, (a, b, 'an alarm'))", True),
        ("AT_LEAST(3, ALARM, (a, b, c))", False),
        ("AT_LEAST(50%, ALARM, (a, b))", True),
        ("AT_LEAST(2, NOT ALARM, (a, b, c))", True),
        ("NOT NOT ALARM(a)", True),
    ],
)
def test_a_rule_is_met_or_not(rule: str, *, met: bool) -> None:
    """Operators bind as usual: NOT before AND before OR."""
    assert holds(parse(rule), STATES.__getitem__) is met


@pytest.mark.parametrize(
    "rule",
    ["", "ALARM", "ALARM(", "ALARM(a", "ALARM()", "a", "ALARM(a) ALARM(b)", "ALARM(a) XOR OK(b)", "AND ALARM(a)",
     "'ALARM'(a)", "AT_LEAST(0, ALARM, (a))", "AT_LEAST(2, BAD, (a))", "(" * 5000, "NOT " * 5000, 'ALARM("a'],
)  # fmt: skip
def test_what_is_no_rule(rule: str) -> None:
    """Refused, however long or deep."""
    with pytest.raises(RuleFault):
        parse(rule)


def test_the_alarms_of_a_rule() -> None:
    """By name or ARN, in order."""
    rule = "ALARM(arn:aws:cloudwatch:us-east-1:000000000000:alarm:x) OR NOT AT_LEAST(1, OK, (b, c))"
    assert list(alarms_in(parse(rule))) == ["arn:aws:cloudwatch:us-east-1:000000000000:alarm:x", "b", "c"]
