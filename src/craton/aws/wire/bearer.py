"""Reads bearer API keys (``Authorization: Bearer …``). Sans-IO.

Two kinds exist. A *long-term* key is a prefix and the base64 of ``alias:random``; only a key store can verify it. A
*short-term* key is a prefix and the base64 of a presigned request: it verifies like any other signature, so it works
without having been stored. This file owns both formats and their refusals; prefixes and host are given, so that it
knows no service.
Source: aws-bedrock-token-generator 1.1.0 for the short form; the public texts for the refusals.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

import msgspec

from craton.aws.wire import faults, sigv4
from craton.aws.wire.canonical import header_map
from craton.aws.wire.sigv4 import SignedRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime

    from craton.aws.wire.faults import AuthFault
    from craton.aws.wire.sigv4 import Secret, Verified, Verifier

WRONG_PREFIX = "Invalid API Key format: Must start with pre-defined prefix"
NOT_VALID = "Authentication failed: Please make sure your API Key is valid."
HAS_EXPIRED = "Bearer Token has expired"

_SCHEME = b"bearer "


class KeyFormat(msgspec.Struct, frozen=True):
    """A service's own constants.

    Args:
        long_prefix: e.g. ``ABSK``.
        short_prefix: e.g. ``bedrock-api-key-``.
        host: the host that a short-term key is presigned for, e.g. ``bedrock.amazonaws.com``.
        max_expires_s: longest life of a short-term key, in seconds.
    """

    long_prefix: str
    short_prefix: str
    host: str
    max_expires_s: int = 43_200


class LongTermKey(msgspec.Struct, frozen=True):
    """A well-formed long-term key. ``alias`` is what it says of itself and proves nothing."""

    key: str
    alias: str

    def __repr__(self) -> str:
        return f"LongTermKey({self.alias!r}, …)"


class ShortTermKey(msgspec.Struct, frozen=True):
    """A short-term key: the presigned request inside it."""

    request: SignedRequest

    def __repr__(self) -> str:
        return "ShortTermKey(…)"


def token(headers: Collection[tuple[bytes, bytes]] | dict[bytes, bytes]) -> str | None:
    """Return the bearer token of a request, None where its credentials are of another scheme or absent."""
    found = headers if isinstance(headers, dict) else header_map(headers)
    value = found.get(b"authorization", b"").strip()
    return value[7:].strip().decode("latin-1") if value[:7].lower() == _SCHEME else None


def parse(key: str, form: KeyFormat) -> LongTermKey | ShortTermKey:
    """Read a key; raises AuthFault (AccessDeniedException) for one that has neither format."""
    if key.startswith(form.short_prefix):
        text = _decoded(key.removeprefix(form.short_prefix))
        host, slash, query = text.partition("/?")
        if host != form.host or not slash:
            raise _refused()
        # The generator appends the version after signing, so the signature does not cover it.
        parts = [part for part in query.split("&") if part != "Version=1"]
        headers = ((b"host", host.encode()),)
        return ShortTermKey(SignedRequest("POST", b"/", "&".join(parts).encode(), headers))
    if key.startswith(form.long_prefix):
        alias, colon, secret = _decoded(key.removeprefix(form.long_prefix)).rpartition(":")
        if not colon or not alias or not secret:
            raise _refused()
        return LongTermKey(key, alias)
    raise faults.access_denied(WRONG_PREFIX)


def verify(
    key: ShortTermKey,
    form: KeyFormat,
    verifier: Verifier,
    lookup: Callable[[str], Secret | None],
    now: datetime,
    sessions: Callable[[str, str], Secret | None] | None = None,
) -> Verified:
    """Verify a short-term key; region and access key are those of its signature.

    Raises:
        AuthFault: AccessDeniedException, "Bearer Token has expired" for one past its end, else the general text.
    """
    given = key.request.headers
    headers = given if isinstance(given, dict) else header_map(given)
    try:
        presented = sigv4.parse(headers, key.request.query)
        if presented is None or (presented.expires_s or 0) > form.max_expires_s:
            raise _refused()
        return verifier.check(presented, headers, key.request, lookup, now, sessions)
    except faults.AuthFault as fault:
        over = fault.name == "ExpiredTokenException" or fault.message.startswith("Signature expired")
        raise faults.access_denied(HAS_EXPIRED if over else NOT_VALID) from None


def long_term(alias: str, secret: bytes, form: KeyFormat) -> str:
    """Return a new long-term key for ``alias`` around ``secret``, random bytes that the caller drew."""
    body = f"{alias}:{base64.b64encode(secret).decode()}".encode()
    return form.long_prefix + base64.b64encode(body).decode()


def _decoded(text: str) -> str:
    """Decode base64, padded or not; raises AuthFault for anything else."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        raise _refused() from None


def _refused() -> AuthFault:
    return faults.access_denied(NOT_VALID)
