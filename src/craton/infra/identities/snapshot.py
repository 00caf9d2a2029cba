"""From rows to what servers judge from: identities with their policies, and the keys of users.

Owns the joining: a user with its groups, an attachment with the text in force, a key with its owner. What was read is
kept in a mirror, so that a change of one user does not read a thousand others. It must not know how policies are judged
or how a snapshot travels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, TypeVar

import msgspec

from craton.aws.access.credentials import AccessKey, BearerKey, Credentials, Principal
from craton.aws.access.identities import Identities, Identity, PolicyText
from craton.infra.identities import records
from craton.infra.identities.managed import VERSION, aws_policies
from craton.infra.identities.records import Entity, Group, Key, ManagedPolicy, Role, User
from craton.infra.identities.seal import BadSeal, Sealer
from craton.infra.keys import bearer
from craton.infra.store.mirror import Mirror
from craton.infra.store.port import Reader, Resource, Store

T = TypeVar("T")
Read = Callable[[str, Callable[[Resource], T]], tuple[T, ...]]
"""All rows of a kind, each made into something."""


class Person(msgspec.Struct, frozen=True):
    """A user or role as read; `entity` is its body."""

    id: str
    arn: str
    account: str
    entity: Entity


class Directory:
    """All identities of a store, read anew where they changed. For one thread."""

    def __init__(self, mirror: Mirror | None = None) -> None:
        self._mirror = mirror or Mirror()
        self._parcels: dict[str, tuple[tuple[Any, ...], bytes]] = {}

    def identities(self, store: Store) -> bytes:
        """Every user and role, and the policies that they stand under: an encoded `Identities`, empty for nobody."""
        self._mirror.look(store)
        users, roles, groups = (self._people(store, kind) for kind in (records.USER, records.ROLE, records.GROUP))
        policies = self._read(store, records.POLICY, _managed)
        if not users and not roles:
            return b""
        join = lambda: msgspec.msgpack.encode(joined(users, roles, groups, dict(policies)))  # noqa: E731
        return self._parcel("identities", (users, roles, groups, policies), join)

    def credentials(self, store: Store, sealer: Callable[[], Sealer], roots: Credentials) -> bytes:
        """The keys of users and roots, and the unique ids of all who may have sessions: encoded `Credentials`."""
        self._mirror.look(store)
        users, roles = self._people(store, records.USER), self._people(store, records.ROLE)
        opened = cache(sealer)
        keys = self._read(store, records.ACCESS_KEY, lambda row: _opened_key(row, opened()))
        bearers = self._read(store, bearer.KIND, bearer.active_key)
        join = lambda: owned(users, roles, keys, bearers, roots).encode()  # noqa: E731
        return self._parcel("credentials", (users, roles, keys, bearers, roots), join)

    def _parcel(self, name: str, sources: tuple[Any, ...], join: Callable[[], bytes]) -> bytes:
        """What was joined from these sources before, if they are the same objects still."""
        found = self._parcels.get(name)
        if found is None or any(a is not b for a, b in zip(found[0], sources, strict=True)):
            found = self._parcels[name] = (sources, join())
        return found[1]

    def _people(self, store: Store, kind: str) -> tuple[Person, ...]:
        shape = records.BODIES[kind]
        return self._read(store, kind, lambda row: Person(row.id, row.arn, row.account, row.read(shape)))

    def _read(self, store: Store, kind: str, make: Callable[[Resource], T]) -> tuple[T, ...]:
        return self._mirror.read(store, kind, make)


def identities(reader: Reader) -> Identities:
    """Everything at once, for callers that ask once."""
    read: dict[str, list[Person]] = {
        kind: [Person(row.id, row.arn, row.account, row.read(shape)) for row in records.rows(reader, kind)]
        for kind, shape in records.BODIES.items()
    }
    policies = dict(_managed(row) for row in records.rows(reader, records.POLICY))
    return joined(read[records.USER], read[records.ROLE], read[records.GROUP], policies)


def joined(
    users: Iterable[Person], roles: Iterable[Person], groups: Iterable[Person], managed: dict[str, PolicyText]
) -> Identities:
    """Put together what stands in different rows; `managed` is by ARN."""
    texts: dict[str, PolicyText] = {}
    of_groups: dict[str, tuple[str, ...]] = {}
    for group in groups:
        body = group.entity
        ids = tuple(_standing(group, managed, texts))
        for member in body.members if isinstance(body, Group) else ():
            of_groups[member] = of_groups.get(member, ()) + ids
    made = []
    for person in (*users, *roles):
        body = person.entity
        assert isinstance(body, User | Role)  # noqa: S101 - what these kinds hold
        ids = (*_standing(person, managed, texts), *of_groups.get(person.id, ()))
        boundary = None if body.boundary is None else _take(_text_of(body.boundary, managed), texts)
        kind: Any = "role" if isinstance(body, Role) else "user"
        made.append(Identity(person.arn, person.account, kind, ids, boundary, body.tags))
    return Identities(tuple(texts.values()), tuple(made))


def owned(
    users: Iterable[Person],
    roles: Iterable[Person],
    keys: Iterable[tuple[str, str, str]],
    bearers: Iterable[BearerKey | None],
    roots: Credentials,
) -> Credentials:
    """The keys that count, each with its owner; `keys` are ids, owners' unique ids and secrets."""
    by_id = {user.id: user for user in users}
    access = [
        AccessKey(ident, secret, principal_of(owner, ident))
        for ident, user_id, secret in keys
        if secret and (owner := by_id.get(user_id)) is not None
    ]
    found = (_owned(key, by_id) for key in bearers if key is not None)
    standing = bearer.of_roots((key for key in found if key is not None), roots.accounts())
    return roots.merge(Credentials(access, standing, {person.id: person.arn for person in (*users, *roles)}))


def principal_of(user: Person, access_key_id: str | None = None) -> Principal:
    """The user as a caller."""
    return Principal(
        account=user.account,
        arn=user.arn,
        kind="user",
        user_id=user.id,
        name=user.entity.name,
        access_key_id=access_key_id,
    )


def _standing(person: Person, managed: dict[str, PolicyText], texts: dict[str, PolicyText]) -> Iterator[str]:
    """The ids of the policies of one identity, whose texts are taken into `texts`."""
    for name, document in person.entity.inline.items():
        mark = hashlib.blake2b(document.encode(), digest_size=8).hexdigest()
        yield _take(PolicyText(f"{person.id}/{name}/{mark}", name, document), texts)
    for arn in person.entity.attached:
        yield _take(_text_of(arn, managed), texts)


def _text_of(arn: str, managed: dict[str, PolicyText]) -> PolicyText:
    found = managed.get(arn)
    if found is not None:
        return found
    ours = aws_policies().get(arn)
    # A text that is gone must not mean that its Denies are: who judges refuses what it cannot read.
    return PolicyText(f"{arn}/{VERSION}", arn, "" if ours is None else ours.document, arn)


def _take(text: PolicyText, texts: dict[str, PolicyText]) -> str:
    texts[text.id] = text
    return text.id


def _managed(row: Resource) -> tuple[str, PolicyText]:
    body = row.read(ManagedPolicy)
    return row.arn, PolicyText(f"{row.id}/{body.default}", row.arn, body.document, row.arn)


def _opened_key(row: Resource, sealer: Sealer) -> tuple[str, str, str]:
    """Id, owner's unique id and secret of an access key; no secret if it is switched off or cannot be opened here."""
    body = row.read(Key)
    if row.status != records.ACTIVE:
        return row.id, body.user_id, ""
    try:
        return row.id, body.user_id, sealer.open(body.sealed, row.id.encode()).decode()
    except BadSeal:
        return row.id, body.user_id, ""


def _owned(key: BearerKey, by_id: dict[str, Person]) -> BearerKey | None:
    """The key with its owner as it is now; None if the owner is gone."""
    if key.principal.is_root:
        return key
    owner = by_id.get(key.principal.user_id)
    return None if owner is None else msgspec.structs.replace(key, principal=principal_of(owner).through("bearer"))
