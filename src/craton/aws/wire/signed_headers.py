"""How the headers that a signature covers become lines of the canonical request, and what a signature must cover.

Both follow from the names alone: those that a request has and those that it says are signed. Every client sends the
same few, so they are looked into once and kept. Values are filled in per request; nothing here sees a secret.
"""

from __future__ import annotations

from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING

import msgspec

from craton.aws.wire.canonical import collapsed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Headers that travel under AWS's prefix but are added by proxies on the way, after the client has signed.
_ADDED_UNDERWAY = frozenset({"x-amz-cf-id"})
# HTTP/2 has no Host header: the AWS SDK for JavaScript signs this, and servers hand it on as the host.
_AUTHORITY = ":authority"
_SENT_AS = {_AUTHORITY: b"host"}
_KEPT_BYTES = 2048
_NONE_OF_FOUR = -4


class Plan(msgspec.Struct, frozen=True):
    """For requests of one kind: which values stand in ``form``, the signed names joined, and ``gap``: what the
    signature leaves out that changes the request's meaning (empty for a sound one).
    """

    values: Callable[[Mapping[bytes, bytes]], tuple[bytes, ...]]
    form: bytes
    names: bytes
    gap: str

    def lines(self, headers: Mapping[bytes, bytes]) -> bytes:
        """Return one line per signed header, each with its line feed."""
        values = self.values(headers)
        lines = self.form % values
        # What a value that is not in its canonical spelling shows, once the values stand in lines. (`in` would be slow:
        # for bytes it first tries to take the left side for a number, and fails by an exception.)
        if lines.find(b"  ") + lines.find(b"\t") + lines.find(b": ") + lines.find(b" \n") != _NONE_OF_FOUR:
            return self.form % tuple(collapsed(value) for value in values)
        return lines


def plan(headers: Mapping[bytes, bytes], signed: tuple[str, ...]) -> Plan:
    """Return the plan for a request with these headers (names in lower case) of which ``signed`` are signed."""
    present = b",".join(headers)
    return _kept(present, signed) if len(present) <= _KEPT_BYTES else _make(present, signed)


def _make(present: bytes, signed: tuple[str, ...]) -> Plan:
    there = present.split(b",")
    sources = [_SENT_AS.get(name) or name.encode("latin-1", "replace") for name in signed]
    found = tuple(source for source in sources if source in there)
    forms = [
        name.encode().replace(b"%", b"%%") + (b":%b\n" if source in there else b":\n")
        for name, source in zip(signed, sources, strict=True)
    ]
    # itemgetter gives a tuple only for two names or more
    values = itemgetter(*found) if len(found) > 1 else lambda headers: tuple(headers[name] for name in found)
    return Plan(values, b"".join(forms), ";".join(signed).encode(), _gap(there, signed))


_kept = lru_cache(maxsize=512)(_make)


def _gap(present: list[bytes], signed: tuple[str, ...]) -> str:
    if "host" not in signed and _AUTHORITY not in signed:
        return "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
    for raw in present:
        name = raw.decode("latin-1")
        if name.startswith("x-amz-") and name not in signed and name not in _ADDED_UNDERWAY:
            return f"'{name}' must be a 'SignedHeader' in the AWS Authorization."
    return ""
