"""Verifies AWS Signature Version 4, in headers and in presigned queries. Sans-IO: no socket, clock or key store.

This file owns the canonical request, the key chain and the order and wording of refusals. It must not know which
service is behind it (the accepted signing names are given) nor where secrets are kept (a look-up is given).
Sources: AWS's "Create a signed AWS API request"; texts as the public services answer them; botocore.auth is the
other end in the tests.
"""

from __future__ import annotations

import hmac
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from operator import itemgetter
from typing import TYPE_CHECKING

import msgspec

from craton.aws.wire import faults
from craton.aws.wire.canonical import TERMINATOR, canonical_path, canonical_query, collapsed, header_map, signing_key
from craton.aws.wire.presented import ALGORITHM, Presented, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

__all__ = ["Presented", "Secret", "SignedRequest", "Verified", "Verifier", "parse"]

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
SIGNED_EVENTS = "STREAMING-AWS4-HMAC-SHA256-EVENTS"
SKEW_S = 300

_TIME = "%Y%m%dT%H%M%SZ"
_REGION_SHAPE = re.compile(r"[a-z0-9-]{1,32}\Z")
# Headers that travel under AWS's prefix but are added by proxies on the way, after the client has signed.
_ADDED_UNDERWAY = frozenset({"x-amz-cf-id"})
# HTTP/2 has no Host header: the AWS SDK for JavaScript signs this, and servers hand it on as the host.
_AUTHORITY = ":authority"
_SENT_AS = {_AUTHORITY: b"host"}
_PLAN_BYTES = 2048
_DAY_LENGTH, _BLOCK_BYTES = 8, 64
_NONE_OF_FOUR = -4
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


class Secret(msgspec.Struct, frozen=True):
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
        self._pads = lru_cache(maxsize=1024)(_pads)

    def verify(self, request: SignedRequest, lookup: Callable[[str], Secret | None], now: datetime) -> Verified:
        """Verify a request.

        Args:
            request: what was sent.
            lookup: gives the secret of an access key id, None for one that is unknown or not active.
            now: the present, with its zone.

        Raises:
            AuthFault: with AWS's own name and text for each way in which it can fail.
        """
        given = request.headers
        headers = given if isinstance(given, dict) else header_map(given)
        presented = parse(headers, request.query)
        if presented is None:
            raise faults.missing_token()
        return self.check(presented, headers, request, lookup, now)

    def check(
        self,
        presented: Presented,
        headers: dict[bytes, bytes],
        request: SignedRequest,
        lookup: Callable[[str], Secret | None],
        now: datetime,
    ) -> Verified:
        """Verify credentials that ``parse`` has read already."""
        access_key_id, region, service = presented.access_key_id, presented.region, presented.service
        secret = lookup(access_key_id)
        token = presented.session_token
        if secret is None or (token is not secret.session_token and not _same(secret.session_token or "", token or "")):
            raise faults.unrecognized_client()
        if secret.expires_at is not None and secret.expires_at <= now:
            raise faults.expired_token()
        self._check_scope(presented)
        signed_at = self._check_time(presented, now)
        canonical = self._canonical_request(presented, headers, request)
        digest = sha256(canonical).hexdigest()
        text = f"{ALGORITHM}\n{presented.timestamp}\n{presented.day}/{region}/{service}/{TERMINATOR}\n{digest}".encode()
        inner, outer = self._pads(secret.secret_access_key, presented.day, region, service)
        if not _same(sha256(outer + sha256(inner + text).digest()).hexdigest(), presented.signature):
            raise faults.invalid_signature()
        return Verified(access_key_id, region, service, signed_at, token, presented.expires_s is not None)

    def _check_scope(self, presented: Presented) -> None:
        if presented.service not in self._services:
            wanted = ", ".join(f"'{name}'" for name in sorted(self._services))
            raise faults.invalid_signature(f"Credential should be scoped to correct service: {wanted}.")
        if not _is_region(presented.region):
            raise faults.invalid_signature("Credential should be scoped to a valid region.")
        if not presented.timestamp.startswith(presented.day) or len(presented.day) != _DAY_LENGTH:
            raise faults.invalid_signature(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
                f"'{presented.day}' != '{presented.timestamp[:8]}', from '{presented.timestamp}'."
            )

    def _check_time(self, presented: Presented, now: datetime) -> datetime:
        """Return the time of signing; presigned requests last as long as they say, others as long as the skew."""
        signed_at = _moment(presented.timestamp)
        age = now - signed_at
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
        present = b",".join(headers)
        plan = (_plan if len(present) <= _PLAN_BYTES else _make_plan)(presented.signed_headers, present)
        if plan.refusal:
            raise faults.invalid_signature(plan.refusal)
        values = plan.values(headers)
        lines = plan.lines % values
        # What a value that is not in its canonical spelling shows, once the values stand in lines. (`in` would be slow:
        # for bytes it first tries to take the left side for a number, and fails by an exception.)
        if lines.find(b"  ") + lines.find(b"\t") + lines.find(b": ") + lines.find(b" \n") != _NONE_OF_FOUR:
            lines = plan.lines % tuple(collapsed(value) for value in values)
        query = request.query
        return b"%b\n%b\n%b\n%b\n%b\n%b" % (
            request.method.encode(),
            self._path(request.raw_path),
            canonical_query(query, presigned=presented.expires_s is not None) if query else b"",
            lines,
            plan.names,
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


def _pads(secret: str, day: str, region: str, service: str) -> tuple[bytes, bytes]:
    """Return the two blocks that HMAC (RFC 2104) puts before its hashes: all of it that follows from the key."""
    key = signing_key(secret, day, region, service).ljust(_BLOCK_BYTES, b"\0")
    return key.translate(_INNER), key.translate(_OUTER)


class _Plan(msgspec.Struct, frozen=True):
    """How the headers of requests of one kind become canonical lines. ``refusal``: why their signature cannot hold."""

    values: Callable[[Mapping[bytes, bytes]], tuple[bytes, ...]]
    lines: bytes
    names: bytes
    refusal: str


def _make_plan(signed: tuple[str, ...], present: bytes) -> _Plan:
    """Plan for headers named ``present`` (joined by commas) of which ``signed`` are signed."""
    there = present.split(b",")
    sources = [_SENT_AS.get(name) or name.encode("latin-1", "replace") for name in signed]
    found = tuple(source for source in sources if source in there)
    forms = [
        name.encode().replace(b"%", b"%%") + (b":%b\n" if source in there else b":\n")
        for name, source in zip(signed, sources, strict=True)
    ]
    # itemgetter gives a tuple only for two names or more
    values = itemgetter(*found) if len(found) > 1 else lambda headers: tuple(headers[name] for name in found)
    return _Plan(values, b"".join(forms), ";".join(signed).encode(), _unsigned(signed, there))


_plan = lru_cache(maxsize=512)(_make_plan)  # every client sends and signs the same few


def _unsigned(signed: tuple[str, ...], present: list[bytes]) -> str:
    """Say what a signature leaves out that changes the request's meaning; empty for a sound one."""
    if "host" not in signed and _AUTHORITY not in signed:
        return "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
    for raw in present:
        name = raw.decode("latin-1")
        if name.startswith("x-amz-") and name not in signed and name not in _ADDED_UNDERWAY:
            return f"'{name}' must be a 'SignedHeader' in the AWS Authorization."
    return ""


@lru_cache(maxsize=256)
def _is_region(text: str) -> bool:
    return _REGION_SHAPE.match(text) is not None


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
