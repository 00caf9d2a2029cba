"""Tags of users, roles, policies and OIDC providers. One function serves each operation of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from craton.aws.access.request import tag_keys
from craton.aws.access.variables import Keys
from craton.context import Call, Handler
from craton.infra.identities.records import Bounded, ManagedPolicy
from craton.infra.store.port import Resource, Transaction
from craton.services.iam import given, managed, pages, shown
from craton.services.iam.nouns import ROLES, USERS, Noun, change, judged
from craton.services.operation import operation

Tags = dict[str, str]
Alter = Callable[[Tags], Tags]


async def _change_entity(noun: Noun[Any], call: Call, req: Any, alter: Alter, keys: Keys) -> None:
    def work(transaction: Transaction, row: Resource, body: Bounded) -> None:
        body.tags = alter(body.tags)

    await change(call, noun, noun.named(req), work, keys)


async def _change_policy(call: Call, req: Any, alter: Alter, keys: Keys) -> None:
    def work(transaction: Transaction, row: Resource, body: ManagedPolicy) -> None:
        body.tags = alter(body.tags)

    await managed.change(call, req.PolicyArn, work, keys)


def adding(req: Any, quota: str) -> tuple[Alter, Keys]:
    """What a Tag… request does, and the condition keys it makes."""
    new = given.tags(req.Tags)
    return lambda tags: given.merged(tags, new, quota), given.request_keys(new)


def removing(req: Any) -> tuple[Alter, Keys]:
    """What an Untag… request does; keys that are not there are no error."""
    gone = {key.lower() for key in req.TagKeys}
    keys = tag_keys(request_tags=dict.fromkeys(req.TagKeys, ""))
    return (
        lambda tags: {key: value for key, value in tags.items() if key.lower() not in gone},
        {"aws:tagkeys": keys["aws:tagkeys"]} if keys else {},
    )


def listed(call: Call, req: Any, tags: Tags, *filters: object) -> dict[str, Any]:
    """The answer of a List…Tags request."""
    chosen: Iterable[str]
    chosen, tail = pages.of_list(call, req, tags, str, *filters)
    return {"Tags": shown.tags({key: tags[key] for key in chosen}), **tail}


def _tag(noun: Noun[Any]) -> Handler:
    async def tag(call: Call, req: Any) -> None:
        await _change_entity(noun, call, req, *adding(req, f"TagsPer{noun.word}"))

    return operation("iam", f"Tag{noun.word}")(tag)


def _untag(noun: Noun[Any]) -> Handler:
    async def untag(call: Call, req: Any) -> None:
        await _change_entity(noun, call, req, *removing(req))

    return operation("iam", f"Untag{noun.word}")(untag)


def _list(noun: Noun[Any]) -> Handler:
    async def list_(call: Call, req: Any) -> dict[str, Any]:
        body = (await judged(call, noun, noun.named(req))).read(noun.body)
        return listed(call, req, body.tags, body.name)

    return operation("iam", f"List{noun.word}Tags")(list_)


tag_user, tag_role = _tag(USERS), _tag(ROLES)
untag_user, untag_role = _untag(USERS), _untag(ROLES)
list_user_tags, list_role_tags = _list(USERS), _list(ROLES)


@operation("iam", "TagPolicy")
async def tag_policy(call: Call, req: Any) -> None:
    await _change_policy(call, req, *adding(req, "TagsPerPolicy"))


@operation("iam", "UntagPolicy")
async def untag_policy(call: Call, req: Any) -> None:
    await _change_policy(call, req, *removing(req))


@operation("iam", "ListPolicyTags")
async def list_policy_tags(call: Call, req: Any) -> dict[str, Any]:
    body = (await managed.read_own(call, req.PolicyArn)).read(ManagedPolicy)
    return listed(call, req, body.tags, req.PolicyArn)
