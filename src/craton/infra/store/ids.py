"""Ids as Amazon makes them for Bedrock's resources: random letters and digits of one case.

Owns the alphabets and lengths. Uniqueness is the store's to hold; twelve letters make a clash as rare as a UUID's of
62 bits.
"""

from __future__ import annotations

import secrets

_LOWER = "abcdefghijklmnopqrstuvwxyz0123456789"


def lower_id(letters: int = 12) -> str:
    """An id of a control-plane resource such as an inference profile: `hq2of259skzs`."""
    return "".join(secrets.choice(_LOWER) for _ in range(letters))
