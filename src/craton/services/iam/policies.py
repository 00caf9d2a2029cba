"""Managed policies: made, shown, listed and deleted. Their versions and whom they are attached to have files of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from craton.context import Call
from craton.infra.identities import records
from craton.infra.identities.managed import aws_policies
from craton.infra.identities.records import ManagedPolicy, Version
from craton.infra.store.port import AlreadyExists, Reader, Resource, Transaction
from craton.services.iam import given, managed, pages, shown
from craton.services.iam.nouns import action, check_room, exists, faults, in_use, write
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes import iam


@operation("iam", "CreatePolicy")
async def create_policy(call: Call, req: iam.CreatePolicyRequest) -> iam.CreatePolicyResponse:
    now, tags = call.app.clock.now(), given.tags(req.Tags)
    given.merged({}, tags, "TagsPerPolicy")
    body = ManagedPolicy(
        name=req.PolicyName,
        path=req.Path or "/",
        description=req.Description or "",
        tags=tags,
        versions=[Version(id="v1", document=req.PolicyDocument, created_at=now)],
    )
    row = records.row_of(records.POLICY, call.account, body, now)
    call.authorize(action(call), row.arn, given=given.request_keys(tags))
    given.policy(req.PolicyDocument)

    def work(transaction: Transaction) -> Resource:
        most = call.app.settings.file.limits.iam_policies
        check_room(call, transaction, records.POLICY, "PoliciesPerAccount", most)
        try:
            return transaction.create(row)
        except AlreadyExists:
            raise exists(f"A policy called {req.PolicyName} already exists. Duplicate names are not allowed.") from None

    return {"Policy": shown.policy(await write(call, work))}


@operation("iam", "GetPolicy")
async def get_policy(call: Call, req: iam.GetPolicyRequest) -> iam.GetPolicyResponse:
    ours = aws_policies().get(req.PolicyArn)
    if ours is None:
        return {"Policy": shown.policy(await managed.read_own(call, req.PolicyArn))}
    call.authorize(action(call), req.PolicyArn)
    with faults():
        row = await call.app.storage.read(lambda store: managed.uses(store, call.account, req.PolicyArn))
    return {"Policy": shown.aws_policy(ours, row.read(ManagedPolicy) if row is not None else None)}


@operation("iam", "ListPolicies")
async def list_policies(call: Call, req: iam.ListPoliciesRequest) -> iam.ListPoliciesResponse:
    """Those that are there from the beginning come first, all on the first page that asks for them."""
    call.authorize(action(call), "*")

    def wanted(shown_policy: iam.Policy) -> bool:
        count = {
            "PermissionsPolicy": shown_policy.get("AttachmentCount"),
            "PermissionsBoundary": shown_policy.get("PermissionsBoundaryUsageCount"),
            None: (shown_policy.get("AttachmentCount") or 0) + (shown_policy.get("PermissionsBoundaryUsageCount") or 0),
        }[req.PolicyUsageFilter]
        path = shown_policy.get("Path") or "/"
        is_used = bool(count) or not (req.OnlyAttached or req.PolicyUsageFilter)
        return is_used and path.startswith(req.PathPrefix or "/")

    scope = req.Scope or "All"
    found: list[iam.Policy] = []
    if scope != "Local" and req.Marker is None:
        found += [one for one in await _ours(call) if wanted(one)]
    if scope == "AWS":
        return {"Policies": found, "IsTruncated": False}
    filters = (req.Scope, req.OnlyAttached, req.PathPrefix, req.PolicyUsageFilter)
    keep = lambda row: wanted(shown.policy(row, listed=True))  # noqa: E731
    rows, tail = await pages.of_rows(call, req, records.POLICY, keep, *filters)
    return {"Policies": found + [shown.policy(row, listed=True) for row in rows], **tail}  # type: ignore[typeddict-item]


async def _ours(call: Call) -> list[iam.Policy]:
    """The policies that belong to nobody, with the account's own uses of them."""

    def work(store: Reader) -> list[iam.Policy]:
        rows = {arn: managed.uses(store, call.account, arn) for arn in aws_policies()}
        return [
            shown.aws_policy(one, row.read(ManagedPolicy) if (row := rows[arn]) is not None else None)
            for arn, one in aws_policies().items()
        ]

    with faults():
        found = await call.app.storage.read(work)
    for one in found:
        one.pop("Description", None)
        one.pop("Tags", None)
    return found


@operation("iam", "DeletePolicy")
async def delete_policy(call: Call, req: iam.DeletePolicyRequest) -> None:
    """Only when nobody has it and no version but the default is left."""
    seen = await managed.read_own(call, req.PolicyArn)

    def work(transaction: Transaction) -> None:
        row = managed.own(transaction, call.account, req.PolicyArn)
        if row is None or row.id != seen.id:
            raise managed.missing(req.PolicyArn)
        body = row.read(ManagedPolicy)
        if body.attached_to or body.bounding:
            raise in_use("Cannot delete a policy attached to entities.")
        if len(body.versions) > 1:
            raise in_use(
                "This policy has more than one version. Before you delete a policy, you must delete the policy's "
                "versions. The default version is deleted with the policy."
            )
        transaction.delete(row.arn)

    await write(call, work)
