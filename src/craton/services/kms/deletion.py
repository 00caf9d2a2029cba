"""The end of a key: announced, waited for, called off.

Owns the two operations. A key that waits does nothing, and what it encrypted is unreadable; when the time is over it is
as if it were not there, and the next sweep wipes its material for good (`infra.cipher.rows`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from craton.context import Call
from craton.infra.cipher import rows
from craton.infra.cipher.rows import Key
from craton.infra.store.port import Transaction
from craton.services.kms import asked
from craton.services.kms.asked import NOT_PENDING, Need
from craton.services.kms.faults import validation
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.kms import (
        CancelKeyDeletionRequest,
        CancelKeyDeletionResponse,
        ScheduleKeyDeletionRequest,
        ScheduleKeyDeletionResponse,
    )

DEFAULT_DAYS, LEAST_DAYS, MOST_DAYS = 30, 7, 30
OUT_OF_RANGE = (
    f"1 validation error detected: Value '{{days}}' at 'pendingWindowInDays' failed to satisfy constraint: "
    f"Member must have value between {LEAST_DAYS} and {MOST_DAYS}"
)


@operation("kms", "ScheduleKeyDeletion")
async def schedule_key_deletion(call: Call, req: ScheduleKeyDeletionRequest) -> ScheduleKeyDeletionResponse:
    days = DEFAULT_DAYS if req.PendingWindowInDays is None else req.PendingWindowInDays
    if not LEAST_DAYS <= days <= MOST_DAYS:
        raise validation(OUT_OF_RANGE.format(days=days))
    at = call.now() + timedelta(days=days)

    def work(transaction: Transaction, key: Key) -> None:
        body = msgspec.structs.replace(key.body, deleted_at=at, pending_days=days)
        transaction.update(rows.changed(key, body, call.now(), rows.PENDING))

    given = {"kms:scheduledeletionpendingwindowindays": str(days)}
    need = Need(action="kms:ScheduleKeyDeletion", states=NOT_PENDING, own=True, changes=True, given=given)
    arn = asked.place(call, req.KeyId, need).arn
    await asked.change(call, req.KeyId, need, work)
    return {"KeyId": arn, "DeletionDate": at, "KeyState": rows.PENDING, "PendingWindowInDays": days}


@operation("kms", "CancelKeyDeletion")
async def cancel_key_deletion(call: Call, req: CancelKeyDeletionRequest) -> CancelKeyDeletionResponse:
    def work(transaction: Transaction, key: Key) -> str:
        body = msgspec.structs.replace(key.body, deleted_at=None, pending_days=None)
        transaction.update(rows.changed(key, body, call.now(), rows.DISABLED))
        return key.arn

    need = Need(action="kms:CancelKeyDeletion", states=(rows.PENDING,), own=True, changes=True)
    return {"KeyId": await asked.change(call, req.KeyId, need, work)}
