"""A resource of the caller's by whatever names it, ARN, id or name, and the judgement of an action on it.

Owns the order in which these are tried, and that whoever may not do the action learns nothing of what is there. It must not
know any noun.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from craton.aws.access.request import tag_keys
from craton.context import Call
from craton.infra.store.port import Reader, Resource
from craton.services import stored


class Named(msgspec.Struct, frozen=True):
    """A kind of resource: how its faults call it, the ARN of a name that leads nowhere, and the tags of a row.

    `by_id` says whether its id alone names it too.
    """

    kind: str
    shown: str
    arn_of: Callable[[Call, str], str]
    tags_of: Callable[[Resource], dict[str, str]]
    by_id: bool = True


async def judged(call: Call, noun: Named, action: str, identifier: str, *besides: str) -> Resource:
    """The caller's row, if the caller may do the action on it and on what is `besides`.

    Raises AccessDeniedException, ResourceNotFoundException.
    """

    def look(store: Reader) -> Resource | None:
        if identifier.startswith("arn:"):
            return store.get(identifier)
        by_id = store.get_by_id(call.account, call.region, noun.kind, identifier) if noun.by_id else None
        return by_id or store.get_by_name(call.account, call.region, noun.kind, identifier)

    with stored.faults(noun.shown):
        row = await call.app.storage.read(look)
    mine = row is not None and row.kind == noun.kind and stored.belongs(call, row)
    arn = identifier if identifier.startswith("arn:") else noun.arn_of(call, identifier)
    tags: dict[str, str] = {}
    if row is not None and mine:
        arn, tags = row.arn, noun.tags_of(row)
    judged = [(arn, tag_keys(resource_tags=tags)), *((each, {}) for each in besides)]
    call.app.live.authority.judge(call, action, judged, {})
    if row is None or not mine:
        raise stored.missing(noun.shown)
    return row
