"""Rows of knowledge bases and of what lies below them: found for a caller who may, kept once, and given a run to delete.

Owns the order in which a request is judged and looked up: whoever may not do the action on the knowledge base learns
nothing of what is there. It must not know what rows hold beyond their tags.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from craton.aws.access.request import tag_keys
from craton.aws.wire.faults import Fault, conflict, not_found
from craton.context import Call
from craton.features.rag.resources import (
    DATA_SOURCE,
    DELETING,
    INGESTION_JOB,
    KNOWLEDGE_BASE,
    SHOWN_BASE,
    SHOWN_JOB,
    SHOWN_SOURCE,
    base_arn,
    job_arn,
    source_arn,
    upper_id,
)
from craton.infra.store.port import Page, Query, Resource, Transaction, made_before
from craton.services import stored
from craton.services.tagging import Tagged

BUSY = "The {shown} cannot be changed while its status is {status}."


def missing(shown: str, ident: str) -> Fault:
    return not_found(f"The {shown} with id {ident} does not exist.")


async def base(call: Call, action: str, ident: str) -> Resource:
    """The caller's knowledge base, if the caller may do the action on it.

    Raises AccessDeniedException, ResourceNotFoundException.
    """
    with stored.faults(SHOWN_BASE):
        row = await call.app.storage.read(
            lambda store: store.get_by_id(call.account, call.region, KNOWLEDGE_BASE, ident)
        )
    tags = row.read(Tagged).tags if row is not None else {}
    arn = base_arn(call.account, call.region, ident)
    call.app.live.authority.judge(call, action, [(arn, tag_keys(resource_tags=tags))], {})
    if row is None:
        raise missing(SHOWN_BASE, ident)
    return row


async def source(call: Call, action: str, base_id: str, ident: str) -> tuple[Resource, Resource]:
    """A knowledge base of the caller's and a data source of it. Raises as `base`."""
    owner = await base(call, action, base_id)
    arn = source_arn(call.account, call.region, base_id, ident)
    with stored.faults(SHOWN_SOURCE):
        row = await call.app.storage.read(lambda store: store.get(arn))
    if row is None or row.kind != DATA_SOURCE:
        raise missing(SHOWN_SOURCE, ident)
    return owner, row


async def job(call: Call, action: str, base_id: str, source_id: str, ident: str) -> Resource:
    """An ingestion job of a data source of the caller's. Raises as `base`."""
    await source(call, action, base_id, source_id)
    arn = job_arn(call.account, call.region, base_id, source_id, ident)
    with stored.faults(SHOWN_JOB):
        row = await call.app.storage.read(lambda store: store.get(arn))
    if row is None or row.kind != INGESTION_JOB:
        raise missing(SHOWN_JOB, ident)
    return row


def new(
    call: Call, kind: str, arn_of: Callable[[str, str, str], str], name: str, status: str, body: object, ident: str = ""
) -> Resource:
    """A row that is not kept yet; `arn_of` takes account, region and id."""
    now, made = call.app.clock.now(), ident or upper_id()
    return Resource(
        account=call.account,
        region=call.region,
        kind=kind,
        id=made,
        arn=arn_of(call.account, call.region, made),
        name=name,
        status=status,
        created_at=now,
        updated_at=now,
        body=msgspec.json.encode(body),
    )


async def keep(
    call: Call, row: Resource, shown: str, token: str | None, request: object, check: Callable[[Transaction], None]
) -> Resource:
    """Keep a new row, or find the one that the same token made. Raises ConflictException, and what `check` raises."""
    claim = stored.claimed(call, token, request)

    def work(transaction: Transaction) -> Resource:
        earlier = made_before(transaction, row, claim)
        if earlier is not None:
            return earlier
        check(transaction)
        return transaction.create(row)

    with stored.faults(shown):
        return await call.app.storage.keep(work)


async def change(call: Call, row: Resource, shown: str, changed: Callable[[Resource], Resource]) -> Resource:
    """Change a row as it is now, in one transaction. Raises ConflictException (name taken, or it is being deleted)."""
    now = call.app.clock.now()

    def work(transaction: Transaction) -> Resource:
        found = transaction.get(row.arn)
        if found is None:
            raise missing(shown, row.id)
        if found.status == DELETING:
            raise conflict(BUSY.format(shown=shown, status=found.status))
        return transaction.update(msgspec.structs.replace(changed(found), updated_at=now))

    with stored.faults(shown):
        return await call.app.storage.keep(work)


async def delete(call: Call, row: Resource, shown: str, kind: str) -> Resource:
    """Say that a row is being deleted, and put down the run of this kind that does it; asked again, it goes on.

    Raises ResourceNotFoundException.
    """
    from craton.infra.jobs import runs  # with the SQL toolkit, which a server without jobs never loads

    now = call.app.clock.now()

    def work(transaction: Transaction) -> Resource:
        found = transaction.get(row.arn)
        if found is None:
            raise missing(shown, row.id)
        if found.status == DELETING:
            return found
        transaction.run(lambda connection: runs.enqueue(connection, row.arn, kind, now))
        return transaction.update(msgspec.structs.replace(found, status=DELETING, updated_at=now))

    with stored.faults(shown):
        return await call.app.storage.keep(work)


async def page(
    call: Call, kind: str, shown: str, limit: int | None, token: str | None, beneath: str | None = None
) -> tuple[Page, str | None]:
    """The caller's rows of a kind, the oldest first, and the next page's token; `beneath` is a part of their names."""
    shape = stored.listing(call, beneath)
    query = Query(
        kind=kind,
        account=call.account,
        region=call.region,
        name_contains=beneath,
        limit=limit or stored.DEFAULT_PAGE,
        after=stored.opened(call, shape, token),
    )
    with stored.faults(shown):
        found = await call.app.storage.read(lambda store: store.list(query))
    return found, stored.issued(call, shape, found.after)
