"""`craton worker`: a process that does jobs, beside those that a server makes for itself.

Owns the command's words; the work is `craton.labor`'s, and with `--ray` that of such processes on a cluster's nodes.
"""

from __future__ import annotations

import signal
import sys
import threading

import click

from craton.cli.options import place_of, placed
from craton.cli.refusal import Refused


@click.command()
@placed
@click.option(
    "--url", metavar="URL", help="Where the gateway is.  [default: [jobs] endpoint_url, else this home's server]"
)
@click.option(
    "--ray", "spread", type=click.IntRange(1), metavar="N",
    help="Have N workers on the nodes of the Ray cluster of [compute] address instead, for as long as this command runs.",
)  # fmt: skip
@click.option("--parent", type=int, hidden=True, help="End with the process of this number, which made this one.")
def worker(home: str | None, config: str | None, url: str | None, spread: int | None, parent: int | None) -> None:
    """Do jobs until Ctrl-C or SIGTERM, on any machine that reaches the store and the gateway."""
    if parent is not None:
        from craton.infra.compute.process import die_with_parent

        die_with_parent(parent)
    place = place_of(home, config)
    address = url or place.settings.file.jobs.endpoint_url or (place.server.url if place.server else "")
    if not address:
        raise Refused("no server runs here: say with --url where the gateway is", 2)
    if spread:
        words = [word for name, said in (("--home", home), ("--config", config)) if said for word in (name, said)]
        _on_ray(place.settings.file.compute.address, spread, [*words, "--url", address], address)
        return
    from craton.labor import work
    from craton.storing import check_shared_secret

    store = place.open_store()
    check_shared_secret(store, place.settings)
    store.close()
    ready = lambda: click.echo(f"Doing jobs for {address}. Ctrl-C ends it.", err=True)  # noqa: E731
    sys.exit(work(place.settings, url=address, on_ready=ready))


def _on_ray(cluster: str, count: int, words: list[str], address: str) -> None:
    """Employ workers on the cluster until a signal says that it is enough."""
    from craton.infra.jobs.ray_workers import RayWorkers

    enough = threading.Event()
    try:
        workers = RayWorkers(cluster)
    except OSError as error:
        raise Refused(f"the Ray cluster cannot be joined: {error}", 1) from None
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: enough.set())
    workers.employ(count, words)
    nodes = workers.nodes()
    for node in nodes:
        click.echo(f"A worker on {node}", err=True)
    if len(nodes) < count:
        click.echo(f"The cluster has no room yet for {count - len(nodes)} more; they start when it has.", err=True)
    click.echo(f"{count} workers do jobs for {address}. Ctrl-C ends them.", err=True)
    while not enough.wait(1.0):  # a signal is heard between two waits
        pass
    workers.end()
