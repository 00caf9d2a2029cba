"""Long-term bearer keys (`Authorization: Bearer ABSK…`): IAM's service-specific credentials for Bedrock.

Owns their rows in the store (kind KIND, one per key) and the making of the snapshot that requests are checked against.
The key itself is shown once, by `create_bearer_key`; only its SHA-256 is kept. It must not know HTTP, or what a key's
owner may do.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime, timedelta

import msgspec

from craton.aws.access.credentials import BearerKey, Principal, digest_of
from craton.infra.keys.root import aws_id
from craton.infra.store.port import GLOBAL, NotFound, Query, Reader, Resource, Store, amend

Clock = Callable[[], datetime]

KIND = "service-specific-credential"
SERVICE = "bedrock.amazonaws.com"
PREFIX = "ABSK"
ACTIVE, INACTIVE, EXPIRED = "Active", "Inactive", "Expired"
MIN_AGE_DAYS, MAX_AGE_DAYS = 1, 36_600
MAX_PER_USER = 2
"""IAM's quota per user and service. It does not hold for root, which has no such keys in AWS."""

_RANDOM_BYTES = 48
_PAGE_ROWS = 500


class KeyRefused(ValueError):
    """The key cannot be made; the text is for the person who asked."""


class TooManyKeys(KeyRefused):
    """The user has MAX_PER_USER keys already (IAM: LimitExceeded)."""


class BearerRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What may be shown of a key. `status` is Active, Inactive or Expired; `user_name` is "root" for the root user."""

    credential_id: str
    alias: str
    user_name: str
    account: str
    user_arn: str
    service_name: str
    status: str
    created_at: datetime
    expires_at: datetime | None


class _Body(msgspec.Struct, frozen=True):
    """The row's body, format 1."""

    digest: bytes
    alias: str
    service: str
    principal: Principal
    expires_at: datetime | None


def create_bearer_key(
    store: Store, principal: Principal, *, age_days: int | None = None, clock: Clock
) -> tuple[BearerRecord, str]:
    """Make a key for a principal, valid for `age_days` (1–36600) or without end; returns its record and the key.

    Raises KeyRefused for an age out of range, TooManyKeys for a user at its quota.
    """
    if age_days is not None and not MIN_AGE_DAYS <= age_days <= MAX_AGE_DAYS:
        msg = f"a key lives {MIN_AGE_DAYS} to {MAX_AGE_DAYS} days, not {age_days}"
        raise KeyRefused(msg)
    now = clock()
    row, secret = new_key(principal, age_days=age_days, now=now)
    owner = row.read(_Body).principal
    with store.transaction() as transaction:
        if not principal.is_root and _count(transaction, owner) >= MAX_PER_USER:
            msg = f"{owner.arn} has {MAX_PER_USER} keys already"
            raise TooManyKeys(msg)
        return record(transaction.create(row), now), secret


def new_key(principal: Principal, *, age_days: int | None, now: datetime) -> tuple[Resource, str]:
    """The row of a new key, to be kept, and the key."""
    alias = f"{_user_name(principal)}-at-{principal.account}"
    secret = _new_secret(alias)
    owner = msgspec.structs.replace(principal, access_key_id=None, auth="bearer")
    expires_at = None if age_days is None else now + timedelta(days=age_days)
    return _row(owner, _Body(digest_of(secret), alias, SERVICE, owner, expires_at), now), secret


def reset_key(row: Resource, *, now: datetime) -> tuple[Resource, str]:
    """The row with a new key in place of the old one, to be kept, and the key. Its end, if it has one, stays."""
    body = row.read(_Body)
    secret = _new_secret(body.alias)
    fresh = msgspec.structs.replace(body, digest=digest_of(secret))
    return msgspec.structs.replace(row, status=ACTIVE, updated_at=now, body=msgspec.json.encode(fresh)), secret


def list_bearer_keys(
    store: Reader, account: str, *, user_arn: str | None = None, now: datetime
) -> tuple[BearerRecord, ...]:
    """The keys of an account, or of one of its users, oldest first."""
    records = (record(row, now) for row in _rows(store, account))
    return tuple(one for one in records if user_arn in {None, one.user_arn})


def set_bearer_status(store: Store, account: str, credential_id: str, status: str, *, clock: Clock) -> BearerRecord:
    """Make a key ACTIVE or INACTIVE. Raises NotFound, KeyRefused for another status."""
    if status not in {ACTIVE, INACTIVE}:
        msg = f"a key is made {ACTIVE} or {INACTIVE}"
        raise KeyRefused(msg)
    now = clock()
    arn = _find(store, account, credential_id).arn
    return record(amend(store, arn, lambda row: msgspec.structs.replace(row, status=status, updated_at=now)), now)


def delete_bearer_key(store: Store, account: str, credential_id: str) -> None:
    """Remove a key for good. Raises NotFound."""
    store.delete(_find(store, account, credential_id).arn)


def active_key(row: Resource) -> BearerKey | None:
    """The key of a row as requests are checked against it, expired or not; None if it is switched off."""
    body = row.read(_Body)
    return BearerKey(body.digest, row.id, body.principal, body.expires_at) if row.status == ACTIVE else None


def of_roots(keys: Iterable[BearerKey], accounts: Collection[str]) -> list[BearerKey]:
    """Those keys that count: a root user's do only while its account is among the roots."""
    return [key for key in keys if not key.principal.is_root or key.principal.account in accounts]


def _row(owner: Principal, body: _Body, now: datetime) -> Resource:
    # AWS gives these credentials no ARN; this one is ours and never leaves the store.
    credential_id = aws_id("ACCA", 17)
    return Resource(
        account=owner.account,
        region=GLOBAL,
        kind=KIND,
        id=credential_id,
        arn=f"{owner.arn}/{KIND}/{credential_id}",
        status=ACTIVE,
        created_at=now,
        updated_at=now,
        body=msgspec.json.encode(body),
    )


def _new_secret(alias: str) -> str:
    """ABSK and base64 of `<alias>:<random>`; with 384 random bits it is as long as AWS's (over 109 letters)."""
    random = base64.b64encode(secrets.token_bytes(_RANDOM_BYTES)).decode()
    return PREFIX + base64.b64encode(f"{alias}:{random}".encode()).decode()


def _user_name(principal: Principal) -> str:
    return "root" if principal.is_root or principal.name is None else principal.name


def record(row: Resource, now: datetime) -> BearerRecord:
    """What may be shown of a key."""
    body = row.read(_Body)
    expired = body.expires_at is not None and now >= body.expires_at
    return BearerRecord(
        credential_id=row.id,
        alias=body.alias,
        user_name=_user_name(body.principal),
        account=row.account,
        user_arn=body.principal.arn,
        service_name=body.service,
        status=EXPIRED if expired else row.status,
        created_at=row.created_at,
        expires_at=body.expires_at,
    )


def _find(store: Reader, account: str, credential_id: str) -> Resource:
    row = store.get_by_id(account, GLOBAL, KIND, credential_id)
    if row is None:
        raise NotFound(credential_id)
    return row


def _rows(store: Reader, account: str | None) -> Iterator[Resource]:
    query = Query(kind=KIND, account=account, limit=_PAGE_ROWS)
    while True:
        page = store.list(query)
        yield from page.items
        if page.after is None:
            return
        query = msgspec.structs.replace(query, after=page.after)


def _count(store: Reader, owner: Principal) -> int:
    return sum(row.read(_Body).principal.arn == owner.arn for row in _rows(store, owner.account))
