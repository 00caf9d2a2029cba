"""Tags of functions.

Owns their rules in Lambda's words. Tags lie in the body of the row, as everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from craton.aws.access.keys import NOTHING
from craton.aws.access.request import tag_keys
from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.features.functions.function import FUNCTION
from craton.infra.store.port import Resource
from craton.services import tagging
from craton.services.lambda_.faults import as_faults, invalid, no_function
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.lambda_ import (
        ListTagsRequest,
        ListTagsResponse,
        TagResourceRequest,
        UntagResourceRequest,
    )


def checked(given: dict[str, str]) -> dict[str, str]:
    """Tags of a request. Raises InvalidParameterValueException."""
    try:
        return tagging.checked(given.items())
    except Fault as fault:
        raise invalid(fault.message) from None


@operation("lambda", "TagResource")
async def tag_resource(call: Call, req: TagResourceRequest) -> None:
    given = dict(req.Tags)
    await _found(call, "lambda:TagResource", req.Resource, tag_keys(request_tags=given))
    new = checked(given)

    def change(tags: dict[str, str]) -> dict[str, str]:
        return checked({**tags, **new})

    with as_faults():
        await tagging.amend(call, req.Resource, change)


@operation("lambda", "UntagResource")
async def untag_resource(call: Call, req: UntagResourceRequest) -> None:
    gone = frozenset(req.TagKeys)
    await _found(call, "lambda:UntagResource", req.Resource, {"aws:tagkeys": tuple(sorted(gone))})
    with as_faults():
        await tagging.amend(
            call, req.Resource, lambda tags: {key: value for key, value in tags.items() if key not in gone}
        )


@operation("lambda", "ListTags")
async def list_tags(call: Call, req: ListTagsRequest) -> ListTagsResponse:
    row = await _found(call, "lambda:ListTags", req.Resource, NOTHING)
    return {"Tags": row.read(tagging.Tagged).tags}


async def _found(call: Call, action: str, arn: str, given: object) -> Resource:
    """The row, if the caller may do the action on it. Raises ResourceNotFoundException."""
    call.authorize(action, arn, given=given)  # type: ignore[arg-type]
    with as_faults():
        row = await call.app.storage.read(lambda store: store.get(arn))
    if row is None or row.account != call.account or row.region != call.region:
        raise no_function(arn)
    if row.kind != FUNCTION:
        raise invalid("Tags on function aliases and versions are not supported. Please specify a function ARN.")
    return row
