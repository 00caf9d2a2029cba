"""AES-256-GCM, the one algorithm by which anything is sealed, and how keys are derived from keys.

Owns the form `nonce (12 bytes) | ciphertext | tag (16 bytes)` and the derivation, HMAC-SHA-256 over a label. The
toolkit (`cryptography`, 20 ms) is loaded when it is first needed. It must not know keys' names or owners.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from functools import cache
from typing import TYPE_CHECKING

from craton.infra.cipher.port import Tampered

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
OVERHEAD_BYTES = NONCE_BYTES + TAG_BYTES


def derived(key: bytes, label: bytes) -> bytes:
    """A key of 32 bytes for one use, from which `key` cannot be told."""
    return hmac.digest(key, label, hashlib.sha256)


def sealed(key: bytes, plaintext: bytes, aad: bytes) -> bytes:
    """The plaintext under a random nonce, with `aad` authenticated along.

    Random nonces bear 2³² messages under one key (NIST SP 800-38D, 8.3); callers use a key once or derive one each.
    """
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + sealed_with(key, nonce, plaintext, aad)


def opened(key: bytes, data: bytes, aad: bytes) -> bytes:
    """The plaintext of `sealed`. Raises Tampered."""
    return opened_with(key, data[:NONCE_BYTES], data[NONCE_BYTES:], aad)


def sealed_with(key: bytes, nonce: bytes, plaintext: bytes | memoryview, aad: bytes) -> bytes:
    """The same under a nonce that the caller never uses twice with this key."""
    cipher, _ = _toolkit()
    return cipher(key).encrypt(nonce, plaintext, aad)


def opened_with(key: bytes, nonce: bytes, data: bytes | memoryview, aad: bytes) -> bytes:
    """Raises Tampered."""
    if len(nonce) != NONCE_BYTES or len(data) < TAG_BYTES:
        raise Tampered
    cipher, invalid = _toolkit()
    try:
        return cipher(key).decrypt(nonce, data, aad)
    except invalid:
        raise Tampered from None


@cache
def _toolkit() -> tuple[type[AESGCM], type[Exception]]:
    """The cipher, and what it raises for a wrong tag."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM, InvalidTag
