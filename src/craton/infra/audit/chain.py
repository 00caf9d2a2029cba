"""The chain of records: each line carries its number and the hash of the line before.

Owns the form of a line and of the head, and what makes a line the successor of another. Pure; it must not know files
or what a record says.

    {…the record…,"craton":{"sequence":2,"previous":"<SHA-256 of line 1 in hex>"}}

The hash is of the line's bytes without its end, so whoever has a copy of the log can check it with nothing but this.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

import msgspec

NOTHING: Final = "0" * 64
"""What the first line has for the hash of the line before."""
KEPT_FROM: Final = "keptFrom"
"""In a record of the log's own: the sequence before which segments were removed because they were old."""


class Link(msgspec.Struct, frozen=True):
    """Where a chain has got to: its last sequence (0: none yet) and that line's hash."""

    sequence: int = 0
    hash: str = NOTHING


class Head(msgspec.Struct, frozen=True):
    """What was acknowledged last: the link, the segment that holds it, and that segment's size with it."""

    sequence: int
    hash: str
    segment: str
    size_bytes: int

    @property
    def link(self) -> Link:
        return Link(self.sequence, self.hash)


class _Place(msgspec.Struct):
    sequence: int
    previous: str


class _Extra(msgspec.Struct, rename="camel"):
    kept_from: int | None = None


class _Line(msgspec.Struct, rename={"additional": "additionalEventData"}):
    craton: _Place
    additional: _Extra | None = None


class Broken(ValueError):
    """A line that does not continue the chain; the message says why."""


_decode = msgspec.json.Decoder(_Line).decode


def line(record: bytes, before: Link) -> tuple[bytes, Link]:
    """The line of a record (a JSON object with members), without its end, and the link that it makes."""
    sequence = before.sequence + 1
    made = b'%b,"craton":{"sequence":%d,"previous":"%b"}}' % (record[:-1], sequence, before.hash.encode())
    return made, Link(sequence, digest(made))


def digest(data: bytes) -> str:
    return sha256(data).hexdigest()


def place(data: bytes) -> tuple[int, str, int | None]:
    """Of a line: its sequence, the hash it expects, and the sequence that it says older ones were removed before.

    Raises:
        Broken: it is no record.
    """
    try:
        found = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Broken("it is no record") from None
    return found.craton.sequence, found.craton.previous, found.additional.kept_from if found.additional else None


def follow(data: bytes, before: Link) -> Link:
    """The link that a line makes after another. Raises Broken."""
    sequence, previous, _ = place(data)
    if sequence != before.sequence + 1:
        raise Broken(f"its sequence is {sequence}, not {before.sequence + 1}: records are missing or out of order")
    if previous != before.hash:
        raise Broken(f"it does not continue record {before.sequence}: one of the two was changed")
    return Link(sequence, digest(data))
