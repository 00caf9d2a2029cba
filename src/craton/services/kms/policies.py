"""Key policies: put, got, listed. A key has one, and it is called `default`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from craton.context import Call
from craton.infra.cipher import rows
from craton.infra.cipher.rows import Key
from craton.infra.store.port import Transaction
from craton.services.kms import access, asked
from craton.services.kms.asked import NOT_PENDING, Need
from craton.services.kms.faults import not_found
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.kms import (
        GetKeyPolicyRequest,
        GetKeyPolicyResponse,
        ListKeyPoliciesRequest,
        ListKeyPoliciesResponse,
        PutKeyPolicyRequest,
    )

NO_SUCH_POLICY = "No such policy exists"


def check_name(name: str | None) -> None:
    """Raise NotFoundException for any policy but the one that there is."""
    if name not in (None, access.POLICY_NAME):
        raise not_found(NO_SUCH_POLICY)


@operation("kms", "PutKeyPolicy")
async def put_key_policy(call: Call, req: PutKeyPolicyRequest) -> None:
    check_name(req.PolicyName)
    bypass = bool(req.BypassPolicyLockoutSafetyCheck)
    given = {"kms:bypasspolicylockoutsafetycheck": "true" if bypass else "false"}
    need = Need(action="kms:PutKeyPolicy", states=NOT_PENDING, own=True, changes=True, given=given)
    where = asked.place(call, req.KeyId, need)

    def work(transaction: Transaction, key: Key) -> None:
        access.read_policy(req.Policy)
        if not bypass:
            access.check_lockout(call, req.Policy, where)
        body = msgspec.structs.replace(key.body, policy=req.Policy)
        transaction.update(rows.changed(key, body, call.now()))

    await asked.change(call, req.KeyId, need, work)


@operation("kms", "GetKeyPolicy")
async def get_key_policy(call: Call, req: GetKeyPolicyRequest) -> GetKeyPolicyResponse:
    key = await asked.usable(call, req.KeyId, Need(action="kms:GetKeyPolicy", own=True))
    check_name(req.PolicyName)
    return {"Policy": key.body.policy, "PolicyName": access.POLICY_NAME}


@operation("kms", "ListKeyPolicies")
async def list_key_policies(call: Call, req: ListKeyPoliciesRequest) -> ListKeyPoliciesResponse:
    await asked.usable(call, req.KeyId, Need(action="kms:ListKeyPolicies", own=True))
    return {"PolicyNames": [access.POLICY_NAME], "Truncated": False}
