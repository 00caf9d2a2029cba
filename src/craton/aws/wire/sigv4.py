"""Verifies AWS Signature Version 4, in headers and in presigned queries. Sans-IO: no socket, clock or key store.

This file owns the canonical request, the key chain and the order and wording of refusals. It must not know which
service is behind it (the accepted signing names are given) nor where secrets are kept (a look-up is given).
Sources: AWS's "Create a signed AWS API request"; texts as the public services answer them; botocore.auth is the
other end in the tests.
"""

from __future__ import annotations

import hmac
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec

from craton.aws.wire import faults
from craton.aws.wire.canonical import TERMINATOR, canonical_path, canonical_query, header_map, signing_key
from craton.aws.wire.presented import ALGORITHM, Presented, Scope, parse
from craton.aws.wire.signed_headers import plan

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

__all__ = ["Presented", "Secret", "SignedRequest", "Verified", "Verifier", "parse"]

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
SIGNED_EVENTS = "STREAMING-AWS4-HMAC-SHA256-EVENTS"
SKEW_S = 300

_TIME = "%Y%m%dT%H%M%SZ"
_BLOCK_BYTES = 64
_MAX_BEGUN = 4096
_INNER, _OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))


class SignedRequest(msgspec.Struct, frozen=True):
    """What was sent, as bytes from the wire.

    Args:
        method: the HTTP method in capitals.
        raw_path: the path, still percent-encoded.
        query: the raw query string.
        headers: pairs of bytes, names in any case; or what ``header_map`` made of them.
        body: the whole body; not needed where ``body_sha256`` is given.
        body_sha256: the body's hex digest, for callers that hash elsewhere.
        event_stream: the body is a stream of signed events, so no hash of it can be in the head.
    """

    method: str
    raw_path: bytes
    query: bytes
    headers: Collection[tuple[bytes, bytes]] | dict[bytes, bytes]
    body: bytes = b""
    body_sha256: str | None = None
    event_stream: bool = False


class Secret(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What the key store knows of an access key. Temporary keys have a session token and an end."""

    secret_access_key: str
    session_token: str | None = None
    expires_at: datetime | None = None

    def __repr__(self) -> str:
        return "Secret(…)"


class Verified(msgspec.Struct, frozen=True):
    """Who signed, and for where and when."""

    access_key_id: str
    region: str
    service: str
    signed_at: datetime
    session_token: str | None
    presigned: bool


class Verifier:
    """Verifies requests for the services of one endpoint.

    Args:
        service_ok: signing names that are accepted, e.g. ``{"bedrock"}``.
        skew_s: how far the signer's clock may be off, in seconds.
        path_as_is: the path is signed as sent (S3), not cleaned and encoded again.
        unsigned_payload_ok: ``UNSIGNED-PAYLOAD`` is accepted (S3).
    """

    def __init__(
        self,
        service_ok: Collection[str],
        *,
        skew_s: int = SKEW_S,
        path_as_is: bool = False,
        unsigned_payload_ok: bool = False,
    ) -> None:
        self._services = frozenset(service_ok)
        self._skew = timedelta(seconds=skew_s)
        self._unsigned_ok = unsigned_payload_ok
        self._path = (lambda raw: raw) if path_as_is else lru_cache(maxsize=1024)(canonical_path)
        # Keyed by the secret itself, so a changed secret can never meet a kept key.
        self._kept = lru_cache(maxsize=1024)(self._key)
        self.begun: list[Scope] = []
        """The scopes that came for the first time, or after a pause: where keys are in use. Who reads it empties it."""

    def verify(
        self,
        request: SignedRequest,
        lookup: Callable[[str], Secret | None],
        now: datetime,
        sessions: Callable[[str, str], Secret | None] | None = None,
    ) -> Verified:
        """Verify a request.

        Args:
            request: what was sent.
            lookup: gives the secret of an access key id, None for one that is unknown or not active.
            now: the present, with its zone.
            sessions: gives the secret of an access key id that ``lookup`` does not know by its session token: for
                temporary keys that are kept nowhere.

        Raises:
            AuthFault: with AWS's own name and text for each way in which it can fail.
        """
        given = request.headers
        headers = given if isinstance(given, dict) else header_map(given)
        presented = parse(headers, request.query)
        if presented is None:
            raise faults.missing_token()
        return self.check(presented, headers, request, lookup, now, sessions)

    def check(
        self,
        presented: Presented,
        headers: dict[bytes, bytes],
        request: SignedRequest,
        lookup: Callable[[str], Secret | None],
        now: datetime,
        sessions: Callable[[str, str], Secret | None] | None = None,
    ) -> Verified:
        """Verify credentials that ``parse`` has read already."""
        scope, token = presented.scope, presented.session_token
        secret = lookup(scope.access_key_id)
        if secret is None:
            secret = sessions(scope.access_key_id, token) if sessions is not None and token else None
            if secret is None:
                raise faults.unrecognized_client()
        elif token is not secret.session_token and not _same(secret.session_token or "", token or ""):
            raise faults.unrecognized_client()
        if secret.expires_at is not None and secret.expires_at <= now:
            raise faults.expired_token()
        timestamp = presented.timestamp
        if scope.service not in self._services or not scope.region_ok or timestamp[:8] != scope.day:
            raise self._misplaced(scope, timestamp)
        signed_at = self._check_time(presented, now)
        digest = sha256(self._canonical_request(presented, headers, request)).hexdigest()
        inner, outer, place = self._kept(secret.secret_access_key, scope)
        text = f"{ALGORITHM}\n{timestamp}\n{place}\n{digest}".encode()
        if not _same(sha256(outer + sha256(inner + text).digest()).hexdigest(), presented.signature):
            self.begun = [one for one in self.begun if one is not scope]
            raise faults.invalid_signature()
        return Verified(
            scope.access_key_id, scope.region, scope.service, signed_at, token, presented.expires_s is not None
        )

    def _key(self, secret: str, scope: Scope) -> tuple[bytes, bytes, str]:
        if len(self.begun) < _MAX_BEGUN:
            self.begun.append(scope)
        return _keyed(secret, scope)

    def _misplaced(self, scope: Scope, timestamp: str) -> faults.AuthFault:
        """Why a credential's scope cannot hold."""
        if scope.service not in self._services:
            wanted = ", ".join(f"'{name}'" for name in sorted(self._services))
            return faults.invalid_signature(f"Credential should be scoped to correct service: {wanted}.")
        if not scope.region_ok:
            return faults.invalid_signature("Credential should be scoped to a valid region.")
        return faults.invalid_signature(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{scope.day}' != '{timestamp[:8]}', from '{timestamp}'."
        )

    def _check_time(self, presented: Presented, now: datetime) -> datetime:
        """Return the time of signing; presigned requests last as long as they say, others as long as the skew."""
        signed_at = _moment(presented.timestamp)
        age = now - signed_at
        if presented.expires_s is None and -self._skew <= age <= self._skew:
            return signed_at
        allowed = self._skew if presented.expires_s is None else timedelta(seconds=presented.expires_s)
        if age > allowed:
            limit, present, minutes = _shown(now, -allowed)
            raise faults.invalid_signature(
                f"Signature expired: {presented.timestamp} is now earlier than {limit} ({present} - {minutes} min.)"
            )
        if -age > self._skew:
            limit, present, minutes = _shown(now, self._skew)
            raise faults.invalid_signature(
                f"Signature not yet current: {presented.timestamp} is still later than {limit} "
                f"({present} + {minutes} min.)"
            )
        return signed_at

    def _canonical_request(self, presented: Presented, headers: dict[bytes, bytes], request: SignedRequest) -> bytes:
        covered = plan(headers, presented.scope.signed_headers)
        if covered.gap:
            raise faults.invalid_signature(covered.gap)
        query = request.query
        return b"%b\n%b\n%b\n%b\n%b\n%b" % (
            request.method.encode(),
            self._path(request.raw_path),
            canonical_query(query, presigned=presented.expires_s is not None) if query else b"",
            covered.lines(headers),
            covered.names,
            self._payload_hash(headers, request).encode(),
        )

    def _payload_hash(self, headers: dict[bytes, bytes], request: SignedRequest) -> str:
        """Return the hash that goes into the canonical request; a stated hash must be the body's own."""
        actual = request.body_sha256 or sha256(request.body).hexdigest()
        if b"x-amz-content-sha256" not in headers:
            return actual
        stated = headers[b"x-amz-content-sha256"].decode("latin-1").strip()
        if (stated == UNSIGNED_PAYLOAD and self._unsigned_ok) or (stated == SIGNED_EVENTS and request.event_stream):
            return stated
        if stated and not _same(stated, actual):
            raise faults.invalid_signature()
        return actual


def _same(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode(), right.encode())


def _keyed(secret: str, scope: Scope) -> tuple[bytes, bytes, str]:
    """Return the two blocks that HMAC (RFC 2104) puts before its hashes, all of it that follows from the key; and the
    scope as it is signed.
    """
    key = signing_key(secret, scope.day, scope.region, scope.service).ljust(_BLOCK_BYTES, b"\0")
    place = f"{scope.day}/{scope.region}/{scope.service}/{TERMINATOR}"
    return key.translate(_INNER), key.translate(_OUTER), place


@lru_cache(maxsize=64)
def _moment(timestamp: str) -> datetime:
    """Return the time of a well-formed timestamp; kept, since many requests share a second."""
    try:
        return datetime.strptime(timestamp, _TIME).replace(tzinfo=UTC)
    except ValueError:
        raise faults.incomplete_signature("Date must be in ISO-8601 'basic format'.") from None


def _shown(now: datetime, offset: timedelta) -> tuple[str, str, int]:
    """Return the limit, the present and the offset in minutes, as the texts about time show them."""
    present = now.astimezone(UTC)
    return (present + offset).strftime(_TIME), present.strftime(_TIME), int(abs(offset).total_seconds() // 60)
