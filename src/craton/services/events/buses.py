"""Event buses: the default one, which is always there, and those that are made.

Owns the operations. A bus with rules is not deleted. It must not know rules beyond counting them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from craton.aws.access.request import tag_keys
from craton.aws.wire.faults import Fault, validation
from craton.context import Call
from craton.features.events.event import DEFAULT_BUS
from craton.features.events.rule import BUS, Bus, bus_arn
from craton.infra.store.port import AlreadyExists, Query, Resource, Transaction
from craton.services.events.asked import bus_named, bus_row, judged_bus, tags_of
from craton.services.events.faults import as_faults, bad, bus_exists, no_bus, too_many
from craton.services.events.rules import rules_on
from craton.services.kms import asked as kms
from craton.services.kms.asked import ONLY_ENABLED, Need
from craton.services.operation import operation

if TYPE_CHECKING:
    from datetime import datetime

    from craton.aws.shapes.events import (
        CreateEventBusRequest,
        CreateEventBusResponse,
        DeleteEventBusRequest,
        DescribeEventBusRequest,
        DescribeEventBusResponse,
        ListEventBusesRequest,
        ListEventBusesResponse,
        UpdateEventBusRequest,
        UpdateEventBusResponse,
    )

MOST_BUSES: Final = 100
DEFAULT_PAGE: Final = 100
NO_SLASH = "Event bus name must not contain '/'."
NOT_DEFAULT = "Cannot delete event bus default."
HAS_RULES = "Event bus {name} can't be deleted since it has rules."
_KEY_ACTIONS = ("kms:DescribeKey", "kms:GenerateDataKey", "kms:Decrypt")


@operation("events", "CreateEventBus")
async def create_event_bus(call: Call, req: CreateEventBusRequest) -> CreateEventBusResponse:
    name, tags, arn = req.Name, tags_of(req.Tags), bus_arn(call.account, call.region, req.Name)
    given = tag_keys(request_tags=tags)
    call.authorize("events:CreateEventBus", arn, given=given)
    if tags:
        call.authorize("events:TagResource", arn, given=given)
    if req.EventSourceName is not None:
        raise bad("EventSourceName", "Partner event buses are not supported.")
    if "/" in name:
        raise validation(NO_SLASH)
    if name == DEFAULT_BUS:
        raise bus_exists(name)
    refuse_places(req)
    key = await usable_key(call, req.KmsKeyIdentifier) if req.KmsKeyIdentifier else None
    bus, now = Bus(name=name, description=req.Description, key=key, tags=tags), call.now()
    row = row_of(call, bus, now)

    def work(transaction: Transaction) -> None:
        if transaction.count(call.account, call.region, BUS) >= MOST_BUSES:
            raise too_many()
        transaction.create(row)

    with as_faults():
        try:
            await call.app.storage.keep(work)
        except AlreadyExists:
            raise bus_exists(name) from None
    shown = {"EventBusArn": arn, "Description": bus.description, "KmsKeyIdentifier": key}
    return {member: value for member, value in shown.items() if value is not None}  # type: ignore[return-value]


@operation("events", "UpdateEventBus")
async def update_event_bus(call: Call, req: UpdateEventBusRequest) -> UpdateEventBusResponse:
    name = req.Name or DEFAULT_BUS
    bus = await judged_bus(call, "UpdateEventBus", name)
    refuse_places(req)
    key = await usable_key(call, req.KmsKeyIdentifier) if req.KmsKeyIdentifier else None
    changed, now = msgspec.structs.replace(bus, description=req.Description, key=key), call.now()

    def work(transaction: Transaction) -> None:
        kept = bus_row(transaction, call, name)
        if kept is not None:
            body = msgspec.structs.replace(changed, tags=kept.read(Bus).tags)
            transaction.update(msgspec.structs.replace(kept, updated_at=now, body=msgspec.json.encode(body)))
        elif name == DEFAULT_BUS:
            transaction.create(row_of(call, changed, now))
        else:
            raise no_bus(name)

    with as_faults():
        await call.app.storage.keep(work)
    shown = {"Arn": bus_arn(call.account, call.region, name), "Name": name, "Description": changed.description,
             "KmsKeyIdentifier": key}  # fmt: skip
    return {member: value for member, value in shown.items() if value is not None}  # type: ignore[return-value]


def row_of(call: Call, bus: Bus, now: datetime) -> Resource:
    return Resource(
        account=call.account, region=call.region, kind=BUS, id=bus.name, name=bus.name, status="ACTIVE",
        arn=bus_arn(call.account, call.region, bus.name), created_at=now, updated_at=now,
        body=msgspec.json.encode(bus),
    )  # fmt: skip


def refuse_places(req: CreateEventBusRequest | UpdateEventBusRequest) -> None:
    """Raise ValidationException for what a bus does nowhere here: dead letters of its own, a log of its own."""
    if req.DeadLetterConfig is not None:
        raise bad("DeadLetterConfig", "Dead letters are set for each target here.")
    if req.LogConfig is not None and req.LogConfig.Level not in (None, "OFF"):
        raise bad("LogConfig", "Logs of event buses are not supported.")


async def usable_key(call: Call, key: str) -> str:
    """The ARN of a key for the caller to use through this service. Raises ValidationException."""
    arn = key
    for action in _KEY_ACTIONS:
        need = Need(action=action, states=ONLY_ENABLED, context={}, via=f"events.{call.region}.amazonaws.com")
        try:
            arn = (await kms.usable(call, key, need)).arn
        except Fault as fault:
            if not fault.client_fault:
                raise
            raise bad("KmsKeyIdentifier", "The key does not exist, or you are not allowed to use it.") from None
    return arn


@operation("events", "DeleteEventBus")
async def delete_event_bus(call: Call, req: DeleteEventBusRequest) -> None:
    name = bus_named(call, req.Name)
    call.authorize("events:DeleteEventBus", bus_arn(call.account, call.region, name))
    if name == DEFAULT_BUS:
        raise validation(NOT_DEFAULT)

    def work(transaction: Transaction) -> None:
        row = bus_row(transaction, call, name)
        if row is None:
            return
        if rules_on(transaction, call, name):
            raise validation(HAS_RULES.format(name=name))
        transaction.delete(row.arn)

    with as_faults():
        await call.app.storage.keep(work)


@operation("events", "DescribeEventBus")
async def describe_event_bus(call: Call, req: DescribeEventBusRequest) -> DescribeEventBusResponse:
    name = bus_named(call, req.Name)
    bus = await judged_bus(call, "DescribeEventBus", name)
    with as_faults():
        row = await call.app.storage.read(lambda store: bus_row(store, call, name))
    return shown(call, bus, row)  # type: ignore[return-value]


@operation("events", "ListEventBuses")
async def list_event_buses(call: Call, req: ListEventBusesRequest) -> ListEventBusesResponse:
    """By name, the default one too whether or not it has a row. The token is the name of the next one: they are few."""
    call.authorize("events:ListEventBuses", "*")
    query = Query(kind=BUS, account=call.account, region=call.region, limit=MOST_BUSES + 1)
    with as_faults():
        page = await call.app.storage.read(lambda store: store.list(query))
    rows: dict[str, Resource | None] = {DEFAULT_BUS: None, **{row.id: row for row in page.items}}
    names = sorted(name for name in rows if name.startswith(req.NamePrefix or "") and name >= (req.NextToken or ""))
    limit = req.Limit or DEFAULT_PAGE
    found = [shown(call, bus_of(rows[name]), rows[name]) for name in names[:limit]]
    token = {"NextToken": names[limit]} if len(names) > limit else {}
    return {"EventBuses": found, **token}  # type: ignore[typeddict-item]


def bus_of(row: Resource | None) -> Bus:
    return Bus(name=DEFAULT_BUS) if row is None else row.read(Bus)


def shown(call: Call, bus: Bus, row: Resource | None) -> dict[str, Any]:
    """A bus as the API has it."""
    found = {
        "Name": bus.name, "Arn": bus_arn(call.account, call.region, bus.name), "Description": bus.description,
        "KmsKeyIdentifier": bus.key, "Policy": bus.policy,
        "CreationTime": row.created_at if row is not None else None,
        "LastModifiedTime": row.updated_at if row is not None else None,
    }  # fmt: skip
    return {
        name: value
        for name, value in found.items()
        if value is not None and (name != "KmsKeyIdentifier" or call.operation.name == "DescribeEventBus")
    }
