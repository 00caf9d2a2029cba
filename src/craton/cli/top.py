"""`craton top`: the models that serve now, their replicas and their load, as they change.

Owns one frame and its drawing. It must not know how a status comes about; what a model is called it has from `deployed`.
"""

from __future__ import annotations

import time
from itertools import compress
from typing import TYPE_CHECKING, Any

import click

from craton.cli import deployed
from craton.cli.models import served
from craton.cli.options import placed
from craton.cli.refusal import Refused
from craton.cli.terminal import duration, size

if TYPE_CHECKING:
    from rich.console import RenderableType

    from craton.cli.running import Place
    from craton.infra.control.console import Console

# State → colour. What sleeps is not shown, so has none.
COLOURS = {
    "ready": "green",
    "starting": "yellow",
    "rolling": "cyan",
    "draining": "cyan",
    "waiting": "yellow",
    "stopping": "yellow",
    "failed": "red",
    "broken": "red",
}
COLUMNS = ("MODEL", "STATE", "READY", "RUN", "WAIT", "WAITED", "REQ/S", "TOK/S", "MEMORY", "UP")
_TEXTS = frozenset({"MODEL", "STATE"})
# What a narrow terminal does without.
_SPARE = frozenset({"WAITED", "REQ/S", "UP"})
_NARROW = 100
_SLEEPING = frozenset({"stopped"})


class Titles:
    """What models are called; asked again when one shows up that was not known."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._known: dict[str, str] = {}

    def of(self, rows: list[dict[str, Any]]) -> dict[str, str]:
        """A title for the id of every row."""
        if any(row["id"] not in self._known for row in rows):
            self._known = {model.id: model.title for model in deployed.known(self._place)}
            self._known |= {row["id"]: deployed.short(row["id"]) for row in rows if row["id"] not in self._known}
        return self._known


@click.command()
@placed
@click.option("--once", is_flag=True, help="Print one frame and end, as it does where the output is no terminal.")
@click.option(
    "--interval",
    "interval_s",
    type=click.FloatRange(min=0.1),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Between frames.",
)
def top(home: str | None, config: str | None, interval_s: float, *, once: bool) -> None:
    """Show the models that serve now, live: replicas, requests that run and wait, tokens, memory. Ctrl-C ends it."""
    from rich.console import Console as Screen

    place = served(home, config)
    screen, titles = Screen(highlight=False), Titles(place)
    with place.console() as console:
        if once or not screen.is_terminal:
            screen.print(look(console, titles, screen.width))
            return
        watch(screen, console, titles, interval_s)


def look(console: Console, titles: Titles, width: int) -> RenderableType:
    """One frame of what is now."""
    rows: list[dict[str, Any]] = console.call("models.status")
    return frame(rows, titles.of(rows), width)


def watch(screen: Any, console: Console, titles: Titles, interval_s: float) -> None:
    """Draw frame after frame until Ctrl-C, or until the server ends. Raises Refused."""
    from rich.live import Live

    from craton.infra.control.wire import ControlLost

    try:
        with Live(look(console, titles, screen.width), console=screen, screen=True, auto_refresh=False) as live:
            while True:
                time.sleep(interval_s)
                live.update(look(console, titles, screen.width), refresh=True)
    except KeyboardInterrupt:
        return
    except ControlLost:
        raise Refused("the server has ended") from None


# --- a frame ---


def frame(rows: list[dict[str, Any]], titles: dict[str, str], width: int) -> RenderableType:
    """What is awake, the busiest first, each with its replicas; what sleeps is only counted."""
    from rich.console import Group
    from rich.text import Text

    awake = sorted((row for row in rows if row["state"] not in _SLEEPING or row["replicas"]), key=busiest)
    parts: list[RenderableType] = [Text(headline(awake), style="bold")]
    if awake:
        parts.append(table_of(awake, titles, width))
    parts += [Text(f"{titles[row['id']]}: {trouble}", style="red") for row in awake if (trouble := trouble_of(row))]
    asleep = len(rows) - len(awake)
    if asleep:
        parts.append(Text(f"{counted(asleep, 'model')} {'sleeps' if asleep == 1 else 'sleep'}.", style="dim"))
    return Group(*parts)


def table_of(awake: list[dict[str, Any]], titles: dict[str, str], width: int) -> RenderableType:
    """The table; where it is too wide, the models' names are shortened."""
    from rich import box
    from rich.table import Table

    kept = [title not in _SPARE or width >= _NARROW for title in COLUMNS]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for title in compress(COLUMNS, kept):
        table.add_column(title, justify="left" if title in _TEXTS else "right", no_wrap=title != "MODEL")
    for row in awake:
        table.add_row(*compress(model_cells(row, titles[row["id"]]), kept))
        for replica in row["replicas"]:
            table.add_row(*compress(replica_cells(replica), kept), style="dim")
    return table


def busiest(row: dict[str, Any]) -> tuple[int, str]:
    return -(row["outstanding"] + row["queue"]), row["id"]


def headline(awake: list[dict[str, Any]]) -> str:
    """Sums over everything."""
    replicas = sum(row["ready"] for row in awake)
    running, waiting = sum(row["outstanding"] for row in awake), sum(row["queue"] for row in awake)
    speed = sum(deployed.speed(row) for row in awake)
    held = size(sum(deployed.memory(row) for row in awake))
    return (
        f"{counted(len(awake), 'model')}, {counted(replicas, 'replica')} ready · {running} running, {waiting} waiting"
        f" · {speed:.0f} tokens/s · {held}"
    )


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def model_cells(row: dict[str, Any], title: str) -> tuple[RenderableType, ...]:
    """One model; READY is how many of the replicas that there are to be take requests."""
    waited = f"{row['oldest_wait_s']:.1f} s" if row["queue"] else "-"
    return (
        named(title),
        coloured(row["state"]),
        f"{row['ready']}/{row['wanted']}",
        str(row["outstanding"]),
        str(row["queue"]),
        waited,
        some(row["requests_per_s"]),
        some(deployed.speed(row)),
        size(deployed.memory(row)),
        duration(row["uptime_s"]),
    )


def replica_cells(row: dict[str, Any]) -> tuple[RenderableType, ...]:
    """One replica under its model."""
    name = f"  {row['id']}" + (f" @{row['node']}" if row["node"] else "")
    state = coloured(row["state"])
    if not row["current"]:
        state.append(" (former)")
    speed, held, up = some(row["tokens_per_s"]), size(deployed.memory(row)), duration(row["uptime_s"])
    return (named(name), state, "", str(row["outstanding"]), "", "", "", speed, held, up)


def named(title: str) -> Any:
    from rich.text import Text

    return Text(title, no_wrap=True, overflow="ellipsis")


def coloured(state: str) -> Any:
    from rich.text import Text

    return Text(state, style=COLOURS.get(state, ""))


def some(rate: float) -> str:
    """A rate for a person: whole from ten up, `-` for nothing."""
    return "-" if not rate else f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}"


def trouble_of(row: dict[str, Any]) -> str:
    """What is wrong with a model now, in one line; an error that it has recovered from is not."""
    if row["lacks"]:
        return f"no room for another replica: {row['lacks']}"
    failed = next((one["last_error"] for one in row["replicas"] if one["state"] in ("failed", "waiting")), "")
    now_failing = row["last_error"] if row["state"] in ("failed", "broken") else failed
    return deployed.in_short(now_failing)
