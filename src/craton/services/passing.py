"""PassRole: whether a caller may hand a role to a service, and whether the role lets that service in.

Owns the two checks that every operation with a `roleArn` makes before it keeps anything, and the one of them that is
made again whenever a job takes the role up. What the role itself may do is found out when the job does it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from craton.aws.access.authority import Authority
from craton.aws.access.credentials import Principal
from craton.aws.access.variables import Value
from craton.aws.wire.faults import validation
from craton.context import Call
from craton.infra.identities import records
from craton.infra.store.port import Resource
from craton.services.iam.role_trust import trust_of

BEDROCK = "bedrock.amazonaws.com"
_ROLE_ARN = re.compile(r"arn:aws[a-z0-9-]{0,24}:iam::(\d{12}):role/[\w+=,.@/-]{1,576}", re.ASCII)


async def check_pass_role(call: Call, role_arn: str, service: str = BEDROCK, *, source_arn: str | None = None) -> None:
    """Raise unless the caller may pass the role to `service`, and the role trusts that one.

    `source_arn` is the resource that is being made, which trust policies may ask for; its wildcard form of the caller's
    account where the operation has none yet. Raises AccessDeniedException (iam:PassRole), ValidationException.
    """
    found = _ROLE_ARN.fullmatch(role_arn)
    if found is None:
        raise validation(f"The provided role ARN is not valid: {role_arn[:200]}")
    if found[1] != call.account:
        raise validation(
            f"The provided role {role_arn} belongs to another account. Use a role of account {call.account}."
        )
    source = source_arn or f"arn:aws:bedrock:{call.region}:{call.account}:*"
    given: dict[str, Value] = {"iam:passedtoservice": service, "iam:associatedresourcearn": source}
    call.authorize("iam:PassRole", role_arn, given=given)
    row = await call.app.storage.read(lambda store: store.get(role_arn))
    if row is None or not trusts(row, service, source):
        raise validation(
            f"The provided role {role_arn} cannot be assumed by {service}. Check that the role exists and that its trust "
            f"policy allows {service} to perform sts:AssumeRole."
        )


def trusts(role: Resource, service: str, source_arn: str) -> bool:
    """Whether a role lets a service assume it on behalf of the thing that an ARN names, in that thing's account."""
    if role.kind != records.ROLE:
        return False
    account, region = source_arn.split(":")[4], source_arn.split(":")[3]
    caller = Principal(account=account, arn=service, kind="service", user_id=service, name=service)
    given: dict[str, Value] = {"aws:sourceaccount": account, "aws:sourcearn": source_arn}
    # Nothing but the trust policy bears on a service of AWS's: organisations' guards do not, as on AWS.
    _, decision = Authority().weigh(
        _Within(caller, region), "sts:AssumeRole", role.arn, given, policy=trust_of(role), decides=True
    )
    return decision.allowed


class _Within:
    """The circumstances of a service's own call, which comes from nowhere (`aws.access.keys.Circumstances`)."""

    source_ip = None
    secure = True

    def __init__(self, caller: Principal, region: str) -> None:
        self.caller = caller
        self.region = region

    def now(self) -> datetime:
        return datetime.now(UTC)

    def header(self, name: bytes) -> str | None:
        return None

    def resource_tags(self, resource: str) -> Mapping[str, str]:
        return {}
