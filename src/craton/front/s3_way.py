"""Which requests are S3's. Its paths are whatever its users call their buckets, so the path is asked last.

A signature scoped to `s3` decides, in a header or in a presigned query; else a form's content type, a browser's
preflight, or a host that names a bucket, where the path is not one of Craton's own (DESIGN, part 7). What anybody reads
without a signature, and what is no path of an operation, may lie in a public bucket. This file must not import what
answers them: it is loaded with the first such request.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine
from typing import Any, Final

from craton.front import body as http
from craton.front.s3_address import Hosts

Door = Callable[[dict[str, Any], http.Receive, http.Send], Coroutine[Any, Any, None]]

_SCOPE: Final = b"/s3/aws4_request"
_IN_QUERY: Final = (b"%2Fs3%2Faws4_request", _SCOPE)
_OWN: Final = ("/v1/", "/openai/v1/", "/anthropic/v1/", "/craton/", "/lambda-url/")


class S3Way:
    """`door` gives what answers S3's requests; `hosts` tells which hosts name a bucket.

    `leads` tells whether a method, a raw path and a query lead to an operation of another service.
    """

    def __init__(self, door: Callable[[], Door], hosts: Hosts, leads: Callable[[str, bytes, bytes], bool]) -> None:
        self.door = door
        self._hosts = hosts
        self._leads = leads

    def takes(self, scope: dict[str, Any], own: Collection[str]) -> bool:
        """Whether a request is S3's; `own` are Craton's paths."""
        authorization: bytes | None = scope["headers"].get(b"authorization")
        if authorization is not None:  # `in` would be slow: it first takes the left side for a number
            return authorization.find(_SCOPE) >= 0 or authorization.startswith(b"AWS ")
        return self._unsigned(scope, own)

    def _unsigned(self, scope: dict[str, Any], own: Collection[str]) -> bool:
        """The same for a request whose head has no signature."""
        query: bytes = scope["query_string"]
        if query:
            if b"X-Amz-Credential=" in query:
                return any(one in query for one in _IN_QUERY)
            if b"AWSAccessKeyId=" in query and b"Signature=" in query:
                return True
        path, headers = scope["path"], scope["headers"]
        hosted = self._hosts.bucket(headers.get(b"host", b"")) is not None
        if path.startswith(_OWN) or (path in own and not (hosted and path == "/")):
            return False
        if hosted:
            return True
        method = scope["method"]
        if method == "OPTIONS":
            return b"access-control-request-method" in headers
        if method in ("GET", "HEAD"):
            return path != "/" and b"Action=" not in query and not self._leads(method, scope["raw_path"], query)
        kind: bytes = headers.get(b"content-type", b"")
        return method == "POST" and kind.lower().startswith(b"multipart/form-data")
