"""Binds members that travel outside the body: path labels, query parameters, headers.

This file owns the text forms of numbers, booleans and times in those places, for requests and for responses. It must
not know JSON, nor what a member means. Everything here is prepared once per operation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

import msgspec

from craton.aws.wire import faults
from craton.aws.wire.compile import EpochTime, default_time, http_date, parse_http_date

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from craton.aws.wire.model import Member, Operation, Shape

    Headers = Mapping[bytes, bytes] | Iterable[tuple[bytes, bytes]]

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}\Z")
_REAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?\Z")
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class Slot(msgspec.Struct, frozen=True, eq=False):
    """One bound member: ``key`` is its name in its place (headers in lower case), ``read`` turns text into a value."""

    member: Member
    key: str
    many: bool
    read: Callable[[str], object]


class Slots(msgspec.Struct, frozen=True, eq=False):
    """All bound members of an operation's input."""

    labels: tuple[Slot, ...]
    queries: tuple[Slot, ...]
    headers: tuple[Slot, ...]

    def values(
        self, labels: Mapping[str, str], query: bytes, headers: Headers, *, labelled: bool = True
    ) -> dict[str, object]:
        """Return the values by member name, absent ones left out; labels too, if ``labelled``.

        Raises:
            Fault: SerializationException for text that is not of the member's type, ValidationException for a query
                that is not valid percent-encoded UTF-8.
        """
        found: dict[str, object] = {}
        for slot in self.labels if labelled else ():
            found[slot.member.name] = _read(slot, labels[slot.key])
        if self.queries:
            given = parse_query(query)
            for slot in self.queries:
                texts = given.get(slot.key)
                if texts and slot.many:
                    found[slot.member.name] = [_read(slot, text) for text in texts]
                elif texts:
                    found[slot.member.name] = _read(slot, texts[0])
        if self.headers:
            self._headers(headers, found)
        return found

    def _headers(self, headers: Headers, found: dict[str, object]) -> None:
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        texts = {name.lower(): value for name, value in pairs}
        for slot in self.headers:
            raw = texts.get(slot.key.encode())
            if raw is None:
                continue
            text = _header(raw)
            if slot.many:
                found[slot.member.name] = [_read(slot, part.strip()) for part in text.split(",")]
            else:
                found[slot.member.name] = _read(slot, text)


def slots(operation: Operation) -> Slots:
    """Prepare the bound members of ``operation``'s input."""
    shape = operation.input_shape()
    members = shape.members.values() if shape else ()
    shapes = operation.model.shapes
    by_place: dict[str, list[Slot]] = {"uri": [], "querystring": [], "header": []}
    for member in members:
        if member.location in by_place:
            by_place[member.location].append(_slot(member, shapes))
    return Slots(
        labels=tuple(by_place["uri"]), queries=tuple(by_place["querystring"]), headers=tuple(by_place["header"])
    )


def parse_query(query: bytes) -> dict[str, list[str]]:
    """Return the values of each query parameter, decoded once; raises a Fault for broken escapes or bad UTF-8."""
    found: dict[str, list[str]] = {}
    for part in query.split(b"&") if query else ():
        name, _, value = part.partition(b"=")
        found.setdefault(_decode(name), []).append(_decode(value))
    return found


def _header(raw: bytes) -> str:
    """Return a header's text: UTF-8 as modern clients send, Latin-1 where it is not."""
    try:
        return raw.strip().decode()
    except UnicodeDecodeError:
        return raw.strip().decode("latin-1")


def _decode(raw: bytes) -> str:
    if b"%" in raw or b"+" in raw:
        if _BAD_ESCAPE.search(raw):
            raise faults.validation("The query string holds an invalid percent-encoded sequence.")
        raw = unquote_to_bytes(raw.replace(b"+", b" "))
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise faults.validation("The query string is not valid UTF-8.") from None


def _slot(member: Member, shapes: Mapping[str, Shape]) -> Slot:
    shape = shapes[member.shape]
    many = shape.type == "list"
    inner = shapes[shape.element] if many and shape.element else shape
    if inner.type == "timestamp":
        form = member.timestamp_format or inner.timestamp_format or default_time(member.location)
        read = _TIMES[form]
    else:
        read = _TEXT[inner.type]
    key = member.wire.lower() if member.location == "header" else member.wire
    return Slot(member=member, key=key, many=many, read=read)


def _read(slot: Slot, text: str) -> object:
    try:
        return slot.read(text)
    except (ValueError, OverflowError, OSError):
        where = "header" if slot.member.location == "header" else "parameter"
        raise faults.serialization(f"The value of the {where} {slot.member.wire} can not be parsed.") from None


def _integer(text: str) -> int:
    if not _INTEGER.match(text):
        raise ValueError("not an integer")
    return int(text)


def _real(text: str) -> float:
    if not _REAL.match(text):
        raise ValueError("not a number")
    return float(text)


def _boolean(text: str) -> bool:
    try:
        return _BOOLEANS[text]
    except KeyError:
        raise ValueError("not a boolean") from None


def _iso(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("a time without its zone")
    return time.astimezone(UTC)


_BOOLEANS = {"true": True, "false": False}
_TEXT: dict[str, Callable[[str], object]] = {
    "string": str,
    "character": str,
    "boolean": _boolean,
    "integer": _integer,
    "long": _integer,
    "float": _real,
    "double": _real,
}
_TIMES: dict[str, Callable[[str], object]] = {
    "iso8601": _iso,
    "unixTimestamp": lambda text: EpochTime.fromtimestamp(_real(text), UTC),
    "rfc822": parse_http_date,
}


def header_text(value: object, form: str | None = None) -> bytes:
    """Return the header form of a response member; ``form`` is a time's format."""
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, datetime):
        return _time_text(value.astimezone(UTC), form).encode()
    if isinstance(value, list | tuple):
        return b", ".join(header_text(item, form) for item in value)
    # A line break would let a value add headers of its own.
    return str(value).replace("\r", " ").replace("\n", " ").encode()


def _time_text(value: datetime, form: str | None) -> str:
    if form == "iso8601":
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(int(value.timestamp())) if form == "unixTimestamp" else http_date(value)
