"""Keys that the requester brings (SSE-C): read from a request, checked, used, and never kept.

Owns the headers' rules and the sealing under such a key: each blob has a data key of its own, derived from the
requester's key and a salt that stands in the blob's header. Only the key's MD5 is kept, to tell a wrong key from a
damaged object. Source: S3 user guide, "Using server-side encryption with customer-provided keys".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import AsyncGenerator, AsyncIterable
from typing import Any, Final

import msgspec

from craton.aws.wire.faults import Fault
from craton.aws.wire.s3_faults import fault
from craton.infra.cipher import envelope, gcm
from craton.infra.cipher.port import SealedReader
from craton.infra.cipher.ranged import open_range

ALGORITHM: Final = "AES256"
_SALT_BYTES: Final = 32
_ASKS = "Requests specifying Server Side Encryption with Customer provided keys must provide "
NO_ALGORITHM = _ASKS + "a valid encryption algorithm."
NO_KEY = _ASKS + "an appropriate secret key."
NO_MD5 = _ASKS + "the client calculated MD5 of the secret key."
BAD_KEY = "The secret key was invalid for the specified algorithm."
BAD_MD5 = "The calculated MD5 hash of the key did not match the hash that was provided."
NEEDED = (
    "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve "
    "the object."
)
NOT_SEALED = "The encryption parameters are not applicable to this object."


class CustomerKey(msgspec.Struct, frozen=True):
    """32 bytes, and their MD5 in base64."""

    key: bytes
    md5: str

    def __repr__(self) -> str:
        return "CustomerKey(…)"


def given(req: Any, prefix: str = "") -> CustomerKey | None:
    """The key in a request; with the prefix `CopySource` the one of a copy's source. Raises InvalidArgument."""
    algorithm, text, md5 = (getattr(req, f"{prefix}SSECustomer{part}", None) for part in ("Algorithm", "Key", "KeyMD5"))
    if algorithm is None and text is None and md5 is None:
        return None
    if algorithm is None:
        raise _invalid(NO_ALGORITHM)
    if algorithm != ALGORITHM:
        raise fault("InvalidEncryptionAlgorithmError", "The encryption method specified is not supported")
    if text is None:
        raise _invalid(NO_KEY)
    if md5 is None:
        raise _invalid(NO_MD5)
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        key = b""
    if len(key) != gcm.KEY_BYTES:
        raise _invalid(BAD_KEY)
    computed = base64.b64encode(hashlib.md5(key, usedforsecurity=False).digest()).decode()
    if not hmac.compare_digest(computed, md5):
        raise _invalid(BAD_MD5)
    return CustomerKey(key, computed)


def check(sealed_under: str | None, key: CustomerKey | None) -> None:
    """Raise unless this is the key that an object was sealed under, or it needs none."""
    if sealed_under is None and key is not None:
        raise fault("InvalidRequest", NOT_SEALED)
    if sealed_under is not None:
        if key is None:
            raise fault("InvalidRequest", NEEDED)
        if not hmac.compare_digest(sealed_under, key.md5):
            raise fault("AccessDenied", "Access Denied")


def seal(key: CustomerKey, pieces: AsyncIterable[bytes], belongs: bytes) -> AsyncGenerator[bytes]:
    """The sealed form of what comes."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return envelope.seal_stream(_derived(key, salt), salt, pieces, belongs)


def opened(key: CustomerKey, sealed: SealedReader, start: int, stop: int, belongs: bytes) -> AsyncGenerator[bytes]:
    """A range of what was sealed. Raises Tampered."""

    async def unwrap(salt: bytes) -> bytes:
        return _derived(key, salt)

    return open_range(unwrap, sealed, start, stop, belongs)


def _derived(key: CustomerKey, salt: bytes) -> bytes:
    return gcm.derived(key.key, b"craton s3 customer key" + salt)


def _invalid(message: str) -> Fault:
    return fault("InvalidArgument", message)
