"""An alarm's change of state as an event, told in the transaction that writes the change down.

Owns the event's names. It must not know what alarms are: the detail is given.
Source: CloudWatch user guide, "Alarm events and EventBridge".
"""

from __future__ import annotations

from typing import Any, Final

from craton.features.events import bus
from craton.features.events.event import Event
from craton.infra.store.port import Resource, Transaction

SOURCE: Final = "aws.cloudwatch"
CHANGED: Final = "CloudWatch Alarm State Change"


def tell(transaction: Transaction, row: Resource, told: dict[str, Any]) -> None:
    """Keep the event for those who want it; `row` is the alarm's as it was just written."""
    event = Event(
        source=SOURCE, detail_type=CHANGED, account=row.account, region=row.region, at=row.updated_at,
        detail=told, resources=(row.arn,),
    )  # fmt: skip
    bus.tell(transaction, event, row.updated_at)
