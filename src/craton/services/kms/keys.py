"""Keys: made, described, listed, enabled, disabled, renamed.

Owns these operations and how a key is shown. Only symmetric keys for encryption exist here; what else the API knows is
refused by its name. It must not know how a key encrypts (`crypto`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from craton.aws.access.request import tag_keys
from craton.context import Call
from craton.infra.cipher import rows
from craton.infra.cipher.rows import Key, KeyBody, Place
from craton.infra.store.port import Query, Transaction
from craton.services.kms import access, asked
from craton.services.kms.asked import NOT_PENDING, Need
from craton.services.kms.faults import as_faults, unsupported, validation
from craton.services.kms.tags import checked_tags
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.kms import (
        CreateKeyRequest,
        CreateKeyResponse,
        DescribeKeyRequest,
        DescribeKeyResponse,
        DisableKeyRequest,
        EnableKeyRequest,
        KeyMetadata,
        ListKeysRequest,
        ListKeysResponse,
        UpdateKeyDescriptionRequest,
    )

SYMMETRIC = "SYMMETRIC_DEFAULT"
DEFAULT_PAGE = 100
# What a request may ask for of each member; everything else of the API's values is not built.
_BUILT: dict[str, tuple[str, ...]] = {
    "KeyUsage": ("ENCRYPT_DECRYPT",),
    "KeySpec": (SYMMETRIC,),
    "CustomerMasterKeySpec": (SYMMETRIC,),
    "Origin": ("AWS_KMS",),
}


def shown(key: Key) -> KeyMetadata:
    """A key as answers describe it."""
    row, body = key.row, key.body
    metadata: dict[str, Any] = {
        "AWSAccountId": row.account,
        "KeyId": row.id,
        "Arn": row.arn,
        "CreationDate": row.created_at,
        "Enabled": row.status == rows.ENABLED,
        "Description": body.description,
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": row.status,
        "Origin": "AWS_KMS",
        "KeyManager": body.manager,
        "CustomerMasterKeySpec": SYMMETRIC,
        "KeySpec": SYMMETRIC,
        "EncryptionAlgorithms": [SYMMETRIC],
        "MultiRegion": False,
        "CurrentKeyMaterialId": key.material.id,
    }
    if body.deleted_at is not None:
        metadata["DeletionDate"] = body.deleted_at
    return metadata  # type: ignore[return-value]


@operation("kms", "CreateKey")
async def create_key(call: Call, req: CreateKeyRequest) -> CreateKeyResponse:
    tags = checked_tags(req.Tags or ())
    given = {"kms:keyspec": SYMMETRIC, "kms:keyusage": "ENCRYPT_DECRYPT", "kms:keyorigin": "AWS_KMS",
             "kms:multiregion": "false", "kms:calleraccount": call.account, **tag_keys(request_tags=tags)}  # fmt: skip
    call.authorize("kms:CreateKey", "*", given=given)
    if tags:
        call.authorize("kms:TagResource", "*", given=given)
    check_built(req)
    policy = req.Policy or access.default_policy(call.account)
    access.read_policy(policy)
    if not req.BypassPolicyLockoutSafetyCheck:
        access.check_lockout(call, policy, Place(call.account, call.region, "key/*"))
    body = KeyBody(policy=policy, materials=[], description=req.Description or "", tags=tags)
    with as_faults():
        row = rows.new_key(call.app.cipher.keyring, call.account, call.region, call.now(), body)
        made = await call.app.storage.write(lambda transaction: transaction.create(row))
    return {"KeyMetadata": shown(Key(made, made.read(KeyBody)))}


def check_built(req: CreateKeyRequest) -> None:
    """Raise UnsupportedOperationException for keys of other kinds, ValidationException for contradictions."""
    for member, built in _BUILT.items():
        value = getattr(req, member)
        if value is not None and value not in built:
            raise unsupported(f"{member} {value} is not implemented by this server; it makes {built[0]} keys.")
    if req.KeySpec and req.CustomerMasterKeySpec and req.KeySpec != req.CustomerMasterKeySpec:
        raise validation("You cannot specify KeySpec and CustomerMasterKeySpec in the same request.")
    if req.MultiRegion:
        raise unsupported("Multi-Region keys are not implemented by this server.")
    if req.CustomKeyStoreId or req.XksKeyId:
        raise unsupported("Custom key stores are not implemented by this server.")


@operation("kms", "DescribeKey")
async def describe_key(call: Call, req: DescribeKeyRequest) -> DescribeKeyResponse:
    return {"KeyMetadata": shown(await asked.usable(call, req.KeyId, Need(action="kms:DescribeKey", aliases=True)))}


@operation("kms", "ListKeys")
async def list_keys(call: Call, req: ListKeysRequest) -> ListKeysResponse:
    call.authorize("kms:ListKeys", "*")
    after = asked.opened(call, req.Marker)
    query = Query(kind=rows.KEY, account=call.account, region=call.region, limit=req.Limit or DEFAULT_PAGE, after=after)
    with as_faults():
        page = await call.app.storage.read(lambda reader: reader.list(query))
    listed = [{"KeyId": row.id, "KeyArn": row.arn} for row in page.items if not is_over(call, row.read(KeyBody))]
    return {"Keys": listed, **asked.paged(call, page.after)}  # type: ignore[typeddict-item]


def is_over(call: Call, body: KeyBody) -> bool:
    """Whether the key's deletion has come to pass, though it was not wiped yet."""
    return body.deleted_at is not None and body.deleted_at <= call.now()


@operation("kms", "EnableKey")
async def enable_key(call: Call, req: EnableKeyRequest) -> None:
    await set_state(call, req.KeyId, "kms:EnableKey", rows.ENABLED)


@operation("kms", "DisableKey")
async def disable_key(call: Call, req: DisableKeyRequest) -> None:
    await set_state(call, req.KeyId, "kms:DisableKey", rows.DISABLED)


async def set_state(call: Call, name: str, action: str, state: str) -> None:
    def work(transaction: Transaction, key: Key) -> None:
        transaction.update(rows.changed(key, key.body, call.now(), state))

    need = Need(action=action, states=NOT_PENDING, own=True, changes=True)
    await asked.change(call, name, need, work)


@operation("kms", "UpdateKeyDescription")
async def update_key_description(call: Call, req: UpdateKeyDescriptionRequest) -> None:
    def work(transaction: Transaction, key: Key) -> None:
        body = msgspec.structs.replace(key.body, description=req.Description)
        transaction.update(rows.changed(key, body, call.now()))

    need = Need(action="kms:UpdateKeyDescription", states=NOT_PENDING, own=True, changes=True)
    await asked.change(call, req.KeyId, need, work)
