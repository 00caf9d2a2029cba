"""Users: made, shown, renamed, listed and deleted. Keys, policies, groups and tags have files of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.infra.identities import records
from craton.infra.identities.managed import MADE_AT
from craton.infra.identities.records import User
from craton.infra.store.port import AlreadyExists, Resource, Transaction
from craton.services.iam import given, managed, pages, shown
from craton.services.iam.boundaries import bounding
from craton.services.iam.groups import groups_of
from craton.services.iam.nouns import (
    USERS,
    action,
    create,
    current,
    exists,
    in_use,
    judged,
    write,
)
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes import iam

UNNAMED = "Must specify userName when calling with non-User credentials"


@operation("iam", "CreateUser")
async def create_user(call: Call, req: iam.CreateUserRequest) -> iam.CreateUserResponse:
    tags = given.tags(req.Tags)
    given.merged({}, tags, "TagsPerUser")
    body = User(name=req.UserName, path=req.Path or "/", tags=tags, boundary=req.PermissionsBoundary)
    quota = ("UsersPerAccount", call.app.settings.file.limits.iam_users)
    keys = given.request_keys(tags, req.PermissionsBoundary)
    row = await create(call, USERS, body, quota, keys, bounding(call, req.PermissionsBoundary))
    return {"User": shown.user(row)}


@operation("iam", "GetUser")
async def get_user(call: Call, req: iam.GetUserRequest) -> iam.GetUserResponse:
    """Without a name: the caller itself."""
    if req.UserName is None and call.caller.is_root:
        return {"User": root(call)}
    return {"User": shown.user(await judged(call, USERS, named_or_caller(call, req.UserName)))}


@operation("iam", "ListUsers")
async def list_users(call: Call, req: iam.ListUsersRequest) -> iam.ListUsersResponse:
    call.authorize(action(call), records.arn_of(records.USER, call.account, req.PathPrefix or "/", ""))
    rows, tail = await pages.of_rows(call, req, records.USER, pages.under(req.PathPrefix, User), req.PathPrefix)
    return {"Users": [shown.user(row, listed=True) for row in rows], **tail}  # type: ignore[typeddict-item]


@operation("iam", "UpdateUser")
async def update_user(call: Call, req: iam.UpdateUserRequest) -> None:
    seen = await judged(call, USERS, req.UserName)
    new_name, new_path = req.NewUserName or req.UserName, req.NewPath or seen.read(User).path
    # Who may rename must be allowed both names, else a policy on a name could be slipped.
    call.authorize(action(call), records.arn_of(records.USER, call.account, new_path, new_name))

    def work(transaction: Transaction) -> None:
        row = current(transaction, USERS, seen)
        body = row.read(User)
        body.name, body.path = new_name, new_path
        try:
            records.moved(transaction, row, body, call.app.clock.now())
        except AlreadyExists:
            raise exists(f"User with name {new_name} already exists.") from None

    await write(call, work)


@operation("iam", "DeleteUser")
async def delete_user(call: Call, req: iam.DeleteUserRequest) -> None:
    seen = await judged(call, USERS, req.UserName)

    def work(transaction: Transaction) -> None:
        row = current(transaction, USERS, seen)
        body = row.read(User)
        check_bare(transaction, row, body)
        managed.forget(call, transaction, body.boundary, row.id)
        transaction.delete(row.arn)

    await write(call, work)


def check_bare(transaction: Transaction, row: Resource, body: User) -> None:
    """Raise DeleteConflict while anything hangs on the user."""
    held = (
        (body.access_keys, "must delete access keys first."),
        (body.credentials, "must delete service specific credentials first."),
        (body.attached, "must detach all policies first."),
        (body.inline, "must delete policies first."),
    )
    for there, word in held:
        if there:
            raise in_use(f"Cannot delete entity, {word}")
    if groups_of(transaction, row.account, row.id):
        raise in_use("Cannot delete entity, must remove users from group first.")


# --- the caller as a user ---


def named_or_caller(call: Call, name: str | None) -> str:
    """The name in a request, else the caller's own. Raises ValidationError for a caller that is no user."""
    if name is not None:
        return name
    if call.caller.kind != "user" or call.caller.name is None:
        raise Fault("ValidationError", UNNAMED, status=400)
    return call.caller.name


async def user_of(call: Call, name: str | None) -> Resource:
    """The user that is named or that calls, after the call was authorized on it."""
    return await judged(call, USERS, named_or_caller(call, name))


def root(call: Call) -> iam.User:
    """The root user as GetUser shows it: it has neither name nor path."""
    shown_root: dict[str, object] = {"UserId": call.account, "Arn": call.caller.arn, "CreateDate": MADE_AT}
    return shown_root  # type: ignore[return-value]
