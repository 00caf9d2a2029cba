"""`craton logs GROUP`: the events of a log group as they were, and as they come.

Owns the form; events are asked of the running server by FilterLogEvents, as the AWS CLI's `logs tail` does (which its
version 1 lacks). An event that comes late, with an earlier time than one that was shown, is shown when it comes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import click

from craton.cli.options import place_of, placed
from craton.cli.refusal import Refused

_LOOK_EVERY_S = 1.0
_LATE_MS = 60_000
"""How far back each look goes: events may come late by so much."""


@click.command()
@placed
@click.argument("group")
@click.option("--since", type=click.IntRange(0), default=10, show_default=True, help="Begin so many minutes ago.")
@click.option("--filter", "pattern", default="", help="Only what fits this filter pattern.")
@click.option("--follow", is_flag=True, help="Go on as events come.")
@click.option("--json", "as_json", is_flag=True, help="Print each event as JSON, one a line.")
def logs(
    home: str | None, config: str | None, group: str, since: int, pattern: str, *, follow: bool, as_json: bool
) -> None:
    """Show the events of a log group."""
    place = place_of(home, config)
    if place.server is None:
        raise Refused("no server runs here; start one with `craton serve`")
    from craton.cli.client import client  # boto3 takes a third of a second

    service = client("logs", place.server, place.root_key())
    start_ms = int(time.time() * 1000) - since * 60_000
    try:
        for event in events(service, group, pattern, start_ms, follow=follow):
            click.echo(line(event, as_json=as_json))
    except service.exceptions.ClientError as error:
        raise Refused(error.response["Error"]["Message"]) from None
    except KeyboardInterrupt:
        return


def events(service: Any, group: str, pattern: str, start_ms: int, *, follow: bool) -> Iterator[dict[str, Any]]:
    """Each event once, in the order of its time within one look."""
    shown: dict[str, int] = {}
    while True:
        look_ms = int(time.time() * 1000)
        for page in service.get_paginator("filter_log_events").paginate(
            logGroupName=group, filterPattern=pattern, startTime=start_ms
        ):
            for event in page["events"]:
                if event["eventId"] not in shown:
                    shown[event["eventId"]] = event["timestamp"]
                    yield event
        if not follow:
            return
        start_ms = max(start_ms, look_ms - _LATE_MS)
        shown = {ident: at_ms for ident, at_ms in shown.items() if at_ms >= start_ms}
        time.sleep(_LOOK_EVERY_S)


def line(event: dict[str, Any], *, as_json: bool) -> str:
    """Time, stream and message, or all members as JSON."""
    if as_json:
        import json

        return json.dumps(event)
    at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC).isoformat(timespec="milliseconds")
    return f"{at} {event['logStreamName']} {event['message']}"
