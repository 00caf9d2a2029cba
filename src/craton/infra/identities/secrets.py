"""New access keys: ids that carry their account, as AWS's do, and secrets.

Owns the two forms. An id is a prefix and 16 letters: base32 of six bytes with the account's number in them, and four
random ones; so anybody can tell the account of a key, as STS's GetAccessKeyInfo does.
"""

from __future__ import annotations

import base64
import binascii
import secrets

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_SECRET_LETTERS = 40
_ACCOUNT_BITS, _NOISE_BITS = 40, 7
_HEAD_BYTES, _TAIL_BYTES = 6, 4


def access_key_id(prefix: str, account: str) -> str:
    """A new id: AKIA for long-term keys, ASIA for temporary ones."""
    head = (1 << (_ACCOUNT_BITS + _NOISE_BITS)) | (int(account) << _NOISE_BITS) | secrets.randbits(_NOISE_BITS)
    return prefix + base64.b32encode(head.to_bytes(_HEAD_BYTES) + secrets.token_bytes(_TAIL_BYTES)).decode()


def account_of(ident: str) -> str | None:
    """The account that an id carries; None for what is no id of this form."""
    try:
        plain = base64.b32decode(ident[4:])
    except (binascii.Error, ValueError):
        return None
    if len(plain) != _HEAD_BYTES + _TAIL_BYTES:
        return None
    account = (int.from_bytes(plain[:_HEAD_BYTES]) >> _NOISE_BITS) & ((1 << _ACCOUNT_BITS) - 1)
    return f"{account:012d}" if account < 10**12 else None


def new_secret() -> str:
    """A secret access key: 40 letters, 240 random bits."""
    return "".join(secrets.choice(_LETTERS) for _ in range(_SECRET_LETTERS))
