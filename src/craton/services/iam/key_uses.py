"""When access keys were used last, to the day, and for which service and region.

Owns the way from what verifiers saw to rows of the store. Requests pay nothing for it: a verifier notes a scope (key, day,
region, service) when it makes a signing key for it, which is about once a day in each worker. So the time that is kept is
that of the first use that a worker saw in a day. It must not know requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import msgspec

from craton.aws.access.credentials import Credentials
from craton.aws.wire.faults import Fault
from craton.context import Storage
from craton.infra.identities import records
from craton.infra.store.port import GLOBAL, Resource, StoreError, Transaction

KIND = "iam-access-key-use"
_EVERY_S = 60.0


class Use(msgspec.Struct, frozen=True):
    """The last use of a key that is known."""

    at: datetime
    service: str
    region: str


def use_arn(account: str, ident: str) -> str:
    """What the row of a key's use is called; it never leaves the store."""
    return f"{records.key_arn(account, ident)}/use"


class KeyUses:
    """What this worker's verifiers saw. `verifiers` may grow.

    Args:
        credentials: the keys of now; only those of users are kept track of.
    """

    def __init__(self, storage: Storage, credentials: Callable[[], Credentials], now: Callable[[], datetime]) -> None:
        self.verifiers: list[Any] = []
        self._storage = storage
        self._credentials = credentials
        self._now = now

    async def tell(self) -> None:
        """Keep what was seen, once a minute; until it is cancelled."""
        while True:
            await asyncio.sleep(_EVERY_S)
            try:
                await self.keep()
            except (StoreError, Fault):
                continue  # what was seen is lost; the next day it is seen again

    async def keep(self) -> None:
        """Write what was seen since the last time."""
        seen: dict[tuple[str, str], Use] = {}
        now, owner = self._now(), self._credentials().owner
        for verifier in self.verifiers:
            begun, verifier.begun = verifier.begun, []
            for scope in begun:
                found = owner(scope.access_key_id)
                if found is not None and found.kind == "user":
                    seen[found.account, scope.access_key_id] = Use(now, scope.service, scope.region)
        if seen:
            await self._storage.write(lambda transaction: _write(transaction, seen.items(), now))


def _write(transaction: Transaction, seen: Iterable[tuple[tuple[str, str], Use]], now: datetime) -> None:
    for (account, ident), use in seen:
        arn, body = use_arn(account, ident), msgspec.json.encode(use)
        row = transaction.get(arn)
        if row is not None:
            transaction.update(msgspec.structs.replace(row, body=body, updated_at=now))
        elif transaction.get(records.key_arn(account, ident)) is not None:
            transaction.create(
                Resource(
                    account=account,
                    region=GLOBAL,
                    kind=KIND,
                    id=ident,
                    arn=arn,
                    created_at=now,
                    updated_at=now,
                    body=body,
                )
            )
