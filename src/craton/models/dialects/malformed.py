"""Native bodies that do not fit their schema: the answer in Bedrock's words, and upstream replies that cannot be read.

Two speeds: msgspec decodes and validates in one pass; only when that fails, a slow walk holds the JSON value against
the Struct type and lists every fault the way Bedrock's schema validator does ("#/max_gen_len: 8192 is not less or
equal to 2048"). It knows no dialect. A message never holds what was in the body, but for the short word that was
not in an enum.

Texts: reference errors.md, and answers of Bedrock quoted in public issues; Bedrock's validator is Java's everit
json-schema, whose type names (JSONArray, BigDecimal) are part of the texts.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec
from msgspec import inspect as types

from craton.aws.wire.faults import Fault, model_error, model_stream_error, validation

T = TypeVar("T")

_RETRY = "please reformat your input and try again."
_LONGEST_ECHO = 40
_INT32, _INT64 = 2**31, 2**63

_BOUNDS: tuple[tuple[str, Callable[[Any, Any], bool], str], ...] = (
    ("ge", operator.ge, "not greater or equal to"),
    ("gt", operator.gt, "not greater than"),
    ("le", operator.le, "not less or equal to"),
    ("lt", operator.lt, "not less than"),
)

Walk = Callable[[Any, Any, str], Iterator[str]]


def decode_native(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Decode a native body. Raises ValidationException that says what is wrong, and where."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise explain(decoder.type, body, error) from None


def decode_reply(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Decode what an upstream answered whole. Raises ModelErrorException if it cannot be read."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise model_error() from None


def decode_chunk(decoder: msgspec.json.Decoder[T], data: bytes) -> T:
    """Decode one piece of an upstream's stream. Raises ModelStreamErrorException if it cannot be read."""
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise model_stream_error() from None


def malformed(violation: str = "") -> Fault:
    """Bedrock's ValidationException for a body; `violation` such as `#: extraneous key [foo] is not permitted`."""
    where = f": {violation}" if violation else ""
    return validation(f"Malformed input request{where}, {_RETRY}")


def explain(kind: object, body: bytes, error: Exception) -> Fault:
    """The fault for a body that does not decode as `kind`; `error` is what msgspec said."""
    try:
        value = msgspec.json.decode(body)
        violations = list(_walk(types.type_info(kind), value, "#"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return malformed()
    if not violations and isinstance(error, msgspec.ValidationError):
        violations = [_translated(str(error))]
    if len(violations) > 1:
        return malformed(f"{len(violations)} schema violations found")
    return malformed("".join(violations))


def _translated(text: str) -> str:
    """The own words of msgspec, for a rule that lives in a Struct's `__post_init__`: `… - at `$.a[0]`` → `#/a/0: …`."""
    message, _, path = text.partition(" - at `$")
    steps = path.rstrip("`").replace("[", ".").replace("]", "").strip(".")
    return f"#{''.join('/' + step for step in steps.split('.') if step)}: {message}"


def _walk(kind: Any, value: Any, at: str) -> Iterator[str]:
    walk = _WALKS.get(type(kind))
    return walk(kind, value, at) if walk else iter(())


def _found(value: Any) -> str:
    """The Java type that Bedrock's validator names for a JSON value."""
    if value is None:
        return "Null"
    if isinstance(value, bool):
        return "Boolean"
    if isinstance(value, int):
        return "Integer" if -_INT32 <= value < _INT32 else "Long" if -_INT64 <= value < _INT64 else "BigInteger"
    return {float: "BigDecimal", str: "String", list: "JSONArray", dict: "JSONObject"}[type(value)]


def _mistyped(expected: str, value: Any, at: str) -> str:
    return f"{at}: expected type: {expected}, found: {_found(value)}"


def _struct(kind: types.StructType, value: Any, at: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield _mistyped("JSONObject", value, at)
        return
    known = {field.encode_name: field for field in kind.fields}
    for name, field in known.items():
        if name in value:
            yield from _walk(field.type, value[name], f"{at}/{name}")
        elif field.required:
            yield f"{at}: required key [{name}] not found"
    if kind.forbid_unknown_fields:
        for name in value:
            if name not in known and name != kind.tag_field:
                yield f"{at}: extraneous key [{name[:_LONGEST_ECHO]}] is not permitted"


def _list(kind: Any, value: Any, at: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield _mistyped("JSONArray", value, at)
        return
    if kind.min_length is not None and len(value) < kind.min_length:
        yield f"{at}: expected minimum item count: {kind.min_length}, found: {len(value)}"
    if kind.max_length is not None and len(value) > kind.max_length:
        yield f"{at}: expected maximum item count: {kind.max_length}, found: {len(value)}"
    for index, item in enumerate(value):
        yield from _walk(kind.item_type, item, f"{at}/{index}")


def _dict(kind: types.DictType, value: Any, at: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield _mistyped("JSONObject", value, at)
        return
    for name, item in value.items():
        yield from _walk(kind.value_type, item, f"{at}/{name[:_LONGEST_ECHO]}")


def _string(kind: Any, value: Any, at: str) -> Iterator[str]:
    if not isinstance(value, str):
        yield _mistyped("String", value, at)
        return
    if kind.min_length is not None and len(value) < kind.min_length:
        yield f"{at}: expected minLength: {kind.min_length}, actual: {len(value)}"
    if kind.max_length is not None and len(value) > kind.max_length:
        yield f"{at}: expected maxLength: {kind.max_length}, actual: {len(value)}"


def _text(kind: types.StrType, value: Any, at: str) -> Iterator[str]:
    yield from _string(kind, value, at)
    if kind.pattern is not None and isinstance(value, str) and not re.search(kind.pattern, value):
        yield f"{at}: string does not match pattern {kind.pattern}"


def _number(expected: str, accepted: tuple[type, ...]) -> Walk:
    def walk(kind: Any, value: Any, at: str) -> Iterator[str]:
        if isinstance(value, bool) or not isinstance(value, accepted):
            yield _mistyped(expected, value, at)
            return
        for name, holds, words in _BOUNDS:
            bound = getattr(kind, name)
            if bound is not None and not holds(value, bound):
                yield f"{at}: {value} is {words} {int(bound) if bound == int(bound) else bound}"

    return walk


def _boolean(_kind: Any, value: Any, at: str) -> Iterator[str]:
    if not isinstance(value, bool):
        yield _mistyped("Boolean", value, at)


def _null(_kind: Any, value: Any, at: str) -> Iterator[str]:
    if value is not None:
        yield _mistyped("Null", value, at)


def _enum(kind: Any, value: Any, at: str) -> Iterator[str]:
    values = kind.values if isinstance(kind, types.LiteralType) else [member.value for member in kind.cls]
    if not any(value == allowed and type(value) is type(allowed) for allowed in values):
        yield _not_in_enum(value, at)


def _not_in_enum(value: Any, at: str) -> str:
    shown = value[:_LONGEST_ECHO] if isinstance(value, str) else _found(value)
    return f"{at}: {shown} is not a valid enum value"


def _union(kind: types.UnionType, value: Any, at: str) -> Iterator[str]:
    """The alternative that the value was meant for is walked; which that is, its tag or its JSON type tells."""
    if value is None and any(isinstance(one, types.NoneType) for one in kind.types):
        return
    choices = [one for one in kind.types if not isinstance(one, types.NoneType)]
    if len(choices) > 1:
        meant = [one for one in choices if _meant(one, value)]
        tagged = [one for one in meant if isinstance(one, types.StructType) and one.tag_field]
        if tagged:
            yield from _tagged(tagged, value, at)
            return
        if not meant:
            yield f"{at}: no subschema matched out of the total {len(choices)} subschemas"
            return
        choices = meant
    yield from _walk(choices[0], value, at)


def _meant(kind: Any, value: Any) -> bool:
    accepted = _JSON_TYPES.get(type(kind))
    if accepted is None:
        return True
    return isinstance(value, accepted) and (isinstance(value, bool) is isinstance(kind, types.BoolType))


def _tagged(choices: list[types.StructType], value: dict[str, Any], at: str) -> Iterator[str]:
    field = choices[0].tag_field or ""
    if field not in value:
        yield f"{at}: required key [{field}] not found"
        return
    chosen = [one for one in choices if one.tag == value[field]]
    if chosen:
        yield from _struct(chosen[0], value, at)
    else:
        yield _not_in_enum(value[field], f"{at}/{field}")


_JSON_TYPES: dict[type, tuple[type, ...]] = {
    types.StructType: (dict,),
    types.DictType: (dict,),
    types.ListType: (list,),
    types.VarTupleType: (list,),
    types.StrType: (str,),
    types.BytesType: (str,),
    types.IntType: (int,),
    types.FloatType: (int, float),
    types.BoolType: (bool,),
}

# What is not here (Raw, Any) takes every value.
_WALKS: dict[type, Walk] = {
    types.StructType: _struct,
    types.DictType: _dict,
    types.ListType: _list,
    types.VarTupleType: _list,
    types.StrType: _text,
    types.BytesType: _string,
    types.IntType: _number("Integer", (int,)),
    types.FloatType: _number("Number", (int, float)),
    types.BoolType: _boolean,
    types.NoneType: _null,
    types.LiteralType: _enum,
    types.EnumType: _enum,
    types.UnionType: _union,
}
