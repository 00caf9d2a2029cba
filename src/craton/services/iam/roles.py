"""Roles: made, shown, listed, changed and deleted. Who may assume one is in `role_trust`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from craton.context import Call
from craton.infra.identities import records
from craton.infra.identities.records import Role
from craton.infra.store.port import Resource, Transaction
from craton.services.iam import given, managed, pages, shown
from craton.services.iam.boundaries import bounding
from craton.services.iam.nouns import ROLES, action, change, create, current, in_use, judged, write
from craton.services.iam.role_trust import checked_trust
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes import iam

DEFAULT_SESSION_S = 3600


@operation("iam", "CreateRole")
async def create_role(call: Call, req: iam.CreateRoleRequest) -> iam.CreateRoleResponse:
    tags = given.tags(req.Tags)
    given.merged({}, tags, "TagsPerRole")
    body = Role(
        name=req.RoleName,
        path=req.Path or "/",
        trust=req.AssumeRolePolicyDocument,
        description=req.Description or "",
        max_session_s=req.MaxSessionDuration or DEFAULT_SESSION_S,
        tags=tags,
        boundary=req.PermissionsBoundary,
    )
    bound = bounding(call, req.PermissionsBoundary)

    def prepare(transaction: Transaction, row: Resource) -> Resource:
        body.pins = checked_trust(transaction, body.trust)
        bound(transaction, row)
        return msgspec.structs.replace(row, body=msgspec.json.encode(body))

    quota = ("RolesPerAccount", call.app.settings.file.limits.iam_roles)
    keys = given.request_keys(tags, req.PermissionsBoundary)
    return {"Role": shown.role(await create(call, ROLES, body, quota, keys, prepare))}


@operation("iam", "GetRole")
async def get_role(call: Call, req: iam.GetRoleRequest) -> iam.GetRoleResponse:
    return {"Role": shown.role(await judged(call, ROLES, req.RoleName))}


@operation("iam", "ListRoles")
async def list_roles(call: Call, req: iam.ListRolesRequest) -> iam.ListRolesResponse:
    call.authorize(action(call), records.arn_of(records.ROLE, call.account, req.PathPrefix or "/", ""))
    rows, tail = await pages.of_rows(call, req, records.ROLE, pages.under(req.PathPrefix, Role), req.PathPrefix)
    return {"Roles": [shown.role(row, listed=True) for row in rows], **tail}  # type: ignore[typeddict-item]


@operation("iam", "UpdateRole")
async def update_role(call: Call, req: iam.UpdateRoleRequest) -> iam.UpdateRoleResponse:
    """What is not given goes back to its default, as on AWS."""

    def alter(transaction: Transaction, row: Resource, body: Role) -> None:
        body.description = req.Description or ""
        body.max_session_s = req.MaxSessionDuration or DEFAULT_SESSION_S

    await change(call, ROLES, req.RoleName, alter)
    return {}


@operation("iam", "UpdateRoleDescription")
async def update_role_description(
    call: Call, req: iam.UpdateRoleDescriptionRequest
) -> iam.UpdateRoleDescriptionResponse:
    def alter(transaction: Transaction, row: Resource, body: Role) -> None:
        body.description = req.Description

    await change(call, ROLES, req.RoleName, alter)
    row = await call.app.storage.read(lambda store: records.named(store, call.account, records.ROLE, req.RoleName))
    if row is None:
        raise ROLES.missing(req.RoleName)
    return {"Role": shown.role(row)}


@operation("iam", "DeleteRole")
async def delete_role(call: Call, req: iam.DeleteRoleRequest) -> None:
    """Its sessions end with it."""
    seen = await judged(call, ROLES, req.RoleName)

    def work(transaction: Transaction) -> None:
        row = current(transaction, ROLES, seen)
        body = row.read(Role)
        if body.attached:
            raise in_use("Cannot delete entity, must detach all policies first.")
        if body.inline:
            raise in_use("Cannot delete entity, must delete policies first.")
        managed.forget(call, transaction, body.boundary, row.id)
        transaction.delete(row.arn)

    await write(call, work)


@operation("iam", "ListInstanceProfilesForRole")
async def list_instance_profiles_for_role(
    call: Call, req: iam.ListInstanceProfilesForRoleRequest
) -> iam.ListInstanceProfilesForRoleResponse:
    """None: there are no instances. Terraform asks before it deletes a role."""
    await judged(call, ROLES, req.RoleName)
    return {"InstanceProfiles": [], "IsTruncated": False}
