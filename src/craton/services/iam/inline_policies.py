"""Inline policies of users, groups and roles: each belongs to one identity and goes with it.

One function serves each operation of the three nouns, because IAM has the same four for each.
"""

from __future__ import annotations

from typing import Any

from craton.aws.wire.faults import Fault
from craton.context import Call, Handler
from craton.infra.identities.records import Entity
from craton.infra.store.port import Resource, Transaction
from craton.services.iam import given, pages, shown
from craton.services.iam.nouns import GROUPS, ROLES, USERS, Noun, change, judged, no_such
from craton.services.operation import operation

# IAM's quotas for all inline policies of one identity together, in characters without white space.
MAX_TOTAL = {"User": 2048, "Group": 5120, "Role": 10_240}


def _missing(noun: Noun[Any], name: str) -> Fault:
    return no_such(f"The {noun.shown} policy with name {name} cannot be found.")


def _put(noun: Noun[Any]) -> Handler:
    async def put(call: Call, req: Any) -> None:
        def alter(transaction: Transaction, row: Resource, body: Entity) -> None:
            body.inline[req.PolicyName] = given.policy(req.PolicyDocument)
            most = MAX_TOTAL[noun.word]
            if sum(map(given.size, body.inline.values())) > most:
                text = f"Maximum policy size of {most} bytes exceeded for {noun.shown} {body.name}"
                raise Fault("LimitExceeded", text, status=409)

        await change(call, noun, noun.named(req), alter)

    return operation("iam", f"Put{noun.word}Policy")(put)


def _get(noun: Noun[Any]) -> Handler:
    async def get(call: Call, req: Any) -> dict[str, Any]:
        body = (await judged(call, noun, noun.named(req))).read(noun.body)
        if req.PolicyName not in body.inline:
            raise _missing(noun, req.PolicyName)
        text = shown.document(body.inline[req.PolicyName])
        return {noun.member: body.name, "PolicyName": req.PolicyName, "PolicyDocument": text}

    return operation("iam", f"Get{noun.word}Policy")(get)


def _list(noun: Noun[Any]) -> Handler:
    async def list_(call: Call, req: Any) -> dict[str, Any]:
        body = (await judged(call, noun, noun.named(req))).read(noun.body)
        names, tail = pages.of_list(call, req, body.inline, str, body.name)
        return {"PolicyNames": names, **tail}

    return operation("iam", f"List{noun.word}Policies")(list_)


def _delete(noun: Noun[Any]) -> Handler:
    async def delete(call: Call, req: Any) -> None:
        def alter(transaction: Transaction, row: Resource, body: Entity) -> None:
            if body.inline.pop(req.PolicyName, None) is None:
                raise _missing(noun, req.PolicyName)

        await change(call, noun, noun.named(req), alter)

    return operation("iam", f"Delete{noun.word}Policy")(delete)


put_user_policy, put_group_policy, put_role_policy = (_put(noun) for noun in (USERS, GROUPS, ROLES))
get_user_policy, get_group_policy, get_role_policy = (_get(noun) for noun in (USERS, GROUPS, ROLES))
list_user_policies, list_group_policies, list_role_policies = (_list(noun) for noun in (USERS, GROUPS, ROLES))
delete_user_policy, delete_group_policy, delete_role_policy = (_delete(noun) for noun in (USERS, GROUPS, ROLES))
