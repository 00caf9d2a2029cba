"""`craton keys`: long-term bearer keys of the root user.

Owns the commands' words; the keys themselves are `infra.keys.bearer`'s. A key is printed once, by `create`, and only
its hash is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from craton.cli.options import place_of, placed
from craton.cli.refusal import Refused
from craton.cli.terminal import columns

if TYPE_CHECKING:
    from craton.cli.running import Place
    from craton.infra.store.port import Store


@click.group()
@placed
@click.pass_context
def keys(ctx: click.Context, home: str | None, config: str | None) -> None:
    """Bearer keys: make, list, switch off and delete them."""
    ctx.default_map = {name: {"home": home, "config": config} for name in keys.commands}


@contextmanager
def opened(home: str | None, config: str | None) -> Iterator[tuple[Place, Store]]:
    """The home and its store; what was changed counts in a running server when the block ends."""
    place = place_of(home, config)
    store = place.open_store()
    try:
        yield place, store
    finally:
        store.close()
    place.refresh()


def now() -> datetime:
    return datetime.now(UTC)


@keys.command()
@placed
@click.option("--days", type=int, help="How long the key lives, 1 to 36600.  [default: without end]")
def create(home: str | None, config: str | None, days: int | None) -> None:
    """Make a key and print it, this once."""
    from craton.aws.access.credentials import root_principal
    from craton.infra.keys.bearer import KeyRefused, create_bearer_key

    with opened(home, config) as (place, store):
        try:
            made, secret = create_bearer_key(store, root_principal(place.account), age_days=days, clock=now)
        except KeyRefused as refused:
            raise Refused(str(refused), 2) from None
    until = f"until {made.expires_at:%Y-%m-%d}" if made.expires_at else "until it is deleted"
    click.echo(f"Key {made.credential_id} of the root user of account {made.account}, valid {until}.", err=True)
    click.echo("It is shown this once; only its hash is kept. AWS's SDKs take it from the environment:", err=True)
    click.echo(f"export AWS_BEARER_TOKEN_BEDROCK={secret}")


@keys.command("list")
@placed
def list_(home: str | None, config: str | None) -> None:
    """List the keys."""
    from craton.infra.keys.bearer import list_bearer_keys

    with opened(home, config) as (place, store):
        found = list_bearer_keys(store, place.account, now=now())
    rows = [
        (
            key.credential_id,
            key.user_name,
            key.status,
            day(key.created_at),
            day(key.expires_at) if key.expires_at else "-",
        )
        for key in found
    ]
    click.echo(columns(("ID", "USER", "STATUS", "CREATED", "EXPIRES"), rows) if rows else "There are no keys.")


def day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"


@keys.command()
@placed
@click.argument("key_id", metavar="ID")
def delete(home: str | None, config: str | None, key_id: str) -> None:
    """Remove a key for good."""
    from craton.infra.keys.bearer import delete_bearer_key
    from craton.infra.store.port import NotFound

    with opened(home, config) as (place, store):
        try:
            delete_bearer_key(store, place.account, key_id)
        except NotFound:
            raise Refused(f"there is no key {key_id}") from None
    click.echo(f"Deleted {key_id}.")


@keys.command()
@placed
@click.argument("key_id", metavar="ID")
def deactivate(home: str | None, config: str | None, key_id: str) -> None:
    """Switch a key off."""
    switch(home, config, key_id, "Inactive")


@keys.command()
@placed
@click.argument("key_id", metavar="ID")
def activate(home: str | None, config: str | None, key_id: str) -> None:
    """Switch a key on again."""
    switch(home, config, key_id, "Active")


def switch(home: str | None, config: str | None, key_id: str, status: str) -> None:
    """Set a key's status, `Active` or `Inactive`."""
    from craton.infra.keys.bearer import set_bearer_status
    from craton.infra.store.port import NotFound

    with opened(home, config) as (place, store):
        try:
            key = set_bearer_status(store, place.account, key_id, status, clock=now)
        except NotFound:
            raise Refused(f"there is no key {key_id}") from None
    click.echo(f"{key_id} is {key.status.lower()}.")
