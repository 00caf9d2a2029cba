"""Resource policies of the account: which services may write logs here.

Owns the operations; who is judged by the policies, and when, is `service_access`'s. It must not know groups.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from craton.aws.access.policy import parse
from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.infra.store.ids import lower_id
from craton.infra.store.port import Query, Resource, Transaction
from craton.services import stored
from craton.services.logs.faults import as_faults, invalid, limit_exceeded, missing
from craton.services.logs.group import milliseconds
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.logs import (
        DeleteResourcePolicyRequest,
        DescribeResourcePoliciesRequest,
        DescribeResourcePoliciesResponse,
        PutResourcePolicyRequest,
        PutResourcePolicyResponse,
    )

KIND = "logs-resource-policy"
MOST = 10
DEFAULT_PAGE = 50
OF_RESOURCES = "Policies of single resources are not supported."


class PolicyBody(msgspec.Struct):
    document: str
    revision: str


@operation("logs", "PutResourcePolicy", status="partial")
async def put_resource_policy(call: Call, req: PutResourcePolicyRequest) -> PutResourcePolicyResponse:
    call.authorize("logs:PutResourcePolicy", "*")
    if req.resourceArn is not None:
        raise invalid(OF_RESOURCES)
    if not req.policyName or req.policyDocument is None:
        raise invalid("policyName and policyDocument must be given.")
    try:
        parse(req.policyDocument, "resource", req.policyName)
    except Fault as fault:
        raise invalid(fault.message) from None
    name, now = req.policyName, call.now()
    body = msgspec.json.encode(PolicyBody(req.policyDocument, lower_id()))

    def work(transaction: Transaction) -> Resource:
        kept = transaction.get(policy_arn(call, name))
        if kept is not None:
            return transaction.update(msgspec.structs.replace(kept, body=body, updated_at=now))
        if transaction.count(call.account, call.region, KIND) >= MOST:
            raise limit_exceeded()
        return transaction.create(
            Resource(
                account=call.account,
                region=call.region,
                kind=KIND,
                id=name,
                arn=policy_arn(call, name),
                created_at=now,
                updated_at=now,
                body=body,
            )
        )

    with as_faults():
        row = await call.app.storage.keep(work)
    return {"resourcePolicy": shown(row), "revisionId": row.read(PolicyBody).revision}  # type: ignore[typeddict-item]


@operation("logs", "DescribeResourcePolicies", status="partial")
async def describe_resource_policies(
    call: Call, req: DescribeResourcePoliciesRequest
) -> DescribeResourcePoliciesResponse:
    call.authorize("logs:DescribeResourcePolicies", "*")
    shape = stored.listing(call)
    with as_faults():
        query = Query(
            kind=KIND, account=call.account, region=call.region, sort="id", limit=req.limit or DEFAULT_PAGE,
            after=call.app.storage.pages.open(shape, req.nextToken),
        )  # fmt: skip
        page = await call.app.storage.read(lambda store: store.list(query))
    token = stored.issued(call, shape, page.after)
    policies = [shown(row) for row in page.items]
    return {"resourcePolicies": policies, **({"nextToken": token} if token else {})}  # type: ignore[typeddict-item]


@operation("logs", "DeleteResourcePolicy", status="partial")
async def delete_resource_policy(call: Call, req: DeleteResourcePolicyRequest) -> None:
    call.authorize("logs:DeleteResourcePolicy", "*")
    name = req.policyName or ""

    def work(transaction: Transaction) -> None:
        if transaction.get(policy_arn(call, name)) is None:
            raise missing(f"Policy with name [{name}] does not exist")
        transaction.delete(policy_arn(call, name))

    with as_faults():
        await call.app.storage.keep(work)


def policy_arn(call: Call, name: str) -> str:
    """Ours, not AWS's: these policies have none there, and it never leaves the store."""
    return f"arn:craton:logs:{call.region}:{call.account}:resource-policy/{name}"


def shown(row: Resource) -> dict[str, Any]:
    body = row.read(PolicyBody)
    return {
        "policyName": row.id,
        "policyDocument": body.document,
        "lastUpdatedTime": milliseconds(row.updated_at),
        "policyScope": "ACCOUNT",
        "revisionId": body.revision,
    }
