"""The canonical forms that Signature Version 4 signs: headers, path, query, and the chain of keys. Pure functions.

This file owns how the parts of a request are brought into one spelling; who may sign what is for ``sigv4``.

The path is taken as it was sent, cleaned of dot segments and double slashes, and encoded once more (``%3A`` becomes
``%253A``), except for services that sign the path as it is (S3). ``+`` in a query is a space, here as in ``bind``.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection
from urllib.parse import quote, unquote_to_bytes

TERMINATOR = "aws4_request"


def header_map(headers: Collection[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return headers by lower-case name; repeated ones joined by commas, as the canonical form wants them."""
    found = dict(headers)
    if len(found) == len(headers) and b"".join(found).islower():  # as HTTP servers hand them on
        return found
    found = {}
    for raw, value in headers:
        name = raw.lower()
        found[name] = value if name not in found else found[name].strip() + b"," + value.strip()
    return found


def signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    """Return the key of one day, region and service: a chain of four HMACs."""
    key = hmac.digest(b"AWS4" + secret.encode(), day.encode(), "sha256")
    for part in (region, service, TERMINATOR):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def canonical_path(raw: bytes) -> bytes:
    """Return the path without dot segments and empty segments, encoded once more; a trailing slash stays."""
    kept: list[bytes] = []
    segments = raw.split(b"/")
    for segment in segments:
        if segment == b"..":
            if kept:
                kept.pop()
        elif segment not in (b"", b"."):
            kept.append(segment)
    tail = b"/" if kept and not segments[-1] else b""
    return b"/" + quote(b"/".join(kept), safe="/-_.~").encode() + tail


def canonical_query(raw: bytes, *, presigned: bool = False) -> bytes:
    """Return the query's parameters decoded, encoded, and sorted by name and value; a presigned one less its end."""
    if not raw:
        return b""
    pairs: list[tuple[str, str]] = []
    for part in raw.split(b"&"):
        name, _, value = part.partition(b"=")
        if part and not (presigned and name == b"X-Amz-Signature"):
            pairs.append((_recoded(name), _recoded(value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs)).encode()


def _recoded(raw: bytes) -> str:
    return quote(unquote_to_bytes(raw.replace(b"+", b" ")), safe="-_.~")


def collapsed(value: bytes) -> bytes:
    """Return a header's value without space around it and with single spaces inside."""
    value = value.strip()
    return b" ".join(value.split()) if b"  " in value or b"\t" in value else value
