"""Everybody as a worker knows them: taken up parcel by parcel, joined when somebody calls.

Owns the receiving end of `snapshot.Directory` and the joining: a person with its groups, an attachment with the text in
force, a key with its owner. Joined is only who calls, so that ten thousand others cost nothing but their rows. It must not
know where parcels come from, nor how anything is judged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from operator import attrgetter
from typing import Any, TypeVar, overload

from craton.aws.access.credentials import AccessKey, BearerKey, Credentials, OpenToken, Principal
from craton.aws.access.identities import Identities, Identity, PolicyText
from craton.infra.identities.managed import VERSION, aws_policies
from craton.infra.identities.snapshot import BY_ID, HeldKey, Known, Person
from craton.infra.keys import bearer
from craton.infra.store.parcels import Unpacking

T = TypeVar("T")
V = TypeVar("V")


class Everybody:
    """`credentials` and `identities` are of the moment when they were asked for, whatever is taken up later."""

    def __init__(self) -> None:
        self._people, self._groups, self._policies = Unpacking(Person), Unpacking(Person), Unpacking(PolicyText)
        self._keys, self._bearers = Unpacking(HeldKey, BY_ID), Unpacking(BearerKey, attrgetter("credential_id"))
        self._arns: dict[str, str] = {}

    def wanted(self, known: Known) -> set[bytes]:
        """The parcels that have to be fetched before `take`."""
        return {name for unpacking, names in self._each(known) for name in unpacking.wanted(names)}

    def take(self, known: Known, contents: Mapping[bytes, bytes]) -> tuple[bool, bool]:
        """Whether credentials are other ones now, and whether identities are."""
        people, groups, policies, keys, bearers = [one.take(names, contents) for one, names in self._each(known)]
        if people:
            self._arns = {person.id: person.arn for person in self._people.held.values()}
        return people or keys or bearers, people or groups or policies

    def _each(self, known: Known) -> list[tuple[Unpacking[Any], list[bytes]]]:
        return [
            (self._people, known.people),
            (self._groups, known.groups),
            (self._policies, known.policies),
            (self._keys, known.keys),
            (self._bearers, known.bearers),
        ]

    def credentials(self, roots: Collection[AccessKey], open_token: OpenToken) -> Credentials:
        """All keys; those of root users hold before others."""
        keys, people, arns = self._keys.held, self._people.held, self._arns

        def owner(user_id: str) -> Person | None:
            return people.get(arns.get(user_id, ""))

        accounts = frozenset(key.principal.account for key in roots if key.principal.is_root)
        found = (_owned_bearer(key, owner(key.principal.user_id)) for key in self._bearers.held.values())
        bearers = bearer.of_roots((key for key in found if key is not None), accounts)
        secrets = OnDemand(keys, lambda row: _owned(row, owner(row.user_id)), {key.access_key_id: key for key in roots})
        return Credentials(secrets, {key.digest: key for key in bearers}, arns, open_token, accounts)

    def identities(self) -> Identities:
        return joined(self._people.held, self._groups.held.values(), self._policies.held)


class OnDemand(Mapping[str, V]):
    """What is made of rows when it is asked for, and then kept. `made` is there from the beginning.

    A row of which nothing can be made is not there. Iterating makes nothing, and may give keys of such rows.
    """

    __slots__ = ("_made", "_make", "_rows")

    def __init__(self, rows: Mapping[str, T], make: Callable[[T], V | None], made: dict[str, V] | None = None) -> None:
        self._rows: Mapping[str, Any] = rows
        self._make = make
        self._made: dict[str, V | None] = {**(made or {})}

    @overload
    def get(self, key: str, default: None = None) -> V | None: ...

    @overload
    def get(self, key: str, default: V | T) -> V | T: ...

    def get(self, key: str, default: Any = None) -> Any:
        found = self._made.get(key)
        if found is None and (row := self._rows.get(key)) is not None:
            found = self._made[key] = self._make(row)
        return default if found is None else found

    def __getitem__(self, key: str) -> V:
        found = self.get(key)
        if found is None:
            raise KeyError(key)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter({**self._rows, **self._made})

    def __len__(self) -> int:
        return len({**self._rows, **self._made})


def joined(people: Mapping[str, Person], groups: Iterable[Person], policies: Mapping[str, PolicyText]) -> Identities:
    """Users and roles by ARN, each with every policy that it stands under; a text is known once somebody stands under it."""
    of_member: dict[str, list[Person]] = {}
    for group in groups:
        for member in group.members:
            of_member.setdefault(member, []).append(group)
    texts: dict[str, PolicyText] = {}

    def take(text: PolicyText) -> str:
        texts[text.id] = text
        return text.id

    def join(person: Person) -> Identity:
        standing = (person, *of_member.get(person.id, ()))
        ids = tuple(take(text) for one in standing for text in _texts(one, policies))
        boundary = None if person.boundary is None else take(_text_of(person.boundary, policies))
        kind: Any = "role" if ":role/" in person.arn else "user"
        return Identity(person.arn, person.account, kind, ids, boundary, person.tags)

    return Identities(texts, OnDemand(people, join))


def principal_of(user: Person, access_key_id: str | None = None) -> Principal:
    """The user as a caller."""
    return Principal(
        account=user.account,
        arn=user.arn,
        kind="user",
        user_id=user.id,
        name=user.name,
        access_key_id=access_key_id,
    )


def _texts(person: Person, policies: Mapping[str, PolicyText]) -> Iterator[PolicyText]:
    """What a person or group stands under by itself."""
    for name, document in person.inline.items():
        mark = hashlib.blake2b(document.encode(), digest_size=8).hexdigest()
        yield PolicyText(f"{person.id}/{name}/{mark}", name, document)
    for arn in person.attached:
        yield _text_of(arn, policies)


def _text_of(arn: str, policies: Mapping[str, PolicyText]) -> PolicyText:
    return policies.get(arn) or _standard(arn)


@lru_cache(maxsize=1024)
def _standard(arn: str) -> PolicyText:
    """AWS's own policy, or one that is nowhere.

    A text that is gone must not mean that its Denies are: who judges refuses what it cannot read.
    """
    ours = aws_policies().get(arn)
    return PolicyText(f"{arn}/{VERSION}", arn, "" if ours is None else ours.document, arn)


def _owned(row: HeldKey, owner: Person | None) -> AccessKey | None:
    """The key with its owner as it is now; None if it does not count or the owner is gone."""
    return AccessKey.of(row.id, row.secret, principal_of(owner, row.id)) if row.secret and owner is not None else None


def _owned_bearer(key: BearerKey, owner: Person | None) -> BearerKey | None:
    if key.principal.is_root:
        return key
    if owner is None:
        return None
    return BearerKey(key.digest, key.credential_id, principal_of(owner).through("bearer"), key.expires_at)
