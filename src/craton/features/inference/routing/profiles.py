"""Application inference profiles: how they are kept, and what of them a worker must know to serve one.

Owns the row's body and the record that travels in snapshots. It must not know the operations that make profiles, nor
how a name becomes a route (`routes`).
"""

from __future__ import annotations

import msgspec

from craton.infra.store.port import Query, Reader, Resource
from craton.models.catalog.rows import partition

KIND = "application-inference-profile"
_PAGE_ROWS = 1000


class ProfileBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """The row's body, format 1. `source` is the ARN that it was copied from, `models` those behind it at that time."""

    source: str
    models: list[str]
    description: str = ""
    tags: dict[str, str] = {}


class StoredProfile(msgspec.Struct, frozen=True, array_like=True):
    """What serving takes: whose it is, what it stands for, and the tags by which policies may speak of it."""

    account: str
    region: str
    id: str
    source: str
    tags: dict[str, str] = {}

    @property
    def arn(self) -> str:
        return profile_arn(self.account, self.region, self.id)


def profile_arn(account: str, region: str, profile_id: str) -> str:
    return f"arn:{partition(region)}:bedrock:{region}:{account}:{KIND}/{profile_id}"


def stored_profiles(store: Reader) -> list[StoredProfile]:
    """The profiles of all accounts and regions, oldest first."""
    return [profile_of(row) for row in all_rows(store, KIND)]


def profile_of(row: Resource) -> StoredProfile:
    body = row.read(ProfileBody)
    return StoredProfile(row.account, row.region, row.id, body.source, body.tags)


def all_rows(store: Reader, kind: str) -> list[Resource]:
    """Every row of a kind, oldest first."""
    found: list[Resource] = []
    query = Query(kind=kind, limit=_PAGE_ROWS)
    while True:
        page = store.list(query)
        found += page.items
        if page.after is None:
            return found
        query = msgspec.structs.replace(query, after=page.after)
