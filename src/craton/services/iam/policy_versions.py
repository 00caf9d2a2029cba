"""The versions of managed policies: up to five, of which one is in force."""

from __future__ import annotations

from typing import TYPE_CHECKING

from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.infra.identities.managed import MADE_AT, VERSION, aws_policies
from craton.infra.identities.records import ManagedPolicy, Version
from craton.infra.store.port import Resource, Transaction
from craton.services.iam import given, managed, pages, shown
from craton.services.iam.nouns import action, in_use, no_such
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes import iam

MAX_VERSIONS = 5
_TOO_MANY = (
    "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version."
)


@operation("iam", "CreatePolicyVersion")
async def create_policy_version(call: Call, req: iam.CreatePolicyVersionRequest) -> iam.CreatePolicyVersionResponse:
    def alter(transaction: Transaction, row: Resource, body: ManagedPolicy) -> iam.PolicyVersion:
        given.policy(req.PolicyDocument)
        if len(body.versions) >= MAX_VERSIONS:
            raise Fault("LimitExceeded", _TOO_MANY, status=409)
        body.made += 1
        made = Version(id=f"v{body.made}", document=req.PolicyDocument, created_at=call.app.clock.now())
        body.versions.append(made)
        if req.SetAsDefault:
            body.default = made.id
        return shown.version(made, body.default, text=False)

    return {"PolicyVersion": await managed.change(call, req.PolicyArn, alter)}


@operation("iam", "GetPolicyVersion")
async def get_policy_version(call: Call, req: iam.GetPolicyVersionRequest) -> iam.GetPolicyVersionResponse:
    versions, default = await _versions(call, req.PolicyArn)
    found = next((one for one in versions if one.id == req.VersionId), None)
    if found is None:
        raise _missing(req.PolicyArn, req.VersionId)
    return {"PolicyVersion": shown.version(found, default)}


@operation("iam", "ListPolicyVersions")
async def list_policy_versions(call: Call, req: iam.ListPolicyVersionsRequest) -> iam.ListPolicyVersionsResponse:
    """The newest first, as on AWS."""
    versions, default = await _versions(call, req.PolicyArn)
    key = lambda one: f"{10**9 - int(one.id[1:]):010d}"  # noqa: E731
    found, tail = pages.of_list(call, req, versions, key, req.PolicyArn)
    return {"Versions": [shown.version(one, default, text=False) for one in found], **tail}  # type: ignore[typeddict-item]


@operation("iam", "DeletePolicyVersion")
async def delete_policy_version(call: Call, req: iam.DeletePolicyVersionRequest) -> None:
    def alter(transaction: Transaction, row: Resource, body: ManagedPolicy) -> None:
        _check_there(body, req.PolicyArn, req.VersionId)
        if req.VersionId == body.default:
            raise in_use("Cannot delete the default version of a policy.")
        body.versions = [one for one in body.versions if one.id != req.VersionId]

    await managed.change(call, req.PolicyArn, alter)


@operation("iam", "SetDefaultPolicyVersion")
async def set_default_policy_version(call: Call, req: iam.SetDefaultPolicyVersionRequest) -> None:
    def alter(transaction: Transaction, row: Resource, body: ManagedPolicy) -> None:
        _check_there(body, req.PolicyArn, req.VersionId)
        body.default = req.VersionId

    await managed.change(call, req.PolicyArn, alter)


async def _versions(call: Call, arn: str) -> tuple[list[Version], str]:
    """All versions of a policy and which is in force, after the call was authorized on it."""
    ours = aws_policies().get(arn)
    if ours is not None:
        call.authorize(action(call), arn)
        return [Version(id=VERSION, document=ours.document, created_at=MADE_AT)], VERSION
    body = (await managed.read_own(call, arn)).read(ManagedPolicy)
    return body.versions, body.default


def _check_there(body: ManagedPolicy, arn: str, version: str) -> None:
    if all(one.id != version for one in body.versions):
        raise _missing(arn, version)


def _missing(arn: str, version: str) -> Fault:
    return no_such(f"Policy {arn} version {version} does not exist or is not attachable.")
