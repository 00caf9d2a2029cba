"""How identities and policies are shown: rows as the members of IAM's answers.

Owns these forms alone. Documents leave percent-encoded (RFC 3986), as IAM's do. It must not know requests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from craton.infra.identities.managed import MADE_AT, VERSION, AwsPolicy
from craton.infra.identities.records import Bounded, Group, ManagedPolicy, Role, User, Version

if TYPE_CHECKING:
    from craton.aws.shapes import iam
    from craton.infra.store.port import Resource


def document(text: str) -> str:
    return quote(text, safe="-_.~")


def tags(given: dict[str, str]) -> list[iam.TagDict]:
    return [{"Key": key, "Value": value} for key, value in given.items()]


def boundary(body: Bounded) -> dict[str, str] | None:
    if body.boundary is None:
        return None
    return {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": body.boundary}


def user(row: Resource, *, listed: bool = False) -> iam.User:
    """A user; listings leave out tags and boundary, as IAM's do."""
    body = row.read(User)
    shown: iam.User = {
        "Path": body.path,
        "UserName": body.name,
        "UserId": row.id,
        "Arn": row.arn,
        "CreateDate": row.created_at,
    }
    if not listed:
        _add_bounded(shown, body)  # type: ignore[arg-type]
    return shown


def group(row: Resource) -> iam.Group:
    body = row.read(Group)
    return {
        "Path": body.path,
        "GroupName": body.name,
        "GroupId": row.id,
        "Arn": row.arn,
        "CreateDate": row.created_at,
    }


def role(row: Resource, *, listed: bool = False) -> iam.Role:
    """A role; listings leave out tags, boundary and last use, as IAM's do."""
    body = row.read(Role)
    shown: iam.Role = {
        "Path": body.path,
        "RoleName": body.name,
        "RoleId": row.id,
        "Arn": row.arn,
        "CreateDate": row.created_at,
        "AssumeRolePolicyDocument": document(body.trust),
        "MaxSessionDuration": body.max_session_s,
    }
    if body.description:
        shown["Description"] = body.description
    if not listed:
        _add_bounded(shown, body)  # type: ignore[arg-type]
        shown["RoleLastUsed"] = {}
    return shown


def policy(row: Resource, *, listed: bool = False) -> iam.Policy:
    """A managed policy of an account; listings leave out description and tags, as IAM's do."""
    body = row.read(ManagedPolicy)
    shown: iam.Policy = {
        "PolicyName": body.name,
        "PolicyId": row.id,
        "Arn": row.arn,
        "Path": body.path,
        "DefaultVersionId": body.default,
        "AttachmentCount": len(body.attached_to),
        "PermissionsBoundaryUsageCount": len(body.bounding),
        "IsAttachable": True,
        "CreateDate": row.created_at,
        "UpdateDate": row.updated_at,
    }
    if not listed:
        shown["Tags"] = tags(body.tags)
        if body.description:
            shown["Description"] = body.description
    return shown


def aws_policy(found: AwsPolicy, uses: ManagedPolicy | None) -> iam.Policy:
    """A policy that is there from the beginning; `uses` is what the account keeps of its attachments."""
    return {
        "PolicyName": found.name,
        "PolicyId": found.id,
        "Arn": found.arn,
        "Path": "/",
        "DefaultVersionId": VERSION,
        "AttachmentCount": len(uses.attached_to) if uses is not None else 0,
        "PermissionsBoundaryUsageCount": len(uses.bounding) if uses is not None else 0,
        "IsAttachable": True,
        "Description": found.description,
        "CreateDate": MADE_AT,
        "UpdateDate": MADE_AT,
        "Tags": [],
    }


def version(found: Version, default: str, *, text: bool = True) -> iam.PolicyVersion:
    shown: iam.PolicyVersion = {
        "VersionId": found.id,
        "IsDefaultVersion": found.id == default,
        "CreateDate": found.created_at,
    }
    if text:
        shown["Document"] = document(found.document)
    return shown


def attached(arns: list[str]) -> list[iam.AttachedPolicy]:
    return [{"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn} for arn in arns]


def _add_bounded(shown: dict[str, object], body: Bounded) -> None:
    if body.tags:
        shown["Tags"] = tags(body.tags)
    bound = boundary(body)
    if bound is not None:
        shown["PermissionsBoundary"] = bound
