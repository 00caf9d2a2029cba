"""Permissions boundaries of users and roles: the managed policy beyond which nothing is allowed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from craton.aws.access.keys import NOTHING
from craton.aws.access.variables import Keys
from craton.context import Call, Handler
from craton.infra.identities.records import Bounded
from craton.infra.store.port import Resource, Transaction
from craton.services.iam import managed
from craton.services.iam.nouns import ROLES, USERS, Noun, change, no_such
from craton.services.operation import operation

if TYPE_CHECKING:
    BoundedNoun = Noun[Any]

Prepare = Callable[[Transaction, Resource], Resource]


def bounding(call: Call, arn: str | None) -> Prepare:
    """What writes the policy's side of a new identity's boundary. Raises NoSuchEntity for a policy that is not there."""

    def prepare(transaction: Transaction, row: Resource) -> Resource:
        if arn is not None:
            managed.note(call, transaction, arn, lambda body: body.bounding.append(row.id))
        return row

    return prepare


def _put(noun: BoundedNoun) -> Handler:
    async def put(call: Call, req: Any) -> None:
        def alter(transaction: Transaction, row: Resource, body: Bounded) -> None:
            managed.forget(call, transaction, body.boundary, row.id)
            bounding(call, req.PermissionsBoundary)(transaction, row)
            body.boundary = req.PermissionsBoundary

        keys: Keys = {"iam:permissionsboundary": req.PermissionsBoundary}
        await change(call, noun, noun.named(req), alter, keys)

    return operation("iam", f"Put{noun.word}PermissionsBoundary")(put)


def _delete(noun: BoundedNoun) -> Handler:
    async def delete(call: Call, req: Any) -> None:
        def alter(transaction: Transaction, row: Resource, body: Bounded) -> None:
            if body.boundary is None:
                raise no_such(f"{noun.word} {body.name} does not have permissions boundary")
            managed.forget(call, transaction, body.boundary, row.id)
            body.boundary = None

        await change(call, noun, noun.named(req), alter, NOTHING)

    return operation("iam", f"Delete{noun.word}PermissionsBoundary")(delete)


put_user_permissions_boundary, put_role_permissions_boundary = _put(USERS), _put(ROLES)
delete_user_permissions_boundary, delete_role_permissions_boundary = _delete(USERS), _delete(ROLES)
