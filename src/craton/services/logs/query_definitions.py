"""Queries that were given a name, to be used again.

Owns the operations and the rows. A definition is text alone: it may name groups that are not there, and is not read. It
must not know how queries are run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec

from craton.context import Call
from craton.infra.store.port import Query, Resource, Transaction, made_before
from craton.services import stored
from craton.services.logs.faults import as_faults, invalid, limit_exceeded, missing
from craton.services.logs.group import milliseconds
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.logs import (
        DeleteQueryDefinitionRequest,
        DeleteQueryDefinitionResponse,
        DescribeQueryDefinitionsRequest,
        DescribeQueryDefinitionsResponse,
        PutQueryDefinitionRequest,
        PutQueryDefinitionResponse,
    )

KIND = "logs-query-definition"
LANGUAGE = "CWLI"
MOST = 1000
DEFAULT_PAGE = 1000
NO_DEFINITION = "The specified query definition does not exist."
UNSUPPORTED = "Only definitions in the language CWLI, without parameters, are supported."


class Definition(msgspec.Struct, frozen=True):
    name: str
    query: str
    groups: tuple[str, ...] = ()


@operation("logs", "PutQueryDefinition", status="partial")
async def put_query_definition(call: Call, req: PutQueryDefinitionRequest) -> PutQueryDefinitionResponse:
    call.authorize("logs:PutQueryDefinition", "*")
    if req.queryLanguage not in (None, LANGUAGE) or req.parameters:
        raise invalid(UNSUPPORTED)
    ident, now = req.queryDefinitionId or str(uuid4()), call.now()
    body = msgspec.json.encode(Definition(req.name, req.queryString, tuple(req.logGroupNames or ())))
    row = Resource(
        account=call.account, region=call.region, kind=KIND, id=ident, arn=arn_of(call, ident), status="ACTIVE",
        created_at=now, updated_at=now, body=body,
    )  # fmt: skip
    claim = stored.claimed(call, req.clientToken, [req.queryDefinitionId, req.name, req.queryString, req.logGroupNames])

    def work(transaction: Transaction) -> Resource:
        if req.queryDefinitionId is not None:
            kept = transaction.get(row.arn)
            if kept is None:
                raise missing(NO_DEFINITION)
            return transaction.update(msgspec.structs.replace(kept, body=body, updated_at=now))
        earlier = made_before(transaction, row, claim)
        if earlier is not None:
            return earlier
        if transaction.count(call.account, call.region, KIND) >= MOST:
            raise limit_exceeded()
        return transaction.create(row)

    with as_faults():
        made = await call.app.storage.keep(work)
    return {"queryDefinitionId": made.id}


@operation("logs", "DescribeQueryDefinitions", status="partial")
async def describe_query_definitions(
    call: Call, req: DescribeQueryDefinitionsRequest
) -> DescribeQueryDefinitionsResponse:
    call.authorize("logs:DescribeQueryDefinitions", "*")
    prefix = req.queryDefinitionNamePrefix or ""
    query = Query(kind=KIND, account=call.account, region=call.region, limit=MOST)
    shape = stored.listing(call, prefix, req.queryLanguage)
    with as_faults():
        after = call.app.storage.pages.open(shape, req.nextToken)
        rows = (await call.app.storage.read(lambda store: store.list(query))).items
    found = sorted(((row.read(Definition).name, row.id, row) for row in rows), key=lambda one: one[:2])
    found = [one for one in found if one[0].startswith(prefix) and (after is None or one[:2] > (after[0], after[1]))]
    most = req.maxResults or DEFAULT_PAGE
    token = stored.issued(call, shape, found[most - 1][:2] if len(found) > most else None)
    definitions = [shown(row) for _, _, row in found[:most]] if req.queryLanguage in (None, LANGUAGE) else []
    return {"queryDefinitions": definitions, **({"nextToken": token} if token else {})}  # type: ignore[typeddict-item]


@operation("logs", "DeleteQueryDefinition")
async def delete_query_definition(call: Call, req: DeleteQueryDefinitionRequest) -> DeleteQueryDefinitionResponse:
    call.authorize("logs:DeleteQueryDefinition", "*")
    arn = arn_of(call, req.queryDefinitionId)

    def work(transaction: Transaction) -> None:
        if transaction.get(arn) is None:
            raise missing(NO_DEFINITION)
        transaction.delete(arn)

    with as_faults():
        await call.app.storage.keep(work)
    return {"success": True}


def arn_of(call: Call, ident: str) -> str:
    """Ours, not AWS's: definitions have none there, and it never leaves the store."""
    return f"arn:craton:logs:{call.region}:{call.account}:query-definition/{ident}"


def shown(row: Resource) -> dict[str, Any]:
    body = row.read(Definition)
    return {
        "queryLanguage": LANGUAGE,
        "queryDefinitionId": row.id,
        "name": body.name,
        "queryString": body.query,
        "lastModified": milliseconds(row.updated_at),
        **({"logGroupNames": list(body.groups)} if body.groups else {}),
    }
