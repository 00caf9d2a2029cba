"""`craton jobs`: which jobs there are, how far they are, how fast they go, and when they will be done.

Owns the form; runs and their progress are read from the home's store, so a job can be watched from any terminal that
reaches it, whether a server runs there or not.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from craton.cli.options import place_of, placed
from craton.cli.refusal import Refused
from craton.cli.terminal import columns, duration

if TYPE_CHECKING:
    from craton.infra.jobs.runs import Progress, Run
    from craton.infra.store.port import Resource, Store

_HEAD = ("JOB", "NAME", "STATUS", "PROGRESS", "RATE", "LEFT", "NOTE")
_BAR = 20
_TICKS = "▁▂▃▄▅▆▇█"
_LOOK_EVERY_S = 0.5
_MOST = 1000


@click.group(invoke_without_command=True)
@placed
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--limit", type=click.IntRange(1, _MOST), default=20, show_default=True, help="How many, the newest first."
)
@click.pass_context
def jobs(ctx: click.Context, home: str | None, config: str | None, *, as_json: bool, limit: int) -> None:
    """Jobs: list, watch and stop them."""
    if ctx.invoked_subcommand is not None:
        ctx.default_map = {name: {"home": home, "config": config} for name in jobs.commands}
        return
    from craton.infra.jobs.rows import listed

    with opened(home, config) as store:
        rows = [shown(store, run) for run in store.run(lambda c: listed(c, limit=limit))]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    else:
        click.echo(columns(_HEAD, [line(row) for row in rows]) if rows else "There are no jobs.")


@jobs.command()
@placed
@click.option("--once", is_flag=True, help="Say how it is now, and end.")
@click.argument("job")
def watch(home: str | None, config: str | None, job: str, *, once: bool) -> None:
    """Follow a job (an ARN or its last part) until it has ended."""
    with opened(home, config) as store:
        run = found(store, job)
        arn = run.arn
        if once:
            row = shown(store, run)
            click.echo(f"{bar(row['done'], row['total'], row['unit'])} {said(row, run.how_far)}")
            return
        watched = live(store, arn) if sys.stdout.isatty() else plain(store, arn)
        click.echo(f"{arn}: {watched['status']}" + (f": {watched['note']}" if watched["note"] else ""))


@jobs.command()
@placed
@click.argument("job")
def stop(home: str | None, config: str | None, job: str) -> None:
    """Ask a job (an ARN or its last part) to stop."""
    from craton.infra.jobs.runs import ask_stop

    with opened(home, config) as store:
        run = found(store, job)
        with store.transaction() as transaction:
            asked = transaction.run(lambda c: ask_stop(c, run.arn))
    if not asked:
        raise Refused(f"{run.arn} has ended already")
    click.echo(f"Asked {run.arn} to stop.")


@contextmanager
def opened(home: str | None, config: str | None) -> Iterator[Store]:
    """The store of the home. Raises StoreError."""
    store = place_of(home, config).open_store()
    try:
        yield store
    finally:
        store.close()


def found(store: Store, job: str) -> Run:
    """The run with this ARN, or the one whose ARN ends so. Raises Refused."""
    from craton.infra.jobs.rows import find, listed

    run = store.run(lambda c: find(c, job))
    if run is not None:
        return run
    ending = [run for run in store.run(lambda c: listed(c, limit=_MOST)) if run.arn.rpartition("/")[2] == job]
    if len(ending) != 1:
        raise Refused(f"there is no job {job}" if not ending else f"several jobs are called {job}: give the whole ARN")
    return ending[0]


def shown(store: Store, run: Run) -> dict[str, Any]:
    """What there is to say of a run; its status is the one that the API gives."""
    row = store.get(run.arn)
    progress = run.how_far
    return {
        "arn": run.arn,
        "kind": run.kind,
        "name": row.name if row is not None else None,
        "status": row.status if row is not None else run.state,
        "state": run.state,
        "done": progress.done,
        "total": progress.total,
        "unit": progress.unit,
        "rate": progress.rate,
        "left_s": progress.left_s,
        "attempts": run.attempts,
        "stopping": bool(run.stop_asked),
        "note": run.error,
        "losses": losses_of(row) if row is not None else [],
    }


def losses_of(row: Resource) -> list[float]:
    """The losses of a training so far; empty for a job that does not train."""
    from craton.features.hosting.customization_job import KIND, CustomizationJob

    return list(row.read(CustomizationJob).losses) if row.kind == KIND else []


def line(row: dict[str, Any]) -> tuple[str, ...]:
    """One line of the table."""
    runs = row["state"] in ("waiting", "running")
    return (
        row["arn"].split(":", 5)[-1],
        row["name"] or "-",
        row["status"],
        bar(row["done"], row["total"], row["unit"]),
        f"{row['rate']:.3g}/s" if runs and row["rate"] else "-",
        duration(row["left_s"] or 0) if runs else "-",
        row["note"] or "",
    )


def bar(done: int, total: int | None, unit: str) -> str:
    """Such as `[##########----------]  50 % of 1000 records`, or `17 records` where nobody knows how many there are."""
    if not total:
        return f"{done} {unit}" if done else "-"
    part = min(1.0, done / total)
    filled = round(part * _BAR)
    return f"[{'#' * filled}{'-' * (_BAR - filled)}] {part:4.0%} of {total} {unit}"


def live(store: Store, arn: str) -> dict[str, Any]:
    """A bar that moves until the run has ended; the last row."""
    from rich.progress import BarColumn, Progress, TextColumn

    form = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"))
    with Progress(*form, transient=True) as terminal:
        task = terminal.add_task(arn.rpartition("/")[2], total=None, said="")
        while True:
            run, row = again(store, arn)
            terminal.update(task, total=row["total"], completed=row["done"], said=said(row, run.how_far))
            if row["state"] not in ("waiting", "running"):
                return row
            time.sleep(_LOOK_EVERY_S)


def plain(store: Store, arn: str) -> dict[str, Any]:
    """A line for each change until the run has ended, where nobody sees bars; the last row."""
    told = ""
    while True:
        run, row = again(store, arn)
        text = f"{row['status']} {bar(row['done'], row['total'], row['unit'])}"
        if row["state"] not in ("waiting", "running"):
            return row
        if text != told:
            click.echo(f"{text} {said(row, run.how_far)}".rstrip())
            told = text
        time.sleep(_LOOK_EVERY_S)


def again(store: Store, arn: str) -> tuple[Run, dict[str, Any]]:
    """The run as it is now. Raises Refused when it is gone."""
    from craton.infra.jobs.runs import find

    run = store.run(lambda c: find(c, arn))
    if run is None:
        raise Refused(f"{arn} is gone")
    return run, shown(store, run)


def said(row: dict[str, Any], progress: Progress) -> str:
    """What stands beside the bar."""
    words = [
        row["status"],
        f"{progress.done} of {progress.total}" if progress.total else f"{progress.done}",
        progress.unit,
    ]
    if progress.rate:
        words.append(f"{progress.rate:.3g}/s")
    if progress.left_s:
        words.append(f"{duration(progress.left_s)} left")
    if row["losses"]:
        words.append(f"loss {row['losses'][-1]:.4g} {sparkline(row['losses'])}")
    if row["note"]:
        words.append(f"(waits to be tried again: {row['note']})")
    return " ".join(words)


def sparkline(values: Sequence[float], most: int = 32) -> str:
    """Such as `█▆▃▂▁`: the last values, between the lowest and the highest of all."""
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    return "".join(_TICKS[round((value - low) / span * (len(_TICKS) - 1))] for value in values[-most:])
