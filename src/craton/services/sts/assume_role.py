"""AssumeRole: who is trusted by a role gets temporary credentials of it.

The role's trust policy must allow the caller, and in another account the caller's own policies must too; the same holds
for passing tags and for setting a source identity. A role that is not there is refused in the same words as one that
trusts somebody else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from craton.aws.access.request import tag_keys
from craton.aws.access.variables import Value
from craton.aws.wire.faults import Fault, access_denied
from craton.context import Call
from craton.infra.identities.records import Role
from craton.infra.store.port import Resource
from craton.services.iam.nouns import resource_tags
from craton.services.iam.role_trust import trust_of
from craton.services.operation import operation
from craton.services.sts import issue

if TYPE_CHECKING:
    from craton.aws.shapes import sts


@operation("sts", "AssumeRole")
async def assume_role(call: Call, req: sts.AssumeRoleRequest) -> sts.AssumeRoleResponse:
    inherited = issue.carried(call.caller)
    tags = issue.session_tags(req.Tags, inherited)
    source = source_identity(call, req.SourceIdentity)
    row = await issue.role_row(call, req.RoleArn)
    check_trusted(call, req, row, source)
    assert row is not None  # noqa: S101 - a role that is not there trusts nobody
    role = row.read(Role)
    seconds = issue.life_s(req.DurationSeconds, role, chained=call.caller.kind == "assumed-role")
    if call.caller.kind == "assumed-role":
        seconds = min(seconds, issue.CHAINED_S)
    principal = issue.assumed(
        row,
        req.RoleSessionName,
        call,
        session_policies=await issue.session_policies(call, row.account, req.Policy, req.PolicyArns),
        session_tags=tags,
        transitive_tags=transitive(req, tags, inherited),
        source_identity=source,
    )
    _, credentials = issue.issued(call, principal, row.id, seconds)
    answer: sts.AssumeRoleResponse = {
        "Credentials": credentials,
        "AssumedRoleUser": {"AssumedRoleId": principal.user_id, "Arn": principal.arn},
    }
    if req.Policy or req.PolicyArns or req.Tags:
        answer["PackedPolicySize"] = issue.packed_percent(credentials["SessionToken"])
    if source is not None:
        answer["SourceIdentity"] = source
    return answer


def source_identity(call: Call, asked: str | None) -> str | None:
    """The session's source identity: once set it follows the caller through all roles, and cannot become another."""
    own = call.caller.source_identity
    if own is not None and asked not in (None, own):
        raise access_denied("The source identity of a session cannot be changed.")
    return own or asked


def transitive(req: sts.AssumeRoleRequest, tags: dict[str, str], inherited: dict[str, str]) -> tuple[str, ...]:
    """The keys of tags that will follow into the next role. Raises InvalidParameterValue for one that is no tag."""
    asked = {key.lower() for key in req.TransitiveTagKeys or ()}
    if not asked <= {key.lower() for key in tags}:
        text = "A transitive tag key was given that is no key of a session tag."
        raise Fault("InvalidParameterValue", text, status=400)
    return tuple(key for key in tags if key.lower() in asked or key in inherited)


def check_trusted(call: Call, req: sts.AssumeRoleRequest, row: Resource | None, source: str | None) -> None:
    """Raise AccessDenied unless the role trusts the caller to do each thing that the request does."""
    actions = ["sts:AssumeRole"]
    if req.Tags:
        actions.append("sts:TagSession")
    if source is not None:
        actions.append("sts:SetSourceIdentity")
    given = _keys(req, row, source)
    for action in actions:
        if row is None or not _trusts(call, row, action, given):
            who = call.caller.arn
            raise access_denied(f"User: {who} is not authorized to perform: {action} on resource: {req.RoleArn}")


def _trusts(call: Call, row: Resource, action: str, given: dict[str, Value]) -> bool:
    authority = call.app.live.authority
    _, decision = authority.weigh(call, action, row.arn, given, policy=trust_of(row), decides=True)
    return decision.allowed


def _keys(req: sts.AssumeRoleRequest, row: Resource | None, source: str | None) -> dict[str, Value]:
    tags = {tag.Key: tag.Value for tag in req.Tags or ()}
    keys: dict[str, Value] = {"sts:rolesessionname": req.RoleSessionName, **tag_keys(request_tags=tags)}
    if row is not None:
        keys.update(resource_tags(row.read(Role).tags))
    if req.ExternalId is not None:
        keys["sts:externalid"] = req.ExternalId
    if source is not None:
        keys["sts:sourceidentity"] = source
    if req.TransitiveTagKeys:
        keys["sts:transitivetagkeys"] = tuple(req.TransitiveTagKeys)
    return keys
