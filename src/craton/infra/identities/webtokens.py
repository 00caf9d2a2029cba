"""Web identities: whether a token was signed by the configured issuer, and what it says.

Owns the issuer's keys (a JWKS file, read when it changes, or a URL, fetched again when a token names a key that is not
there, but not more often than every half minute) and the checks of a token: signature, issuer, times. Who may use it for
what is not its business. Signatures are checked by PyJWT and cryptography, which load at the first token. Everything
here blocks: callers run it in a thread.
"""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jwt import PyJWK, PyJWKSet

ALGORITHMS = ("RS256", "ES256")
LEEWAY_S = 60
MAX_TOKEN_BYTES = 20_000
MAX_JWKS_BYTES = 1024 * 1024

_FETCH_TIMEOUT_S = 5.0
_AGAIN_S = 30.0
_OLD_S = 600.0


class BadWebToken(Exception):
    """The token proves nothing; the text says why and shows nothing of it."""


class ExpiredWebToken(BadWebToken):
    """The token's end has come."""


class KeysUnavailable(Exception):
    """The issuer's keys could not be read."""


class Issuer:
    """One issuer. `name` is its URL without the scheme, as ARNs and condition keys have it."""

    def __init__(
        self, url: str, jwks: str, audience: tuple[str, ...] = (), monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.url = url
        self.name = url.partition("://")[2].rstrip("/")
        self.audience = audience
        self._jwks = jwks
        self._is_url = jwks.startswith(("http://", "https://"))
        self._monotonic = monotonic
        self._keys: PyJWKSet | None = None
        self._read_at = 0.0
        self._mark: tuple[int, int] | None = None
        self._turn = threading.Lock()

    def claims(self, token: str, now: datetime) -> dict[str, Any]:
        """What a token says; its audience is left for the caller to judge.

        Raises BadWebToken, ExpiredWebToken, KeysUnavailable.
        """
        import jwt

        if len(token) > MAX_TOKEN_BYTES:
            raise BadWebToken("The token is too long.")
        try:
            key = self._key(jwt.get_unverified_header(token).get("kid"))
            # The clock is the caller's, so times are judged below and not by the library.
            options: Any = {"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False,
                            "require": ["exp", "iat", "sub", "iss"]}  # fmt: skip
            found = jwt.decode(token, key, algorithms=list(ALGORITHMS), issuer=self.url, options=options)
        except jwt.InvalidIssuerError:
            raise BadWebToken("Incorrect token issuer") from None
        except jwt.PyJWTError as error:
            raise BadWebToken(f"The token is not valid: {type(error).__name__}") from None
        _check_times(found, now.timestamp())
        return found

    def _key(self, kid: object) -> PyJWK:
        """The key with this id; keys rotate, so one that is not known is looked for once more."""
        with self._turn:
            found = self._find(kid)
            if found is None and self._may_read_again():
                self._read()
                found = self._find(kid)
        if found is None:
            raise BadWebToken("Couldn't retrieve verification key from your identity provider")
        return found

    def _find(self, kid: object) -> PyJWK | None:
        if self._stale():
            self._read()
        keys = self._keys.keys if self._keys is not None else []
        usable = [key for key in keys if key.key_type in ("RSA", "EC")]
        if kid is None:
            return usable[0] if len(usable) == 1 else None
        return next((key for key in usable if key.key_id == kid), None)

    def _stale(self) -> bool:
        if self._keys is None:
            return True
        return self._monotonic() - self._read_at > _OLD_S if self._is_url else self._mark != self._marked()

    def _may_read_again(self) -> bool:
        return self._is_url and self._monotonic() - self._read_at > _AGAIN_S

    def _marked(self) -> tuple[int, int] | None:
        try:
            found = Path(self._jwks).expanduser().stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size

    def _read(self) -> None:
        """Read the keys. What was there before holds on when that fails; raises KeysUnavailable if nothing was."""
        import jwt

        mark = None if self._is_url else self._marked()
        try:
            text = self._fetched() if self._is_url else Path(self._jwks).expanduser().read_bytes()
            self._keys = jwt.PyJWKSet.from_json(text.decode())
        except (OSError, ValueError, jwt.PyJWTError) as error:
            if self._keys is None:
                raise KeysUnavailable(f"the keys of {self.name} could not be read: {type(error).__name__}") from None
        self._read_at, self._mark = self._monotonic(), mark

    def _fetched(self) -> bytes:
        with urllib.request.urlopen(self._jwks, timeout=_FETCH_TIMEOUT_S) as answer:  # noqa: S310 - from the config
            text: bytes = answer.read(MAX_JWKS_BYTES + 1)
        if len(text) > MAX_JWKS_BYTES:
            raise ValueError("too long")
        return text


def _check_times(claims: dict[str, Any], now: float) -> None:
    """Raise unless the token's time has come and not gone, a minute of clock difference granted at its beginning."""
    times = {name: claims[name] for name in ("exp", "iat", "nbf") if name in claims}
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in times.values()):
        raise BadWebToken("The token's times are no numbers.")
    if now >= times["exp"]:
        raise ExpiredWebToken("Token expired")
    if now + LEEWAY_S < max(times["iat"], times.get("nbf", 0)):
        raise BadWebToken("The token's time has not come yet.")
