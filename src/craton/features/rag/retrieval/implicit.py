"""The filter that a model makes of a question, from the attributes that it is told of.

Owns the instructions, and the check of what comes back: operators and types that do not fit the attributes are no filter.
A model's mistake must never cost the caller their answer, so nothing comes of one; what the caller may not do (that model)
is raised. It must not know how filters are carried out.
"""

from __future__ import annotations

from typing import Any

import msgspec

from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.features.rag.retrieval.filters import OPERATORS, filter_of
from craton.features.rag.retrieval.models import Form, fill
from craton.features.rag.retrieval.query import Attribute, Implicit
from craton.infra.vectors.port import Compare, Filter

_CALLERS = frozenset({"ValidationException", "AccessDeniedException"})
_PLACE = "filter"

INSTRUCTIONS = """You turn a question to a search engine into a filter on the attributes of its documents.
Use only attributes of the list, and a value only if the question clearly asks for it; the best filter is often none.
Attributes (name, type, meaning):
{attributes}
Operators: equals, notEquals (any type but lists); greaterThan, greaterThanOrEquals, lessThan, lessThanOrEquals (NUMBER);
in, notIn (the value is a list of strings; STRING); startsWith, stringContains (STRING); listContains (the value is a
string; STRING_LIST). Give several conditions only if the question has several, and "any" only if one of them is enough."""

FORM = Form(
    "filter_documents",
    "Say which documents the question is about. Without conditions all documents are searched.",
    {
        "type": "object",
        "properties": {
            "match": {"type": "string", "enum": ["all", "any"]},
            "conditions": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "key": {"type": "string"},
                        "operator": {"type": "string", "enum": list(OPERATORS)},
                        "value": {"description": "a string, a number, a boolean or a list of strings"},
                    },
                    "required": ["key", "operator", "value"],
                },
            },
        },
        "required": ["conditions"],
    },
)

_FITS: dict[str, frozenset[str]] = {
    "STRING": frozenset({"equals", "notEquals", "in", "notIn", "startsWith", "stringContains"}),
    "NUMBER": frozenset(
        {"equals", "notEquals", "greaterThan", "greaterThanOrEquals", "lessThan", "lessThanOrEquals", "in", "notIn"}
    ),
    "BOOLEAN": frozenset({"equals", "notEquals"}),
    "STRING_LIST": frozenset({"listContains", "stringContains"}),
}
_TYPES: dict[str, type] = {"STRING": str, "NUMBER": float, "BOOLEAN": bool, "STRING_LIST": str}


class _Condition(msgspec.Struct):
    key: str
    operator: str
    value: Any


class _Made(msgspec.Struct):
    conditions: list[_Condition] = []
    match: str = "all"


async def implicit_filter(call: Call, question: str, asked: Implicit) -> Filter | None:
    """The filter that the question itself implies, None for none. Raises what the caller may not (the model)."""
    lines = "\n".join(f"- {one.key} ({one.type}): {one.description}" for one in asked.attributes)
    try:
        filled = await fill(call, asked.model_arn, INSTRUCTIONS.format(attributes=lines), question, FORM)
    except Fault as fault:
        if fault.name in _CALLERS:
            raise
        return None
    return made_filter(filled, asked.attributes)


def made_filter(filled: Any, attributes: tuple[Attribute, ...]) -> Filter | None:
    """What a model filled in, as a filter; None if any of it does not fit the attributes."""
    try:
        made = msgspec.convert(filled, _Made)
        compared = [_compared(one) for one in made.conditions]
    except (msgspec.ValidationError, Fault):
        return None
    known = {one.key: one for one in attributes}
    if not compared or not all(isinstance(one, Compare) and _fits(one, known) for one in compared):
        return None
    if len(compared) == 1:
        return compared[0]
    group = "orAll" if made.match == "any" else "andAll"
    try:
        return filter_of(
            {group: [{one.operator: {"key": one.key, "value": one.value}} for one in made.conditions]}, _PLACE
        )
    except Fault:
        return None


def _compared(one: _Condition) -> Filter:
    return filter_of({one.operator: {"key": one.key, "value": one.value}}, _PLACE)


def _fits(made: Compare, known: dict[str, Attribute]) -> bool:
    attribute = known.get(made.key)
    if attribute is None or made.op not in _FITS[attribute.type]:
        return False
    values = made.value if isinstance(made.value, tuple) else (made.value,)
    return all(type(value) is _TYPES[attribute.type] for value in values)
