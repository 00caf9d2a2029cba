"""Grants as rows, and what a grant allows.

Owns the body of a grant, its constraints, and the token by which one is named. It must not know policies. Pure but for
reading rows. Source: KMS developer guide, "Grants in AWS KMS"; GrantConstraints of the API reference.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from datetime import datetime

import msgspec

from craton.aws.access.credentials import Principal
from craton.infra.cipher.root import RootKey
from craton.infra.cipher.rows import GRANT
from craton.infra.store.port import Query, Reader, Resource

_USE_TOKEN = "kms grant tokens"  # noqa: S105 - the name of a use
_MAC_BYTES = 16
# With any of these a constraint on the encryption context makes no sense: they have none.
WITHOUT_CONTEXT = frozenset({"DescribeKey", "CreateGrant", "RetireGrant"})


class GrantBody(msgspec.Struct, kw_only=True):
    """`subset` and `equals` are the constraints on the encryption context, None where there is none."""

    key_id: str
    grant_id: str
    operations: list[str]
    issuer: str
    grantee: str = ""
    retiring: str = ""
    name: str = ""
    subset: dict[str, str] | None = None
    equals: dict[str, str] | None = None


class Grant(msgspec.Struct, frozen=True):
    """A grant as it was read."""

    row: Resource
    body: GrantBody


class _Token(msgspec.Struct, frozen=True, array_like=True):
    account: str
    region: str
    key_id: str
    grant_id: str


def grant_arn(key_arn: str, grant_id: str) -> str:
    """What the row is called; KMS itself gives grants no ARN."""
    return f"{key_arn}/grant/{grant_id}"


def new_grant(key: Resource, body: GrantBody, now: datetime) -> Resource:
    """The row of a grant on a key."""
    return Resource(
        account=key.account, region=key.region, kind=GRANT, id=f"{key.id}/{body.grant_id}",
        arn=grant_arn(key.arn, body.grant_id), created_at=now, updated_at=now, body=msgspec.json.encode(body),
    )  # fmt: skip


def read(row: Resource) -> Grant:
    return Grant(row, row.read(GrantBody))


def of_key(reader: Reader, key: Resource) -> list[Grant]:
    """All grants on a key."""
    query = Query(kind=GRANT, account=key.account, region=key.region, id_prefix=f"{key.id}/", limit=1000)
    found: list[Grant] = []
    while True:
        page = reader.list(query)
        found += [read(row) for row in page.items]
        if page.after is None:
            return found
        query = msgspec.structs.replace(query, after=page.after)


def allows(grant: Grant, caller: Principal, operation: str, context: Mapping[str, str]) -> bool:
    """Whether the grant lets the caller do the operation with this encryption context."""
    body = grant.body
    if operation not in body.operations or not is_named(body.grantee, caller):
        return False
    if operation in WITHOUT_CONTEXT:
        return True
    if body.equals is not None and dict(context) != body.equals:
        return False
    return body.subset is None or body.subset.items() <= context.items()


def covers(parent: GrantBody, child: GrantBody) -> bool:
    """Whether a grant may be passed on as another: no operation more, and constraints at least as narrow.

    Else whoever may do little with a key, and make grants, could grant itself everything.
    """
    if not set(child.operations) <= set(parent.operations):
        return False
    if parent.equals is not None and child.equals != parent.equals:
        return False
    narrowest = child.equals if child.equals is not None else child.subset or {}
    return parent.subset is None or parent.subset.items() <= narrowest.items()


def is_named(principal: str, caller: Principal) -> bool:
    """Whether a grant's principal is the caller: by its own ARN, its role's, or its account's root."""
    if not principal:
        return False
    if principal in (caller.arn, caller.role_arn):
        return True
    return caller.is_root and principal == caller.account


def token_of(root: RootKey, row: Resource, body: GrantBody) -> str:
    """The grant token, which names the grant and nothing else."""
    named = msgspec.msgpack.encode(_Token(row.account, row.region, body.key_id, body.grant_id))
    return base64.urlsafe_b64encode(root.mac(_USE_TOKEN, named) + named).decode().rstrip("=")


def arn_of_token(root: RootKey, token: str) -> str | None:
    """The row that a token names; None for what is no token of ours."""
    try:
        raw = base64.urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
    except (ValueError, binascii.Error):
        return None
    mac, named = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
    if not hmac.compare_digest(mac, root.mac(_USE_TOKEN, named)):
        return None
    found = msgspec.msgpack.decode(named, type=_Token)
    return grant_arn(f"arn:aws:kms:{found.region}:{found.account}:key/{found.key_id}", found.grant_id)
