"""Composes AWS's own message for a request that the fast decode has refused.

This is the slow half of the two speeds: a walk over the model that finds *every* broken constraint, where the
compiled types stop at the first. It owns the wording and the notation of places (``messages.1.member.role``, counted
from one). It must not know HTTP: it gets the decoded value, members already brought together.

Wording: as quoted from real answers ("N validation errors detected: Value … at '…' failed to satisfy constraint:
Member must …"). For values of the wrong JSON type AWS gives a SerializationException before it validates anything,
so the walk stops there. No recorded text is known for unions with no or several members; ours follows the same form.
Values of members that the model marks sensitive never appear.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import math
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

from craton.aws.wire import faults, pattern
from craton.aws.wire.compile import INT32, INT64

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from craton.aws.wire.faults import Fault
    from craton.aws.wire.model import Member, Service, Shape

# Longest value that a message repeats: an answer that echoes megabytes helps nobody.
SHOWN_CHARACTERS = 1024
# Most complaints in one message, so that a long list of wrong items costs little.
MOST_COMPLAINTS = 100

# The names that AWS's JSON reader gives to tokens, by what Python made of them.
_TOKENS: dict[type, str] = {bool: "TRUE_VALUE", int: "NUMBER_VALUE", float: "NUMBER_VALUE", str: "STRING_VALUE"}
_TARGETS = {
    "string": "a String",
    "character": "a Character",
    "blob": "a ByteBuffer",
    "boolean": "a Boolean",
    "integer": "an Integer",
    "long": "a Long",
    "float": "a Float",
    "double": "a Double",
    "timestamp": "a Date",
}


def explain(service: Service, shape: Shape, value: object) -> Fault | None:
    """Return the fault that AWS would answer for ``value`` as an input of ``shape``, or None where it is valid.

    Args:
        service: the model that ``shape`` belongs to.
        shape: the operation's input structure.
        value: a dict keyed by member names; nested values as JSON gives them. Members that travelled outside the
            body may already be converted (datetime, bytes, int).
    """
    try:
        found = list(itertools.islice(_Walk(service).structure(shape, value, ""), MOST_COMPLAINTS))
    except _WrongTypeError as error:
        return faults.serialization(str(error))
    except RecursionError:
        return faults.serialization("The request body is nested too deeply.")
    return compose(found) if found else None


def compose(found: list[str]) -> Fault:
    """Return the ValidationException for a list of broken constraints."""
    noun = "error" if len(found) == 1 else "errors"
    return faults.validation(f"{len(found)} validation {noun} detected: {'; '.join(found)}")


def complaint(place: str, constraint: str, value: object = ..., *, sensitive: bool = False) -> str:
    """Return one entry of the message; ``...`` or ``sensitive`` leaves the value out."""
    shown = "" if sensitive else _shown(value)
    return f"Value{shown} at '{place}' failed to satisfy constraint: {constraint}"


class _WrongTypeError(Exception):
    """A value whose JSON type the model does not allow."""


class _Walk:
    """One walk over one value. Places are model notation, built on the way down."""

    def __init__(self, service: Service) -> None:
        self._shapes = service.shapes

    def structure(self, shape: Shape, value: object, place: str) -> Iterator[str]:
        if not isinstance(value, dict):
            _wrong(value, "structure")
        members = shape.members
        if shape.union:
            given = [name for name, member in members.items() if value.get(member.wire) is not None]
            if len(given) != 1:
                names = ", ".join(members)
                yield complaint(place, f"Member must have exactly one member of the union set: [{names}]")
        for name, member in members.items():
            key = member.wire if member.location == "body" else name
            yield from self._member(member, value.get(key), f"{place}.{name}" if place else name)

    def _member(self, member: Member, value: object, place: str) -> Iterator[str]:
        shape = self._shapes[member.shape]
        if value is not None:
            yield from self._value(shape, value, place)
        elif member.required and not shape.event_stream:
            yield complaint(place, "Member must not be null", None)

    def _value(self, shape: Shape, value: object, place: str) -> Iterator[str]:
        if shape.type == "structure":
            if not shape.document and not shape.event_stream:
                yield from self.structure(shape, value, place)
        elif shape.type == "list":
            yield from self._list(shape, value, place)
        elif shape.type == "map":
            yield from self._map(shape, value, place)
        else:
            for constraint in self._scalar(shape, value):
                yield complaint(place, constraint, value, sensitive=shape.sensitive or shape.type == "blob")

    def _list(self, shape: Shape, value: object, place: str) -> Iterator[str]:
        if not isinstance(value, list):
            _wrong(value, "list")
        element = self._shapes[shape.element or ""]
        hidden = shape.sensitive or element.sensitive
        for constraint in _length(shape, len(value)):
            yield complaint(place, constraint, value, sensitive=hidden)
        for index, item in enumerate(value, 1):
            inner = f"{place}.{index}.member"
            if item is None:
                yield complaint(inner, "Member must not be null", None)
            else:
                yield from self._value(element, item, inner)

    def _map(self, shape: Shape, value: object, place: str) -> Iterator[str]:
        if not isinstance(value, dict):
            _wrong(value, "map")
        key_shape, element = self._shapes[shape.key or ""], self._shapes[shape.value or ""]
        hidden = shape.sensitive or key_shape.sensitive or element.sensitive
        for constraint in _length(shape, len(value)):
            yield complaint(place, constraint, value, sensitive=hidden)
        for key, item in value.items():
            for constraint in self._scalar(key_shape, key):
                yield complaint(place, f"Map keys must satisfy constraint: [{constraint}]", value, sensitive=hidden)
            if item is None:
                yield complaint(f"{place}.{key}.member", "Member must not be null", None)
            else:
                yield from self._value(element, item, f"{place}.{key}.member")

    def _scalar(self, shape: Shape, value: object) -> Iterator[str]:
        yield from _SCALARS[shape.type](shape, value)


def _string(shape: Shape, value: object) -> Iterator[str]:
    if not isinstance(value, str):
        _wrong(value, shape.type)
    if shape.enum:
        if value not in shape.enum:
            yield f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"
        return
    short_or_long = list(_length(shape, len(value)))
    yield from short_or_long
    # A pattern is not tried on what is too long already: some published patterns are slow on long input.
    too_long = shape.max is not None and len(value) > shape.max
    if shape.pattern and not too_long and not pattern.compiled(shape.pattern).search(value):
        yield f"Member must satisfy regular expression pattern: {shape.pattern}"


def _blob(shape: Shape, value: object) -> Iterator[str]:
    if isinstance(value, str):
        try:
            value = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise _WrongTypeError("The value of a binary member is not valid base64.") from None
    if not isinstance(value, bytes | bytearray | memoryview):
        _wrong(value, shape.type)
    yield from _length(shape, len(value))


def _boolean(shape: Shape, value: object) -> Iterator[str]:
    if not isinstance(value, bool):
        _wrong(value, shape.type)
    yield from ()


def _integer(shape: Shape, value: object) -> Iterator[str]:
    low, high = INT32 if shape.type == "integer" else INT64
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        _wrong(value, shape.type)
    yield from _range(shape, value)


def _real(shape: Shape, value: object) -> Iterator[str]:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        _wrong(value, shape.type)
    yield from _range(shape, value)


def _timestamp(shape: Shape, value: object) -> Iterator[str]:
    """A converted time is fine; of a raw one, only its form is judged, since times have no constraints."""
    if isinstance(value, datetime):
        return
    if isinstance(value, str):
        try:
            parsed = datetime.fromisoformat(value)
        except ValueError:
            parsed = None
        if parsed is not None and parsed.tzinfo is not None and shape.timestamp_format == "iso8601":
            return
        raise _WrongTypeError("The value of a timestamp member is not in the expected format.")
    if isinstance(value, bool) or not isinstance(value, int | float) or shape.timestamp_format == "iso8601":
        _wrong(value, shape.type)
    yield from ()


_SCALARS: dict[str, Callable[[Shape, object], Iterator[str]]] = {
    "string": _string,
    "character": _string,
    "blob": _blob,
    "boolean": _boolean,
    "integer": _integer,
    "long": _integer,
    "float": _real,
    "double": _real,
    "timestamp": _timestamp,
}


def _length(shape: Shape, length: int) -> Iterator[str]:
    if shape.max is not None and length > shape.max:
        yield f"Member must have length less than or equal to {int(shape.max)}"
    if shape.min is not None and length < shape.min:
        yield f"Member must have length greater than or equal to {int(shape.min)}"


def _range(shape: Shape, value: float) -> Iterator[str]:
    if shape.max is not None and value > shape.max:
        yield f"Member must have value less than or equal to {_number(shape.max)}"
    if shape.min is not None and value < shape.min:
        yield f"Member must have value greater than or equal to {_number(shape.min)}"


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(value)


def _shown(value: Any) -> str:
    """Show a value as AWS does: null bare, scalars quoted, lists of scalars in brackets, structures not at all."""
    if value is ...:
        return ""
    if value is None:
        return " null"
    if isinstance(value, list):
        if any(isinstance(item, dict | list) for item in value):
            return ""
        value = f"[{', '.join(_plain(item) for item in value)}]"
    elif isinstance(value, dict):
        if any(isinstance(item, dict | list) for item in value.values()):
            return ""
        value = f"{{{', '.join(f'{key}={_plain(item)}' for key, item in value.items())}}}"
    text = _plain(value)
    return f" '{text}'" if len(text) <= SHOWN_CHARACTERS else ""


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)


def _wrong(value: object, target: str) -> NoReturn:
    """Raise in the words of AWS's JSON reader."""
    if target == "list":
        raise _WrongTypeError("Expected list or null")
    if target in {"structure", "map"}:
        raise _WrongTypeError("Unexpected value type in payload: expected an object or null")
    if isinstance(value, dict):
        raise _WrongTypeError("Start of structure or map found where not expected.")
    if isinstance(value, list):
        raise _WrongTypeError("Start of list found where not expected.")
    token = "FALSE_VALUE" if value is False else _TOKENS.get(type(value), "NULL_VALUE")
    raise _WrongTypeError(f"{token} can not be converted to {_TARGETS[target]}")
