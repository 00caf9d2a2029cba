"""Secrets that must be read again, sealed: AES-256-GCM under a secret of the home.

Owns the form of what is sealed: a nonce of 12 random bytes and the ciphertext, bound to what it belongs to. The cipher's
library is loaded when there is something to seal or to open. It must not know what the secrets are for.
"""

from __future__ import annotations

import secrets
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12
ACCESS_KEYS = "access keys"
SESSION_TOKENS = "session tokens"
"""What the home's secrets for the keys of users and for session tokens are called."""


class BadSeal(ValueError):
    """Not sealed under this secret, for this purpose, or damaged."""


class Sealer:
    """Seals under one key of 32 bytes."""

    def __init__(self, key: bytes) -> None:
        if len(key) != 32:
            msg = "the key of a seal has 32 bytes"
            raise ValueError(msg)
        self._key = key

    def seal(self, plain: bytes, bound: bytes) -> bytes:
        """The sealed form of `plain`, which only opens together with the same `bound`."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, bound)

    def open(self, sealed: bytes, bound: bytes) -> bytes:
        """What was sealed. Raises BadSeal."""
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound)
        except (InvalidTag, ValueError):
            raise BadSeal from None

    @cached_property
    def _cipher(self) -> AESGCM:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(self._key)

    def __repr__(self) -> str:
        return "Sealer(…)"
