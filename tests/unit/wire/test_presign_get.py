"""A presigned GET is what botocore makes of the same keys at the same moment."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from craton.aws.wire.presign import presigned_get
from craton.aws.wire.sign import Keys


@pytest.mark.parametrize("token", ["", "token/with+signs="])
@pytest.mark.parametrize("key", ["a/b.txt", "é & 1+1 #2%.txt", "~tilde_-. "])
def test_it_is_signed_as_botocore_signs(key: str, token: str) -> None:
    """The same signature for the same path, whatever is in the object's name."""
    keys = Keys("AKIAIOSFODNN7EXAMPLE", "secret", token)
    now = datetime.now(UTC).replace(microsecond=0)
    url = presigned_get(
        keys, endpoint="http://localhost:8765", region="eu-west-1", bucket="shelf", key=key, now=now, life_s=300
    )
    parts = urlsplit(url)
    request = AWSRequest("GET", f"{parts.scheme}://{parts.netloc}{parts.path}")
    auth = S3SigV4QueryAuth(
        Credentials(keys.access_key_id, keys.secret_access_key, token or None), "s3", "eu-west-1", 300
    )
    request.context["timestamp"] = now.strftime("%Y%m%dT%H%M%SZ")
    given = dict(parse_qsl(parts.query))
    for _ in range(3):  # botocore takes the time by itself
        request = AWSRequest("GET", f"{parts.scheme}://{parts.netloc}{parts.path}")
        auth.add_auth(request)
        theirs = dict(parse_qsl(urlsplit(request.url).query))
        if theirs["X-Amz-Date"] == given["X-Amz-Date"]:
            assert theirs == given
            return
        now = datetime.strptime(theirs["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        url = presigned_get(
            keys, endpoint="http://localhost:8765", region="eu-west-1", bucket="shelf", key=key, now=now, life_s=300
        )
        given = dict(parse_qsl(urlsplit(url).query))
    assert theirs == given
