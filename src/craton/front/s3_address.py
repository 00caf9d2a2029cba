"""Which bucket and which object a request is for: by its path, or by its host and its path.

Owns both notations and the decoding of keys, which happens once and changes nothing: `//`, `..`, `+` and `%2F` are
letters of a key like others. It must not know operations or who asks. Source: "Virtual hosting of buckets", S3 user
guide.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

import msgspec

from craton.aws.wire import s3_faults
from craton.aws.wire.faults import Fault

MOST_KEY_BYTES: Final = 1024
_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
# Hosts of AWS's own form, `bucket.s3.…`, wherever their names lead here.
_OF_AWS: Final = re.compile(r"(?P<bucket>[^.].*?)\.s3[.-][^/]+\Z")
_IP: Final = re.compile(r"[0-9]+(?:\.[0-9]+){3}\Z")
_HERE: Final = ("s3.localhost", "localhost")


class Address(msgspec.Struct, frozen=True):
    """`bucket` and `key` are decoded; None where the request names none. `hosted`: the host named the bucket."""

    bucket: str | None
    key: str | None
    hosted: bool = False

    @property
    def place(self) -> str:
        """What the operation is about, as the router calls it."""
        return "object" if self.key is not None else "service" if self.bucket is None else "bucket"

    @property
    def labels(self) -> dict[str, str]:
        """The labels of the operation's path."""
        found = {} if self.bucket is None else {"Bucket": self.bucket}
        return found if self.key is None else {**found, "Key": self.key}


class Hosts:
    """Tells which hosts name a bucket. `domains`: those that this server is known by, beside localhost's."""

    def __init__(self, domains: Collection[str] = ()) -> None:
        names = sorted({*(name.lower().strip(".") for name in domains), *_HERE}, key=len, reverse=True)
        self._own = frozenset(names)
        self._endings = tuple(f".{name}" for name in names)
        self.bucket = lru_cache(maxsize=1024)(self._bucket)

    def _bucket(self, host: bytes) -> str | None:
        """The bucket that a Host header names, in lower case; None for one that names the server alone."""
        name = host.decode("latin-1").strip().lower()
        if name.startswith("["):
            return None
        name = name.partition(":")[0].rstrip(".")
        if name in self._own or _IP.match(name):
            return None
        for ending in self._endings:
            if name.endswith(ending):
                return name[: -len(ending)] or None
        found = _OF_AWS.match(name)
        return None if found is None else found["bucket"]

    def address(self, host: bytes, raw_path: bytes) -> Address:
        """The address of a request; raises Fault InvalidURI, KeyTooLongError."""
        bucket = self.bucket(host)
        if bucket is not None:
            return _address(bucket, raw_path[1:], hosted=True)
        raw, _, key = raw_path[1:].partition(b"/")
        if not raw:
            # `//key` names no bucket
            return _address("", key, hosted=False) if key else Address(None, None)
        return _address(decoded(raw), key, hosted=False)


def _address(bucket: str, raw_key: bytes, *, hosted: bool) -> Address:
    if not raw_key:
        return Address(bucket, None, hosted)
    key = decoded(raw_key)
    size = len(key.encode())
    if size > MOST_KEY_BYTES:
        raise s3_faults.fault("KeyTooLongError", "Your key is too long", Size=size, MaxSizeAllowed=MOST_KEY_BYTES)
    return Address(bucket, key, hosted)


def decoded(raw: bytes) -> str:
    """A part of the path, decoded once; raises Fault InvalidURI for what is no text in percent-encoded UTF-8."""
    if b"%" in raw:
        if _BAD_ESCAPE.search(raw):
            raise _unreadable()
        raw = unquote_to_bytes(raw)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise _unreadable() from None


def _unreadable() -> Fault:
    return s3_faults.fault("InvalidURI", "Couldn't parse the specified URI.")
