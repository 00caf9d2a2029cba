"""`craton usage`: what was used of models and what it cost, by whom, for what and when.

Owns the filters and the printed forms: a table, CSV, JSON. Usage is read from the home's store; a running server is first
asked to put there what it has. What was counted in the last second may still be with a worker.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import click

from craton.cli.options import place_of, placed
from craton.cli.refusal import Refused
from craton.cli.terminal import columns

if TYPE_CHECKING:
    from craton.cli.running import Place
    from craton.features.metering.bill import Sum

# Column → count. Latency is summed, for who wants means.
SHOWN = {
    "invocations": "invocations",
    "errors": "errors",
    "throttles": "throttles",
    "input": "input_tokens",
    "output": "output_tokens",
    "cache read": "cache_read_tokens",
    "cache write": "cache_write_tokens",
    "images": "images",
}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_CENT = Decimal("0.000001")


@click.command()
@placed
@click.option(
    "--by",
    default="model",
    show_default=True,
    metavar="NAME,…",
    help="account, region, principal, model (as it was named), base (the model behind), profile, tag:KEY, metadata:KEY, "
    "hour, day, month.",
)
@click.option(
    "--from", "start", metavar="WHEN", help="From then on: 6h, 7d, or 2026-01-31[T12:00:00Z].  [default: 30d]"
)
@click.option("--to", "stop", metavar="WHEN", help="Up to then.  [default: now]")
@click.option("--account", default="", metavar="ID", help="Only of this account.")
@click.option("--region", default="", metavar="NAME", help="Only of this region.")
@click.option("--csv", "form", flag_value="csv", help="Print CSV.")
@click.option("--json", "form", flag_value="json", help="Print JSON.")
def usage(
    home: str | None, config: str | None, by: str, start: str | None, stop: str | None, account: str, region: str,
    form: str | None,
) -> None:  # fmt: skip
    """Usage of models and its cost, by whole hours (UTC)."""
    names = [name.strip() for name in by.split(",") if name.strip()]
    place = place_of(home, config)
    sums, currency = found(place, names, span(start, stop), account, region)
    if form == "csv":
        click.echo(as_csv(names, sums, currency), nl=False)
    elif form == "json":
        click.echo(json.dumps([as_row(names, one, currency) for one in sums], indent=2))
    elif sums:
        click.echo(as_table(names, sums, currency))
    else:
        click.echo("Nothing was used.", err=True)


def span(start: str | None, stop: str | None) -> tuple[int, int]:
    """Seconds since 1970. Raises BadParameter."""
    from craton.cli.audit import moment

    now = datetime.now(UTC)
    first, last = moment(start or "30d", now) or now, moment(stop, now)
    hour = first.replace(minute=0, second=0, microsecond=0)
    return int(hour.timestamp()), int((last or now).timestamp())


def found(
    place: Place, names: Sequence[str], seconds: tuple[int, int], account: str, region: str
) -> tuple[list[Sum], str]:
    """Sums and the currency. Raises Refused, BadParameter, StoreError."""
    from craton.features.metering import bill
    from craton.features.metering.usage import read
    from craton.models.catalog.prices import BadPrices, load

    try:
        wanted = bill.columns(names)
    except ValueError as error:
        raise click.BadParameter(f"usage cannot be told apart by {error}", param_hint="--by") from None
    try:
        prices = load(place.settings.file.prices.file)
    except BadPrices as error:
        raise Refused(str(error)) from error
    tell(place)
    store = place.open_store()
    try:
        hours = store.run(lambda c: list(read(c, wanted, *seconds, account=account, region=region)))
    finally:
        store.close()
    return bill.summed(hours, prices, names), prices.currency


def tell(place: Place) -> None:
    """Let a running server put what it counted into the store."""
    from craton.infra.control.wire import ControlLost

    if place.server is None:
        return
    try:
        with place.console() as console:
            console.call("metrics.keep")
    except ControlLost:
        return  # it has just ended, and has put everything there


def as_table(names: Sequence[str], sums: Sequence[Sum], currency: str) -> str:
    """Sums under each other, the whole at the end; `+?` where something has no price."""
    shown = [head for head, count in SHOWN.items() if any(one.counts[count] for one in sums)]
    rows = [
        [*one.names, *(str(one.counts[SHOWN[head]]) for head in shown), money(one.cost, one.unpriced)] for one in sums
    ]
    if len(sums) > 1:
        whole = [str(sum(one.counts[SHOWN[head]] for one in sums)) for head in shown]
        cost = money(sum((one.cost for one in sums), Decimal(0)), sum(one.unpriced for one in sums))
        rows.append([*("all" if place == 0 else "" for place in range(len(names))), *whole, cost])
    heads = [*names, *shown, currency]
    table = columns([head.upper() for head in heads], [[cell or "-" for cell in row] for row in rows])
    return table if not any(one.unpriced for one in sums) else f"{table}\n+? of it has no price: see docs/usage.md"


def money(cost: Decimal, unpriced: int) -> str:
    return f"{cost.quantize(_CENT)}{' +?' if unpriced else ''}"


def as_csv(names: Sequence[str], sums: Sequence[Sum], currency: str) -> str:
    """One line for each sum, under a header. No cell is a formula to a spreadsheet."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    counts = [*SHOWN.values(), "latency_ms"]
    writer.writerow([*names, *counts, "unpriced_invocations", "cost", "currency"])
    for one in sums:
        safe = [f"'{name}" if name.startswith(_FORMULA) else name for name in one.names]
        writer.writerow(
            [*safe, *(one.counts[count] for count in counts), one.unpriced, format(one.cost, "f"), currency]
        )
    return text.getvalue()


def as_row(names: Sequence[str], one: Sum, currency: str) -> dict[str, object]:
    """One sum as JSON; money is text, so that none is lost."""
    return {
        **dict(zip(names, one.names, strict=True)),
        **one.counts,
        "unpriced_invocations": one.unpriced,
        "cost": format(one.cost, "f"),
        "currency": currency,
    }
