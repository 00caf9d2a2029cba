"""Expressions of a query as functions of a record.

Owns what operators mean: arithmetic of what is no number makes nothing, comparisons with nothing are false. Functions
are `functions`'s. Everything is checked when it is made, so that a running query meets no error of its text.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

from craton.features.logs.insights import syntax
from craton.features.logs.insights.functions import FUNCTIONS, rounded_down
from craton.features.logs.insights.record import TIMESTAMP
from craton.features.logs.insights.scanner import BadQuery
from craton.features.logs.insights.values import compared, equal, is_true, number, plain

_MOST_POWER = 1e300


class Has(Protocol):
    """What fields are taken from: `record.Record` or `record.Row`."""

    def get(self, name: str) -> Any: ...


Value = Callable[[Has], Any]

_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "%": math.fmod,
    "^": math.pow,
}
_ORDERS: dict[str, tuple[int, ...]] = {"<": (-1,), "<=": (-1, 0), ">": (1,), ">=": (1, 0)}


def value_of(expression: syntax.Expression) -> Value:
    """Raises BadQuery for functions that are not there, or take other arguments."""
    if isinstance(expression, syntax.Field):
        name = expression.name
        return lambda record: record.get(name)
    if isinstance(expression, syntax.Literal):
        constant = expression.value
        return lambda _: constant
    if isinstance(expression, syntax.Period):
        period_ms = expression.ms
        return lambda _: period_ms
    if isinstance(expression, syntax.Like):
        return _like(expression)
    if isinstance(expression, syntax.Among):
        operand, values = value_of(expression.operand), [value_of(one) for one in expression.values]
        return lambda record: (
            (found := operand(record)) is not None and any(equal(found, one(record)) for one in values)
        )
    if isinstance(expression, syntax.Calling):
        return _calling(expression)
    return _operation(expression)


def condition_of(expression: syntax.Expression) -> Callable[[Has], bool]:
    value = value_of(expression)
    return lambda record: is_true(value(record))


def _like(expression: syntax.Like) -> Value:
    operand, wanted = value_of(expression.operand), expression.wanted
    if isinstance(wanted, str):
        return lambda record: (found := operand(record)) is not None and wanted in plain(found)
    search = wanted.search
    return lambda record: (found := operand(record)) is not None and search(plain(found)) is not None


def _calling(expression: syntax.Calling) -> Value:
    name, place = expression.name, expression.place
    arguments = [value_of(one) for one in expression.arguments]
    if name == "bin":
        return _bin(expression, arguments)
    function = FUNCTIONS.get(name)
    if function is None:
        raise BadQuery(f"unknown function '{name}'", *place)
    if not function.least <= len(arguments) <= function.most:
        raise BadQuery(f"the function '{name}' does not take {len(arguments)} arguments", *place)
    work = function.work
    if len(arguments) == 1:
        (only,) = arguments
        return lambda record: work(only(record))
    return lambda record: work(*[argument(record) for argument in arguments])


def _bin(expression: syntax.Calling, arguments: list[Value]) -> Value:
    periods = [one.ms for one in expression.arguments if isinstance(one, syntax.Period)]
    if (
        len(periods) != 1
        or len(arguments) > 2
        or not isinstance(expression.arguments[-1], syntax.Period)
        or not periods[0]
    ):
        raise BadQuery("bin takes a period, such as 5m", *expression.place)
    period_ms = periods[0]
    moment: Value = arguments[0] if len(arguments) == 2 else lambda record: record.get(TIMESTAMP)
    return lambda record: rounded_down(moment(record), period_ms)


def _operation(expression: syntax.Operation) -> Value:
    sign = expression.sign
    operands = [value_of(one) for one in expression.operands]
    if sign == "not":
        (only,) = operands
        return lambda record: not is_true(only(record))
    if sign == "and":
        return lambda record: all(is_true(one(record)) for one in operands)
    if sign == "or":
        return lambda record: any(is_true(one(record)) for one in operands)
    left, right = operands
    if sign == "=":
        return lambda record: equal(left(record), right(record))
    if sign == "!=":
        return lambda record: not equal(left(record), right(record))
    if sign in _ORDERS:
        places = _ORDERS[sign]
        return lambda record: compared(left(record), right(record)) in places
    return _arithmetic(_ARITHMETIC[sign], left, right)


def _arithmetic(work: Callable[[Any, Any], Any], left: Value, right: Value) -> Value:
    def applied(record: Has) -> Any:
        one, other = number(left(record)), number(right(record))
        if one is None or other is None:
            return None
        try:
            found = work(one, other)
        except (ArithmeticError, ValueError):
            return None
        return found if -_MOST_POWER < found < _MOST_POWER else None

    return applied
