"""Session tokens: temporary credentials that nobody keeps, since the token itself carries them, sealed.

Owns the token's form: base64 of a format byte and the sealed, compressed record. Every process of a home opens every
token at once, before and after a restart. What was opened is remembered, in a bounded number. It must not know how
sessions come to be or whether whom they stand for still exists.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Callable
from datetime import datetime

import msgspec

from craton.aws.access.credentials import Principal, Session
from craton.infra.identities.seal import BadSeal, Sealer
from craton.infra.identities.secrets import access_key_id, new_secret

MAX_TOKEN = 32_768
"""The longest token in letters: a header may have twice as many bytes."""
MAX_PLAIN = 128 * 1024

_FORMAT = b"\x01"
_BOUND = b"session token 1"
_KEPT = 2048


class Sessions:
    """Makes and opens tokens under one key of 32 bytes, given when it is first needed."""

    def __init__(self, key: Callable[[], bytes]) -> None:
        self._key = key
        self._sealer: Sealer | None = None
        self._kept: dict[str, Session] = {}

    def issue(self, principal: Principal, issuer: str, expires_at: datetime) -> tuple[Session, str]:
        """New temporary credentials and their token. Raises ValueError for a principal too large for one."""
        key = access_key_id("ASIA", principal.account)
        owner = msgspec.structs.replace(principal, access_key_id=key)
        session = Session(key, new_secret(), owner, issuer, expires_at)
        plain = msgspec.msgpack.encode(session)
        sealed = _FORMAT + self._opened().seal(zlib.compress(plain, 9), _BOUND)
        token = base64.b64encode(sealed).decode()
        if len(token) > MAX_TOKEN or len(plain) > MAX_PLAIN:
            msg = "the session's policies and tags are too large"
            raise ValueError(msg)
        return session, token

    def open(self, token: str) -> Session | None:
        """What the token says; None for one that is damaged or that another home made."""
        found = self._kept.get(token)
        if found is None:
            found = self._read(token)
            if found is not None:
                if len(self._kept) >= _KEPT:
                    # The eldest goes; a session that is in use comes back with its next request.
                    self._kept.pop(next(iter(self._kept)))
                self._kept[token] = found
        return found

    def _read(self, token: str) -> Session | None:
        if len(token) > MAX_TOKEN:
            return None
        try:
            sealed = base64.b64decode(token, validate=True)
            # Only what this home sealed is decompressed, and that was bounded when it was made.
            packed = self._opened().open(sealed[1:], _BOUND) if sealed[:1] == _FORMAT else None
        except (binascii.Error, BadSeal, ValueError):
            return None
        return None if packed is None else msgspec.msgpack.decode(zlib.decompress(packed), type=Session)

    def _opened(self) -> Sealer:
        if self._sealer is None:
            self._sealer = Sealer(self._key())
        return self._sealer
