"""A log group as a row of the store, and how a request's name leads to it.

Owns the row's body, the ARNs of groups and streams, and that the caller is judged before anything is told of a group,
also of one that is not there. It must not know events.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from craton.aws.access.keys import NOTHING
from craton.aws.access.variables import Keys
from craton.context import Call
from craton.infra.series.port import DAY_MS, Space
from craton.infra.store.port import Resource, Transaction, microseconds
from craton.services.logs import service_access
from craton.services.logs.faults import NO_GROUP, as_faults, invalid, missing

KIND = "log-group"
_ARN = re.compile(r"arn:aws[a-z0-9-]*:logs:([a-z0-9-]+):([0-9]{12}):log-group:([.\-_/#A-Za-z0-9]{1,512})(?::\*)?")
EITHER = "Exactly one of logGroupName and logGroupIdentifier must be given."


class GroupBody(msgspec.Struct, kw_only=True):
    """`space` is what its events are kept under: another for each group that ever had the name.

    `metric_filters` counts, `subscriptions` names what sees its events (`features.logs.due.Watched`).
    """

    space: str
    key: str | None = None
    retention_days: int | None = None
    group_class: str = "STANDARD"
    protected: bool = False
    metric_filters: int = 0
    subscriptions: tuple[str, ...] = ()
    tags: dict[str, str] = {}


class Group(msgspec.Struct, frozen=True):
    """A group as it was read."""

    row: Resource
    body: GroupBody

    @property
    def name(self) -> str:
        return self.row.id

    @property
    def space(self) -> Space:
        return Space(self.body.space, self.row.account, self.row.region, self.body.key)

    def oldest_ms(self, now: datetime) -> int:
        """The moment before which its events are over."""
        days = self.body.retention_days
        return 0 if days is None else max(0, milliseconds(now) - days * DAY_MS)


def group_of(row: Resource) -> Group:
    return Group(row, row.read(GroupBody))


def milliseconds(moment: datetime) -> int:
    return microseconds(moment) // 1000


def group_arn(call: Call, name: str) -> str:
    """The ARN of a group, as tags have it; for everything else `:*` follows."""
    return f"arn:aws:logs:{call.region}:{call.account}:log-group:{name}"


def stream_arn(call: Call, group: str, name: str) -> str:
    return f"{group_arn(call, group)}:log-stream:{name}"


def any_group(call: Call) -> str:
    """What callers need to be allowed who ask about groups in general."""
    return f"{group_arn(call, '')}:log-stream:"


def name_in(call: Call, given: str | None, place: str = "logGroupIdentifier") -> str:
    """The name that a name or ARN is of. Raises InvalidParameterException, ResourceNotFoundException."""
    if given is None:
        raise invalid(EITHER)
    if not given.startswith("arn:"):
        return given
    found = _ARN.fullmatch(given)
    if found is None:
        raise invalid(f"The specified {place} is invalid.")
    if found[1] != call.region or found[2] != call.account:
        raise missing(NO_GROUP)
    return found[3]


def named(call: Call, name: str | None, identifier: str | None) -> str:
    """The name of a request that takes a name or an identifier. Raises InvalidParameterException."""
    if (name is None) == (identifier is None):
        raise invalid(EITHER)
    return name if name is not None else name_in(call, identifier)


async def judged(call: Call, action: str, name: str, *, stream: str | None = None, given: Keys = NOTHING) -> Group:
    """The group, for the caller to do something with it, or with a stream of it.

    Raises AccessDeniedException, ResourceNotFoundException.
    """
    arn = group_arn(call, name)
    with as_faults():
        row, policies = await call.app.storage.read(
            lambda store: (store.get(arn), service_access.policies(store, call))
        )
    group = None if row is None or row.kind != KIND else group_of(row)
    resource = f"{arn}:*" if stream is None else stream_arn(call, name, stream)
    if call.caller.kind == "service":
        service_access.check(call, action, resource, policies)
    else:
        allow(call, action, resource, group, given)
    if group is None:
        raise missing(NO_GROUP)
    return group


def allow(call: Call, action: str, resource: str, group: Group | None, given: Keys = NOTHING) -> None:
    """Raise AccessDeniedException unless the caller may do the action with a resource of this group."""
    tags: dict[str, Any] = {} if group is None else group.body.tags
    keys = {f"aws:resourcetag/{key.lower()}": value for key, value in tags.items()}
    call.authorize(f"logs:{action}", resource, given={**keys, **given} if keys else given)


async def change(call: Call, name: str, amend: Callable[[GroupBody], GroupBody]) -> None:
    """Read, change and write the group's row in one transaction. Raises ResourceNotFoundException."""

    def work(transaction: Transaction) -> None:
        row = transaction.get(group_arn(call, name))
        if row is None:
            raise missing(NO_GROUP)
        body = msgspec.json.encode(amend(row.read(GroupBody)))
        transaction.update(msgspec.structs.replace(row, body=body, updated_at=call.now()))

    with as_faults():
        await call.app.storage.keep(work)
