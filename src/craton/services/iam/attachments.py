"""Managed policies attached to users, groups and roles. One function serves each operation of the three nouns."""

from __future__ import annotations

from typing import Any

from craton.aws.access.variables import Keys
from craton.context import Call, Handler
from craton.infra.identities.records import Entity
from craton.infra.store.port import Resource, Transaction
from craton.services.iam import managed, pages, shown
from craton.services.iam.nouns import GROUPS, ROLES, USERS, Noun, change, judged, limit, no_such
from craton.services.operation import operation

MAX_ATTACHED = 10


def _given(req: Any) -> Keys:
    return {"iam:policyarn": req.PolicyArn}


def _attach(noun: Noun[Any]) -> Handler:
    async def attach(call: Call, req: Any) -> None:
        """To attach again is no error."""

        def alter(transaction: Transaction, row: Resource, body: Entity) -> None:
            arn = req.PolicyArn
            if arn in body.attached:
                return
            if len(body.attached) >= MAX_ATTACHED:
                raise limit(f"PoliciesPer{noun.word}", MAX_ATTACHED)
            managed.note(call, transaction, arn, lambda policy: policy.attached_to.append(row.id))
            body.attached.append(arn)

        await change(call, noun, noun.named(req), alter, _given(req))

    return operation("iam", f"Attach{noun.word}Policy")(attach)


def _detach(noun: Noun[Any]) -> Handler:
    async def detach(call: Call, req: Any) -> None:
        def alter(transaction: Transaction, row: Resource, body: Entity) -> None:
            arn = req.PolicyArn
            if arn not in body.attached:
                raise no_such(f"Policy {arn} was not found.")
            managed.note(call, transaction, arn, lambda policy: policy.attached_to.remove(row.id))
            body.attached.remove(arn)

        await change(call, noun, noun.named(req), alter, _given(req))

    return operation("iam", f"Detach{noun.word}Policy")(detach)


def _list(noun: Noun[Any]) -> Handler:
    async def list_(call: Call, req: Any) -> dict[str, Any]:
        body = (await judged(call, noun, noun.named(req))).read(noun.body)
        # A policy's path stands in its ARN, behind the word "policy".
        found = [arn for arn in body.attached if arn.partition(":policy")[2].startswith(req.PathPrefix or "/")]
        arns, tail = pages.of_list(call, req, found, str, body.name, req.PathPrefix)
        return {"AttachedPolicies": shown.attached(arns), **tail}

    return operation("iam", f"ListAttached{noun.word}Policies")(list_)


attach_user_policy, attach_group_policy, attach_role_policy = (_attach(noun) for noun in (USERS, GROUPS, ROLES))
detach_user_policy, detach_group_policy, detach_role_policy = (_detach(noun) for noun in (USERS, GROUPS, ROLES))
list_attached_user_policies, list_attached_group_policies, list_attached_role_policies = (
    _list(noun) for noun in (USERS, GROUPS, ROLES)
)
