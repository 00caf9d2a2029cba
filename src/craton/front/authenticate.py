"""Who calls: a SigV4 signature (header or query) or a Bedrock API key, checked against the keys in memory.

Joins `aws.wire.sigv4` and `aws.wire.bearer`, which know the rules, with the credentials of the moment. The names
that are Bedrock's own stand here.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from craton.aws.access.credentials import Credentials, Principal
from craton.aws.wire import bearer, faults
from craton.aws.wire.model import Operation
from craton.aws.wire.presented import ALGORITHM
from craton.aws.wire.sigv4 import SignedRequest, Verified, Verifier

SIGNING_NAMES = frozenset({"bedrock"})
# botocore lists httpBearerAuth for these two alone (reference: iam.md).
BEARER_SERVICES = frozenset({"bedrock", "bedrock-runtime"})
API_KEY = bearer.KeyFormat(long_prefix="ABSK", short_prefix="bedrock-api-key-", host="bedrock.amazonaws.com")
_verifier = Verifier(SIGNING_NAMES)
# What the vendors' own clients for Bedrock sign with, at the paths of their APIs.
AT_DOORS = Verifier(SIGNING_NAMES | {"bedrock-mantle"})
VERIFIERS = (_verifier, AT_DOORS)
_ALGORITHM = ALGORITHM.encode()


class Authenticated(msgspec.Struct, frozen=True):
    """The caller and the region that the signature names, or the default one."""

    caller: Principal
    region: str

    def check_service(self, operation: Operation) -> None:
        """Raise where the operation's service does not take this kind of proof."""
        if self.caller.auth != "sigv4" and operation.service not in BEARER_SERVICES:
            raise faults.missing_token()


def authenticate(
    request: SignedRequest,
    credentials: Credentials,
    now: datetime,
    default_region: str,
    verifier: Verifier = _verifier,
) -> Authenticated:
    """Raises AuthFault with AWS's own name and text."""
    given = request.headers
    is_sigv4 = isinstance(given, dict) and given.get(b"authorization", b"").startswith(_ALGORITHM)
    token = None if is_sigv4 else bearer.token(given)
    if token is not None:
        return by_key(token, credentials, now, default_region)
    verified = verifier.verify(request, credentials.secrets.get, now, credentials.session)
    return Authenticated(owner(credentials, verified), verified.region)


def owner(credentials: Credentials, verified: Verified) -> Principal:
    found = credentials.owner(verified.access_key_id)
    if found is None:
        found = credentials.session_owner(verified.access_key_id, verified.session_token)
        if found is None:  # the snapshot is one object, so what was just verified is still there
            raise faults.unrecognized_client()
    return found


def by_key(token: str, credentials: Credentials, now: datetime, default_region: str) -> Authenticated:
    """The owner of a Bedrock API key; a short-term key carries its region, a long-term one has none."""
    key = bearer.parse(token, API_KEY)
    if isinstance(key, bearer.LongTermKey):
        known = credentials.bearer_key(token)
        if known is None:
            raise faults.access_denied(bearer.NOT_VALID)
        if known.expired(now):
            raise faults.access_denied(bearer.HAS_EXPIRED)
        return Authenticated(known.principal.through("bearer"), default_region)
    verified = bearer.verify(key, API_KEY, _verifier, credentials.secrets.get, now, credentials.session)
    return Authenticated(owner(credentials, verified).through("bearer-short"), verified.region)
