"""`craton targets`: how each upstream answers, as the running server sees it.

Owns the table's form; the rows are the server's (`GET /craton/targets`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from craton.cli.options import place_of, placed
from craton.cli.refusal import Refused
from craton.cli.terminal import columns

if TYPE_CHECKING:
    from craton.cli.running import Running

_HEAD = ("MODEL", "PROVIDER", "UPSTREAM", "WORKER", "STATE", "RUNNING", "WAITING", "ANSWERED", "FAILED", "LAST ERROR")


@click.command()
@placed
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def targets(home: str | None, config: str | None, *, as_json: bool) -> None:
    """Show how each upstream answers."""
    place = place_of(home, config)
    if place.server is None:
        raise Refused("no server runs here; start one with `craton serve`")
    rows = from_server(place.server)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    click.echo(columns(_HEAD, [line(row) for row in rows]))


def from_server(server: Running) -> list[dict[str, Any]]:
    """The server's rows. Raises OSError."""
    from craton.cli.running import get

    status, answer = get(server, "/craton/targets")
    if status != 200 or not isinstance(answer, dict):
        raise Refused(f"{server.url}/craton/targets answers with status {status}")
    rows: list[dict[str, Any]] = answer["targets"]
    return rows


def line(row: dict[str, Any]) -> tuple[str, ...]:
    """One line of the table."""
    first, *others = row["models"]
    state = f"{row['state']} {row['until_s']:g} s" if row["until_s"] else row["state"]
    return (
        f"{first} +{len(others)}" if others else first,
        row["provider"],
        row["model"],
        str(row["worker"]),
        state,
        str(row["outstanding"]),
        str(row["waiting"]),
        str(row["answered"]),
        str(row["failed"]),
        row["last_error"] or "-",
    )
