"""Reads the Signature Version 4 credentials that a request presents, from its headers or its query. Nothing is
verified here; that is for ``sigv4``. This file owns the two notations and the words for what is missing in them, and
never repeats a header in a message: it may hold another scheme's secret.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache
from urllib.parse import unquote_to_bytes

import msgspec

from craton.aws.wire import faults
from craton.aws.wire.canonical import TERMINATOR
from craton.aws.wire.compile import parse_http_date

ALGORITHM = "AWS4-HMAC-SHA256"
MAX_EXPIRES_S = 604_800

_TIME = "%Y%m%dT%H%M%SZ"
_REGION_SHAPE = re.compile(r"[a-z0-9-]{1,32}\Z")
_TIME_SHAPE = re.compile(r"[0-9]{8}T[0-9]{6}Z\Z")
# What SDKs write before the signature; any other spelling, or one longer than is worth keeping, goes the long way.
_USUAL = re.compile(rb"AWS4-HMAC-SHA256 Credential=([^ ,]+), ?SignedHeaders=([^ ,]+), ?\Z")
_USUAL_BYTES = 1024
_SIGNATURE_LENGTH, _STAMP_LENGTH = 64, 16
_QUERY_PARAMETERS = ("X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date", "X-Amz-Expires")


class Scope(msgspec.Struct, frozen=True, eq=False):
    """What a credential says, and which headers are signed. One object per client and day, kept and compared as such.

    ``region_ok``: the region has the form of one.
    """

    access_key_id: str
    day: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    region_ok: bool


class Presented(msgspec.Struct, frozen=True):
    """The credentials a request presents, not verified. ``expires_s`` is None in the header form."""

    scope: Scope
    timestamp: str
    signature: str
    session_token: str | None
    expires_s: int | None

    def __repr__(self) -> str:
        return f"Presented({self.scope.access_key_id!r})"


def parse(headers: dict[bytes, bytes], query: bytes) -> Presented | None:
    """Read the credentials of a request, from its headers (``header_map``) or its query.

    Returns:
        None where there are none at all (or those of another scheme that the caller handles before: ``Bearer``).

    Raises:
        AuthFault: IncompleteSignatureException for credentials that are there but malformed.
    """
    authorization = headers.get(b"authorization")
    if authorization is not None:
        return _from_header(authorization, headers)
    return _from_query(query) if b"X-Amz-Signature=" in query or b"X-Amz-Credential=" in query else None


def _from_header(raw: bytes, headers: dict[bytes, bytes]) -> Presented:
    head, _, signature = raw.rpartition(b"Signature=")
    stamp = headers.get(b"x-amz-date", b"")
    fits = len(signature) == _SIGNATURE_LENGTH and len(stamp) == _STAMP_LENGTH and len(head) <= _USUAL_BYTES
    if fits and signature.isalnum():
        scope, timestamp = _usual_head(head), _usual_stamp(stamp)
        if scope is not None and timestamp is not None:
            token = headers.get(b"x-amz-security-token")
            session = token.decode("latin-1") if token is not None else None
            return Presented(scope, timestamp, signature.decode(), session, None)
    fields = _fields(raw)
    missing = [
        f"Authorization header requires '{name}' parameter."
        for name in ("Credential", "Signature", "SignedHeaders")
        if not fields.get(name)
    ]
    timestamp = _timestamp(headers)
    if not timestamp:
        missing.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    if missing:
        raise faults.incomplete_signature(f"{' '.join(missing)} {_hashed(raw)}")
    token = headers.get(b"x-amz-security-token")
    return _presented(fields, timestamp, token.decode("latin-1") if token is not None else None, None)


@lru_cache(maxsize=1024)
def _usual_head(head: bytes) -> Scope | None:
    """Return the scope; kept, since a client's stays the same all day."""
    usual = _USUAL.match(head)
    return None if usual is None else _scope(usual[1].decode("latin-1"), usual[2].decode("latin-1"))


@lru_cache(maxsize=64)
def _usual_stamp(stamp: bytes) -> str | None:
    """Return the text of a well-formed time; kept, since many requests share a second."""
    text = stamp.decode("latin-1")
    return text if _TIME_SHAPE.match(text) else None


def _fields(raw: bytes) -> dict[str, str]:
    """Return the key=value pairs of an Authorization header, in any order, with or without space after commas."""
    scheme, _, rest = raw.decode("latin-1").strip().partition(" ")
    pairs = [part.strip().partition("=") for part in rest.split(",")]
    if scheme != ALGORITHM or not all(equals for _, equals, _ in pairs):
        raise faults.incomplete_signature(
            "Authorization header holds a part that is not a valid key=value pair (missing equal-sign) or names "
            f"an algorithm other than {ALGORITHM}. {_hashed(raw)}"
        )
    return {name: value for name, _, value in pairs}


def _from_query(query: bytes) -> Presented:
    given: dict[str, str] = {}
    for part in query.split(b"&"):
        name, _, value = part.partition(b"=")
        if name.startswith(b"X-Amz-"):
            given[name.decode("latin-1")] = unquote_to_bytes(value.replace(b"+", b" ")).decode("latin-1")
    missing = [
        f"AWS query-string parameters must include '{name}'." for name in _QUERY_PARAMETERS if not given.get(name)
    ]
    if given.get("X-Amz-Algorithm") != ALGORITHM:
        missing.insert(0, f"AWS query-string parameters must include 'X-Amz-Algorithm' with {ALGORITHM}.")
    if missing:
        raise faults.incomplete_signature(f"{' '.join(missing)} Re-examine the query-string parameters.")
    expires = given["X-Amz-Expires"]
    if not expires.isdecimal() or not expires.isascii():
        raise faults.incomplete_signature("X-Amz-Expires should be a non-negative number of seconds.")
    if len(expires) > 6 or int(expires) > MAX_EXPIRES_S:
        raise faults.incomplete_signature(f"X-Amz-Expires must be at most a week, that is {MAX_EXPIRES_S} seconds.")
    fields = {name: given[f"X-Amz-{name}"] for name in ("Credential", "Signature", "SignedHeaders")}
    return _presented(fields, given["X-Amz-Date"], given.get("X-Amz-Security-Token"), int(expires))


def _presented(fields: dict[str, str], timestamp: str, token: str | None, expires_s: int | None) -> Presented:
    scope = _scope(fields["Credential"], fields["SignedHeaders"])
    if not _TIME_SHAPE.match(timestamp):
        raise faults.incomplete_signature("Date must be in ISO-8601 'basic format'.")
    return Presented(scope, timestamp, fields["Signature"], token, expires_s)


def _scope(credential: str, names: str) -> Scope:
    scope = credential.split("/")
    if len(scope) != 5:
        raise faults.incomplete_signature(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term."
        )
    if scope[4] != TERMINATOR:
        raise faults.invalid_signature(f"Credential should be scoped with a valid terminator: '{TERMINATOR}'.")
    access_key_id, day, region, service, _ = scope
    region_ok = _REGION_SHAPE.match(region) is not None
    return Scope(access_key_id, day, region, service, tuple(names.lower().split(";")), region_ok)


def _timestamp(headers: dict[bytes, bytes]) -> str:
    """Return the signing time in AWS's form, from X-Amz-Date or from Date, which may be an HTTP date."""
    stated = headers.get(b"x-amz-date") or headers.get(b"date") or b""
    text = stated.decode("latin-1").strip()
    if b"x-amz-date" in headers or not text or _TIME_SHAPE.match(text):
        return text
    try:
        return parse_http_date(text).strftime(_TIME)
    except ValueError:
        return text


def _hashed(raw: bytes) -> str:
    """Name the header without showing it: it may hold another scheme's secret."""
    digest = base64.b64encode(hashlib.sha256(raw).digest()).decode()
    return f"(Hashed with SHA-256 and encoded with Base64) Authorization={digest}"
