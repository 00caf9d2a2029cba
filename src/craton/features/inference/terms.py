"""What an inference says of itself that policies may ask: its service tier and its guardrail.

Owns the keys and the action that a guardrail needs besides the model's. It must not know policies, nor what a guardrail
does. Sources: service authorization reference of Amazon Bedrock (`bedrock:ServiceTier`, `bedrock:GuardrailIdentifier`);
user guide, "Set up permissions to use guardrails": a numbered version follows the ARN behind a colon, DRAFT does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from craton.aws.access.actions import arn_of
from craton.aws.access.variables import Keys

if TYPE_CHECKING:
    from craton.context import Call
    from craton.models.canon.request import ConverseRequest

APPLY: Final = "bedrock:ApplyGuardrail"
TIER: Final = "bedrock:servicetier"
GUARDRAIL: Final = "bedrock:guardrailidentifier"
PLAIN: Final[Keys] = {TIER: "default"}
_DRAFT: Final = "DRAFT"
HEADER: Final = b"x-amzn-bedrock-guardrailidentifier"
_VERSION_HEADER: Final = b"x-amzn-bedrock-guardrailversion"


def of_converse(call: Call, request: ConverseRequest) -> Keys:
    """The keys of a conversation. Most have neither tier nor guardrail."""
    tier, guardrail = request.service_tier, request.guardrail_config
    if tier is None and guardrail is None:
        return PLAIN
    named = guardrail.guardrail_identifier if guardrail is not None else None
    version = guardrail.guardrail_version if guardrail is not None else None
    return keys(call, tier.type if tier is not None else None, named, version)


def at_door(call: Call, request: ConverseRequest) -> Keys:
    """The keys of a conversation at a door, where a guardrail is named in AWS's headers."""
    tier = request.service_tier
    if tier is None and HEADER not in call.headers:
        return PLAIN
    return keys(call, tier.type if tier is not None else None, call.header(HEADER), call.header(_VERSION_HEADER))


def keys(call: Call, tier: str | None, guardrail: str | None, version: str | None) -> Keys:
    """The keys of a tier and of a guardrail's id or ARN, either of which may be absent."""
    if not guardrail:
        return {TIER: tier} if tier else PLAIN
    arn = guardrail if guardrail.startswith("arn:") else arn_of("guardrail", call.region, call.account, id=guardrail)
    return {TIER: tier or "default", GUARDRAIL: f"{arn}:{version}" if version and version != _DRAFT else arn}


def authorize_guardrail(call: Call, given: Keys) -> None:
    """Raise AccessDeniedException unless the caller may apply the guardrail that the keys name, if they name one."""
    named = given.get(GUARDRAIL)
    if isinstance(named, str):
        call.authorize(APPLY, ":".join(named.split(":")[:6]))
