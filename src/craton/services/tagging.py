"""Tags of resources, whatever their kind: the rules of keys and values, and reading and changing them by ARN.

Owns AWS's limits on tags and the convention that a taggable row's body is a JSON object with the member `tags`, a map.
One function serves each tagging operation of all services. It must not know kinds beyond whether IAM lets them be
tagged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from craton.aws.access.actions import NOT_TAGGABLE
from craton.aws.access.keys import NOTHING
from craton.aws.access.request import tag_keys
from craton.aws.arn import parse
from craton.aws.wire.faults import Fault, not_found, quota_exceeded, validation
from craton.context import Call
from craton.infra.store.port import Resource, Transaction
from craton.services.stored import belongs, faults

TAG = "bedrock:TagResource"
MAX_TAGS = 50
RESERVED = "aws: prefixed tag key names are not allowed for external use."
TWICE = "Duplicate tag keys found. Each tag key must be unique."
NOT_THERE = "The requested resource could not be found."
NOT_FOR_TAGS = "The provided resource does not support tags."
_MEMBERS: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TAGS: msgspec.json.Decoder[dict[str, str]] = msgspec.json.Decoder(dict[str, str])

Tags = dict[str, str]


class Tagged(msgspec.Struct):
    """What of a body is read here."""

    tags: Tags = {}


def checked(pairs: Iterable[tuple[str, str]], resource: str = "") -> Tags:
    """Tags of a request, e.g. of a Create operation. Raises ValidationException, TooManyTagsException."""
    tags: Tags = {}
    for key, value in pairs:
        if key.lower().startswith("aws:"):
            raise validation(RESERVED)
        if key in tags:
            raise validation(TWICE)
        tags[key] = value
    if len(tags) > MAX_TAGS:
        raise too_many(resource)
    return tags


def too_many(resource: str) -> Fault:
    text = f"The number of tags exceeds the limit of {MAX_TAGS} tags for each resource."
    return Fault("TooManyTagsException", text, fields={"resourceName": resource} if resource else None)


def authorize_create(
    call: Call, action: str, resources: Iterable[str], made: str, pairs: Iterable[tuple[str, str]]
) -> None:
    """Raise AccessDeniedException unless the caller may make something, and give it these tags if there are any.

    `resources` are those that making it needs, `made` stands for what is made.
    """
    tags = dict(pairs)
    given = tag_keys(request_tags=tags)
    call.authorize(action, *resources, given=given)
    if tags:
        call.authorize(TAG, made, given=given)


async def add(call: Call, arn: str, pairs: Iterable[tuple[str, str]]) -> None:
    """TagResource: new keys are added, known ones get the new value."""
    asked = list(pairs)
    call.authorize(TAG, arn, given=tag_keys(request_tags=dict(asked)))
    given = checked(asked, arn)

    def change(tags: Tags) -> Tags:
        merged = {**tags, **given}
        if len(merged) > MAX_TAGS:
            fault = too_many(arn)
            modelled = fault.name in call.operation.errors
            raise fault if modelled else quota_exceeded(fault.message)
        return merged

    await amend(call, arn, change)


async def remove(call: Call, arn: str, keys: Iterable[str]) -> None:
    """UntagResource; keys that are not there are no error."""
    gone = frozenset(keys)
    call.authorize("bedrock:UntagResource", arn, given={"aws:tagkeys": tuple(sorted(gone))} if gone else NOTHING)
    await amend(call, arn, lambda tags: {key: value for key, value in tags.items() if key not in gone})


async def read(call: Call, arn: str) -> Tags:
    """ListTagsForResource."""
    call.authorize("bedrock:ListTagsForResource", arn)
    check_kind(arn)
    with faults("resource"):
        row = await call.app.storage.read(lambda store: store.get(arn))
    return msgspec.json.decode(found(call, row).body, type=Tagged).tags


async def amend(call: Call, arn: str, change: Callable[[Tags], Tags]) -> None:
    """Change the tags of one row in one transaction; the other members of its body stay as they are, byte by byte."""
    check_kind(arn)

    def work(transaction: Transaction) -> None:
        row = found(call, transaction.get(arn))
        members = _MEMBERS.decode(row.body)
        tags = _TAGS.decode(members["tags"]) if "tags" in members else {}
        body = msgspec.json.encode({**members, "tags": change(tags)})
        transaction.update(msgspec.structs.replace(row, body=body))

    with faults("resource"):
        await call.app.storage.write(work)


def check_kind(arn: str) -> None:
    """Raise ValidationException for what is no ARN or of a kind that takes no tags."""
    parts = parse(arn)
    if parts is None or parts.type in NOT_TAGGABLE:
        raise validation(NOT_FOR_TAGS)


def found(call: Call, row: Resource | None) -> Resource:
    """The row, if it is the caller's. Raises ResourceNotFoundException."""
    if row is None or not belongs(call, row):
        raise not_found(NOT_THERE)
    return row
