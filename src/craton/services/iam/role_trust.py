"""Who may assume a role: its trust policy, checked and changed.

Owns IAM's rule that a trust policy names only principals that exist. It must not know how it is judged (`services.sts`).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from craton.aws.access.compile import PolicySet
from craton.aws.access.document import MalformedPolicyDocument
from craton.aws.access.policy import Named, parse
from craton.context import Call
from craton.infra.identities import records
from craton.infra.identities.records import Role
from craton.infra.store.port import Reader, Resource, Transaction
from craton.services.iam.nouns import ROLES, change
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes import iam

_KINDS = (records.USER, records.ROLE)


@operation("iam", "UpdateAssumeRolePolicy")
async def update_assume_role_policy(call: Call, req: iam.UpdateAssumeRolePolicyRequest) -> None:
    def alter(transaction: Transaction, row: Resource, body: Role) -> None:
        body.pins = checked_trust(transaction, req.PolicyDocument)
        body.trust = req.PolicyDocument

    await change(call, ROLES, req.RoleName, alter)


def checked_trust(store: Reader, document: str) -> dict[str, str]:
    """The unique ids of the users and roles that it names, by ARN.

    Raises MalformedPolicyDocument, also for a user or role that nobody made.
    """
    policy = parse(document, "trust")
    pins: dict[str, str] = {}
    for statement in policy.statements:
        for named in (*statement.principals, *statement.not_principals):
            if named.type == "AWS" and ":iam::" in named.value and not named.value.endswith(":root"):
                row = store.get(named.value)
                if row is None or row.kind not in _KINDS:
                    text = f'Invalid principal in policy: "AWS":"{named.value[:200]}"'
                    raise MalformedPolicyDocument(text, f"Statement[{statement.index}].Principal")
                pins[named.value] = row.id
    return pins


def trust_of(row: Resource) -> PolicySet:
    """A role's trust policy to be judged by, with unique ids in place of the names that it was written with."""
    role = row.read(Role)
    return _compiled(role.trust, tuple(role.pins.items()), row.arn)


@lru_cache(maxsize=256)
def _compiled(trust: str, pins: tuple[tuple[str, str], ...], arn: str) -> PolicySet:
    """Kept, since a knowledge base's role is asked at each question."""
    policy, ids = parse(trust, "trust", arn), dict(pins)

    def pinned(names: tuple[Named, ...]) -> tuple[Named, ...]:
        return tuple(Named(one.type, ids.get(one.value, one.value)) for one in names)

    statements = tuple(
        msgspec.structs.replace(one, principals=pinned(one.principals), not_principals=pinned(one.not_principals))
        for one in policy.statements
    )
    return PolicySet([msgspec.structs.replace(policy, statements=statements)])
