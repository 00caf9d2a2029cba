"""What a query says, as data: expressions and commands in their order.

Owns the forms alone; `parser` makes them, `expressions` and `pipeline` give them a meaning.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

Span = tuple[int, int]


class Field(msgspec.Struct, frozen=True, tag=True):
    """A field by name."""

    name: str


class Literal(msgspec.Struct, frozen=True, tag=True):
    """A text, a number, or a list of them."""

    value: Any


class Period(msgspec.Struct, frozen=True, tag=True):
    """A length of time, such as `5m`."""

    ms: int


class Calling(msgspec.Struct, frozen=True, tag=True):
    """A function with what it is given."""

    name: str
    arguments: tuple[Expression, ...]
    place: Span


class Operation(msgspec.Struct, frozen=True, tag=True):
    """One or two expressions with a sign or word between or before them."""

    sign: str
    operands: tuple[Expression, ...]


class Like(msgspec.Struct, frozen=True):
    """Whether an expression holds a text, or something of a form."""

    operand: Expression
    wanted: str | re.Pattern[str]


class Among(msgspec.Struct, frozen=True):
    """Whether an expression is one of several."""

    operand: Expression
    values: tuple[Expression, ...]


Expression = Field | Literal | Period | Calling | Operation | Like | Among


class Named(msgspec.Struct, frozen=True):
    """An expression with the name that its values get: an alias, or what was written."""

    name: str
    expression: Expression


class Fields(msgspec.Struct, frozen=True):
    columns: tuple[Named, ...]


class Display(msgspec.Struct, frozen=True):
    columns: tuple[Named, ...]


class Filter(msgspec.Struct, frozen=True):
    condition: Expression


class Parse(msgspec.Struct, frozen=True):
    """`form` finds the values, as groups in the order of `names`."""

    source: Expression
    form: re.Pattern[str]
    names: tuple[str, ...]


class Figure(msgspec.Struct, frozen=True):
    """A figure of many records: `function` of the arguments, in the column `name`."""

    name: str
    function: str
    arguments: tuple[Expression, ...]
    place: Span


class Stats(msgspec.Struct, frozen=True):
    """`derived` are made of the figures of a group, and of each other; `columns` are what is shown, in order."""

    figures: tuple[Figure, ...]
    by: tuple[Named, ...]
    derived: tuple[Named, ...]
    columns: tuple[str, ...]


class Sort(msgspec.Struct, frozen=True):
    """Each expression with whether the largest comes first."""

    keys: tuple[tuple[Expression, bool], ...]


class Limit(msgspec.Struct, frozen=True):
    count: int


class Dedup(msgspec.Struct, frozen=True):
    keys: tuple[Expression, ...]


Command = Fields | Display | Filter | Parse | Stats | Sort | Limit | Dedup


class Query(msgspec.Struct, frozen=True):
    commands: tuple[Command, ...]
