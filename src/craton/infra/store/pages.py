"""nextToken: where a listing stopped, in a form that only the listing that issued it accepts.

Owns the token's format: url-safe base64 of a 16-byte MAC and the position. The MAC binds the account, region, operation
and filters without carrying them, so a token from elsewhere is refused and tells nothing. It must not know the store's
database or what the operations are.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

import msgspec

from craton.infra.store.port import After, BadPageToken

_MAC_BYTES = 16
_LONGEST = 4096


class Listing(msgspec.Struct, frozen=True, array_like=True):
    """What a token belongs to; `filters` is the port's `fingerprint` of everything that shapes the listing."""

    account: str
    region: str
    operation: str
    filters: str


class PageTokens:
    """Issues and opens tokens under one secret of at least 32 bytes, shared by all processes of a home."""

    __slots__ = ("_key",)

    def __init__(self, secret: bytes) -> None:
        if len(secret) < 32:
            msg = "the page secret needs 32 bytes"
            raise ValueError(msg)
        self._key = secret

    def issue(self, listing: Listing, after: After | None) -> str | None:
        """The token for the page after `after`; None when there is no further page."""
        if after is None:
            return None
        position = msgspec.msgpack.encode(after)
        return base64.urlsafe_b64encode(self._mac(listing, position) + position).rstrip(b"=").decode("ascii")

    def open(self, listing: Listing, token: str | None) -> After | None:
        """The position that `issue` was given; None for no token. Raises BadPageToken."""
        if token is None:
            return None
        sealed = _unarmoured(token)
        mac, position = sealed[:_MAC_BYTES], sealed[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(listing, position)):
            raise BadPageToken
        after: After = msgspec.msgpack.decode(position, type=After)
        return after

    def _mac(self, listing: Listing, position: bytes) -> bytes:
        bound = msgspec.msgpack.encode((listing, position))
        return hmac.new(self._key, bound, hashlib.sha256).digest()[:_MAC_BYTES]


def _unarmoured(token: str) -> bytes:
    """The token's bytes; anything but the one canonical spelling is refused, since base64 has lenient twins."""
    if len(token) > _LONGEST:
        raise BadPageToken
    try:
        sealed = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise BadPageToken from error
    if base64.urlsafe_b64encode(sealed).rstrip(b"=").decode("ascii") != token:
        raise BadPageToken
    return sealed
