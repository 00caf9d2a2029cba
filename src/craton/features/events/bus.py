"""The bus: whoever has an event tells it here, and every target of a rule that matches it will get it.

Owns the two ways in. `tell` is for Craton's own events, which hold names and states and no content: they are kept in the
transaction that makes them true, so neither is there without the other. `put` is for customers' events, which are kept
sealed. Either returns or commits once nothing can be lost any more; delivery is at least once. It must not know what
events mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from craton.features.events import delivery as deliveries
from craton.features.events.delivery import INPUT, Delivery, input_of
from craton.features.events.event import Event
from craton.features.events.rule import BUS, Bus, Rule, bus_arn, matching
from craton.infra.store.port import Reader, Transaction

if TYPE_CHECKING:
    from craton.context import Storage
    from craton.infra.cipher.port import Cipher


def tell(transaction: Transaction, event: Event, now: datetime) -> int:
    """Keep an event of Craton's own for those who want it, in the caller's transaction; for how many targets."""
    found = [(row.arn, rule) for row, rule in matching(transaction, event)]
    return sum(tell_to(transaction, event, arn, rule, now) for arn, rule in found)


def tell_to(transaction: Transaction, event: Event, rule_arn: str, rule: Rule, now: datetime) -> int:
    """The same for the targets of one rule, as when its schedule is due."""
    for target in rule.targets:
        given = input_of(event, target, rule_arn, now).decode()
        one = Delivery(rule=rule_arn, target=target, event_id=event.id, accepted_at=now, input=given, trace=event.trace)
        deliveries.keep(transaction, deliveries.new_arn(event), one)
    return len(rule.targets)


async def put(storage: Storage, cipher: Cipher, events: Sequence[Event], now: datetime) -> None:
    """Keep customers' events for those who want them. Raises StoreError, CipherError: then none was kept."""
    matched = await storage.read(lambda store: _matched(store, events))
    kept = []
    for event, arn, rule, key in matched:
        for target in rule.targets:
            one = Delivery(rule=arn, target=target, event_id=event.id, accepted_at=now, trace=event.trace)
            kept.append((*(await _sealed(cipher, event, key, input_of(event, target, arn, now))), one))
    if not kept:
        return

    def work(transaction: Transaction) -> None:
        for arn, sealed, one in kept:
            deliveries.keep(transaction, arn, one, sealed)

    await storage.keep(work)


def _matched(store: Reader, events: Sequence[Event]) -> list[tuple[Event, str, Rule, str | None]]:
    """Each event with each rule that matches it, and the key of its bus."""
    found = [(event, row.arn, rule) for event in events for row, rule in matching(store, event)]
    buses = {bus_arn(event.account, event.region, event.bus) for event, _, _ in found}
    rows = {arn: store.get(arn) for arn in buses}
    keys = {arn: row.read(Bus).key for arn, row in rows.items() if row is not None and row.kind == BUS}
    return [(event, arn, rule, keys.get(bus_arn(event.account, event.region, event.bus))) for event, arn, rule in found]


async def _sealed(cipher: Cipher, event: Event, key: str | None, given: bytes) -> tuple[str, bytes]:
    from craton.infra.jobs import runs

    arn = deliveries.new_arn(event)
    plain, to = msgspec.msgpack.encode(given), runs.bound(arn, INPUT)
    return arn, await cipher.seal(event.account, runs.STEP_PURPOSE, key, plain, to, region=event.region)
