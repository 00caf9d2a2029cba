"""How a worker says that logs wait: a run of the delivery is put down for the account and region, in this home.

Owns the run's name and the patience with a store that is away. The files themselves are the truth: whoever says nothing
because it died is spoken for at the next start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from craton.context import Clock, Storage
from craton.infra.store.port import StoreError, Transaction

KIND = "invocation-log-delivery"
_RETRY_S = 2.0
Owner = tuple[str, str]
"""Account and region."""


def run_arn(account: str, region: str, place: str) -> str:
    """The run that empties the spool of a home for an account in a region; trust policies see it as aws:SourceArn."""
    return f"arn:aws:bedrock:{region}:{account}:{KIND}/{place}"


class Notice:
    """Lives in one event loop."""

    def __init__(self, storage: Storage, clock: Clock, place: str) -> None:
        self._storage = storage
        self._clock = clock
        self._place = place
        self._open: set[Owner] = set()
        self._task: asyncio.Task[None] | None = None

    def give(self, account: str, region: str) -> None:
        """Logs of this account in this region wait."""
        self._open.add((account, region))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._tell(), name="log delivery")

    async def close(self, within_s: float = 1.0) -> None:
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task], timeout=within_s)
            self._task.cancel()

    async def _tell(self) -> None:
        while self._open:
            told = frozenset(self._open)
            self._open -= told
            try:
                await self._storage.keep(lambda transaction, told=told: self._enqueue(transaction, told))  # type: ignore[misc]
            except StoreError:
                self._open |= told
                await asyncio.sleep(_RETRY_S)

    def _enqueue(self, transaction: Transaction, owners: Iterable[Owner]) -> None:
        from craton.infra.jobs.runs import enqueue  # the SQL toolkit, which servers without logs never load

        now = self._clock.now()
        for account, region in owners:
            arn = run_arn(account, region, self._place)
            transaction.run(lambda c, arn=arn: enqueue(c, arn, KIND, now, place=self._place))  # type: ignore[misc]
