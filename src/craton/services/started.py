"""Work that outlives its request: the row that says so and the run that does it, made together or found again.

Owns what is the same for every such noun: one transaction for both, idempotency by client token, stopping, and pages by
time of submission. It must not know any noun.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime

import msgspec

from craton.aws.wire.faults import conflict
from craton.context import Call
from craton.features.events import job_change
from craton.infra.store.port import Page, Query, Resource, Transaction, made_before
from craton.services import stored


async def keep(
    call: Call,
    row: Resource,
    shown: str,
    *,
    token: str | None,
    request: object,
    check: Callable[[Transaction], None] = lambda _: None,
    also: Callable[[Transaction], None] = lambda _: None,
) -> Resource:
    """Keep a row and its run, or find the row that the same token made.

    `request` is what the token is held against, `check` looks at other rows before, `also` adds to the run. Raises
    ConflictException, and what `check` raises.
    """
    from craton.infra.jobs import runs  # with the SQL toolkit, which a server without jobs never loads

    claim = stored.claimed(call, token, request)

    def work(transaction: Transaction) -> Resource:
        earlier = made_before(transaction, row, claim)
        if earlier is not None:
            return earlier
        check(transaction)
        made = transaction.create(row)
        transaction.run(lambda connection: runs.enqueue(connection, made.arn, made.kind, row.created_at))
        also(transaction)
        job_change.tell(transaction, None, made, row.created_at)
        return made

    with stored.faults(shown):
        return await call.app.storage.keep(work)


async def stop(call: Call, row: Resource, shown: str, *, running: Collection[str], stopping: str, over: str) -> None:
    """Ask a run to stop, and have its row say so. Raises ConflictException (`over`) if it is not running any more."""
    from craton.infra.jobs import runs

    now = call.app.clock.now()

    def work(transaction: Transaction) -> None:
        found = transaction.get(row.arn)
        if found is None:
            raise stored.missing(shown)
        if found.status not in running:
            raise conflict(over.format(status=found.status))
        if found.status != stopping:
            made = transaction.update(msgspec.structs.replace(found, status=stopping, updated_at=now))
            job_change.tell(transaction, found, made, now)
        transaction.run(lambda connection: runs.ask_stop(connection, row.arn))

    with stored.faults(shown):
        await call.app.storage.keep(work)


async def page(
    call: Call,
    kind: str,
    shown: str,
    *,
    after: datetime | None,
    before: datetime | None,
    status: str | None,
    order: str | None,
    limit: int | None,
    token: str | None,
    name_contains: str | None = None,
) -> tuple[Page, str | None]:
    """The caller's rows by time of submission, the newest first unless `order` is Ascending, and the next page's token."""
    shape = stored.listing(call, after, before, status, name_contains, order)
    query = Query(
        kind=kind,
        account=call.account,
        region=call.region,
        status=status,
        name_contains=name_contains,
        created_after=after,
        created_before=before,
        descending=order != "Ascending",
        limit=limit or stored.DEFAULT_PAGE,
        after=stored.opened(call, shape, token),
    )
    with stored.faults(shown):
        found = await call.app.storage.read(lambda store: store.list(query))
    return found, stored.issued(call, shape, found.after)
