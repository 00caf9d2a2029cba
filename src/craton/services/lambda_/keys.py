"""Customer keys in Lambda's operations: the key that a request names, checked before anything is sealed or shown with it.

Owns the errors, which are Lambda's, and that the caller comes to KMS through Lambda (kms:ViaService).
"""

from __future__ import annotations

from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.services.kms import asked
from craton.services.kms.asked import ONLY_ENABLED, Need
from craton.services.lambda_.faults import invalid

SEALING = ("kms:Encrypt", "kms:Decrypt", "kms:DescribeKey")
READING = ("kms:Decrypt",)


async def usable(call: Call, name: str, actions: tuple[str, ...] = SEALING) -> str:
    """The ARN of the key. Raises InvalidParameterValueException for one that is not there, disabled, or not for the caller."""
    refused = await refusal(call, name, actions)
    if refused is not None:
        if refused.http_status() >= 500:
            raise refused
        raise invalid(f"The provided KMS key cannot be used: {refused.message}")
    need = Need(action="kms:DescribeKey", states=ONLY_ENABLED, aliases=True, context={}, via=_via(call))
    return (await asked.usable(call, name, need)).arn


async def refusal(call: Call, name: str, actions: tuple[str, ...]) -> Fault | None:
    """Why the caller may not use the key so; None: it may."""
    for action in actions:
        need = Need(action=action, states=ONLY_ENABLED, aliases=True, context={}, via=_via(call))
        try:
            await asked.usable(call, name, need)
        except Fault as fault:
            return fault
    return None


def _via(call: Call) -> str:
    return f"lambda.{call.region}.amazonaws.com"
