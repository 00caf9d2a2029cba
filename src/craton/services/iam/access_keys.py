"""Access keys of users: two for each, so that one can be rotated while the other works.

The secret is shown once and kept sealed, since a signature can only be checked with it. Without a user's name the
operations mean the caller's own keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.infra.identities import records
from craton.infra.identities.records import ACTIVE, Key, User
from craton.infra.identities.secrets import access_key_id, new_secret
from craton.infra.store.port import GLOBAL, Resource, Transaction
from craton.services.iam import pages
from craton.services.iam.key_uses import Use, use_arn
from craton.services.iam.nouns import USERS, action, change, limit, no_such
from craton.services.iam.users import named_or_caller, user_of
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes import iam

MAX_KEYS = 2


@operation("iam", "CreateAccessKey")
async def create_access_key(call: Call, req: iam.CreateAccessKeyRequest) -> iam.CreateAccessKeyResponse:
    ident, secret, now = access_key_id("AKIA", call.account), new_secret(), call.app.clock.now()
    sealed = call.app.vault.sealer.seal(secret.encode(), ident.encode())

    def alter(transaction: Transaction, row: Resource, body: User) -> iam.AccessKey:
        if len(body.access_keys) >= MAX_KEYS:
            raise limit("AccessKeysPerUser", MAX_KEYS)
        key = Resource(
            account=call.account,
            region=GLOBAL,
            kind=records.ACCESS_KEY,
            id=ident,
            arn=records.key_arn(call.account, ident),
            status=ACTIVE,
            created_at=now,
            updated_at=now,
            body=msgspec.json.encode(Key(user_id=row.id, sealed=sealed)),
        )
        transaction.create(key)
        body.access_keys.append(ident)
        return {
            "UserName": body.name,
            "AccessKeyId": ident,
            "Status": ACTIVE,
            "SecretAccessKey": secret,
            "CreateDate": now,
        }

    return {"AccessKey": await change(call, USERS, named_or_caller(call, req.UserName), alter)}


@operation("iam", "ListAccessKeys")
async def list_access_keys(call: Call, req: iam.ListAccessKeysRequest) -> iam.ListAccessKeysResponse:
    if req.UserName is None and call.caller.is_root:
        return {"AccessKeyMetadata": [], "IsTruncated": False}  # root's stand in the home's file, not here
    row = await user_of(call, req.UserName)
    body = row.read(User)
    ids, tail = pages.of_list(call, req, body.access_keys, str, row.id)
    found = await call.app.storage.read(lambda store: [store.get(records.key_arn(call.account, key)) for key in ids])
    shown: list[iam.AccessKeyMetadata] = [
        {"UserName": body.name, "AccessKeyId": key.id, "Status": _status(key), "CreateDate": key.created_at}
        for key in found
        if key is not None
    ]
    return {"AccessKeyMetadata": shown, **tail}  # type: ignore[typeddict-item]


@operation("iam", "UpdateAccessKey")
async def update_access_key(call: Call, req: iam.UpdateAccessKeyRequest) -> None:
    """Switch a key on or off."""
    if req.Status not in (records.ACTIVE, records.INACTIVE):
        raise Fault("ValidationError", "A key is made Active or Inactive.", status=400)

    def alter(transaction: Transaction, row: Resource, body: User) -> None:
        key = _own(transaction, body, call.account, req.AccessKeyId)
        now = call.app.clock.now()
        transaction.update(msgspec.structs.replace(key, status=req.Status, updated_at=now))

    await change(call, USERS, named_or_caller(call, req.UserName), alter)


@operation("iam", "DeleteAccessKey")
async def delete_access_key(call: Call, req: iam.DeleteAccessKeyRequest) -> None:
    def alter(transaction: Transaction, row: Resource, body: User) -> None:
        transaction.delete(_own(transaction, body, call.account, req.AccessKeyId).arn)
        if transaction.get(use_arn(call.account, req.AccessKeyId)) is not None:
            transaction.delete(use_arn(call.account, req.AccessKeyId))
        body.access_keys.remove(req.AccessKeyId)

    await change(call, USERS, named_or_caller(call, req.UserName), alter)


@operation("iam", "GetAccessKeyLastUsed")
async def get_access_key_last_used(
    call: Call, req: iam.GetAccessKeyLastUsedRequest
) -> iam.GetAccessKeyLastUsedResponse:
    """Whose key it is, and on which day it was last used; what other workers saw comes with a minute's delay."""
    if call.app.vault.uses is not None:
        await call.app.vault.uses.keep()
    row = await call.app.storage.read(lambda store: store.get(records.key_arn(call.account, req.AccessKeyId)))
    user = None
    if row is not None:
        ident = row.read(Key).user_id
        user = await call.app.storage.read(lambda store: store.get_by_id(call.account, GLOBAL, records.USER, ident))
    call.authorize(action(call), user.arn if user is not None else "*")
    if user is None:
        raise _missing(req.AccessKeyId)
    kept = await call.app.storage.read(lambda store: store.get(use_arn(call.account, req.AccessKeyId)))
    shown: iam.AccessKeyLastUsed = {"ServiceName": "N/A", "Region": "N/A"}
    if kept is not None:
        use = kept.read(Use)
        shown = {"LastUsedDate": use.at, "ServiceName": use.service, "Region": use.region}
    return {"UserName": user.read(User).name, "AccessKeyLastUsed": shown}


def _own(transaction: Transaction, body: User, account: str, ident: str) -> Resource:
    """The row of one of the user's keys. Raises NoSuchEntity."""
    key = transaction.get(records.key_arn(account, ident)) if ident in body.access_keys else None
    if key is None:
        raise _missing(ident)
    return key


def _missing(ident: str) -> Fault:
    return no_such(f"The Access Key with id {ident} cannot be found.")


def _status(key: Resource) -> Literal["Active", "Inactive"]:
    return "Active" if key.status == records.ACTIVE else "Inactive"
