"""GetContextKeysForCustomPolicy and GetContextKeysForPrincipalPolicy: what a simulation would have to be told.

The keys are those that the policies mention, whether or not a request would bring them by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from craton.aws.access.mentioned import context_keys
from craton.aws.access.policy import parse
from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.services.iam.nouns import action, invalid
from craton.services.iam.simulate import policies_of
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes import iam


@operation("iam", "GetContextKeysForCustomPolicy")
async def get_context_keys_for_custom_policy(
    call: Call, req: iam.GetContextKeysForCustomPolicyRequest
) -> iam.GetContextKeysForPolicyResponse:
    call.authorize(action(call), "*")
    return _answer(req.PolicyInputList)


@operation("iam", "GetContextKeysForPrincipalPolicy")
async def get_context_keys_for_principal_policy(
    call: Call, req: iam.GetContextKeysForPrincipalPolicyRequest
) -> iam.GetContextKeysForPolicyResponse:
    call.authorize(action(call), req.PolicySourceArn)
    own, _ = await policies_of(call, req.PolicySourceArn)
    return _answer([*(one.document for one in own), *(req.PolicyInputList or ())])


def _answer(documents: Iterable[str]) -> iam.GetContextKeysForPolicyResponse:
    """Raises InvalidInput for a policy that cannot be read."""
    try:
        return {"ContextKeyNames": context_keys(parse(text, "identity") for text in documents)}
    except Fault as fault:
        raise invalid(fault.message) from None
