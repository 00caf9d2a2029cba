"""Which JSON schemas an answer or a strict tool may have: the subset that constrained decoding takes on Bedrock.

Refused at once, as there, in both translation modes: objects that do not close themselves, recursion, references to
other documents, and bounds on numbers, texts and lists. Source: reference converse.md (outputConfig); the words for
objects are Anthropic's own, as Bedrock passes them on. Pure; must not know which target will get the schema.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from craton.aws.wire.faults import Fault, validation
from craton.models.dialects.tool_calls import output_schema

ANSWER = "output_config.format.schema"
OPEN_OBJECT = "For 'object' type, 'additionalProperties' must be explicitly set to false"

# Constraints that the subset lacks, by the type that they belong to.
_LACKING = {
    "minimum": "number", "maximum": "number", "exclusiveMinimum": "number", "exclusiveMaximum": "number",
    "multipleOf": "number", "minLength": "string", "maxLength": "string", "maxItems": "array", "uniqueItems": "array",
    "contains": "array", "minContains": "array", "maxContains": "array", "minProperties": "object",
    "maxProperties": "object", "patternProperties": "object", "propertyNames": "object", "dependentSchemas": "object",
    "unevaluatedProperties": "object",
}  # fmt: skip
_CONDITIONS = ("if", "then", "else", "not", "dependentRequired")
_NUMBERS = frozenset({"number", "integer"})
# Members that hold schemas: one, a list, or by name.
_ONE, _LISTS, _NAMED = ("items",), ("anyOf", "allOf", "oneOf", "prefixItems"), ("properties", "$defs", "definitions")
_MAX_DEPTH = 64
_Path = tuple[str, ...]


def check_answer(text: str) -> None:
    """Raise ValidationException for an answer's schema outside the subset, or one that is no JSON object."""
    _check(msgspec.json.decode(output_schema(text)), ANSWER)


def check_tool(position: int, raw: bytes) -> None:
    """The same for the input schema of a strict tool, which stands at `position`."""
    try:
        schema = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        schema = None
    if isinstance(schema, dict):
        _check(schema, f"tools.{position}.custom.input_schema")


def _check(root: Mapping[str, Any], where: str) -> None:
    for path, schema in schemas(root):
        if len(path) > _MAX_DEPTH:
            raise _refused(where, "The schema is nested too deeply")
        fault = violation(schema)
        if fault:
            raise _refused(where, fault)
    if recursive(root):
        raise _refused(where, "Recursive schemas are not supported")


def _refused(where: str, fault: str) -> Fault:
    return validation(f"The model returned the following errors: {where}: {fault}")


def schemas(schema: Any, path: _Path = ()) -> Iterator[tuple[_Path, Mapping[str, Any]]]:
    """A schema and every one within it, each with the way to it."""
    if not isinstance(schema, dict):
        return
    yield path, schema
    if len(path) > _MAX_DEPTH:
        return
    inner = [(name, schema.get(name)) for name in _ONE]
    inner += [(name, one) for name in _LISTS if isinstance(schema.get(name), list) for one in schema[name]]
    inner += [(key, one) for name in _NAMED if isinstance(schema.get(name), dict) for key, one in schema[name].items()]
    for name, one in inner:
        yield from schemas(one, (*path, name))


def violation(schema: Mapping[str, Any]) -> str:
    """What one schema has that the subset lacks, in words; "" for nothing."""
    kind = schema.get("type")
    kinds = set(kind) if isinstance(kind, list) else {kind}
    if "object" in kinds and schema.get("additionalProperties") is not False:
        return OPEN_OBJECT
    for name, owner in _LACKING.items():
        if name in schema:
            shown = "integer" if owner == "number" and "number" not in kinds and kinds & _NUMBERS else owner
            return f"For '{shown}' type, property '{name}' is not supported"
    for name in _CONDITIONS:
        if name in schema:
            return f"Property '{name}' is not supported"
    least = schema.get("minItems", 0)
    if least not in (0, 1):
        return "For 'array' type, 'minItems' values other than 0 or 1 are not supported"
    reference = schema.get("$ref")
    if reference is not None and not (isinstance(reference, str) and reference.startswith("#")):
        return "Property '$ref' must refer to a definition within the schema"
    return ""


def recursive(root: Mapping[str, Any]) -> bool:
    """Whether a schema refers to itself, by whatever way."""
    refers = {name: set(_references(one)) for name, one in _definitions(root)}
    above = {name: one for name, one in root.items() if name not in ("$defs", "definitions")}
    waiting = list(_references(above))
    if "#" in waiting:
        return True
    done: set[str] = set()
    while waiting:
        start = waiting.pop()
        if start in done:
            continue
        done.add(start)
        seen: set[str] = set()
        ahead = list(refers.get(start, ()))
        while ahead:
            name = ahead.pop()
            if name in (start, "#"):
                return True
            if name not in seen:
                seen.add(name)
                ahead += refers.get(name, ())
        waiting += seen
    return False


def _definitions(root: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for group in ("$defs", "definitions"):
        named = root.get(group)
        for name, one in named.items() if isinstance(named, dict) else ():
            yield f"#/{group}/{name}", one


def _references(schema: Any) -> Iterator[str]:
    for _, one in schemas(schema):
        reference = one.get("$ref")
        if isinstance(reference, str):
            yield reference
