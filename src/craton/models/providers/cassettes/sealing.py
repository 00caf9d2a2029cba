"""Cassettes that only who has the key can read: each line sealed by itself.

Owns where the key comes from and the form of a sealed line. Recordings are files of a user's own repository, so the key
is the user's as well and no server's: `CRATON_CASSETTE_KEY`, a text of at least 32 characters or `file:PATH` of one. It
must not know what lines hold.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from pathlib import Path

from craton.infra.cipher import gcm
from craton.infra.cipher.port import Tampered

VARIABLE = "CRATON_CASSETTE_KEY"
ALGORITHM = "AES-256-GCM"
_FILE = "file:"
_LEAST = 32
_LABEL = b"cassettes"


class BadKey(Exception):
    """The key cannot be had, or is too short; the message never holds it."""


class Seal:
    """Seals and opens lines. `belongs` is authenticated along: the first line of the file that they are in."""

    def __init__(self, key: bytes) -> None:
        self._key = gcm.derived(key, _LABEL)

    def close(self, line: bytes, belongs: bytes) -> bytes:
        return base64.b64encode(gcm.sealed(self._key, line, belongs))

    def open(self, line: bytes, belongs: bytes) -> bytes:
        """Raises Tampered: another key, or not what was written."""
        try:
            return gcm.opened(self._key, base64.b64decode(line, validate=True), belongs)
        except binascii.Error:
            raise Tampered from None


def of_environment(environ: Mapping[str, str] = os.environ) -> Seal | None:
    """The seal of the variable, if it is set. Raises BadKey."""
    given = environ.get(VARIABLE, "")
    if not given:
        return None
    if given.startswith(_FILE):
        path = Path(given.removeprefix(_FILE))
        try:
            given = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BadKey(f"{VARIABLE}: {path} cannot be read: {type(error).__name__}") from None
    if len(given) < _LEAST:
        raise BadKey(f"{VARIABLE} holds fewer than {_LEAST} characters")
    return Seal(given.encode())
