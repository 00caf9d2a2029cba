"""`craton operations`: which of Bedrock's operations answer, and which refuse.

Owns the list's form. The truth comes from the running server; without one, from the same table the server is made of.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import click

from craton.cli.options import place_of, placed
from craton.cli.refusal import Refused
from craton.cli.terminal import columns

if TYPE_CHECKING:
    from craton.cli.running import Running

STATUSES = ("real", "partial", "refused")
SERVICES = ("bedrock", "bedrock-runtime", "bedrock-agent", "bedrock-agent-runtime", "iam", "sts", "kms", "s3", "logs",
            "cloudwatch", "lambda", "events")  # fmt: skip


@click.command()
@placed
@click.option("--service", type=click.Choice(SERVICES), help="Only this service.")
@click.option("--status", type=click.Choice(STATUSES), help="Only operations of this status.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def operations(home: str | None, config: str | None, service: str | None, status: str | None, *, as_json: bool) -> None:
    """List the operations of Bedrock and of the services around it: real, partial or refused."""
    place = place_of(home, config)
    rows = from_server(place.server) if place.server else from_code()
    chosen = [row for row in rows if service in {None, row["service"]} and status in {None, row["status"]}]
    if as_json:
        click.echo(json.dumps(chosen, indent=2))
        return
    click.echo(columns(("SERVICE", "OPERATION", "STATUS"), [tuple(row.values()) for row in chosen]))
    counts = Counter(row["status"] for row in chosen)
    click.echo(f"\n{len(chosen)} operations: " + ", ".join(f"{counts[each]} {each}" for each in STATUSES))


def from_server(server: Running) -> list[dict[str, str]]:
    """What the running server says. Raises OSError."""
    from craton.cli.running import get

    status, answer = get(server, "/craton/operations")
    if status != 200 or not isinstance(answer, dict):
        raise Refused(f"{server.url}/craton/operations answers with status {status}")
    rows: list[dict[str, str]] = answer["operations"]
    return rows


def from_code() -> list[dict[str, str]]:
    """What a server would say."""
    from craton.aws.wire.model import load
    from craton.offering import SERVICES as NAMES
    from craton.offering import at_root, operation_rows
    from craton.services.all import labels

    return operation_rows([load(name) for name in NAMES], labels()) + at_root()
