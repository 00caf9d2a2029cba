"""Ownership and access control lists: every bucket is its owner's alone, with all that is in it.

Buckets here enforce the owner (S3's default since 2023): lists can be read, and say that the owner may do everything;
those that would say anything else are refused, as S3 refuses them. Who else may do something is said by policies.
Source: S3 user guide, "Controlling ownership of objects and disabling ACLs for your bucket".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.services.operation import operation
from craton.services.s3 import configured, gate
from craton.services.s3.bucket_record import ENFORCED
from craton.services.s3.faults import fault, malformed_xml, not_implemented, not_set
from craton.services.s3.naming import owner_of

if TYPE_CHECKING:
    from craton.aws.shapes.s3 import (
        DeleteBucketOwnershipControlsRequest,
        GetBucketAclOutput,
        GetBucketAclRequest,
        GetBucketOwnershipControlsOutput,
        GetBucketOwnershipControlsRequest,
        PutBucketAclRequest,
        PutBucketOwnershipControlsRequest,
    )

_GRANTS: Final = ("GrantFullControl", "GrantRead", "GrantReadACP", "GrantWrite", "GrantWriteACP")
_OWNERS_OWN: Final = frozenset({"private", "bucket-owner-full-control"})
NO_LISTS = "The bucket does not allow ACLs"
NOT_AT_ONCE = "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting"
NOT_OTHERS = "Only the object ownership BucketOwnerEnforced is implemented by this server."


def check_bucket_acl(req: Any, *, with_ownership: bool = False) -> None:
    """Raise where a request's headers give a bucket to anybody but its owner."""
    if req.ACL not in (None, "private") or _grants(req):
        if with_ownership:
            raise fault("InvalidBucketAclWithObjectOwnership", NOT_AT_ONCE)
        raise lists_not_supported()


def check_object_acl(req: Any) -> None:
    """Raise AccessControlListNotSupported where a request's headers give an object to anybody but the bucket's owner."""
    if (req.ACL is not None and req.ACL not in _OWNERS_OWN) or _grants(req):
        raise lists_not_supported()


def check_ownership(ownership: str | None) -> None:
    if ownership not in (None, ENFORCED):
        raise not_implemented(NOT_OTHERS)


def lists_not_supported() -> Fault:
    return fault("AccessControlListNotSupported", NO_LISTS)


def owners_list(account: str) -> dict[str, Any]:
    """The list that every bucket and object has."""
    owner = owner_of(account)
    return {"Owner": owner, "Grants": [{"Grantee": {**owner, "Type": "CanonicalUser"}, "Permission": "FULL_CONTROL"}]}


def check_list(policy: Any, account: str) -> None:
    """Raise unless a list that was put says what it says already."""
    if policy is None:
        return
    if policy.Owner is None or owner_of(account)["ID"] != policy.Owner.ID:
        raise lists_not_supported()
    for grant in policy.Grants or ():
        grantee = grant.Grantee
        mine = grantee is not None and grantee.ID == policy.Owner.ID and grant.Permission == "FULL_CONTROL"
        if not mine:
            raise lists_not_supported()


def _grants(req: Any) -> bool:
    return any(getattr(req, name, None) for name in _GRANTS)


@operation("s3", "GetBucketAcl")
async def get_bucket_acl(call: Call, req: GetBucketAclRequest) -> GetBucketAclOutput:
    found = await configured.read(call, req, "s3:GetBucketAcl")
    return owners_list(found.owner)  # type: ignore[return-value]


@operation("s3", "PutBucketAcl", status="partial")
async def put_bucket_acl(call: Call, req: PutBucketAclRequest) -> None:
    found = await configured.read(call, req, "s3:PutBucketAcl")
    check_bucket_acl(req)
    check_list(req.AccessControlPolicy, found.owner)


@operation("s3", "PutBucketOwnershipControls", status="partial")
async def put_bucket_ownership_controls(call: Call, req: PutBucketOwnershipControlsRequest) -> None:
    found = await configured.read(call, req, "s3:PutBucketOwnershipControls")
    rules = req.OwnershipControls.Rules
    if len(rules) != 1:
        raise malformed_xml()
    check_ownership(rules[0].ObjectOwnership)
    await configured.amend(call, found.name, lambda bucket: msgspec.structs.replace(bucket, ownership=ENFORCED))


@operation("s3", "GetBucketOwnershipControls")
async def get_bucket_ownership_controls(
    call: Call, req: GetBucketOwnershipControlsRequest
) -> GetBucketOwnershipControlsOutput:
    found = await configured.read(call, req, "s3:GetBucketOwnershipControls")
    if found.bucket.ownership is None:
        text = "The bucket ownership controls were not found"
        raise not_set("OwnershipControlsNotFoundError", text, found.name)
    return {"OwnershipControls": {"Rules": [{"ObjectOwnership": found.bucket.ownership}]}}


@operation("s3", "DeleteBucketOwnershipControls", status="partial")
async def delete_bucket_ownership_controls(call: Call, req: DeleteBucketOwnershipControlsRequest) -> None:
    """Without controls S3 falls back to owners by writer, which are not built: so the bucket must keep them."""
    await gate.opened(call, req.Bucket, "s3:PutBucketOwnershipControls", expected_owner=req.ExpectedBucketOwner)
    raise not_implemented(NOT_OTHERS)
