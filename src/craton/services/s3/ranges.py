"""Which bytes of an object a request asks for: a range, a part, or all. Pure.

Sources: RFC 9110 part 14.1.2; S3 API reference, GetObject (several ranges at once are answered with the whole).
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from craton.aws.wire.faults import Fault
from craton.aws.wire.s3_faults import fault
from craton.infra.objects.record import Version

_RANGE: Final = re.compile(r"\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", re.ASCII | re.IGNORECASE)
_MOST_DIGITS: Final = 20
BOTH = "Cannot specify both Range header and partNumber query parameter"


class Span(msgspec.Struct, frozen=True):
    """Bytes from `start` to before `stop`; `partial` is what makes the answer a 206."""

    start: int
    stop: int
    partial: bool = False

    def shown(self, size: int) -> dict[str, Any]:
        """The members that say so."""
        members: dict[str, Any] = {"ContentLength": self.stop - self.start}
        if self.partial and self.stop > self.start:
            members["ContentRange"] = f"bytes {self.start}-{self.stop - 1}/{size}"
        return members


def asked(header: str | None, part: int | None, found: Version) -> Span:
    """What a request asks for. Raises InvalidRange, InvalidPartNumber (416); a range that is none is left out."""
    if part is not None:
        if header is not None:
            raise fault("InvalidRequest", BOTH)
        return of_part(part, found)
    named = _RANGE.fullmatch(header) if header is not None else None
    if header is None or named is None or not any(named.groups()):
        return Span(0, found.size)
    if max(len(number) for number in named.groups()) > _MOST_DIGITS:
        raise unsatisfiable(header, found.size)
    return _of_range(header, named[1], named[2], found.size)


def _of_range(header: str, first: str, last: str, size: int) -> Span:
    if not first:
        start, stop = max(size - int(last), 0), size
    else:
        start, stop = int(first), min(int(last) + 1 if last else size, size)
        if last and int(last) < start:
            return Span(0, size)
    if start >= stop:
        raise unsatisfiable(header, size)
    return Span(start, stop, partial=True)


def of_part(number: int, found: Version) -> Span:
    """The bytes that came as this part; an object put as a whole is its own part 1."""
    if number < 1:
        raise fault("InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive")
    start = 0
    for piece in found.pieces:
        if piece.number == number or (piece.number == 0 and number == 1):
            return Span(start, start + piece.size, partial=True)
        start += piece.size
    raise Fault("InvalidPartNumber", "The requested partnumber is not satisfiable", status=416)


def unsatisfiable(header: str, size: int) -> Fault:
    return fault(
        "InvalidRange", "The requested range is not satisfiable", ActualObjectSize=size, RangeRequested=header[:256]
    )
