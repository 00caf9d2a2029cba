"""`craton worker`: a process that does jobs, beside those that a server makes for itself.

Owns the command's words; the work is `craton.labor`'s.
"""

from __future__ import annotations

import sys

import click

from craton.cli.options import place_of, placed
from craton.cli.refusal import Refused


@click.command()
@placed
@click.option(
    "--url", metavar="URL", help="Where the gateway is.  [default: [jobs] endpoint_url, else this home's server]"
)
def worker(home: str | None, config: str | None, url: str | None) -> None:
    """Do jobs until Ctrl-C or SIGTERM, on any machine that reaches the store and the gateway."""
    place = place_of(home, config)
    address = url or place.settings.file.jobs.endpoint_url or (place.server.url if place.server else "")
    if not address:
        raise Refused("no server runs here: say with --url where the gateway is", 2)
    from craton.labor import work
    from craton.storing import check_shared_secret

    store = place.open_store()
    check_shared_secret(store, place.settings)
    store.close()
    ready = lambda: click.echo(f"Doing jobs for {address}. Ctrl-C ends it.", err=True)  # noqa: E731
    sys.exit(work(place.settings, url=address, on_ready=ready))
