"""TagResource, UntagResource and ListTagsForResource of the service bedrock, where tags are a list of pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from craton.context import Call
from craton.services import tagging
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock import (
        ListTagsForResourceRequest,
        ListTagsForResourceResponse,
        TagResourceRequest,
        TagResourceResponse,
        UntagResourceRequest,
        UntagResourceResponse,
    )


@operation("bedrock", "TagResource")
async def tag_resource(call: Call, req: TagResourceRequest) -> TagResourceResponse:
    await tagging.add(call, req.resourceARN, ((tag.key, tag.value) for tag in req.tags))
    return {}


@operation("bedrock", "UntagResource")
async def untag_resource(call: Call, req: UntagResourceRequest) -> UntagResourceResponse:
    await tagging.remove(call, req.resourceARN, req.tagKeys)
    return {}


@operation("bedrock", "ListTagsForResource")
async def list_tags_for_resource(call: Call, req: ListTagsForResourceRequest) -> ListTagsForResourceResponse:
    tags = await tagging.read(call, req.resourceARN)
    return {"tags": [{"key": key, "value": value} for key, value in tags.items()]}
