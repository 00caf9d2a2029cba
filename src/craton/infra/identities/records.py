"""What the rows of identities hold: one Struct per kind, and how such a row is found and written.

Owns the kinds, their bodies and the unique ids. All rows are of no region; a row's `name` is the name in small letters,
since IAM holds names that differ in case only to be one. An attachment is written on both sides, in one transaction:
the identity lists the policies in their order, the policy lists whom it is attached to. It must not know requests.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final, TypeVar

import msgspec

from craton.infra.keys.root import aws_id
from craton.infra.store.port import GLOBAL, Query, Reader, Resource, Transaction

USER, GROUP, ROLE, POLICY = "iam-user", "iam-group", "iam-role", "iam-policy"
ACCESS_KEY, PROVIDER = "iam-access-key", "iam-oidc-provider"
ACTIVE, INACTIVE = "Active", "Inactive"

_ID_LETTERS: Final = 17
_PREFIXES: Final = {USER: "AIDA", GROUP: "AGPA", ROLE: "AROA", POLICY: "ANPA"}
_PAGE_ROWS: Final = 500

Tags = dict[str, str]


class Entity(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What users, groups and roles share. `inline`: documents by policy name. `attached`: ARNs of managed policies."""

    name: str
    path: str = "/"
    inline: dict[str, str] = {}
    attached: list[str] = []


class Group(Entity, kw_only=True, omit_defaults=True):
    """`members` are unique ids of users."""

    members: list[str] = []


class Bounded(Entity, kw_only=True, omit_defaults=True):
    """Who may hold a session: `boundary` is the ARN of the managed policy that bounds it."""

    tags: Tags = {}
    boundary: str | None = None


class User(Bounded, kw_only=True, omit_defaults=True):
    """`access_keys` and `credentials` (service-specific ones) are ids of rows."""

    access_keys: list[str] = []
    credentials: list[str] = []


class Role(Bounded, kw_only=True, omit_defaults=True):
    """`trust` is the policy that says who may assume it; `max_session_s` the longest life of a session.

    `pins` holds the unique id of each user and role that the trust policy names, as they were when it was written: who
    comes after them under the same name is not trusted.
    """

    trust: str
    pins: dict[str, str] = {}
    description: str = ""
    max_session_s: int = 3600


class Version(msgspec.Struct, kw_only=True):
    """One version of a managed policy; `id` is v1, v2 and so on."""

    id: str
    document: str
    created_at: datetime


class ManagedPolicy(msgspec.Struct, kw_only=True, omit_defaults=True):
    """`versions` oldest first; `attached_to` and `bounding` are unique ids of identities, `made` counts versions."""

    name: str
    path: str = "/"
    description: str = ""
    tags: Tags = {}
    versions: list[Version] = []
    default: str = "v1"
    made: int = 1
    attached_to: list[str] = []
    bounding: list[str] = []

    @property
    def document(self) -> str:
        """The text in force."""
        return next(version.document for version in self.versions if version.id == self.default)


class Key(msgspec.Struct, kw_only=True):
    """An access key: its user's unique id and the sealed secret."""

    user_id: str
    sealed: bytes


class Provider(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An OIDC provider; `url` is the issuer without its scheme."""

    url: str
    client_ids: list[str] = []
    thumbprints: list[str] = []
    tags: Tags = {}


BODIES: Final[dict[str, type[Entity]]] = {USER: User, GROUP: Group, ROLE: Role}
B = TypeVar("B", bound=msgspec.Struct)


def unique_id(kind: str) -> str:
    """A new unique id: AIDA… for users, AROA… for roles, and so on."""
    return aws_id(_PREFIXES[kind], _ID_LETTERS)


def arn_of(kind: str, account: str, path: str, name: str) -> str:
    """The ARN of a user, group, role or managed policy."""
    return f"arn:aws:iam::{account}:{kind.removeprefix('iam-')}{path}{name}"


def key_arn(account: str, access_key_id: str) -> str:
    """What an access key's row is called; AWS gives these no ARN, and this one never leaves the store."""
    return f"arn:aws:iam::{account}:access-key/{access_key_id}"


def row_of(kind: str, account: str, body: msgspec.Struct, now: datetime, **more: str) -> Resource:
    """The row of a new user, group, role or policy; `more` overrides id or arn."""
    name, path = body.name, body.path  # type: ignore[attr-defined]
    return Resource(
        account=account,
        region=GLOBAL,
        kind=kind,
        id=more.get("id") or unique_id(kind),
        arn=more.get("arn") or arn_of(kind, account, path, name),
        name=name.lower(),
        created_at=now,
        updated_at=now,
        body=msgspec.json.encode(body),
    )


def named(store: Reader, account: str, kind: str, name: str) -> Resource | None:
    """The row of this kind with this name, which is compared exactly."""
    row = store.get_by_name(account, GLOBAL, kind, name.lower())
    return row if row is not None and row.read(_Named).name == name else None


def rewritten(row: Resource, body: msgspec.Struct, now: datetime) -> Resource:
    """The row with a new body."""
    return msgspec.structs.replace(row, body=msgspec.json.encode(body), updated_at=now)


def moved(transaction: Transaction, row: Resource, body: msgspec.Struct, now: datetime) -> Resource:
    """Write a row whose name or path changed: it gets another ARN, and keeps its unique id and its birthday."""
    fresh = row_of(row.kind, row.account, body, now, id=row.id)
    fresh = msgspec.structs.replace(fresh, created_at=row.created_at)
    if fresh.arn == row.arn:
        return transaction.update(msgspec.structs.replace(fresh, version=row.version))
    transaction.delete(row.arn, version=row.version)
    return transaction.create(fresh)


def rows(store: Reader, kind: str, account: str | None = None) -> Iterator[Resource]:
    """All rows of a kind, page by page."""
    query = Query(kind=kind, account=account, limit=_PAGE_ROWS, sort="id")
    while True:
        page = store.list(query)
        yield from page.items
        if page.after is None:
            return
        query = msgspec.structs.replace(query, after=page.after)


class _Named(msgspec.Struct):
    name: str
