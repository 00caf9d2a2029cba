"""Aliases: names of an account and region that lead to a key and can be led elsewhere.

Owns the operations and the rules of names. Whoever makes, moves or removes an alias needs the permission on the alias
and on every key concerned. It must not know how keys encrypt.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.infra.cipher import rows
from craton.infra.cipher.rows import AliasBody, Key, Place, place_of
from craton.infra.store.port import Page, Query, Reader, Resource, Transaction, select
from craton.services.kms import asked
from craton.services.kms.asked import NOT_PENDING, Need
from craton.services.kms.faults import as_faults, limit_exceeded, no_alias, validation
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.kms import (
        CreateAliasRequest,
        DeleteAliasRequest,
        ListAliasesRequest,
        ListAliasesResponse,
        UpdateAliasRequest,
    )

DEFAULT_PAGE = 50
MOST_PER_KEY = 50
_NAME = re.compile(r"alias/[a-zA-Z0-9/_-]+")
NOT_A_KEY = "Aliases must refer to keys. Not aliases"
RESERVED = "Aliases that begin with alias/aws/ are reserved for AWS managed keys."
TOO_MANY = f"A key can have at most {MOST_PER_KEY} aliases."


def alias_place(call: Call, name: str) -> Place:
    """Where the alias is or will be. Raises ValidationException, InvalidAliasNameException, NotAuthorizedException."""
    if not name.startswith("alias/"):
        raise validation("Invalid identifier")
    if not _NAME.fullmatch(name):
        raise Fault("InvalidAliasNameException", f"{name[:256]} contains invalid characters for an alias")
    if name.startswith("alias/aws/"):
        raise Fault("NotAuthorizedException", RESERVED)
    return Place(call.account, call.region, name)


def check_target(name: str) -> None:
    if place_of(name, "", "").resource.startswith("alias/"):
        raise validation(NOT_A_KEY)


def target(call: Call, reader: Reader, name: str, need: Need) -> Key:
    """The key that an alias leads to, or shall lead to, for the caller to do so."""
    return asked.found(call, reader, asked.place(call, name, need), need)


@operation("kms", "CreateAlias")
async def create_alias(call: Call, req: CreateAliasRequest) -> None:
    where = alias_place(call, req.AliasName)
    check_target(req.TargetKeyId)
    call.authorize("kms:CreateAlias", where.arn)
    need = Need(action="kms:CreateAlias", states=NOT_PENDING, own=True, changes=True)

    def work(transaction: Transaction) -> None:
        key = target(call, transaction, req.TargetKeyId, need)
        if transaction.get(where.arn) is not None:
            raise Fault("AlreadyExistsException", f"An alias with the name {where.arn} already exists")
        if len(of_key(transaction, call, key.row.id, MOST_PER_KEY).items) >= MOST_PER_KEY:
            raise limit_exceeded(TOO_MANY)
        transaction.create(rows.new_alias(call.account, call.region, req.AliasName, key.row.id, call.now()))

    with as_faults():
        await call.app.storage.write(work)


@operation("kms", "UpdateAlias")
async def update_alias(call: Call, req: UpdateAliasRequest) -> None:
    where = alias_place(call, req.AliasName)
    check_target(req.TargetKeyId)
    call.authorize("kms:UpdateAlias", where.arn)
    need = Need(action="kms:UpdateAlias", states=NOT_PENDING, own=True, changes=True)

    def work(transaction: Transaction) -> None:
        row = existing(transaction, where)
        old = Place(call.account, call.region, f"key/{row.read(AliasBody).target}")
        if transaction.get(old.arn) is not None:
            asked.found(call, transaction, old, Need(action="kms:UpdateAlias", own=True))
        key = target(call, transaction, req.TargetKeyId, need)
        body = msgspec.json.encode(AliasBody(key.row.id))
        transaction.update(msgspec.structs.replace(row, body=body, updated_at=call.now()))

    with as_faults():
        await call.app.storage.write(work)


@operation("kms", "DeleteAlias")
async def delete_alias(call: Call, req: DeleteAliasRequest) -> None:
    where = alias_place(call, req.AliasName)
    call.authorize("kms:DeleteAlias", where.arn)

    def work(transaction: Transaction) -> None:
        row = existing(transaction, where)
        old = Place(call.account, call.region, f"key/{row.read(AliasBody).target}")
        if transaction.get(old.arn) is not None:
            asked.found(call, transaction, old, Need(action="kms:DeleteAlias", own=True))
        transaction.delete(row.arn)

    with as_faults():
        await call.app.storage.write(work)


def existing(reader: Reader, where: Place) -> Resource:
    row = reader.get(where.arn)
    if row is None or row.kind != rows.ALIAS:
        raise no_alias(where.arn)
    return row


@operation("kms", "ListAliases")
async def list_aliases(call: Call, req: ListAliasesRequest) -> ListAliasesResponse:
    call.authorize("kms:ListAliases", "*")
    key_id = ""
    if req.KeyId is not None:
        key_id = (await asked.usable(call, req.KeyId, Need(action="kms:ListAliases", own=True))).row.id
    after = asked.opened(call, req.Marker, key_id)
    with as_faults():
        page = await call.app.storage.read(
            lambda reader: of_key(reader, call, key_id, req.Limit or DEFAULT_PAGE, after)
        )
    listed = [shown(row) for row in page.items]
    return {"Aliases": listed, **asked.paged(call, page.after, key_id)}  # type: ignore[typeddict-item]


def of_key(reader: Reader, call: Call, key_id: str, limit: int, after: Any = None) -> Page:
    """The aliases of the caller's account and region that lead to a key; all of them for ""."""
    query = Query(kind=rows.ALIAS, account=call.account, region=call.region, sort="name", limit=limit, after=after)
    if not key_id:
        return reader.list(query)
    return select(reader, query, lambda row: row.read(AliasBody).target == key_id)


def shown(row: Resource) -> dict[str, Any]:
    return {
        "AliasName": row.id,
        "AliasArn": row.arn,
        "TargetKeyId": row.read(AliasBody).target,
        "CreationDate": row.created_at,
        "LastUpdatedDate": row.updated_at,
    }
