"""Requests byte by byte: signed by botocore, put together by hand, so that a test can send what no SDK would.

Owns the signing (with any clock, key and scope) and one HTTP/1.1 exchange over a socket. Knows nothing of models.
"""

from __future__ import annotations

import http.client
import json
import socket
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.running import ACCESS_KEY, SECRET_KEY, Running

IN_TIME_S = 10.0
Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    """What came back, and how long it took."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def name(self) -> str:
        return self.headers.get("x-amzn-errortype", "").split(":")[0]

    @property
    def message(self) -> str:
        said = self.json
        return said.get("message") or said.get("Message") or ""


class _Dated(SigV4Auth):
    """botocore's signer with a clock that can be set."""

    at: datetime | None = None

    def add_auth(self, request: AWSRequest) -> None:
        now = self.at or datetime.now(UTC)
        request.context["timestamp"] = now.strftime("%Y%m%dT%H%M%SZ")
        self._modify_request_before_signing(request)
        text = self.string_to_sign(request, self.canonical_request(request))
        self._inject_signature_to_request(request, self.signature(text, request))


def sign(
    method: str,
    url: str,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    *,
    at: datetime | None = None,
    key: str = ACCESS_KEY,
    secret: str = SECRET_KEY,
    region: str = "us-east-1",
    service: str = "bedrock",
) -> dict[str, str]:
    """The headers of a signed request; `at` is the signer's clock."""
    request = AWSRequest(method, url, headers={"content-type": "application/json", **(headers or {})}, data=body)
    signer = _Dated(Credentials(key, secret), service, region)
    signer.at = at
    signer.add_auth(request)
    return dict(request.headers.items())


def presign(method: str, url: str, expires_s: int = 300) -> str:
    """A URL that carries its signature in the query."""
    request = AWSRequest(method, url)
    SigV4QueryAuth(Credentials(ACCESS_KEY, SECRET_KEY), "bedrock", "us-east-1", expires=expires_s).add_auth(request)
    return str(request.url)


def connect(server: Running, timeout_s: float = 30.0) -> socket.socket:
    """A connection to the server."""
    return socket.create_connection(("127.0.0.1", server.port), timeout=timeout_s)


def head(server: Running, method: str, target: str, headers: Headers) -> bytes:
    """The head of a request as bytes; `target` goes out as it stands."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: 127.0.0.1:{server.port}", *(f"{k}: {v}" for k, v in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def read(sock: socket.socket, method: str = "POST", since: float | None = None) -> Answer:
    """The answer that comes next."""
    begun = time.monotonic() if since is None else since
    answer = http.client.HTTPResponse(sock, method=method)
    answer.begin()
    body = answer.read()
    return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, body, time.monotonic() - begun)


def exchange(server: Running, data: bytes, method: str = "POST") -> Answer:
    """Send these bytes on a connection of their own and read one answer."""
    begun = time.monotonic()
    with connect(server) as sock:
        sock.sendall(data)
        return read(sock, method, begun)


def call(
    server: Running,
    method: str,
    target: str,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    **signing: Any,
) -> Answer:
    """One signed request. `target` is both signed and sent as it stands."""
    signed = sign(method, server.url + target, body, headers, **signing)
    given = [*signed.items(), *([("Content-Length", str(len(body)))] if body or method == "POST" else [])]
    return exchange(server, head(server, method, target, given) + body, method)


def refused(answer: Answer, status: int, name: str, message: str) -> None:
    """Assert AWS's error: its status, its name, text in its message, the request's id, and that it came in time."""
    assert (answer.status, answer.name) == (status, name), answer
    assert message in answer.message
    assert answer.headers["content-type"] == "application/json"
    assert len(answer.headers["x-amzn-requestid"]) == 36
    assert answer.seconds < IN_TIME_S
