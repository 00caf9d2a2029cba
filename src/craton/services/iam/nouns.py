"""Users, groups and roles as operations meet them: found by name, judged before anything is told, changed in one step.

Owns the order "read, authorize, change": who may not do a thing learns nothing of whether its object exists, and what is
changed is what was judged. Owns the store's errors in IAM's words too. It must not know any operation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import msgspec

from craton.aws.access.keys import NOTHING
from craton.aws.access.request import tag_keys
from craton.aws.access.variables import Keys, Value
from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.infra.identities import records
from craton.infra.identities.records import Bounded, Entity, Group, Role, User
from craton.infra.store.port import (
    GLOBAL,
    AlreadyExists,
    Conflict,
    NotFound,
    Resource,
    StoreError,
    Transaction,
    Unavailable,
)

B = TypeVar("B", bound=Entity)
T = TypeVar("T")

CHANGED = "The request was submitted while another one changed the same entity. Try your request again."


class Noun(msgspec.Struct, Generic[B], frozen=True):
    """A kind of identity. `shown` is its name in messages, `word` in operations' names, `body` what its rows hold."""

    kind: str
    shown: str
    word: str
    body: type[B]

    @property
    def member(self) -> str:
        """The member of requests that names one."""
        return f"{self.word}Name"

    def named(self, req: Any) -> str:
        """The name in a request."""
        found: str = getattr(req, self.member)
        return found

    def missing(self, name: str) -> Fault:
        return no_such(f"The {self.shown} with name {name} cannot be found.")


USERS = Noun(records.USER, "user", "User", User)
GROUPS = Noun(records.GROUP, "group", "Group", Group)
ROLES = Noun(records.ROLE, "role", "Role", Role)


def no_such(message: str) -> Fault:
    return Fault("NoSuchEntity", message, status=404)


def exists(message: str) -> Fault:
    return Fault("EntityAlreadyExists", message, status=409)


def limit(quota: str, most: int) -> Fault:
    return Fault("LimitExceeded", f"Cannot exceed quota for {quota}: {most}", status=409)


def in_use(message: str) -> Fault:
    return Fault("DeleteConflict", message, status=409)


def invalid(message: str) -> Fault:
    return Fault("InvalidInput", message, status=400)


async def read(call: Call, noun: Noun[B], name: str) -> Resource | None:
    """The caller's account's row with this name, not judged yet."""
    with faults():
        return await call.app.storage.read(lambda store: records.named(store, call.account, noun.kind, name))


async def judged(call: Call, noun: Noun[B], name: str, given: Keys = NOTHING) -> Resource:
    """The row, after the caller was found to be allowed the operation on it. Raises AccessDenied, then NoSuchEntity."""
    row = await read(call, noun, name)
    authorize(call, noun, name, row, given)
    if row is None:
        raise noun.missing(name)
    return row


def authorize(call: Call, noun: Noun[B], name: str, row: Resource | None, given: Keys = NOTHING) -> None:
    """Judge the call's own action on an identity, whether it exists or not."""
    if row is None:
        call.authorize(action(call), records.arn_of(noun.kind, call.account, "/", name), given=given)
        return
    body = row.read(noun.body)
    keys: dict[str, Value] = {**resource_tags(body.tags if isinstance(body, Bounded) else {})}
    if isinstance(body, Bounded) and body.boundary is not None:
        keys["iam:permissionsboundary"] = body.boundary
    call.authorize(action(call), row.arn, given={**keys, **given})


def action(call: Call) -> str:
    """The action of a call: IAM's are called as its operations."""
    return f"iam:{call.operation.name}"


def resource_tags(tags: dict[str, str]) -> dict[str, Value]:
    """The tags of what is asked for, under both names that IAM gives them."""
    own: dict[str, Value] = {f"iam:resourcetag/{name.lower()}": value for name, value in tags.items()}
    return {**own, **tag_keys(resource_tags=tags)}


async def change(
    call: Call,
    noun: Noun[B],
    name: str,
    alter: Callable[[Transaction, Resource, B], T],
    given: Keys = NOTHING,
) -> T:
    """Authorize the call on one identity and change its body. `alter` changes its third argument in place."""
    seen = await judged(call, noun, name, given)

    def work(transaction: Transaction) -> T:
        row = current(transaction, noun, seen)
        body = row.read(noun.body)
        result = alter(transaction, row, body)
        transaction.update(records.rewritten(row, body, call.app.clock.now()))
        return result

    return await write(call, work)


def current(transaction: Transaction, noun: Noun[B], seen: Resource) -> Resource:
    """The row as it is now. Raises NoSuchEntity if it is no longer the one that was judged."""
    row = transaction.get(seen.arn)
    if row is None or row.id != seen.id:
        raise noun.missing(seen.read(noun.body).name)
    return row


async def write(call: Call, work: Callable[[Transaction], T]) -> T:
    """One transaction; when it returns, every worker lives by it."""
    with faults():
        return await call.app.storage.write(work)


@contextmanager
def faults() -> Iterator[None]:
    """The store's errors in IAM's words."""
    try:
        yield
    except AlreadyExists as error:
        raise exists(f"An entity with this name already exists ({error.field}).") from None
    except Conflict:
        raise Fault("ConcurrentModification", CHANGED, status=409) from None
    except NotFound:
        raise no_such("The entity cannot be found.") from None
    except Unavailable as error:
        raise Fault("ServiceUnavailable", "The service is not available. Try again.", status=503) from error
    except StoreError as error:
        raise Fault("ServiceFailure", "The request failed by an unknown reason.", status=500) from error


def check_room(call: Call, transaction: Transaction, kind: str, quota: str, most: int) -> None:
    """Raise LimitExceeded when the account has as many rows of a kind as it may."""
    if transaction.count(call.account, GLOBAL, kind) >= most:
        raise limit(quota, most)


async def create(
    call: Call,
    noun: Noun[B],
    body: B,
    quota: tuple[str, int],
    given: Keys = NOTHING,
    prepare: Callable[[Transaction, Resource], Resource] = lambda _, row: row,
) -> Resource:
    """Authorize the call and keep a new identity. `prepare` looks at other rows, and says what is to be kept."""
    row = records.row_of(noun.kind, call.account, body, call.app.clock.now())
    call.authorize(action(call), row.arn, given=given)

    def work(transaction: Transaction) -> Resource:
        check_room(call, transaction, noun.kind, *quota)
        try:
            return transaction.create(prepare(transaction, row))
        except AlreadyExists:
            raise exists(f"{noun.word} with name {body.name} already exists.") from None

    return await write(call, work)
