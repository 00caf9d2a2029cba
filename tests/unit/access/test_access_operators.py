"""What all condition operators share."""

from __future__ import annotations

import pytest

from craton.aws.access.conditions.operators import OPERATORS
from tests.unit.access.scenes import met

# For every operator: a policy value, a value that fits it, and one that does not.
ROWS = {
    "String": ("a", "a", "b"),
    "Numeric": ("5", "5", "6"),
    "Date": ("2026-01-01", "2026-01-01", "2026-01-02"),
    "Bool": ("true", "true", "false"),
    "Binary": ("YQ==", "YQ==", "Yg=="),
    "Ip": ("10.0.0.0/8", "10.1.1.1", "11.1.1.1"),
    "NotIp": ("10.0.0.0/8", "10.1.1.1", "11.1.1.1"),
    "Arn": ("arn:aws:a:b:c:d", "arn:aws:a:b:c:d", "arn:aws:a:b:c:e"),
}
SHIFTED = {"LessThan": ("4", "2025-12-31"), "GreaterThan": ("6", "2026-01-02")}


def row(operator: str) -> tuple[str, str, str]:
    """(policy value, a value that fits the bare comparison, one that does not)."""
    wanted, fits, other = next(values for family, values in ROWS.items() if operator.startswith(family))
    for part, (number, day) in SHIFTED.items():
        if part in operator:
            fits = number if operator.startswith("Numeric") else day
            other = ("9" if part == "LessThan" else "1") if operator.startswith("Numeric") else "2026-01-01"
            if operator.startswith("Date"):
                other = "2027-01-01" if part == "LessThan" else "2020-01-01"
    return wanted, fits, other


@pytest.mark.parametrize("operator", OPERATORS)
class TestEveryOperator:
    def test_present_key(self, operator) -> None:
        """A value that fits meets a positive operator and fails a negated one."""
        wanted, fits, other = row(operator)
        negated = OPERATORS[operator].negated
        assert met(operator, wanted, fits) is not negated
        assert met(operator, wanted, other) is negated

    def test_absent_key(self, operator) -> None:
        """An absent key fails a positive operator and meets a negated one."""
        assert met(operator, row(operator)[0]) is OPERATORS[operator].negated

    def test_if_exists(self, operator) -> None:
        """With IfExists an absent key meets every operator, and a present one is judged as without."""
        wanted, fits, other = row(operator)
        assert met(f"{operator}IfExists", wanted)
        for given in (fits, other):
            assert met(f"{operator}IfExists", wanted, given) is met(operator, wanted, given)

    def test_for_all_values(self, operator) -> None:
        """ForAllValues is true where there is no value, and where every value is as it should be."""
        wanted, fits, other = row(operator)
        good, bad = (other, fits) if OPERATORS[operator].negated else (fits, other)
        name = f"ForAllValues:{operator}"
        assert met(name, wanted)
        assert met(name, wanted, ())
        assert met(name, wanted, (good, good))
        assert not met(name, wanted, (good, bad))
        assert met(name, wanted, good)

    def test_for_any_value(self, operator) -> None:
        """ForAnyValue is false where there is no value, and true where one value is as it should be."""
        wanted, fits, other = row(operator)
        good, bad = (other, fits) if OPERATORS[operator].negated else (fits, other)
        name = f"ForAnyValue:{operator}"
        assert not met(name, wanted)
        assert not met(name, wanted, ())
        assert met(name, wanted, (bad, good))
        assert not met(name, wanted, (bad, bad))
        assert met(f"{name}IfExists", wanted)

    def test_several_values_without_a_prefix(self, operator) -> None:
        """Without a prefix any value may fit a positive operator, and none may fit a negated one."""
        wanted, fits, other = row(operator)
        assert met(operator, wanted, (fits, other)) is not OPERATORS[operator].negated


@pytest.mark.parametrize(
    "name", ["StringEqual", "stringequals", "ForSomeValues:StringEquals", "IfExists", "", "Null:Null"]
)
def test_unknown_operators_are_refused(name) -> None:
    """A name that is no operator's is an error."""
    with pytest.raises(ValueError, match="not a condition operator"):
        met(name, "x", "x")


def test_the_references_operators_are_all_there() -> None:
    """Six string, six numeric, six date, four ARN, two IP operators, Bool and BinaryEquals; Null beside them."""
    assert len(OPERATORS) == 26
