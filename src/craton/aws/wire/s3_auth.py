"""Signature Version 4 as S3 has it: the path as sent, bodies unsigned or signed piece by piece, S3's own words.

This file owns what S3 asks of a signature beyond the common rules (`sigv4`): fifteen minutes between the clocks,
`UNSIGNED-PAYLOAD` and the `STREAMING-…` forms, presigned URLs of up to a week. It must not know where keys are kept, nor
read a body: `awschunked` does, with the `ChunkKey` made here. Sans-IO.
Source: "Authenticating Requests (AWS Signature Version 4)" of the S3 API reference.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from craton.aws.wire import s3_faults
from craton.aws.wire.faults import AuthFault
from craton.aws.wire.presented import Presented, Scope, parse
from craton.aws.wire.sigv4 import Secret, SignedRequest, Verified, Verifier

if TYPE_CHECKING:
    from collections.abc import Callable

    from craton.aws.wire.faults import Fault

SKEW_S: Final = 900
UNSIGNED: Final = "UNSIGNED-PAYLOAD"
CHUNKED: Final = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
CHUNKED_TRAILER: Final = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER: Final = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
STREAMING: Final = frozenset({CHUNKED, CHUNKED_TRAILER, UNSIGNED_TRAILER})
_SHA256: Final = re.compile(r"[0-9a-fA-F]{64}\Z")
_TIME: Final = "%Y%m%dT%H%M%SZ"
_NEVER_SIGNED: Final = "There were headers present in the request which were not signed"
_GAP: Final = re.compile(r"'(?P<name>x-amz-[^']*)' must be a 'SignedHeader'")


class ChunkKey(msgspec.Struct, frozen=True):
    """What the signature of each piece of a body is made with. `seed`: the signature of the head."""

    inner: bytes
    outer: bytes
    place: str
    timestamp: str
    seed: str

    def __repr__(self) -> str:
        return "ChunkKey(…)"


class Signed(msgspec.Struct, frozen=True):
    """Who signed, and what was said of the body.

    Attributes:
        verified: who, where, when.
        content: `x-amz-content-sha256`: a digest in hex, or one of the constants of this file.
        chunks: the key of the body's pieces, where they are signed.
    """

    verified: Verified
    content: str
    chunks: ChunkKey | None


class S3Verifier(Verifier):
    """Verifies the requests of S3."""

    def __init__(self) -> None:
        super().__init__({"s3"}, skew_s=SKEW_S, path_as_is=True, unsigned_payload_ok=True)

    def signed(
        self,
        request: SignedRequest,
        lookup: Callable[[str], Secret | None],
        now: datetime,
        sessions: Callable[[str, str], Secret | None],
    ) -> Signed | None:
        """Who signed a request whose headers are a mapping; None for one without any signature of this version.

        Raises:
            Fault: in S3's own words.
        """
        headers = request.headers
        assert isinstance(headers, dict)  # noqa: S101 - as servers hand them on
        try:
            presented = parse(headers, request.query)
        except AuthFault as fault:
            raise _unreadable(fault, presigned=b"authorization" not in headers) from None
        if presented is None:
            return None
        content = stated_content(headers, presigned=presented.expires_s is not None)
        if presented.expires_s is not None:
            _check_presigned(presented, now)
        whole = msgspec.structs.replace(request, body_sha256=content)
        try:
            verified = self.check(presented, headers, whole, lookup, now, sessions)
        except AuthFault as fault:
            raise self._in_s3_words(fault, presented, now) from None
        return Signed(verified, content, self._chunk_key(content, presented, lookup, sessions))

    def _chunk_key(
        self,
        content: str,
        presented: Presented,
        lookup: Callable[[str], Secret | None],
        sessions: Callable[[str, str], Secret | None],
    ) -> ChunkKey | None:
        if content not in (CHUNKED, CHUNKED_TRAILER):
            return None
        scope, token = presented.scope, presented.session_token
        secret = lookup(scope.access_key_id) or (sessions(scope.access_key_id, token) if token else None)
        assert secret is not None  # noqa: S101 - it has just verified the head
        return ChunkKey(*self._kept(secret.secret_access_key, scope), presented.timestamp, presented.signature)

    def _in_s3_words(self, fault: Fault, presented: Presented, now: datetime) -> Fault:
        scope = presented.scope
        if fault.name == "UnrecognizedClientException":
            text = "The AWS Access Key Id you provided does not exist in our records."
            return s3_faults.fault("InvalidAccessKeyId", text, AWSAccessKeyId=scope.access_key_id)
        if fault.name == "ExpiredTokenException":
            return s3_faults.fault("ExpiredToken", "The provided token has expired.")
        if presented.expires_s is None and _is_skewed(presented, now):
            return s3_faults.fault(
                "RequestTimeTooSkewed",
                "The difference between the request time and the current time is too large.",
                RequestTime=presented.timestamp,
                ServerTime=_iso(now),
                MaxAllowedSkewMilliseconds=SKEW_S * 1000,
            )
        gap = _GAP.search(fault.message)
        if gap is not None:
            return s3_faults.fault("AccessDenied", _NEVER_SIGNED, HeadersNotSigned=gap["name"])
        if scope.service != "s3" or not scope.region_ok or presented.timestamp[:8] != scope.day:
            return s3_faults.fault(
                "AuthorizationHeaderMalformed", f"The authorization header is malformed; {_where(scope)}"
            )
        return s3_faults.bad_signature(AWSAccessKeyId=scope.access_key_id, SignatureProvided=presented.signature)


def stated_content(headers: dict[bytes, bytes], *, presigned: bool) -> str:
    """What the request says of its body; raises Fault for what it may not say."""
    raw = headers.get(b"x-amz-content-sha256")
    if raw is None:
        if presigned:
            return UNSIGNED
        raise s3_faults.fault("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
    content = raw.decode("latin-1").strip()
    if content == UNSIGNED or content in STREAMING or _SHA256.match(content):
        return content
    if content.startswith("STREAMING-"):
        raise s3_faults.not_implemented(f"x-amz-content-sha256: {content[:64]}")
    raise s3_faults.invalid_argument(
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.",
        "x-amz-content-sha256",
        content[:128],
    )


def expired(expires_at: datetime, now: datetime, **fields: object) -> Fault:
    """The answer to a presigned request past its end."""
    return s3_faults.fault(
        "AccessDenied", "Request has expired", **fields, Expires=_iso(expires_at), ServerTime=_iso(now)
    )


def _check_presigned(presented: Presented, now: datetime) -> None:
    signed_at, expires_s = _moment(presented), presented.expires_s
    if signed_at is None or expires_s is None:
        return
    if now - signed_at > timedelta(seconds=expires_s):
        raise expired(signed_at + timedelta(seconds=expires_s), now, **{"X-Amz-Expires": expires_s})
    if signed_at - now > timedelta(seconds=SKEW_S):
        raise s3_faults.fault("AccessDenied", "Request is not yet valid", ServerTime=_iso(now))


def _is_skewed(presented: Presented, now: datetime) -> bool:
    signed_at = _moment(presented)
    return signed_at is not None and abs(now - signed_at) > timedelta(seconds=SKEW_S)


def _moment(presented: Presented) -> datetime | None:
    try:
        return datetime.strptime(presented.timestamp, _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None


def _where(scope: Scope) -> str:
    if scope.service != "s3":
        return f'incorrect service "{scope.service[:64]}". This endpoint belongs to "s3".'
    if not scope.region_ok:
        return "the region is wrong."
    return f'Invalid credential date "{scope.day[:16]}". This date is not the same as X-Amz-Date.'


def _unreadable(fault: Fault, *, presigned: bool) -> Fault:
    code = "AuthorizationQueryParametersError" if presigned else "AuthorizationHeaderMalformed"
    return s3_faults.fault(code, fault.message)


def _iso(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
