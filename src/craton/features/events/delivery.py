"""A delivery: one event on its way to one target, kept until it has arrived or is given up.

Owns its row, and that the row, its run and what the target gets are written together. How a target is reached, tried again
and given up is the workflow's (`workflows.events.delivery`). It must not know rules' patterns.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import uuid4

import msgspec

from craton.aws.arn import make
from craton.features.events.event import Event, instant
from craton.features.events.rule import Target
from craton.features.events.transform import part, rendered
from craton.infra.store.port import Resource, Transaction

KIND: Final = "events-delivery"
INPUT: Final = "input"
WAITING: Final = "Waiting"


class Delivery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`rule` is the rule's ARN, which policies of targets may ask for. `input` is what the target gets, where it holds no
    content of customers' and so need not be sealed; else it is a step of the run. `tries` counts what was tried.
    """

    rule: str
    target: Target
    event_id: str
    accepted_at: datetime
    input: str | None = None
    trace: str = ""
    tries: int = 0


def input_of(event: Event, target: Target, rule: str, now: datetime) -> bytes:
    """What the target gets of the event, as JSON."""
    if target.input is not None:
        return target.input.encode()
    envelope = event.envelope()
    if target.input_path is not None:
        return part(target.input_path, envelope)
    if target.transformer is not None:
        return rendered(target.transformer, envelope, rule, instant(now))
    return msgspec.json.encode(envelope)


def new_arn(event: Event) -> str:
    """The ARN of a new delivery's row and run; ours, for AWS has no name for these."""
    return make("events", event.region, event.account, f"delivery/{uuid4()}")


def keep(transaction: Transaction, arn: str, delivery: Delivery, sealed: bytes | None = None) -> None:
    """Put a delivery down, to begin once the transaction is committed. `sealed` is its input where it holds content."""
    from craton.infra.jobs import runs  # with the SQL toolkit, which a server without jobs never loads

    _, _, _, region, account, rest = arn.split(":", 5)
    at = delivery.accepted_at
    row = Resource(
        account=account, region=region, kind=KIND, id=rest.rpartition("/")[2], arn=arn, status=WAITING,
        created_at=at, updated_at=at, body=msgspec.json.encode(delivery),
    )  # fmt: skip
    transaction.create(row)
    transaction.run(lambda connection: runs.enqueue(connection, arn, KIND, at))
    if sealed is not None:
        transaction.run(lambda connection: runs.give(connection, arn, INPUT, sealed, at))
