"""Rotation: new material for a key, by the calendar or on demand; what older material encrypted still decrypts.

Owns these operations. Material that the calendar asks for is made when the key next encrypts, or by the sweep, whichever
comes first (`infra.cipher.rows`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from craton.context import Call
from craton.infra.cipher import rows
from craton.infra.cipher.keyring import Material
from craton.infra.cipher.rows import Key
from craton.infra.store.port import Transaction
from craton.services.kms import asked
from craton.services.kms.asked import ONLY_ENABLED, Need
from craton.services.kms.faults import limit_exceeded
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.kms import (
        DisableKeyRotationRequest,
        EnableKeyRotationRequest,
        GetKeyRotationStatusRequest,
        GetKeyRotationStatusResponse,
        ListKeyRotationsRequest,
        ListKeyRotationsResponse,
        RotateKeyOnDemandRequest,
        RotateKeyOnDemandResponse,
    )

DEFAULT_DAYS = 365
MOST_ON_DEMAND = 25
DEFAULT_PAGE = 100
TOO_MANY = f"You have reached the limit of {MOST_ON_DEMAND} on-demand rotations for this key."


@operation("kms", "EnableKeyRotation")
async def enable_key_rotation(call: Call, req: EnableKeyRotationRequest) -> None:
    days = req.RotationPeriodInDays or DEFAULT_DAYS

    def work(transaction: Transaction, key: Key) -> None:
        body = msgspec.structs.replace(key.body, rotation_days=days, rotates_at=call.now() + timedelta(days=days))
        transaction.update(rows.changed(key, body, call.now()))

    given = {"kms:rotationperiodindays": str(days)}
    need = Need(action="kms:EnableKeyRotation", states=ONLY_ENABLED, own=True, changes=True, given=given)
    await asked.change(call, req.KeyId, need, work)


@operation("kms", "DisableKeyRotation")
async def disable_key_rotation(call: Call, req: DisableKeyRotationRequest) -> None:
    def work(transaction: Transaction, key: Key) -> None:
        body = msgspec.structs.replace(key.body, rotation_days=None, rotates_at=None)
        transaction.update(rows.changed(key, body, call.now()))

    need = Need(action="kms:DisableKeyRotation", states=ONLY_ENABLED, own=True, changes=True)
    await asked.change(call, req.KeyId, need, work)


@operation("kms", "GetKeyRotationStatus")
async def get_key_rotation_status(call: Call, req: GetKeyRotationStatusRequest) -> GetKeyRotationStatusResponse:
    key = await asked.usable(call, req.KeyId, Need(action="kms:GetKeyRotationStatus"))
    body = key.body
    # While a key waits for its deletion its rotation rests, and AWS shows it as off.
    if body.rotates_at is None or key.row.status == rows.PENDING:
        return {"KeyRotationEnabled": False, "KeyId": key.arn}
    shown: dict[str, Any] = {
        "KeyRotationEnabled": True,
        "KeyId": key.arn,
        "RotationPeriodInDays": body.rotation_days,
        "NextRotationDate": body.rotates_at,
    }
    return shown  # type: ignore[return-value]


@operation("kms", "RotateKeyOnDemand")
async def rotate_key_on_demand(call: Call, req: RotateKeyOnDemandRequest) -> RotateKeyOnDemandResponse:
    def work(transaction: Transaction, key: Key) -> str:
        if key.body.on_demand >= MOST_ON_DEMAND:
            raise limit_exceeded(TOO_MANY)
        transaction.update(rows.rotated(call.app.cipher.keyring, key, call.now(), "ON_DEMAND"))
        return key.arn

    need = Need(action="kms:RotateKeyOnDemand", states=ONLY_ENABLED, own=True, changes=True)
    return {"KeyId": await asked.change(call, req.KeyId, need, work)}


@operation("kms", "ListKeyRotations")
async def list_key_rotations(call: Call, req: ListKeyRotationsRequest) -> ListKeyRotationsResponse:
    key = await asked.usable(call, req.KeyId, Need(action="kms:ListKeyRotations"))
    everything = req.IncludeKeyMaterial == "ALL_KEY_MATERIAL"
    found = [one for one in key.body.materials if everything or one.rotation]
    after = asked.opened(call, req.Marker, key.arn, everything)
    page, rest = asked.sliced(found, req.Limit or DEFAULT_PAGE, after)
    listed = [shown_rotation(key, one) for one in page]
    return {"Rotations": listed, **asked.paged(call, rest, key.arn, everything)}  # type: ignore[typeddict-item]


def shown_rotation(key: Key, material: Material) -> dict[str, Any]:
    state = "CURRENT" if material.id == key.material.id else "NON_CURRENT"
    row: dict[str, Any] = {"KeyId": key.arn, "KeyMaterialId": material.id, "KeyMaterialState": state}
    if material.rotation:
        row |= {"RotationDate": material.made_at, "RotationType": material.rotation}
    return row
