"""Holds what a fake upstream was sent against the signature that came with it."""

from __future__ import annotations

from datetime import UTC, datetime

from craton.aws.wire.sigv4 import Secret, SignedRequest, Verified, Verifier
from tests.fakes.upstream import Request

KEYS = {"access_key_id": "AKIATARGET", "secret_access_key": "target/secret+4711"}


def verified(request: Request, service: str, token: str = "") -> Verified:
    """Who signed. Raises AuthFault if the signature does not hold."""
    path, _, query = request.path.partition("?")
    headers = [(name.encode(), value.encode()) for name, value in request.headers.items()]
    sent = SignedRequest(request.method, path.encode(), query.encode(), headers, request.body)
    secret = Secret(KEYS["secret_access_key"], token or None)
    return Verifier({service}).verify(sent, {"AKIATARGET": secret}.get, datetime.now(UTC))
