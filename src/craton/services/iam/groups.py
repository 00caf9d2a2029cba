"""Groups and who is in them. A group's row holds the unique ids of its members, so that renaming either changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from craton.context import Call
from craton.infra.identities import records
from craton.infra.identities.records import Group
from craton.infra.store.port import GLOBAL, AlreadyExists, Reader, Resource, Transaction
from craton.services.iam import pages, shown
from craton.services.iam.nouns import (
    GROUPS,
    USERS,
    action,
    change,
    create,
    current,
    exists,
    faults,
    in_use,
    judged,
    limit,
    write,
)
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes import iam

MAX_PER_USER = 10


@operation("iam", "CreateGroup")
async def create_group(call: Call, req: iam.CreateGroupRequest) -> iam.CreateGroupResponse:
    body = Group(name=req.GroupName, path=req.Path or "/")
    quota = ("GroupsPerAccount", call.app.settings.file.limits.iam_groups)
    return {"Group": shown.group(await create(call, GROUPS, body, quota))}


@operation("iam", "GetGroup")
async def get_group(call: Call, req: iam.GetGroupRequest) -> iam.GetGroupResponse:
    """The group and its members, by page."""
    row = await judged(call, GROUPS, req.GroupName)
    ids, tail = pages.of_list(call, req, row.read(Group).members, str, req.GroupName)

    def members(store: Reader) -> list[Resource]:
        found = (store.get_by_id(call.account, GLOBAL, records.USER, ident) for ident in ids)
        return [user for user in found if user is not None]

    with faults():
        users = await call.app.storage.read(members)
    answer: iam.GetGroupResponse = {"Group": shown.group(row), "Users": [shown.user(one, listed=True) for one in users]}
    return {**answer, **tail}  # type: ignore[typeddict-item]


@operation("iam", "ListGroups")
async def list_groups(call: Call, req: iam.ListGroupsRequest) -> iam.ListGroupsResponse:
    call.authorize(action(call), records.arn_of(records.GROUP, call.account, req.PathPrefix or "/", ""))
    rows, tail = await pages.of_rows(call, req, records.GROUP, pages.under(req.PathPrefix, Group), req.PathPrefix)
    return {"Groups": [shown.group(row) for row in rows], **tail}  # type: ignore[typeddict-item]


@operation("iam", "UpdateGroup")
async def update_group(call: Call, req: iam.UpdateGroupRequest) -> None:
    seen = await judged(call, GROUPS, req.GroupName)
    new_name, new_path = req.NewGroupName or req.GroupName, req.NewPath or seen.read(Group).path
    call.authorize(action(call), records.arn_of(records.GROUP, call.account, new_path, new_name))

    def work(transaction: Transaction) -> None:
        row = current(transaction, GROUPS, seen)
        body = row.read(Group)
        body.name, body.path = new_name, new_path
        try:
            records.moved(transaction, row, body, call.app.clock.now())
        except AlreadyExists:
            raise exists(f"Group with name {new_name} already exists.") from None

    await write(call, work)


@operation("iam", "DeleteGroup")
async def delete_group(call: Call, req: iam.DeleteGroupRequest) -> None:
    seen = await judged(call, GROUPS, req.GroupName)

    def work(transaction: Transaction) -> None:
        row = current(transaction, GROUPS, seen)
        body = row.read(Group)
        held = (
            (body.members, "must remove users from group first."),
            (body.attached, "must detach all policies first."),
            (body.inline, "must delete policies first."),
        )
        for there, word in held:
            if there:
                raise in_use(f"Cannot delete entity, {word}")
        transaction.delete(row.arn)

    await write(call, work)


@operation("iam", "AddUserToGroup")
async def add_user_to_group(call: Call, req: iam.AddUserToGroupRequest) -> None:
    """To add a member again is no error."""

    def alter(transaction: Transaction, row: Resource, body: Group) -> None:
        user = member(transaction, call, req.UserName)
        if user.id in body.members:
            return
        if len(groups_of(transaction, call.account, user.id)) >= MAX_PER_USER:
            raise limit("GroupsPerUser", MAX_PER_USER)
        body.members.append(user.id)

    await change(call, GROUPS, req.GroupName, alter)


@operation("iam", "RemoveUserFromGroup")
async def remove_user_from_group(call: Call, req: iam.RemoveUserFromGroupRequest) -> None:
    def alter(transaction: Transaction, row: Resource, body: Group) -> None:
        user = member(transaction, call, req.UserName)
        if user.id not in body.members:
            raise USERS.missing(req.UserName)
        body.members.remove(user.id)

    await change(call, GROUPS, req.GroupName, alter)


@operation("iam", "ListGroupsForUser")
async def list_groups_for_user(call: Call, req: iam.ListGroupsForUserRequest) -> iam.ListGroupsForUserResponse:
    user = await judged(call, USERS, req.UserName)
    with faults():
        found = await call.app.storage.read(lambda store: groups_of(store, call.account, user.id))
    rows, tail = pages.of_list(call, req, found, lambda row: row.read(Group).name, req.UserName)
    return {"Groups": [shown.group(row) for row in rows], **tail}  # type: ignore[typeddict-item]


def groups_of(store: Reader, account: str, user_id: str) -> list[Resource]:
    """The groups that a user is in."""
    return [row for row in records.rows(store, records.GROUP, account) if user_id in row.read(Group).members]


def member(transaction: Transaction, call: Call, name: str) -> Resource:
    """The user to add or to remove. Raises NoSuchEntity."""
    user = records.named(transaction, call.account, records.USER, name)
    if user is None:
        raise USERS.missing(name)
    return user
