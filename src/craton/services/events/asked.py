"""How a request's names lead to buses and rules, and that the caller is judged before anything is told of them.

Owns the resources of permissions, and reading and changing one row. It must not know what the operations do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from craton.aws.access.keys import NOTHING
from craton.aws.access.request import tag_keys
from craton.aws.access.variables import Keys
from craton.context import Call
from craton.features.events.event import DEFAULT_BUS
from craton.features.events.rule import BUS, RULE, Bus, Rule, bus_arn, rule_arn
from craton.infra.store.port import Reader, Resource, Transaction
from craton.services.events.faults import as_faults, bad, no_bus, no_rule, too_many

MOST_TAGS = 50
_BUS_ARN = re.compile(r"arn:aws[a-z-]*:events:([a-z0-9-]+):(\d{12}):event-bus/([/.\-_A-Za-z0-9]{1,256})")


def bus_named(call: Call, given: str | None) -> str:
    """The name that a name or ARN of a bus is of. Raises ResourceNotFoundException for one that is elsewhere."""
    if given is None:
        return DEFAULT_BUS
    if not given.startswith("arn:"):
        return given
    found = _BUS_ARN.fullmatch(given)
    if found is None:
        raise bad("EventBusName", "Provided Arn is not in correct format.")
    if (found[1], found[2]) != (call.region, call.account):
        raise no_bus(given)
    return found[3]


def bus_row(store: Reader, call: Call, name: str) -> Resource | None:
    """The row of a bus. The default one is there without one."""
    row = store.get(bus_arn(call.account, call.region, name))
    return row if row is not None and row.kind == BUS else None


def check_bus(store: Reader, call: Call, name: str) -> None:
    """Raise ResourceNotFoundException for a bus that is not there."""
    if name != DEFAULT_BUS and bus_row(store, call, name) is None:
        raise no_bus(name)


async def judged(call: Call, action: str, name: str, bus: str, given: Keys = NOTHING) -> Resource | None:
    """The rule's row, if there is one, for the caller to do the action on it. Raises AccessDeniedException."""
    arn = rule_arn(call.account, call.region, bus, name)
    with as_faults():
        row = await call.app.storage.read(lambda store: store.get(arn))
    tags = row.read(Rule).tags if row is not None and row.kind == RULE else {}
    call.authorize(f"events:{action}", arn, given={**tag_keys(resource_tags=tags), **given})
    return row


async def rule_of(call: Call, action: str, name: str, bus: str, given: Keys = NOTHING) -> tuple[Resource, Rule]:
    """The rule, for the caller to do the action on it. Raises AccessDeniedException, ResourceNotFoundException."""
    row = await judged(call, action, name, bus, given)
    if row is None:
        raise no_rule(name, bus)
    return row, row.read(Rule)


async def judged_bus(call: Call, action: str, name: str, given: Keys = NOTHING) -> Bus:
    """The bus, for the caller to do the action on it. Raises AccessDeniedException, ResourceNotFoundException."""
    with as_faults():
        row = await call.app.storage.read(lambda store: bus_row(store, call, name))
    found = Bus(name=DEFAULT_BUS) if row is None and name == DEFAULT_BUS else row.read(Bus) if row is not None else None
    tags = found.tags if found is not None else {}
    arn = bus_arn(call.account, call.region, name)
    call.authorize(f"events:{action}", arn, given={**tag_keys(resource_tags=tags), **given})
    if found is None:
        raise no_bus(name)
    return found


async def amend(
    call: Call, name: str, bus: str, change: Callable[[Rule], Rule], *,
    status: str | None = None, also: Callable[[Transaction, Resource], None] = lambda _tx, _row: None,
) -> Resource:  # fmt: skip
    """Change a rule in one transaction; the row as it is then. Raises ResourceNotFoundException."""
    arn, now = rule_arn(call.account, call.region, bus, name), call.now()

    def work(transaction: Transaction) -> Resource:
        row = transaction.get(arn)
        if row is None:
            raise no_rule(name, bus)
        body = msgspec.json.encode(change(row.read(Rule)))
        changed = msgspec.structs.replace(row, body=body, status=status or row.status, updated_at=now)
        made = transaction.update(changed)
        also(transaction, made)
        return made

    with as_faults():
        return await call.app.storage.keep(work)


def tags_of(given: Iterable[Any] | None) -> dict[str, str]:
    """Tags of a request. Raises ValidationException, LimitExceededException."""
    tags = {one.Key: one.Value for one in given or ()}
    if any(key.lower().startswith("aws:") for key in tags):
        raise bad("Tags", "Tag keys that begin with aws: are reserved.")
    if len(tags) > MOST_TAGS:
        raise too_many()
    return tags
