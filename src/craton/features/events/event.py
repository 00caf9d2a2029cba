"""An event, and how it looks to rules and targets.

Owns the envelope's members. It must not know rules, nor how events are kept.
Source: EventBridge user guide, "Events in Amazon EventBridge".
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import msgspec

DEFAULT_BUS: Final = "default"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened. `at` is when, in UTC; `detail` a JSON object; `trace` the X-Ray header of what caused it."""

    source: str
    detail_type: str
    account: str
    region: str
    at: datetime
    detail: dict[str, Any]
    resources: tuple[str, ...] = ()
    bus: str = DEFAULT_BUS
    trace: str = ""
    id: str = msgspec.field(default_factory=lambda: str(uuid4()))

    def envelope(self) -> dict[str, Any]:
        """The event as rules match it and targets get it."""
        return {
            "version": "0",
            "id": self.id,
            "detail-type": self.detail_type,
            "source": self.source,
            "account": self.account,
            "time": instant(self.at),
            "region": self.region,
            "resources": list(self.resources),
            "detail": self.detail,
        }


def instant(moment: datetime) -> str:
    """A time as events carry it: to the second, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
