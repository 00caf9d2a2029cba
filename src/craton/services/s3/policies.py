"""Bucket policies: put, got, deleted, and whether one is public.

Owns what S3 asks of a policy beyond its grammar: its size, that it speaks of this bucket, of S3's actions and of things
they can be done to, and that the public access block is heeded. Judging by it is `gate`'s.
Source: S3 user guide, "Bucket policies for Amazon S3" and "Blocking public access".
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

import msgspec

from craton.aws.access.policy import Policy, Statement, parse
from craton.aws.wire.faults import Fault
from craton.aws.wire.payload import Reply
from craton.context import Call
from craton.services.operation import operation
from craton.services.s3 import configured, gate
from craton.services.s3.bucket_record import arn_of
from craton.services.s3.faults import access_denied, fault, not_set
from craton.services.s3.public import is_public

if TYPE_CHECKING:
    from craton.aws.shapes.s3 import (
        DeleteBucketPolicyRequest,
        GetBucketPolicyOutput,
        GetBucketPolicyRequest,
        GetBucketPolicyStatusOutput,
        GetBucketPolicyStatusRequest,
        PutBucketPolicyRequest,
    )

MOST_BYTES: Final = 20 * 1024
TOO_LONG = "Your policy exceeds the maximum allowed document size of 20480 bytes"
BLOCKED = "public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access"
NONE = "The bucket policy does not exist"


def checked_policy(text: str, bucket: str) -> Policy:
    """Read a policy that is to hang on the bucket. Raises MalformedPolicy, PolicyTooLarge."""
    if len(text.encode()) > MOST_BYTES:
        raise fault("PolicyTooLarge", TOO_LONG)
    try:
        policy = parse(text, "resource", "bucket policy")
    except Fault as error:
        raise fault("MalformedPolicy", error.message) from None
    for statement in policy.statements:
        _check(statement, bucket)
    return policy


def _check(statement: Statement, bucket: str) -> None:
    place = f"Statement[{statement.index}]"
    if not statement.resources and not statement.not_resources:
        raise fault("MalformedPolicy", f"Missing required field Resource (at {place})")
    for action in (*statement.actions, *statement.not_actions):
        if action != "*" and not action.lower().startswith("s3:"):
            raise fault("MalformedPolicy", f"Policy has invalid action (at {place})")
    whole = arn_of(bucket)
    for resource in (*statement.resources, *statement.not_resources):
        name, slash, key = resource.replace("[", "[[]").partition("/")
        if not fnmatchcase(whole, name) or (slash and not key):
            raise fault("MalformedPolicy", f"Policy has invalid resource (at {place})", Detail=resource)


@operation("s3", "PutBucketPolicy")
async def put_bucket_policy(call: Call, req: PutBucketPolicyRequest) -> Reply:
    found = await configured.read(call, req, "s3:PutBucketPolicy")
    policy = checked_policy(req.Policy, found.name)
    if found.bucket.blocks("BlockPublicPolicy") and is_public(policy):
        raise access_denied(
            f"User: {call.caller.arn} is not authorized to perform: s3:PutBucketPolicy on resource: "
            f'"{found.arn}" because {BLOCKED}.'
        )
    await configured.amend(call, found.name, lambda bucket: msgspec.structs.replace(bucket, policy=req.Policy))
    return Reply(204, {})


@operation("s3", "GetBucketPolicy")
async def get_bucket_policy(call: Call, req: GetBucketPolicyRequest) -> GetBucketPolicyOutput:
    found = await configured.read(call, req, "s3:GetBucketPolicy")
    if found.bucket.policy is None:
        raise not_set("NoSuchBucketPolicy", NONE, found.name)
    return {"Policy": found.bucket.policy}


@operation("s3", "DeleteBucketPolicy")
async def delete_bucket_policy(call: Call, req: DeleteBucketPolicyRequest) -> None:
    await configured.changed(
        call, req, "s3:DeleteBucketPolicy", lambda bucket: msgspec.structs.replace(bucket, policy=None)
    )


@operation("s3", "GetBucketPolicyStatus")
async def get_bucket_policy_status(call: Call, req: GetBucketPolicyStatusRequest) -> GetBucketPolicyStatusOutput:
    found = await configured.read(call, req, "s3:GetBucketPolicyStatus")
    if found.bucket.policy is None:
        raise not_set("NoSuchBucketPolicy", NONE, found.name)
    return {"PolicyStatus": {"IsPublic": is_public(gate.read_policy(found.bucket.policy))}}
