"""PutResourcePolicy, GetResourcePolicy and DeleteResourcePolicy of knowledge bases.

Owns the operations and the revisions by which two writers do not overwrite each other. What a policy may say, and the
judging by it, is `base_policy`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from craton.aws.access.request import tag_keys
from craton.aws.wire.faults import conflict, not_found
from craton.context import Call
from craton.features.rag.resources import KNOWLEDGE_BASE, SHOWN_BASE, KnowledgeBase
from craton.infra.store.ids import lower_id
from craton.infra.store.port import Resource
from craton.services import stored
from craton.services.bedrock_agent import base_policy, rows
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock_agent import (
        DeleteResourcePolicyRequest,
        DeleteResourcePolicyResponse,
        GetResourcePolicyRequest,
        GetResourcePolicyResponse,
        PutResourcePolicyRequest,
        PutResourcePolicyResponse,
    )

NONE = "The knowledge base has no resource policy."
OTHER_REVISION = "The resource policy was changed by another request: its revision is not {revision}."


async def found(call: Call, action: str, arn: str) -> Resource:
    """The caller's knowledge base, if the caller may do the action on it.

    Raises AccessDeniedException (also for one of another account), ResourceNotFoundException.
    """
    with stored.faults(SHOWN_BASE):
        row = await call.app.storage.read(lambda store: store.get(arn))
    mine = row is not None and row.kind == KNOWLEDGE_BASE and stored.belongs(call, row)
    tags = row.read(KnowledgeBase).tags if row is not None and mine else {}
    call.app.live.authority.judge(call, action, [(arn, tag_keys(resource_tags=tags))], {})
    if row is None or not mine:
        raise rows.missing(SHOWN_BASE, arn.rpartition("/")[2])
    return row


@operation("bedrock-agent", "PutResourcePolicy")
async def put_resource_policy(call: Call, req: PutResourcePolicyRequest) -> PutResourcePolicyResponse:
    row = await found(call, "bedrock:PutResourcePolicy", req.resourceArn)
    base_policy.check(req.policy, row.arn, row.read(KnowledgeBase))
    revision = lower_id(32)
    await revise(call, row, req.expectedRevisionId, req.policy, revision)
    return {"resourceArn": row.arn, "revisionId": revision}


@operation("bedrock-agent", "GetResourcePolicy")
async def get_resource_policy(call: Call, req: GetResourcePolicyRequest) -> GetResourcePolicyResponse:
    row = await found(call, "bedrock:GetResourcePolicy", req.resourceArn)
    body = row.read(KnowledgeBase)
    if not body.policy:
        raise not_found(NONE)
    return {"resourceArn": row.arn, "policy": body.policy, "revisionId": body.policy_revision}


@operation("bedrock-agent", "DeleteResourcePolicy")
async def delete_resource_policy(call: Call, req: DeleteResourcePolicyRequest) -> DeleteResourcePolicyResponse:
    row = await found(call, "bedrock:DeleteResourcePolicy", req.resourceArn)
    body = row.read(KnowledgeBase)
    if not body.policy:
        raise not_found(NONE)
    await revise(call, row, req.expectedRevisionId, "", "")
    return {"resourceArn": row.arn, "revisionId": body.policy_revision}


async def revise(call: Call, row: Resource, expected: str | None, policy: str, revision: str) -> None:
    """Give a knowledge base another policy. Raises ConflictException for another revision than the expected one."""

    def changed(now: Resource) -> Resource:
        body = now.read(KnowledgeBase)
        if expected is not None and body.policy_revision != expected:
            raise conflict(OTHER_REVISION.format(revision=expected))
        body = msgspec.structs.replace(body, policy=policy, policy_revision=revision)
        return msgspec.structs.replace(now, body=msgspec.json.encode(body))

    await rows.change(call, row, SHOWN_BASE, changed)
