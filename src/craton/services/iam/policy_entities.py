"""Who has a managed policy, attached or as a boundary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from craton.context import Call
from craton.infra.identities.managed import aws_policies
from craton.infra.identities.records import ManagedPolicy
from craton.infra.store.port import GLOBAL, Reader, Resource
from craton.services.iam import managed, pages
from craton.services.iam.nouns import GROUPS, ROLES, USERS, Noun, action, faults
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes import iam

# What a unique id begins with tells what it is of.
_NOUNS: dict[str, Noun[Any]] = {"AIDA": USERS, "AGPA": GROUPS, "AROA": ROLES}


@operation("iam", "ListEntitiesForPolicy")
async def list_entities_for_policy(
    call: Call, req: iam.ListEntitiesForPolicyRequest
) -> iam.ListEntitiesForPolicyResponse:
    uses = await _uses(call, req.PolicyArn)
    ids = {
        "PermissionsPolicy": uses.attached_to,
        "PermissionsBoundary": uses.bounding,
        None: uses.attached_to + uses.bounding,
    }[req.PolicyUsageFilter]
    wanted = [one for one in set(ids) if req.EntityFilter in (None, _NOUNS[one[:4]].word)]
    filters = (req.PolicyArn, req.EntityFilter, req.PathPrefix, req.PolicyUsageFilter)
    chosen, tail = pages.of_list(call, req, wanted, str, *filters)

    def work(store: Reader) -> list[Resource]:
        rows = (store.get_by_id(call.account, GLOBAL, _NOUNS[one[:4]].kind, one) for one in chosen)
        return [row for row in rows if row is not None]

    with faults():
        rows = await call.app.storage.read(work)
    answer: dict[str, Any] = {"PolicyGroups": [], "PolicyUsers": [], "PolicyRoles": []}
    for row in rows:
        noun = _NOUNS[row.id[:4]]
        body = row.read(noun.body)
        if body.path.startswith(req.PathPrefix or "/"):
            answer[f"Policy{noun.word}s"].append({noun.member: body.name, f"{noun.word}Id": row.id})
    return {**answer, **tail}  # type: ignore[typeddict-item]


async def _uses(call: Call, arn: str) -> ManagedPolicy:
    """The account's uses of a policy, after the call was authorized on it."""
    if arn not in aws_policies():
        return (await managed.read_own(call, arn)).read(ManagedPolicy)
    call.authorize(action(call), arn)
    with faults():
        row = await call.app.storage.read(lambda store: managed.uses(store, call.account, arn))
    return row.read(ManagedPolicy) if row is not None else ManagedPolicy(name=arn.rpartition("/")[2])
