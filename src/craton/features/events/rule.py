"""Rules, their targets and buses as rows of the store.

Owns the bodies, ids and ARNs, and which rules an event matches. It must not know requests, nor delivery.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from craton.aws.arn import make
from craton.features.events.event import DEFAULT_BUS, Event
from craton.features.events.patterns import compiled
from craton.features.events.transform import Transformer
from craton.infra.store.port import Query, Reader, Resource

RULE: Final = "events-rule"
BUS: Final = "events-bus"
ENABLED: Final = "ENABLED"
DISABLED: Final = "DISABLED"
ALL_EVENTS: Final = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
DAY_S: Final = 86_400
MOST_TRIES: Final = 185
_PAGE: Final = 300


class Target(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`retries` and `age_s` are after how many more tries, or how long, an event is given up; `dead_letter` a log group."""

    id: str
    arn: str
    role: str | None = None
    input: str | None = None
    input_path: str | None = None
    transformer: Transformer | None = None
    retries: int | None = None
    age_s: int | None = None
    dead_letter: str | None = None


class Rule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`since` is when the schedule began, or was last due, in µs since 1970."""

    name: str
    bus: str = DEFAULT_BUS
    pattern: str | None = None
    schedule: str | None = None
    description: str | None = None
    role: str | None = None
    targets: tuple[Target, ...] = ()
    since: int = 0
    tags: dict[str, str] = {}


class Bus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`policy` is the text of its resource policy, `key` the KMS key its events are kept under while they wait."""

    name: str
    description: str | None = None
    policy: str | None = None
    key: str | None = None
    dead_letter: str | None = None
    tags: dict[str, str] = {}


def bus_arn(account: str, region: str, name: str) -> str:
    return make("events", region, account, f"event-bus/{name}")


def rule_arn(account: str, region: str, bus: str, name: str) -> str:
    """Rules of the default bus are named without it."""
    return make("events", region, account, f"rule/{name}" if bus == DEFAULT_BUS else f"rule/{bus}/{name}")


def rule_id(bus: str, name: str) -> str:
    """The id of a rule's row, by which those of a bus stand together."""
    return f"{bus}/{name}"


def matching(store: Reader, event: Event) -> Iterator[tuple[Resource, Rule]]:
    """The enabled rules of the event's bus that match it."""
    envelope = event.envelope()
    query = Query(
        kind=RULE, account=event.account, region=event.region, id_prefix=rule_id(event.bus, ""), sort="id", limit=_PAGE
    )  # fmt: skip
    while True:
        page = store.list(query)
        for row in page.items:
            if row.status == DISABLED:
                continue
            rule = row.read(Rule)
            if rule.targets and rule.pattern is not None and compiled(rule.pattern)(envelope):
                yield row, rule
        if page.after is None:
            return
        query = msgspec.structs.replace(query, after=page.after)
