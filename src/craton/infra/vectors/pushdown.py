"""A filter, and what else a search may see, in the words of the store: a condition in SQL.

Owns the translation and the quoting. Keys of attributes never appear in it (columns are named by hashes), values only as
quoted literals, so no value is ever read as SQL. That every operator keeps what `filters.matches` keeps is a property
test. Pure; it must not know tables or files.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from itertools import count
from types import MappingProxyType

from craton.infra.vectors.columns import column_of, letter_of
from craton.infra.vectors.port import OWN_DOCUMENT, OWN_ID, OWN_SOURCE, Both, Compare, Filter, Reach

ALL, NONE = "true", "false"

_OPPOSITES = {"notEquals": "equals", "notIn": "in"}

Spilled = Mapping[str, Collection[str]]
"""For comparisons (their `repr`: True is not 1.0) of attributes without a column, the ids of the chunks that fulfil them."""

_NOTHING: Spilled = MappingProxyType({})


def condition(reach: Reach, columns: Collection[str], *, guarded: bool, spilled: Spilled = _NOTHING) -> str:
    """What must hold of a row, `ALL` if nothing must.

    `columns` are those that the table has; `guarded` tells whether any chunk has an access list.
    """
    parts = [where_of(reach.where, columns, spilled) if reach.where else ALL]
    if reach.sources is not None:
        parts.append(_among("source", [_text(source) for source in reach.sources]))
    if guarded:
        parts.append(_open_to(reach.user))
    return _all(parts)


def where_of(where: Filter, columns: Collection[str], spilled: Spilled = _NOTHING) -> str:
    """A filter as a condition that is never unknown (NULL) where a negation stands above it."""
    if isinstance(where, Compare):
        compared, ids = _COMPARED[where.op](where, columns), spilled.get(repr(positive(where)), ())
        if not ids:
            return compared
        elsewhere = quoted_ids("id", ids)
        return _all([compared, f"NOT {elsewhere}"]) if where.op in _OPPOSITES else _any([compared, elsewhere])
    members = [where_of(member, columns, spilled) for member in where.members]
    return _all(members) if isinstance(where, Both) else _any(members)


def comparisons(where: Filter) -> list[Compare]:
    """All that a filter compares."""
    if isinstance(where, Compare):
        return [where]
    return [found for member in where.members for found in comparisons(member)]


def positive(where: Compare) -> Compare:
    """What a negative comparison is the negation of; others are themselves."""
    opposite = _OPPOSITES.get(where.op)
    return Compare(opposite, where.key, where.value) if opposite else where  # type: ignore[arg-type]


def quoted_ids(column: str, values: Collection[str]) -> str:
    """A condition that a column of the store's own is one of these."""
    return _among(column, [_text(value) for value in values])


def _open_to(user: str | None) -> str:
    if user is None:
        return "(guarded = false)"
    name = _text(user)
    return f"(guarded = false OR (array_has(allowed, {name}) AND NOT array_has(denied, {name})))"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _number(value: float) -> str:
    try:
        number = float(value) + 0.0
    except OverflowError:
        number = math.inf if value > 0 else -math.inf
    return f"({number!r})" if math.isfinite(number) else f"CAST('{number}' AS DOUBLE)"


_LITERAL: Mapping[str, Callable[..., str]] = {"s": _text, "n": _number, "b": lambda value: str(value).lower()}


def _all(parts: list[str]) -> str:
    kept = [part for part in parts if part != ALL]
    if NONE in kept:
        return NONE
    return _joined(" AND ", kept) if kept else ALL


def _any(parts: list[str]) -> str:
    kept = [part for part in parts if part != NONE]
    if ALL in kept:
        return ALL
    return _joined(" OR ", kept) if kept else NONE


def _joined(word: str, parts: list[str]) -> str:
    return f"({word.join(parts)})" if len(parts) > 1 else parts[0]


def _among(column: str, literals: list[str]) -> str:
    return f"({column} IN ({', '.join(literals)}))" if literals else NONE


_OWN: Mapping[tuple[str, str], str] = {
    (OWN_ID, "s"): "id",
    (OWN_SOURCE, "s"): "source",
    (OWN_DOCUMENT, "s"): "regexp_replace(document, '^[^/]*/', '')",
}


def _held(where: Compare, letter: str, columns: Collection[str]) -> str | None:
    """The column in which an attribute of this type is."""
    own = _OWN.get((where.key, letter))
    column = column_of(where.key, letter)
    return own or (column if column in columns else None)


def _is_nan(value: object) -> bool:
    """Equal to nothing, and in no order."""
    return isinstance(value, float) and math.isnan(value)


def _by_type(where: Compare, columns: Collection[str]) -> list[tuple[str, list[str]]]:
    """The columns in which the values can be, each with the literals of its type."""
    values = where.value if where.op in ("in", "notIn") and isinstance(where.value, tuple) else (where.value,)
    literals: dict[str, list[str]] = {}
    for value in values:
        letter = letter_of(value)
        if letter in _LITERAL and not _is_nan(value):
            literals.setdefault(letter, []).append(_LITERAL[letter](value))
    found = ((_held(where, letter, columns), texts) for letter, texts in literals.items())
    return [(column, texts) for column, texts in found if column]


def _equal(where: Compare, columns: Collection[str]) -> str:
    return _any([_among(column, literals) for column, literals in _by_type(where, columns)])


def _unequal(where: Compare, columns: Collection[str]) -> str:
    return _all([f"({column} IS NULL OR NOT {_among(column, texts)})" for column, texts in _by_type(where, columns)])


def _member(where: Compare, columns: Collection[str]) -> str:
    return _equal(where, columns) if isinstance(where.value, tuple) else NONE


def _no_member(where: Compare, columns: Collection[str]) -> str:
    return _unequal(where, columns) if isinstance(where.value, tuple) else ALL


def _ordered(sign: str) -> Callable[[Compare, Collection[str]], str]:
    def compared(where: Compare, columns: Collection[str]) -> str:
        column = _held(where, "n", columns)
        if not column or letter_of(where.value) != "n" or _is_nan(where.value):
            return NONE
        return f"({column} {sign} {_number(where.value)})"  # type: ignore[arg-type]

    return compared


def _starts(where: Compare, columns: Collection[str]) -> str:
    column = _held(where, "s", columns)
    return f"starts_with({column}, {_text(where.value)})" if column and isinstance(where.value, str) else NONE


def _contains(where: Compare, columns: Collection[str]) -> str:
    """In a text, or in a member of a list: joined by a character that is not sought, no match reaches over two members."""
    value = where.value
    if not isinstance(value, str):
        return NONE
    text, texts = _held(where, "s", columns), _held(where, "l", columns)
    parts = [f"contains({text}, {_text(value)})"] if text else []
    if texts and value:
        seam = next(chr(code) for code in count(0x1F) if chr(code) not in value)
        parts.append(f"contains(array_to_string({texts}, {_text(seam)}), {_text(value)})")
    elif texts:
        parts.append(f"(array_length({texts}) > 0)")
    return _any(parts)


def _listed(where: Compare, columns: Collection[str]) -> str:
    column = _held(where, "l", columns)
    return f"array_has_any({column}, [{_text(where.value)}])" if column and isinstance(where.value, str) else NONE


_COMPARED: Mapping[str, Callable[[Compare, Collection[str]], str]] = {
    "equals": _equal, "notEquals": _unequal, "in": _member, "notIn": _no_member,
    "greaterThan": _ordered(">"), "greaterThanOrEquals": _ordered(">="),
    "lessThan": _ordered("<"), "lessThanOrEquals": _ordered("<="),
    "startsWith": _starts, "stringContains": _contains, "listContains": _listed,
}  # fmt: skip
