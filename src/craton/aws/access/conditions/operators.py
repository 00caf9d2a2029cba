"""One condition, from its operator's full name, key and values to a test of the request's context.

Owns the parts that all families share: the suffix IfExists, the prefixes ForAnyValue: and ForAllValues:, absent keys,
keys with several values, and that a negated operator over several values is "none of them". The families know none of
this. Pure. Sources: IAM user guide, "Condition operators" and "Set operators for multivalued context keys".

    operator            key absent    one value v     several values
    positive            false         v fits          any fits
    negated             true          v fits not      none fits
    …IfExists           true          as without      as without
    ForAnyValue:        false         as without      one of them is as it should be
    ForAllValues:       true          as without      all of them are as they should be
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from craton.aws.access.conditions import arn, binary, date, ip, null, numeric, string
from craton.aws.access.conditions import bool as boolean
from craton.aws.access.conditions.operator import Compare, Operator
from craton.aws.access.variables import Keys

Test = Callable[[Keys], bool]

FAMILIES: Final = (string, numeric, date, boolean, binary, ip, arn)
OPERATORS: Final[dict[str, Operator]] = {name: row for family in FAMILIES for name, row in family.OPERATORS.items()}
_ANY, _ALL, _IF_EXISTS = "ForAnyValue:", "ForAllValues:", "IfExists"


class Name(NamedTuple):
    """An operator's full name in its parts: `scope` is a prefix or empty."""

    operator: str
    scope: str
    if_exists: bool


def read(full: str) -> Name:
    """Cut an operator's name. Raises ValueError for one that does not exist; names are compared exactly."""
    scope = next((prefix for prefix in (_ANY, _ALL) if full.startswith(prefix)), "")
    plain = full.removeprefix(scope)
    name = Name(plain.removesuffix(_IF_EXISTS), scope, plain.endswith(_IF_EXISTS))
    if full == null.NAME:
        return name
    if name.operator not in OPERATORS:
        raise ValueError(f"{full[:100]!r} is not a condition operator")
    return name


def negated(full: str) -> bool:
    """Whether an operator is true where its comparison is false. Raises ValueError for one that does not exist."""
    return full != null.NAME and OPERATORS[read(full).operator].negated


def build(full: str, key: str, values: tuple[str, ...], *, variables: bool) -> Test:
    """The test of one condition.

    `full` is the operator as the policy writes it, `key` the context key in any case; `variables` says whether the
    policy's version knows policy variables. Raises ValueError, saying what is wrong, for what the operator cannot read.
    """
    name = read(full)
    key = key.lower()
    if name.operator == null.NAME:
        return null.absent(key, values)
    row = OPERATORS[name.operator]
    if not values:
        # No value at all fits nothing; AWS stores such a condition and it behaves so.
        return _test(key, lambda _value, _keys: False, row, name)
    return _test(key, row.build(values, variables and row.variables), row, name)


def _test(key: str, fits: Compare, row: Operator, name: Name) -> Test:
    when_absent = name.if_exists or (name.scope == _ALL) or (row.negated and not name.scope)
    wanted = not row.negated
    scope = name.scope

    def test(keys: Keys) -> bool:
        value = keys.get(key)
        if value is None or value == ():
            return when_absent
        if isinstance(value, str):
            return fits(value, keys) is wanted
        if scope == _ALL or (not scope and not wanted):
            return all(fits(one, keys) is wanted for one in value)
        return any(fits(one, keys) is wanted for one in value)

    return test
