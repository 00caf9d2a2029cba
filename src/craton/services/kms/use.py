"""Customer keys in Bedrock's own operations: the key that a request names, checked before anything is sealed with it.

Owns the three things that must hold: the key exists, it is enabled, and the caller may use it through Bedrock
(kms:ViaService). The errors are Bedrock's, as its user guide has them: a key that cannot be used is the request's fault.
"""

from __future__ import annotations

from craton.aws.wire.faults import Fault, validation
from craton.context import Call
from craton.services.kms import asked
from craton.services.kms.asked import ONLY_ENABLED, Need

SEALING = ("kms:GenerateDataKey", "kms:Decrypt", "kms:DescribeKey")
READING = ("kms:Decrypt",)
_OF_THE_REQUEST = frozenset({"NotFoundException", "DisabledException", "KMSInvalidStateException"})


async def customer_key(call: Call, name: str, actions: tuple[str, ...] = SEALING) -> str:
    """The ARN of the key that a request names, for the caller to seal with, or to read what it sealed.

    Raises ValidationException (no such key, or not enabled), AccessDeniedException (not for this caller).
    """
    arn = name
    for action in actions:
        need = Need(action=action, states=ONLY_ENABLED, aliases=True, context={}, via=via(call))
        try:
            arn = (await asked.usable(call, name, need)).arn
        except Fault as fault:
            if fault.name in _OF_THE_REQUEST:
                raise validation(f"The provided KMS key cannot be used: {fault.message}") from None
            raise
    return arn


def via(call: Call) -> str:
    """kms:ViaService of what Bedrock does for its caller."""
    return f"bedrock.{call.region}.amazonaws.com"
