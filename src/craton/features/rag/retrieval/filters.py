"""Filters of the API as filters of the vector store, judged as Bedrock judges them.

Owns what each operator takes and how filters may be combined: a group has 2 to 5 members, groups stand in one other
group at most, and there are 5 of them in all (user guide, "Configure and customize queries and response generation").
It must not know how a filter is carried out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from craton.aws.wire.faults import Fault, validation
from craton.features.rag.retrieval.passages import CHUNK_ID, DATA_SOURCE_ID, SOURCE_URI
from craton.infra.vectors.port import (
    OWN_DOCUMENT,
    OWN_ID,
    OWN_SOURCE,
    Both,
    Compare,
    Either,
    Filter,
)

MAX_MEMBERS = 5
MAX_GROUPS = 5
MAX_DEPTH = 2
"""A group within a group."""

# Bedrock's own keys, which every chunk has without being given them. (A page is shown, but no filter knows it.)
RESERVED: Mapping[str, str] = {CHUNK_ID: OWN_ID, DATA_SOURCE_ID: OWN_SOURCE, SOURCE_URI: OWN_DOCUMENT}
_NAMES = {own: name for name, own in RESERVED.items()}

Operator = Literal[
    "equals", "notEquals", "greaterThan", "greaterThanOrEquals", "lessThan", "lessThanOrEquals", "in", "notIn",
    "startsWith", "stringContains", "listContains",
]  # fmt: skip
_GROUPS: Mapping[str, type[Both | Either]] = {"andAll": Both, "orAll": Either}
_SCALAR, _NUMBER, _TEXT, _LIST = "a string, a number or a boolean", "a number", "a string", "a list of strings"
_TAKES: Mapping[Operator, str] = {
    "equals": _SCALAR,
    "notEquals": _SCALAR,
    "greaterThan": _NUMBER,
    "greaterThanOrEquals": _NUMBER,
    "lessThan": _NUMBER,
    "lessThanOrEquals": _NUMBER,
    "in": _LIST,
    "notIn": _LIST,
    "startsWith": _TEXT,
    "stringContains": _TEXT,
    "listContains": _TEXT,
}
OPERATORS: tuple[Operator, ...] = tuple(_TAKES)


def filter_of(given: Any, place: str) -> Filter:
    """A RetrievalFilter, as the wire decoded it or as JSON. `place` is where it stands in the request.

    Raises ValidationException that names the place of what does not fit.
    """
    made = _filter(given, place, 1)
    if sum(1 for _ in _groups(made)) > MAX_GROUPS:
        raise validation(f"The filter at '{place}' has more than {MAX_GROUPS} groups of andAll and orAll.")
    return made


def all_of(*filters: Filter | None) -> Filter | None:
    """What holds where each of them holds; None for none."""
    given = tuple(one for one in filters if one is not None)
    if len(given) < 2:
        return given[0] if given else None
    return Both(given)


def _filter(given: Any, place: str, depth: int) -> Filter:
    name, value = _member(given, place)
    here = f"{place}.{name}"
    group = _GROUPS.get(name)
    if group is None:
        return _compare(name, value, here)
    if depth > MAX_DEPTH:
        raise validation(f"The filter at '{here}' is nested too deeply: groups may stand within one other group only.")
    if not isinstance(value, list) or not 2 <= len(value) <= MAX_MEMBERS:
        raise validation(f"The filter at '{here}' must have 2 to {MAX_MEMBERS} members.")
    return group(tuple(_filter(each, f"{here}.{number}", depth + 1) for number, each in enumerate(value)))


def _member(given: Any, place: str) -> tuple[str, Any]:
    """The one member of a union that is set."""
    members = given if isinstance(given, dict) else {
        name.rstrip("_"): getattr(given, name) for name in getattr(given, "__struct_fields__", ())
    }  # fmt: skip
    found = [(name, value) for name, value in members.items() if value is not None]
    if len(found) != 1 or (found[0][0] not in _GROUPS and found[0][0] not in _TAKES):
        raise validation(f"The filter at '{place}' must have exactly one operator.")
    return found[0]


def _compare(op: Any, given: Any, place: str) -> Compare:
    key, value = (given.get("key"), given.get("value")) if isinstance(given, dict) else (given.key, given.value)
    if not isinstance(key, str) or not key:
        raise validation(f"The filter at '{place}' must have a key.")
    key, takes = RESERVED.get(key, key), _TAKES[op]
    if takes is _LIST:
        if not isinstance(value, list):
            raise unfit(place, takes)
        return Compare(op, key, tuple(_scalar(each, place, takes) for each in value))
    found = _scalar(value, place, takes)
    kinds: Mapping[str, tuple[type, ...]] = {_SCALAR: (str, float, bool), _NUMBER: (float,), _TEXT: (str,)}
    if type(found) not in kinds[takes]:
        raise unfit(place, takes)
    return Compare(op, key, found)


def _scalar(value: Any, place: str, takes: str) -> str | float | bool:
    if isinstance(value, str | bool):
        return value
    if isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError:
            raise unfit(place, takes) from None
    raise unfit(place, takes)


def unfit(place: str, takes: str) -> Fault:
    return validation(f"The value at '{place}.value' does not fit the operator, which takes {takes}.")


def _groups(made: Filter) -> Iterator[Both | Either]:
    if isinstance(made, Compare):
        return
    yield made
    for member in made.members:
        yield from _groups(member)


def shown(made: Filter) -> dict[str, Any]:
    """The filter as the API writes it."""
    if isinstance(made, Compare):
        return {made.op: {"key": _NAMES.get(made.key, made.key), "value": msgspec.to_builtins(made.value)}}
    return {"andAll" if isinstance(made, Both) else "orAll": [shown(each) for each in made.members]}
