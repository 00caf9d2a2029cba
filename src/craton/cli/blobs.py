"""`craton blobs`: look through the bytes that objects are made of.

Owns the commands' words and the bar; reading and checking are `infra.blobs`'s. It works beside a running server, and
changes nothing unless it is told to.
"""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from craton.cli.options import place_of, placed
from craton.cli.refusal import Refused

if TYPE_CHECKING:
    from craton.infra.blobs.orphans import Held
    from craton.infra.blobs.port import Blobs
    from craton.infra.store.port import Store

_TELL_EVERY_S = 0.5
_MEBIBYTE = 1024 * 1024


@click.group()
@placed
@click.pass_context
def blobs(ctx: click.Context, home: str | None, config: str | None) -> None:
    """Blobs: the bytes of objects, in the home or in an outside S3."""
    ctx.default_map = {name: {"home": home, "config": config} for name in blobs.commands}


@blobs.command()
@placed
@click.option("--delete-orphans", is_flag=True, help="Remove blobs older than an hour that nothing leads to.")
def scrub(home: str | None, config: str | None, *, delete_orphans: bool) -> None:
    """Read every blob and say which are damaged, and which nothing leads to.

    Ends with 1 if any is damaged. What is sealed is not opened: no key is needed.
    """
    from craton.infra.blobs.opening import open_blobs
    from craton.infra.blobs.port import BlobError

    place = place_of(home, config)
    settings = place.settings
    store = place.open_store()
    try:
        found = open_blobs(settings.file.blobs, settings.home_path)
        damaged = asyncio.run(_scrub(found, held_in(store), delete_orphans=delete_orphans))
    except BlobError as error:
        raise Refused(str(error)) from None
    finally:
        store.close()
    if damaged:
        sys.exit(1)


def held_in(store: Store) -> Held:
    """Asks the store which blobs its rows name."""
    from craton.infra.objects import index

    async def held(idents: list[str]) -> set[str]:
        return store.run(lambda connection: index.in_use(connection, idents))

    return held


async def _scrub(blobs: Blobs, held: Held, *, delete_orphans: bool) -> int:
    """Tell what is damaged and what is orphaned; how many are damaged."""
    from craton.infra.blobs.orphans import AGE, orphans, remove

    damaged = await _check(blobs)
    before = datetime.now(UTC) - AGE
    lost = [ident async for page, _ in orphans(blobs, held, before) for ident in page]
    for ident in lost:
        click.echo(f"orphan   {ident}")
    if delete_orphans:
        await remove(blobs, held, lost)
        drafts = await blobs.tidy(before)
        click.echo(f"removed {len(lost)} orphans and {drafts} unfinished files")
    elif lost:
        click.echo(f"{len(lost)} blobs belong to nothing; --delete-orphans removes them")
    await blobs.close()
    return damaged


async def _check(blobs: Blobs) -> int:
    count = size = damaged = 0
    begun = told = time.monotonic()
    async for checked in blobs.scrub():
        count, size = count + 1, size + checked.size
        if checked.damage:
            damaged += 1
            click.echo(f"DAMAGED  {checked.id}  {checked.damage}")
        if sys.stderr.isatty() and time.monotonic() - told > _TELL_EVERY_S:
            told = time.monotonic()
            click.echo(f"\r{count} blobs, {size / _MEBIBYTE:.0f} MiB", err=True, nl=False)
    if told != begun:
        click.echo("\r\033[K", err=True, nl=False)
    click.echo(f"{count} blobs, {size / _MEBIBYTE:.1f} MiB read, {damaged} damaged")
    return damaged
