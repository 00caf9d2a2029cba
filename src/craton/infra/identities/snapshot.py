"""From rows to what workers are told of identities: people, groups, managed policies and keys, each as it stands in its row.

Owns the reading and the packing. What was read is kept in a mirror and what was packed in parcels, so that a change of one
user costs one user. Nothing is joined here: a worker does that when somebody calls (`everybody`). It must not know how
policies are judged or how a snapshot travels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import TypeVar

import msgspec

from craton.aws.access.identities import PolicyText
from craton.infra.identities import records
from craton.infra.identities.records import Bounded, Group, Key, ManagedPolicy
from craton.infra.identities.seal import BadSeal, Sealer
from craton.infra.keys import bearer
from craton.infra.store.mirror import Mirror
from craton.infra.store.parcels import Key as PackingKey
from craton.infra.store.parcels import Packing
from craton.infra.store.port import Resource, Store

T = TypeVar("T")

BY_ID: PackingKey = attrgetter("id")


class Person(msgspec.Struct, frozen=True, array_like=True):
    """A user, role or group, as far as it says who may do what. `attached` and `boundary` are ARNs."""

    id: str
    arn: str
    account: str
    name: str
    inline: dict[str, str]
    attached: list[str]
    boundary: str | None = None
    tags: dict[str, str] = {}
    members: list[str] = []


class HeldKey(msgspec.Struct, frozen=True, array_like=True):
    """An access key with its owner's unique id; no secret if it is switched off or cannot be opened here."""

    id: str
    user_id: str
    secret: str

    def __repr__(self) -> str:
        return f"HeldKey({self.id!r})"


class Known(msgspec.Struct, frozen=True):
    """Everybody at one moment, as names of parcels."""

    people: list[bytes] = []
    groups: list[bytes] = []
    policies: list[bytes] = []
    keys: list[bytes] = []
    bearers: list[bytes] = []


class Directory:
    """All identities of a store and their keys, read and packed anew where they changed. For one thread."""

    def __init__(self, mirror: Mirror | None = None) -> None:
        self._mirror = mirror or Mirror()
        self._people, self._groups, self._policies = Packing(), Packing(), Packing()
        self._keys, self._bearers = Packing(BY_ID), Packing(attrgetter("credential_id"))

    @property
    def packings(self) -> tuple[Packing, ...]:
        return self._people, self._groups, self._policies, self._keys, self._bearers

    def known(self, store: Store, sealer: Callable[[], Sealer]) -> Known:
        """Who is there now."""
        self._mirror.look(store)
        opened = cache(sealer)
        users, roles = self._read(store, records.USER, person_of), self._read(store, records.ROLE, person_of)
        bearers = tuple(key for key in self._read(store, bearer.KIND, bearer.active_key) if key is not None)
        return Known(
            people=self._people.pack((*users, *roles)),
            groups=self._groups.pack(self._read(store, records.GROUP, person_of)),
            policies=self._policies.pack(self._read(store, records.POLICY, text_of)),
            keys=self._keys.pack(self._read(store, records.ACCESS_KEY, lambda row: _opened_key(row, opened()))),
            bearers=self._bearers.pack(bearers),
        )

    def _read(self, store: Store, kind: str, make: Callable[[Resource], T]) -> tuple[T, ...]:
        return self._mirror.read(store, kind, make)


def person_of(row: Resource) -> Person:
    """What a row of a user, role or group says."""
    body = row.read(records.BODIES[row.kind])
    return Person(
        id=row.id,
        arn=row.arn,
        account=row.account,
        name=body.name,
        inline=body.inline,
        attached=body.attached,
        boundary=body.boundary if isinstance(body, Bounded) else None,
        tags=body.tags if isinstance(body, Bounded) else {},
        members=body.members if isinstance(body, Group) else [],
    )


def text_of(row: Resource) -> PolicyText:
    """The text in force of a managed policy."""
    body = row.read(ManagedPolicy)
    return PolicyText(f"{row.id}/{body.default}", row.arn, body.document, row.arn)


def _opened_key(row: Resource, sealer: Sealer) -> HeldKey:
    body = row.read(Key)
    if row.status != records.ACTIVE:
        return HeldKey(row.id, body.user_id, "")
    try:
        return HeldKey(row.id, body.user_id, sealer.open(body.sealed, row.id.encode()).decode())
    except BadSeal:
        return HeldKey(row.id, body.user_id, "")
