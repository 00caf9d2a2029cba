"""Signs requests that leave, by AWS Signature Version 4: the other side of `sigv4`, with the same canonical forms.

Sans-IO: no socket, clock or key store; the time is given. It knows no service: the signing name and the region are
given. Source: AWS's "Create a signed AWS API request"; botocore.auth and our own Verifier are the other end in the
tests.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from craton.aws.wire.canonical import TERMINATOR, canonical_path, canonical_query, collapsed, signing_key
from craton.aws.wire.presented import ALGORITHM

Fields = tuple[tuple[bytes, bytes], ...]

_TOKEN = b"x-amz-security-token"


class Keys(msgspec.Struct, frozen=True):
    """A pair of keys; temporary ones come with a session token."""

    access_key_id: str
    secret_access_key: str
    session_token: str = ""

    def __repr__(self) -> str:
        return f"Keys({self.access_key_id!r})"


class Signer:
    """Signs for one host, region and service.

    Args:
        authority: the Host header as it is sent: the port is part of it unless it is the scheme's own.
    """

    def __init__(self, keys: Keys, *, service: str, region: str, authority: bytes) -> None:
        self._keys = keys
        self._service = service
        self._region = region
        self._authority = authority
        self._key_of_day = lru_cache(maxsize=4)(lambda day: signing_key(keys.secret_access_key, day, region, service))
        # S3 alone takes the path as it is sent.
        self._path = lru_cache(maxsize=256)(canonical_path if service != "s3" else bytes)

    def sign(
        self, method: bytes, path: bytes, body: bytes, now: datetime, *, query: bytes = b"", headers: Fields = ()
    ) -> Fields:
        """The headers to send beside `headers` (lower-case names, signed along): date, token, authorization.

        `path` is percent-encoded as it is sent; `now` has its zone.
        """
        timestamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        added: list[tuple[bytes, bytes]] = [(b"x-amz-date", timestamp.encode())]
        if self._keys.session_token:
            added.append((_TOKEN, self._keys.session_token.encode()))
        signed = sorted([*headers, *added, (b"host", self._authority)])
        names = b";".join(name for name, _ in signed)
        canonical = b"\n".join(
            (
                method,
                self._path(path),
                canonical_query(query),
                *(b"%b:%b" % (name, collapsed(value)) for name, value in signed),
                b"",
                names,
                hashlib.sha256(body).hexdigest().encode(),
            )
        )
        day = timestamp[:8]
        scope = f"{day}/{self._region}/{self._service}/{TERMINATOR}"
        text = f"{ALGORITHM}\n{timestamp}\n{scope}\n{hashlib.sha256(canonical).hexdigest()}"
        signature = hmac.digest(self._key_of_day(day), text.encode(), "sha256").hex()
        credential = f"{ALGORITHM} Credential={self._keys.access_key_id}/{scope}"
        authorization = f"{credential}, SignedHeaders={names.decode()}, Signature={signature}"
        return (*added, (b"authorization", authorization.encode()))
