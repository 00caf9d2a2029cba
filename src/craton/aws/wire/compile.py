"""Compiles the shapes of a service model into msgspec types, so that one C pass decodes and validates.

Two kinds of types come out of one model. *Request* types carry every constraint: required members, lengths, ranges,
patterns, enums, "exactly one member" of unions. *Response* types carry only the wire types, every member optional:
they see to it that integers leave as integers and dates in the model's format. Attributes are called like AWS's
members; where that is a Python keyword an underscore follows (``in_``, ``lambda_``).

This file must not know HTTP: where a member travels (path, query, header) is for the protocol to bind. Types are
compiled when first asked for; a whole service takes a few hundred milliseconds, one operation about one.
"""

from __future__ import annotations

import keyword
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from craton.aws.wire import pattern

if TYPE_CHECKING:
    from collections.abc import Callable

    from craton.aws.wire.model import Member, Operation, Service, Shape

INT32 = (-(2**31), 2**31 - 1)
INT64 = (-(2**63), 2**63 - 1)


class EpochTime(datetime):
    """A time that travels as seconds since 1970 (``unixTimestamp``, the default of JSON bodies)."""


class HttpDate(datetime):
    """A time that travels as an HTTP date (``rfc822``, the default of headers)."""


# Timestamp format of a model → the type whose values travel in that format.
TIMES: dict[str, Any] = {"iso8601": datetime, "unixTimestamp": EpochTime, "rfc822": HttpDate}

_DEFAULT_TIMES = {"header": "rfc822", "headers": "rfc822", "querystring": "iso8601", "uri": "iso8601"}


def default_time(location: str) -> str:
    """AWS's defaults: headers carry HTTP dates, queries and paths ISO 8601, bodies seconds since 1970."""
    return _DEFAULT_TIMES.get(location, "unixTimestamp")


def attribute(name: str) -> str:
    """Return the Python attribute of the AWS member ``name``."""
    return f"{name}_" if keyword.iskeyword(name) else name


def parse_http_date(text: str) -> HttpDate:
    """Read an HTTP date; raises ValueError. The email package loads on first use: it is 20 ms of start-up."""
    from email.utils import parsedate_to_datetime

    return HttpDate.fromtimestamp(parsedate_to_datetime(text).timestamp(), UTC)


def http_date(value: datetime) -> str:
    """Write an HTTP date."""
    from email.utils import format_datetime

    return format_datetime(value.astimezone(UTC), usegmt=True)


def from_wire(kind: type, value: object) -> object:
    """Decode hook for the two time types that msgspec does not know; raises ValueError for what is no time.

    Values of other types (``object`` in a hand-written Struct) pass; msgspec checks their class itself.
    """
    if kind is not EpochTime and kind is not HttpDate:
        return value
    if isinstance(value, datetime):
        value = value if value.tzinfo else value.replace(tzinfo=UTC)
        return kind.fromtimestamp(value.timestamp(), UTC)
    if kind is EpochTime and isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return EpochTime.fromtimestamp(value, UTC)
        except (OverflowError, OSError) as error:
            raise ValueError("the time is out of range") from error
    if kind is HttpDate and isinstance(value, str):
        return parse_http_date(value)
    raise ValueError("the value is not a time")


def to_wire(value: object) -> object:
    """Encode hook, the other way round: whole seconds leave as integers."""
    if isinstance(value, EpochTime):
        seconds = value.timestamp()
        return int(seconds) if seconds.is_integer() else seconds
    if isinstance(value, HttpDate):
        return http_date(value)
    raise TypeError(f"{type(value).__name__} has no wire form")


class _CycleError(Exception):
    """A structure met itself while it was being compiled; the member that closes the cycle is annotated later."""


class Types:
    """The compiled types of one service, made on demand and kept."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._requests = _Builder(service, strict=True)
        self._responses = _Builder(service, strict=False)

    def request(self, operation: Operation) -> type[msgspec.Struct]:
        """Return the input type. Members that do not travel in the body default to None; the binding always sets them."""
        return self._requests.top(operation.input)

    def request_shape(self, name: str) -> Any:
        """Return the annotation (with constraints) for one shape."""
        return self._requests.annotation(name)

    def request_member(self, member: Member) -> Any:
        """Return the annotation (with constraints) for one member, without "or null"."""
        return self._requests.member(member)

    def response(self, operation: Operation) -> type[msgspec.Struct]:
        """Return the output type: members of the body only."""
        return self._responses.top(operation.output)

    def response_shape(self, name: str) -> Any:
        """Return the loose annotation for one shape, e.g. an event or an error."""
        return self._responses.annotation(name)


class _Builder:
    """Builds annotations of one kind (strict requests or loose responses) for one service."""

    def __init__(self, service: Service, *, strict: bool) -> None:
        self._shapes = service.shapes
        self._strict = strict
        self._done: dict[str, Any] = {}
        self._tops: dict[str | None, type[msgspec.Struct]] = {}
        self._open: set[str] = set()
        self._deferred: list[tuple[str, Member]] = []

    def top(self, name: str | None) -> type[msgspec.Struct]:
        """Compile an operation's input or output; None gives a structure without members."""
        if name not in self._tops:
            members = list(self._shapes[name].members.values()) if name else []
            body = [member for member in members if self._in_body(member)]
            bound = [member for member in members if not self._in_body(member)] if self._strict else []
            fields = [self._field(member) for member in body]
            fields += [(attribute(member.name), Any, None) for member in bound]
            names = {attribute(member.name): member.wire for member in body}
            names |= {attribute(member.name): f"@{member.name}" for member in bound}
            made = msgspec.defstruct(name or "Empty", fields, kw_only=True, rename=names, omit_defaults=True)
            self._tops[name] = made
        return self._tops[name]

    def annotation(self, name: str) -> Any:
        """Return the annotation of a shape, compiling what it refers to."""
        if name in self._done:
            return self._done[name]
        if name in self._open:
            raise _CycleError
        shape = self._shapes[name]
        self._done[name] = made = self._make(shape)
        return made

    def member(self, member: Member) -> Any:
        """Return the annotation of a member, whose own timestamp format wins over its shape's."""
        shape = self._shapes[member.shape]
        if shape.type == "timestamp":
            return self._timestamp(member.timestamp_format or shape.timestamp_format or default_time(member.location))
        return self.annotation(member.shape)

    def _make(self, shape: Shape) -> Any:
        if shape.type == "structure":
            return Any if shape.document else self._structure(shape)
        if shape.type == "list":
            element = self.annotation(shape.element or "")
            return self._sized(list[element], shape)  # type: ignore[valid-type]
        if shape.type == "map":
            key, value = self.annotation(shape.key or ""), self.annotation(shape.value or "")
            return self._sized(dict[key, value], shape)  # type: ignore[valid-type]
        if shape.type == "timestamp":
            return self._timestamp(shape.timestamp_format or "unixTimestamp")
        return _SIMPLE[shape.type](shape) if self._strict else _LOOSE[shape.type]

    def _structure(self, shape: Shape) -> type[msgspec.Struct]:
        self._open.add(shape.name)
        fields, deferred = [], []
        for member in shape.members.values():
            try:
                fields.append(self._field(member))
            except _CycleError:
                deferred.append((shape.name, member))
                fields.append(self._slot(member, Any))
        hooks = {"__post_init__": _exactly_one} if shape.union and self._strict else None
        names = {attribute(member.name): member.wire for member in shape.members.values()}
        made = msgspec.defstruct(
            shape.name, fields, kw_only=True, rename=names, omit_defaults=True, namespace=hooks, weakref=False
        )
        self._open.discard(shape.name)
        self._done[shape.name] = made
        self._deferred += deferred
        if not self._open:
            self._close_cycles()
        return made

    def _close_cycles(self) -> None:
        """Annotate the members that refer to a structure from inside itself.

        msgspec reads annotations when a type is first used, which is after this.
        """
        deferred, self._deferred = self._deferred, []
        for owner, member in deferred:
            _, annotation, *_ = self._field(member)
            self._done[owner].__annotations__[attribute(member.name)] = annotation

    def _in_body(self, member: Member) -> bool:
        return member.location == "body" and not self._shapes[member.shape].event_stream

    def _field(self, member: Member) -> tuple[str, Any] | tuple[str, Any, Any]:
        return self._slot(member, self.member(member))

    def _slot(self, member: Member, annotation: Any) -> tuple[str, Any] | tuple[str, Any, Any]:
        if member.required and self._strict:
            return attribute(member.name), annotation
        return attribute(member.name), annotation if annotation is Any else annotation | None, None

    def _sized(self, kind: Any, shape: Shape) -> Any:
        return _bounded(kind, shape) if self._strict else kind

    def _timestamp(self, form: str) -> Any:
        kind = TIMES[form]
        return Annotated[datetime, msgspec.Meta(tz=True)] if kind is datetime and self._strict else kind


def _exactly_one(self: msgspec.Struct) -> None:
    """Refuse a union with no member or several; runs for every union of a request, hence one C call."""
    if msgspec.structs.astuple(self).count(None) != len(self.__struct_fields__) - 1:
        raise ValueError("exactly one member must be set")


def _bounded(kind: Any, shape: Shape) -> Any:
    """Annotate a sized type with the shape's ``min`` and ``max`` lengths."""
    low = int(shape.min) if shape.min else None
    high = int(shape.max) if shape.max is not None else None
    if low is None and high is None:
        return kind
    return Annotated[kind, msgspec.Meta(min_length=low, max_length=high)]


def _string(shape: Shape) -> Any:
    if shape.enum:
        return Literal[shape.enum]
    if not shape.pattern:
        return _bounded(str, shape)
    return Annotated[
        str,
        msgspec.Meta(
            min_length=int(shape.min) if shape.min else None,
            max_length=int(shape.max) if shape.max is not None else None,
            pattern=pattern.translate(shape.pattern),
        ),
    ]


def _integer(limits: tuple[int, int]) -> Callable[[Shape], Any]:
    def make(shape: Shape) -> Any:
        low = limits[0] if shape.min is None else int(shape.min)
        high = limits[1] if shape.max is None else int(shape.max)
        return Annotated[int, msgspec.Meta(ge=low, le=high)]

    return make


def _real(shape: Shape) -> Any:
    if shape.min is None and shape.max is None:
        return float
    return Annotated[float, msgspec.Meta(ge=shape.min, le=shape.max)]


_SIMPLE: dict[str, Callable[[Shape], Any]] = {
    "string": _string,
    "character": _string,
    "blob": lambda shape: _bounded(bytes, shape),
    "boolean": lambda _: bool,
    "integer": _integer(INT32),
    "long": _integer(INT64),
    "float": _real,
    "double": _real,
}
_LOOSE: dict[str, Any] = {
    "string": str,
    "character": str,
    "blob": bytes,
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": float,
    "double": float,
}
