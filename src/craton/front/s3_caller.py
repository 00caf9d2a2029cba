"""Who sends an S3 request, and what its head says of the body.

Joins the rules of S3's signatures with the keys of the moment. A request without any signature is anonymous here: what
buckets let everybody do is for their policies to say. It must not know operations.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import unquote_to_bytes

import msgspec

from craton.aws.access.credentials import ANONYMOUS, Credentials, Principal
from craton.aws.wire import s3_faults, sigv2
from craton.aws.wire.s3_auth import CHUNKED, CHUNKED_TRAILER, ChunkKey, S3Verifier, stated_content
from craton.aws.wire.sigv4 import SignedRequest
from craton.front.authenticate import owner

# Parameters of a presigned query that are not headers in another place.
_OF_THE_SIGNATURE: Final = frozenset(
    {"x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-signedheaders", "x-amz-signature",
     "x-amz-security-token", "x-amz-content-sha256"}
)  # fmt: skip


class Sender(msgspec.Struct, frozen=True):
    """`headers` are those of the request and what a presigned query says in their stead. `content` is what
    `x-amz-content-sha256` says, `chunks` the key of a signed body's pieces.
    """

    caller: Principal
    region: str
    headers: dict[bytes, bytes]
    content: str
    chunks: ChunkKey | None = None


def sender(
    verifier: S3Verifier,
    request: SignedRequest,
    credentials: Credentials,
    now: datetime,
    default_region: str,
    bucket: str | None = None,
) -> Sender:
    """Who sent it, at the moment `now`; raises Fault in S3's words.

    The request's headers are a mapping by lower-case name. `bucket` is the one that the host names, which version 2
    signs as a part of the path; `default_region` that of requests that name none.
    """
    headers = request.headers
    assert isinstance(headers, dict)  # noqa: S101 - as the server hands them on
    if sigv2.is_presigned(request.query) or headers.get(b"authorization", b"").startswith(b"AWS "):
        if bucket is not None:
            request = msgspec.structs.replace(request, raw_path=f"/{bucket}".encode() + request.raw_path)
        return _by_version_2(request, headers, credentials, now, default_region)
    signed = verifier.signed(request, credentials.secrets.get, now, credentials.session)
    if signed is None:
        if b"authorization" in headers:
            raise s3_faults.invalid_argument("Unsupported Authorization Type", "Authorization", "")
        return Sender(ANONYMOUS, default_region, plain(headers), _anonymous_content(headers))
    caller = owner(credentials, signed.verified)
    found = with_query_headers(headers, request.query) if signed.verified.presigned else headers
    return Sender(caller, signed.verified.region, plain(found), signed.content, signed.chunks)


def _by_version_2(
    request: SignedRequest, headers: dict[bytes, bytes], credentials: Credentials, now: datetime, region: str
) -> Sender:
    """What boto3 makes of `generate_presigned_url` where nobody has said otherwise."""
    if not sigv2.is_presigned(request.query):
        raise s3_faults.fault(
            "InvalidRequest",
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
        )
    key = sigv2.verify(request, headers, credentials.secrets.get, now, credentials.session)
    found = credentials.owner(key.access_key_id) or credentials.session_owner(key.access_key_id, key.session_token)
    if found is None:  # the snapshot is one object, so what was just verified is still there
        raise s3_faults.fault("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
    return Sender(found, region, plain(with_query_headers(headers, request.query)), _anonymous_content(headers))


def _anonymous_content(headers: Mapping[bytes, bytes]) -> str:
    """What is said of a body that nothing signs; its digest is held all the same."""
    content = stated_content(dict(headers), presigned=True)
    if content in (CHUNKED, CHUNKED_TRAILER):
        raise s3_faults.fault("InvalidRequest", "A body in signed pieces needs a signature to go on from.")
    return content


def with_query_headers(headers: dict[bytes, bytes], query: bytes) -> dict[bytes, bytes]:
    """The headers and, of a presigned query, those that stand in it: `x-amz-acl=private` is a header's."""
    found = headers
    for part in query.split(b"&"):
        name, _, value = part.partition(b"=")
        key = unquote_to_bytes(name).lower()
        if key.startswith(b"x-amz-") and key.decode("latin-1") not in _OF_THE_SIGNATURE and key not in headers:
            if found is headers:
                found = dict(headers)
            found[key] = unquote_to_bytes(value.replace(b"+", b" "))
    return found


def plain(headers: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """The headers without the coding that is the transfer's own and not the object's."""
    coding = headers.get(b"content-encoding")
    if coding is None or b"aws-chunked" not in coding:
        return headers
    kept = [part.strip() for part in coding.split(b",") if part.strip() not in (b"aws-chunked", b"")]
    found = {name: value for name, value in headers.items() if name != b"content-encoding"}
    return {**found, b"content-encoding": b",".join(kept)} if kept else found
