"""Subscription filters: what is known of one, and the messages that its function gets.

Owns the row's body and the form of messages: the events of one stream, as JSON, in portions that a function takes. Pure.
Source: CloudWatch Logs user guide, "Log group-level subscription filters".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

import msgspec

from craton.infra.series.port import Entry

KIND: Final = "log-subscription-filter"
PRINCIPAL: Final = "logs.amazonaws.com"
MOST_EVENTS: Final = 10_000
MOST_BYTES: Final = 512 * 1024
"""Text of one message: packed and in base64 it is within what a function is invoked with."""


class Subscription(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`destination` is the ARN of a function, perhaps with its qualifier."""

    group: str
    name: str
    pattern: str
    destination: str
    distribution: str = "ByLogStream"
    emitted: tuple[str, ...] = ()


def row_arn(account: str, region: str, space: str, name: str) -> str:
    """Ours, not AWS's: filters have none there, and it never leaves the store."""
    return f"arn:craton:logs:{region}:{account}:subscription-filter/{space}/{name}"


def messages(wanted: Subscription, account: str, entries: Sequence[Entry]) -> Iterator[bytes]:
    """The messages with these events, in order of their streams and times."""
    for stream, some in groupby(sorted(entries, key=lambda one: one.series), key=lambda one: one.series):
        for portion in _portions(some):
            yield msgspec.json.encode(
                {
                    "messageType": "DATA_MESSAGE",
                    "owner": account,
                    "logGroup": wanted.group,
                    "logStream": stream,
                    "subscriptionFilters": [wanted.name],
                    "logEvents": portion,
                }
            )


def _portions(entries: Iterator[Entry]) -> Iterator[list[dict[str, Any]]]:
    portion: list[dict[str, Any]] = []
    room_bytes = MOST_BYTES
    for entry in entries:
        room_bytes -= len(entry.data)
        if portion and (room_bytes < 0 or len(portion) >= MOST_EVENTS):
            yield portion
            portion, room_bytes = [], MOST_BYTES - len(entry.data)
        portion.append(
            {
                "id": f"{entry.ident:056d}",
                "timestamp": entry.at_ms,
                "message": entry.data.decode("utf-8", "replace"),
            }
        )
    if portion:
        yield portion
