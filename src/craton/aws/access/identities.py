"""The identities of an account as values: users, roles and the texts of the policies that they stand under.

This file owns records and nothing else. It does not know where they are kept (IAM's rows are read by
`infra/identities`), nor how a policy is judged (`authority.py`). A snapshot of it is published to every worker
and replaced, so nothing in here ever changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec


class PolicyText(msgspec.Struct, frozen=True, gc=False):
    """One policy document as it is in force.

    `id` is unique within a snapshot and changes whenever `document` does (a version is part of it), so what is
    compiled from a text may be kept under its id. `name` is what a denial and `craton explain` call it. `arn` is
    set for managed policies; inline ones have none.
    """

    id: str
    name: str
    document: str
    arn: str | None = None


class Identity(msgspec.Struct, frozen=True):
    """A user or role, with the ids of every policy that grants it something and of the one that bounds it.

    `policies` are its own inline policies, the managed ones attached to it and those of a user's groups.
    `boundary` is the id of its permissions boundary. Both point into `Identities.policies`.
    """

    arn: str
    account: str
    kind: Literal["user", "role"]
    policies: tuple[str, ...] = ()
    boundary: str | None = None
    tags: dict[str, str] = msgspec.field(default_factory=dict)


class Identities(msgspec.Struct, frozen=True):
    """Everything that the authority judges from: each policy's text once, by id, and by ARN who stands under which."""

    policies: Mapping[str, PolicyText] = {}
    identities: Mapping[str, Identity] = {}

    @classmethod
    def of(cls, policies: Iterable[PolicyText] = (), identities: Iterable[Identity] = ()) -> Identities:
        """These and no others."""
        return cls({text.id: text for text in policies}, {identity.arn: identity for identity in identities})
