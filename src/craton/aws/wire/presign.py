"""Presigned URLs of S3: a GET that whoever has the URL may make until it ends, by Signature Version 4 in its query.

Sans-IO: the time is given. It must not know whose keys these are, nor what lies there. Source: S3's API reference,
"Authenticating Requests: Using Query Parameters"; our own verifier is the other end in the tests.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

from craton.aws.wire.canonical import TERMINATOR, canonical_query, signing_key
from craton.aws.wire.presented import ALGORITHM
from craton.aws.wire.sign import Keys

_SERVICE = "s3"
_UNSIGNED = "UNSIGNED-PAYLOAD"
_SAFE = "~-_."


def presigned_get(keys: Keys, *, endpoint: str, region: str, bucket: str, key: str, now: datetime, life_s: int) -> str:
    """The URL of an object, its bucket in the path. `endpoint` is `scheme://host[:port]`; `now` has its zone."""
    parts = urlsplit(endpoint)
    timestamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{timestamp[:8]}/{region}/{_SERVICE}/{TERMINATOR}"
    asked = {
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": f"{keys.access_key_id}/{scope}",
        "X-Amz-Date": timestamp,
        "X-Amz-Expires": str(life_s),
        "X-Amz-SignedHeaders": "host",
    }
    if keys.session_token:
        asked["X-Amz-Security-Token"] = keys.session_token
    query = "&".join(f"{name}={quote(value, safe=_SAFE)}" for name, value in asked.items())
    path = f"{parts.path.rstrip('/')}/{quote(bucket, safe=_SAFE)}/{quote(key, safe=_SAFE + '/')}"
    canonical = "\n".join(
        ("GET", path, canonical_query(query.encode()).decode(), f"host:{parts.netloc}", "", "host", _UNSIGNED)
    )
    text = f"{ALGORITHM}\n{timestamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    secret = signing_key(keys.secret_access_key, timestamp[:8], region, _SERVICE)
    signature = hmac.digest(secret, text.encode(), "sha256").hex()
    return f"{parts.scheme}://{parts.netloc}{path}?{query}&X-Amz-Signature={signature}"
