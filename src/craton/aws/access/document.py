"""A policy document as JSON: its reading and the plain checks of its values, each of which knows the place.

Owns MalformedPolicyDocument and what every element shares: objects without unknown names, strings, lists of strings. It
must not know what an element means. Pure. The texts are AWS's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

from craton.aws.wire.faults import Fault

SYNTAX: Final = "Syntax errors in policy."


class MalformedPolicyDocument(Fault):
    """A policy that says nothing, with the place: ``Statement[1].Action[0]``. Status 400."""

    __slots__ = ("place",)

    def __init__(self, text: str, place: str = "") -> None:
        super().__init__("MalformedPolicyDocument", f"{text} (at {place})" if place else text, status=400)
        self.place = place


def refuse(text: str, place: str) -> NoReturn:
    """Raise MalformedPolicyDocument."""
    raise MalformedPolicyDocument(text, place)


def readable(read: Callable[[], object], place: str) -> None:
    """Turn a value's own complaint into one that says where."""
    try:
        read()
    except ValueError as error:
        raise MalformedPolicyDocument(f"{SYNTAX[:-1]}: {error}.", place) from None


class Number(str):
    """A number or a boolean of the document, kept as it is written."""

    __slots__ = ()


def load(text: str) -> Any:
    """The JSON value; refuses a name given twice, which readers of policies would judge differently."""

    def pairs(members: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(members)
        if len(found) != len(members):
            names = [name for name, _ in members]
            twice = next(name for name in names if names.count(name) > 1)
            refuse(SYNTAX, f"{twice[:100]}, which is given twice")
        return found

    try:
        return json.loads(text, object_pairs_hook=pairs, parse_int=Number, parse_float=Number, parse_constant=_Bad)
    except json.JSONDecodeError as error:
        raise MalformedPolicyDocument(SYNTAX, f"line {error.lineno}, column {error.colno}") from None
    except (ValueError, RecursionError):
        raise MalformedPolicyDocument(SYNTAX) from None


def _Bad(name: str) -> NoReturn:  # noqa: N802
    raise ValueError(name)


def object_of(value: object, place: str, allowed: frozenset[str] | None) -> dict[str, Any]:
    """The value as an object whose names are all among `allowed` (None: any)."""
    if not isinstance(value, dict):
        refuse(SYNTAX, place)
    for name in value:
        if allowed is not None and name not in allowed:
            refuse(SYNTAX, f"{place}.{name[:100]}" if place else name[:100])
    return value


def string_of(element: Mapping[str, Any], name: str, place: str) -> str:
    """A member that is a string, empty where it is absent."""
    value = element.get(name, "")
    if not isinstance(value, str) or isinstance(value, Number):
        refuse(SYNTAX, f"{place}.{name}" if place else name)
    return value


def strings_of(element: Mapping[str, Any], name: str, place: str, check: Callable[[str, str], None]) -> tuple[str, ...]:
    """A member that is a string or a list of strings, each of which `check` (text, place) may refuse."""
    if name not in element:
        return ()
    value = element[name]
    several = isinstance(value, list)
    for at, one in enumerate(value if several else [value]):
        here = f"{place}.{name}[{at}]" if several else f"{place}.{name}"
        if not isinstance(one, str) or isinstance(one, Number):
            refuse(SYNTAX, here)
        check(one, here)
    return tuple(value) if several else (value,)


def values_of(value: object, place: str) -> tuple[str, ...]:
    """A condition's values as strings; numbers and booleans may stand without quotes."""
    several = value if isinstance(value, list) else [value]
    for one in several:
        if not isinstance(one, str | bool):
            refuse(SYNTAX, place)
    return tuple(str(one).lower() if isinstance(one, bool) else str(one) for one in several)
