"""Signature Version 2 of S3, as far as it is still in use: in presigned URLs and in forms.

boto3 presigns with it in the older regions where nobody has configured otherwise. Owns its canonical form and nothing
else of S3; requests whose head carries it are refused before they come here. Sans-IO.
Source: "Signing and authenticating REST requests (Signature Version 2)" of the S3 API reference; botocore's HmacV1Auth
is the other end in the tests.
"""

from __future__ import annotations

import base64
import hmac
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

import msgspec

from craton.aws.wire import s3_faults

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from craton.aws.wire.sigv4 import Secret, SignedRequest

    Lookup = Callable[[str], Secret | None]
    Sessions = Callable[[str, str], Secret | None]

_KEY, _SIGNATURE, _EXPIRES = b"AWSAccessKeyId", b"Signature", b"Expires"
_SUBRESOURCES: Final = frozenset(
    name.encode()
    for name in (
        "accelerate", "acl", "cors", "defaultObjectAcl", "location", "logging", "partNumber", "policy",
        "requestPayment", "torrent", "versioning", "versionId", "versions", "website", "uploads", "uploadId",
        "response-content-type", "response-content-language", "response-expires", "response-cache-control",
        "response-content-disposition", "response-content-encoding", "delete", "lifecycle", "tagging", "restore",
        "storageClass", "notification", "replication", "analytics", "metrics", "inventory", "select", "select-type",
        "object-lock",
    )
)  # fmt: skip


class Key(msgspec.Struct, frozen=True):
    """Whose signature held."""

    access_key_id: str
    session_token: str | None


def is_presigned(query: bytes) -> bool:
    """Whether a query carries a signature of this version."""
    return b"AWSAccessKeyId=" in query and b"Signature=" in query and b"X-Amz-Signature=" not in query


def verify(
    request: SignedRequest, headers: Mapping[bytes, bytes], lookup: Lookup, now: datetime, sessions: Sessions
) -> Key:
    """Who presigned a request, whose path begins with the bucket here, wherever it was named; raises Fault."""
    rows = [part.partition(b"=") for part in request.query.split(b"&")]
    given = {name: unquote_to_bytes(value.replace(b"+", b" ")) for name, _, value in rows}
    expires = given.get(_EXPIRES, b"")
    if not expires.isdigit() or len(expires) > 12:
        raise s3_faults.fault("AccessDenied", "Query-string authentication requires the Signature, Expires and "
                              "AWSAccessKeyId parameters")  # fmt: skip
    expires_at = datetime.fromtimestamp(min(int(expires), 2**35), UTC)
    if expires_at < now:
        raise s3_faults.fault("AccessDenied", "Request has expired", Expires=_iso(expires_at), ServerTime=_iso(now))
    token = given.get(b"x-amz-security-token") or headers.get(b"x-amz-security-token")
    session = token.decode("latin-1") if token is not None else None
    access_key_id = given[_KEY].decode("latin-1")
    secret = known(access_key_id, session, lookup, now, sessions)
    signed = {**headers, **{name: value for name, value in given.items() if name.startswith(b"x-amz-")}}
    text = b"\n".join(
        (
            request.method.encode(),
            # boto3 writes these two into the URL as well, where they count for nothing: the sender has to send them.
            headers.get(b"content-md5", b"").strip(),
            headers.get(b"content-type", b"").strip(),
            expires,
            _amz_headers(signed) + _resource(request, rows),
        )
    )
    check(secret, text, given[_SIGNATURE].decode("latin-1"), access_key_id)
    return Key(access_key_id, session)


def known(access_key_id: str, token: str | None, lookup: Lookup, now: datetime, sessions: Sessions) -> Secret:
    """The secret behind a key; raises Fault where there is none, or no longer."""
    secret = lookup(access_key_id)
    if secret is None and token is not None:
        secret = sessions(access_key_id, token)
    if secret is None:
        text = "The AWS Access Key Id you provided does not exist in our records."
        raise s3_faults.fault("InvalidAccessKeyId", text, AWSAccessKeyId=access_key_id)
    if secret.expires_at is not None and secret.expires_at <= now:
        raise s3_faults.fault("ExpiredToken", "The provided token has expired.")
    return secret


def check(secret: Secret, text: bytes, signature: str, access_key_id: str) -> None:
    """Raise SignatureDoesNotMatch unless the signature is that of the text."""
    made = base64.b64encode(hmac.digest(secret.secret_access_key.encode(), text, "sha1"))
    if not hmac.compare_digest(made, signature.encode("latin-1", "replace")):
        raise s3_faults.bad_signature(AWSAccessKeyId=access_key_id, SignatureProvided=signature[:64])


def _amz_headers(headers: Mapping[bytes, bytes]) -> bytes:
    rows = sorted((name, value) for name, value in headers.items() if name.startswith(b"x-amz-"))
    return b"".join(b"%b:%b\n" % (name, value.strip()) for name, value in rows)


def _resource(request: SignedRequest, rows: list[tuple[bytes, bytes, bytes]]) -> bytes:
    """The path and the subresources, sorted, with their values decoded. A bucket alone is signed with a slash behind it."""
    named = [(name, equals, unquote_to_bytes(value)) for name, equals, value in rows if name in _SUBRESOURCES]
    named.sort(key=lambda row: row[0])
    parts = [name + (b"=" + value if value else b"") for name, equals, value in named]
    path = request.raw_path if b"/" in request.raw_path[1:] or request.raw_path == b"/" else request.raw_path + b"/"
    return path + (b"?" + b"&".join(parts) if parts else b"")


def _iso(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
