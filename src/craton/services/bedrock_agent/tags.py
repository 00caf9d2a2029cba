"""TagResource, UntagResource and ListTagsForResource of the service bedrock-agent, where tags are a map.

The path `/tags/{resourceArn}` is shared with its sibling service; the ARN's kind tells which one is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from craton.context import Call
from craton.services import tagging
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock_agent import (
        ListTagsForResourceRequest,
        ListTagsForResourceResponse,
        TagResourceRequest,
        TagResourceResponse,
        UntagResourceRequest,
        UntagResourceResponse,
    )


@operation("bedrock-agent", "TagResource")
async def tag_resource(call: Call, req: TagResourceRequest) -> TagResourceResponse:
    await tagging.add(call, req.resourceArn, req.tags.items())
    return {}


@operation("bedrock-agent", "UntagResource")
async def untag_resource(call: Call, req: UntagResourceRequest) -> UntagResourceResponse:
    await tagging.remove(call, req.resourceArn, req.tagKeys)
    return {}


@operation("bedrock-agent", "ListTagsForResource")
async def list_tags_for_resource(call: Call, req: ListTagsForResourceRequest) -> ListTagsForResourceResponse:
    return {"tags": await tagging.read(call, req.resourceArn)}
