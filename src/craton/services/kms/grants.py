"""Grants: permission for one principal to use a key, given and taken back without touching its policy.

Owns the operations. A grant counts from the moment its answer leaves, so its token is needed for nothing but to retire
it. It must not know what a grant allows (`grant_rows`), nor policies.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from craton.aws.access.variables import Value
from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.infra.cipher import rows
from craton.infra.cipher.rows import Key
from craton.infra.store.port import Query, Reader, Transaction, select
from craton.services.kms import asked, grant_rows
from craton.services.kms.asked import ONLY_ENABLED, Need
from craton.services.kms.crypto import dry
from craton.services.kms.faults import as_faults, limit_exceeded, not_found, unsupported, validation
from craton.services.kms.grant_rows import Grant, GrantBody
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.kms import (
        CreateGrantRequest,
        CreateGrantResponse,
        ListGrantsRequest,
        ListGrantsResponse,
        ListRetirableGrantsRequest,
        RetireGrantRequest,
        RevokeGrantRequest,
    )

DEFAULT_PAGE = 50
MOST_PER_KEY = 50_000
BUILT = frozenset(
    {"Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo",
     "CreateGrant", "RetireGrant", "DescribeKey"}
)  # fmt: skip
NOT_FOR_THIS_KEY = "Grant operations {names} are not valid for a symmetric encryption key."
NO_PRINCIPAL = "A grant needs a grantee principal."
NO_SERVICES = "Grants to service principals are not implemented by this server."


def body_of(req: CreateGrantRequest, call: Call) -> GrantBody:
    """The grant that a request asks for, not yet named."""
    constraints = req.Constraints
    return GrantBody(
        key_id="",
        grant_id="",
        operations=list(dict.fromkeys(req.Operations)),
        issuer=f"arn:aws:iam::{call.account}:root",
        grantee=req.GranteePrincipal or "",
        retiring=req.RetiringPrincipal or "",
        name=req.Name or "",
        subset=constraints.EncryptionContextSubset if constraints else None,
        equals=constraints.EncryptionContextEquals if constraints else None,
    )


def named(body: GrantBody, key: Key) -> GrantBody:
    """The grant on a key. Under a name, the same request gives the same id (idempotency)."""
    ident = secrets.token_hex(32)
    if body.name:
        told = (key.arn, body.name, sorted(body.operations), body.grantee, body.retiring, body.subset, body.equals)
        ident = hashlib.sha256(msgspec.msgpack.encode(told, order="deterministic")).hexdigest()
    return msgspec.structs.replace(body, key_id=key.row.id, grant_id=ident)


def check(req: CreateGrantRequest) -> None:
    if req.GranteeServicePrincipal or req.RetiringServicePrincipal:
        raise unsupported(NO_SERVICES)
    if not req.GranteePrincipal:
        raise validation(NO_PRINCIPAL)
    if not req.Operations:
        raise validation("A grant needs at least one operation.")
    others = sorted(set(req.Operations) - BUILT)
    if others:
        raise validation(NOT_FOR_THIS_KEY.format(names=", ".join(others)))
    if req.Constraints is not None and req.Constraints.SourceArn:
        raise unsupported("Grants with a source ARN are not implemented by this server.")


@operation("kms", "CreateGrant")
async def create_grant(call: Call, req: CreateGrantRequest) -> CreateGrantResponse:
    check(req)
    given: dict[str, Value] = {
        "kms:grantoperations": tuple(req.Operations),
        "kms:granteeprincipal": req.GranteePrincipal or "",
        "kms:grantisforawsresource": "false",
    }
    if req.RetiringPrincipal:
        given["kms:retiringprincipal"] = req.RetiringPrincipal
    wanted = body_of(req, call)
    passing = lambda grant: grant_rows.covers(grant.body, wanted)  # noqa: E731
    need = Need(action="kms:CreateGrant", states=ONLY_ENABLED, given=given, covers=passing)
    where = asked.place(call, req.KeyId, need)
    root = call.app.cipher.keyring.root

    def work(transaction: Transaction) -> CreateGrantResponse:
        key = asked.found(call, transaction, where, need)
        dry(req.DryRun)
        body = named(wanted, key)
        row = grant_rows.new_grant(key.row, body, call.now())
        if transaction.get(row.arn) is None:
            if len(grant_rows.of_key(transaction, key.row)) >= MOST_PER_KEY:
                raise limit_exceeded(f"A key can have at most {MOST_PER_KEY} grants.")
            transaction.create(row)
        return {"GrantToken": grant_rows.token_of(root, row, body), "GrantId": body.grant_id}

    with as_faults():
        return await call.app.storage.write(work)


@operation("kms", "ListGrants")
async def list_grants(call: Call, req: ListGrantsRequest) -> ListGrantsResponse:
    key = await asked.usable(call, req.KeyId, Need(action="kms:ListGrants"))
    filters = (key.arn, req.GrantId, req.GranteePrincipal, req.GranteeServicePrincipal)

    def wanted(body: GrantBody) -> bool:
        return req.GrantId in (None, body.grant_id) and req.GranteePrincipal in (None, body.grantee)

    query = Query(
        kind=rows.GRANT, account=key.row.account, region=key.row.region, id_prefix=f"{key.row.id}/",
        limit=req.Limit or DEFAULT_PAGE, after=asked.opened(call, req.Marker, *filters),
    )  # fmt: skip
    return await listed(call, query, wanted, filters)


@operation("kms", "ListRetirableGrants")
async def list_retirable_grants(call: Call, req: ListRetirableGrantsRequest) -> ListGrantsResponse:
    call.authorize("kms:ListRetirableGrants", "*")
    filters = (req.RetiringPrincipal, req.RetiringServicePrincipal)
    query = Query(
        kind=rows.GRANT, account=call.account, region=call.region,
        limit=req.Limit or DEFAULT_PAGE, after=asked.opened(call, req.Marker, *filters),
    )  # fmt: skip
    return await listed(call, query, lambda body: body.retiring == req.RetiringPrincipal, filters)


async def listed(
    call: Call, query: Query, wanted: Callable[[GrantBody], bool], filters: tuple[object, ...]
) -> ListGrantsResponse:
    with as_faults():
        page = await call.app.storage.read(
            lambda reader: select(reader, query, lambda row: wanted(row.read(GrantBody)))
        )
    shown_rows = [shown(grant_rows.read(row)) for row in page.items]
    return {"Grants": shown_rows, **asked.paged(call, page.after, *filters)}  # type: ignore[typeddict-item]


def shown(grant: Grant) -> dict[str, Any]:
    """A grant as listings show it."""
    row, body = grant.row, grant.body
    constraints = {
        name: value
        for name, value in (("EncryptionContextSubset", body.subset), ("EncryptionContextEquals", body.equals))
        if value is not None
    }
    found: dict[str, Any] = {
        "KeyId": row.arn.partition("/grant/")[0],
        "GrantId": body.grant_id,
        "Name": body.name,
        "CreationDate": row.created_at,
        "GranteePrincipal": body.grantee,
        "RetiringPrincipal": body.retiring,
        "IssuingAccount": body.issuer,
        "Operations": body.operations,
        "Constraints": constraints,
    }
    return {name: value for name, value in found.items() if value}


@operation("kms", "RevokeGrant")
async def revoke_grant(call: Call, req: RevokeGrantRequest) -> None:
    need = Need(action="kms:RevokeGrant")
    where = asked.place(call, req.KeyId, need)

    def work(transaction: Transaction) -> None:
        key = asked.found(call, transaction, where, need)
        grant = existing(transaction, grant_rows.grant_arn(key.arn, req.GrantId))
        dry(req.DryRun)
        transaction.delete(grant.row.arn)

    with as_faults():
        await call.app.storage.write(work)


@operation("kms", "RetireGrant")
async def retire_grant(call: Call, req: RetireGrantRequest) -> None:
    """Whom the grant names as retiring principal may end it, or its grantee if RetireGrant is among its operations."""
    arn = named_grant(call, req)

    def work(transaction: Transaction) -> None:
        grant = transaction.get(arn)
        found = grant_rows.read(grant) if grant is not None else None
        if found is None or not retires(call, found):
            call.authorize("kms:RetireGrant", arn.partition("/grant/")[0])
            raise not_found(f"Grant ID {arn.rpartition('/')[2][:128]} not found")
        dry(req.DryRun)
        transaction.delete(arn)

    with as_faults():
        await call.app.storage.write(work)


def retires(call: Call, grant: Grant) -> bool:
    """Whether the caller may retire the grant. The issuing account's root may always."""
    body = grant.body
    return (
        grant_rows.is_named(body.retiring, call.caller)
        or ("RetireGrant" in body.operations and grant_rows.is_named(body.grantee, call.caller))
        or (call.caller.is_root and body.issuer == call.caller.arn)
    )


def named_grant(call: Call, req: RetireGrantRequest) -> str:
    """The row of the grant to retire: by token, or by key ARN and grant id."""
    if req.GrantToken is not None:
        arn = grant_rows.arn_of_token(call.app.cipher.keyring.root, req.GrantToken)
        if arn is None:
            raise Fault("InvalidGrantTokenException", "The grant token is not valid.")
        return arn
    if req.KeyId is None or req.GrantId is None:
        raise validation("Specify a grant token, or a grant ID and a key ID.")
    where = asked.place(call, req.KeyId, Need(action="kms:RetireGrant"))
    return grant_rows.grant_arn(where.arn, req.GrantId)


def existing(reader: Reader, arn: str) -> Grant:
    row = reader.get(arn)
    if row is None or row.kind != rows.GRANT:
        raise not_found(f"Grant ID {arn.rpartition('/')[2][:128]} not found")
    return grant_rows.read(row)
